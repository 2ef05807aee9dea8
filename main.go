// Mailroom: an email becomes a room.
package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"mailroom/app"
	"mailroom/config"

	"github.com/alecthomas/kong"
)

// version is set by the Makefile.
var version = "unknown"

// loaded is what a command works with.
type loaded struct {
	context.Context
	file   string
	config func() (config.Config, error)
	log    *slog.Logger
}

func (l loaded) serve(o app.Options) error { return app.RunServe(l, l.config, o, l.log) }

func (l loaded) desk() app.Desk { return app.Desk{Load: l.config, Log: l.log, Out: os.Stdout} }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c commands
	line := kong.Parse(&c, kong.Name("mailroom"), kong.Description("An email becomes a room."), kong.Exit(exit))
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: c.LogLevel}))
	load := func() (config.Config, error) { return config.Load(c.File) }
	line.FatalIfErrorf(line.Run(loaded{ctx, c.File, load, log}))
}

// exit maps kong's code for a wrong command line to 2, as the contract says.
func exit(code int) {
	if code > 1 {
		code = 2
	}
	os.Exit(code)
}
