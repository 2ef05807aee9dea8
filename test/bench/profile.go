package main

import (
	"os"
	"runtime/pprof"
)

// startProfile profiles this process into a file until stop; nothing if the
// name is empty. What bridge and store cost is in it, since part a runs them in
// this process.
func startProfile(name string) (stop func() error, err error) {
	if name == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, err
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}
