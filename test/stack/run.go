package main

import (
	"context"
	"errors"
)

func run(context.Context, []string) error { return errors.New("not yet") }
