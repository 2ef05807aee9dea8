// Command stack runs the servers that Mailroom talks with - Dendrite, Prosody,
// PostgreSQL - on loopback, out of one folder.
//
//	stack up -config FILE     for tests: peers that obey commands on stdin
//	stack run -mailroom FILE  for people: peers and mailroom, ready to be tried
//
// `up` prints one line of JSON with the addresses when all peers answer, and
// then answers each command with one line of JSON:
//
//	start|stop|restart|kill dendrite|prosody|second|postgres
//	createdb NAME
//	quit
//
// A peer that is started again has the same ports and the same data. When stdin
// ends, or SIGINT or SIGTERM arrives, the stack stops every peer; when the stack
// itself is killed, the kernel kills them.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := command(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "stack:", err)
		os.Exit(1)
	}
}

func command(ctx context.Context, arguments []string) error {
	if len(arguments) == 0 {
		return errors.New("say what to do: up or run")
	}
	switch arguments[0] {
	case "up":
		return up(ctx, arguments[1:])
	case "run":
		return run(ctx, arguments[1:])
	}
	return fmt.Errorf("%q is not a command: use up or run", arguments[0])
}

// up starts the peers and serves commands until it is told to end.
func up(ctx context.Context, arguments []string) (err error) {
	flags := flag.NewFlagSet("up", flag.ExitOnError)
	file := flags.String("config", "", "JSON file that says which peers to start")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	config, err := readConfig(*file)
	if err != nil {
		return err
	}
	s, err := newStack(ctx, config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if err := s.start(ctx); err != nil {
		return err
	}
	output := json.NewEncoder(os.Stdout)
	if err := output.Encode(s.ready()); err != nil {
		return err
	}
	return serveCommands(ctx, s, os.Stdin, output)
}
