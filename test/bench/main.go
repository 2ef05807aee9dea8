// Bench measures Mailroom and writes the figures as tables, each beside a peer
// or a limit that was measured in the same run, in turn with it.
//
//	go run ./test/bench -out docs/benchmarks.md [-only a,b,c,d] [-quick]
//
// The peers are found by the environment, as in the tests: MAILROOM_STACK,
// MAILROOM_DENDRITE, MAILROOM_BINARY and MAILROOM_MATTERBRIDGE. `make bench`
// sets them.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// longest is how long a whole run may take, whatever hangs.
const longest = 30 * time.Minute

// bench is one run.
type bench struct {
	quick bool
	dir   string // scratch, on the disk that is measured
	stack *stack // the peers; nil until the first part needs them
}

// part is one group of tables.
type part struct {
	letter  string
	measure func(*bench, context.Context) (section, error)
}

var parts = []part{
	{"a", (*bench).durable},
	{"b", (*bench).latency},
	{"c", (*bench).relays},
	{"d", (*bench).footprint},
}

func main() {
	log.SetFlags(log.Ltime)
	log.SetPrefix("bench ")
	out := flag.String("out", "", "file to write; empty: standard output")
	only := flag.String("only", "", "letters of the parts to measure, as a,c; empty: all")
	quick := flag.Bool("quick", false, "fewer and shorter rounds: to see that all works, not for figures")
	profile := flag.String("cpuprofile", "", "file for a CPU profile of this process")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	if err := errors.Join(run(ctx, *out, *only, *quick, *profile)); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out, only string, quick bool, profile string) (err error) {
	stopProfile, err := startProfile(profile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopProfile()) }()
	dir, err := os.MkdirTemp("", "mailroom-bench")
	if err != nil {
		return err
	}
	b := &bench{quick: quick, dir: dir}
	defer func() { err = errors.Join(err, b.close()) }()
	report, err := b.report(ctx, only)
	if err != nil {
		return err
	}
	if out == "" {
		_, err = os.Stdout.Write(report)
		return err
	}
	return os.WriteFile(out, report, 0o644)
}

func (b *bench) report(ctx context.Context, only string) ([]byte, error) {
	var text bytes.Buffer
	machine, err := describeMachine(b.dir)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(&text, heading, machine)
	if b.quick {
		fmt.Fprint(&text, quickWarning)
	}
	for _, p := range parts {
		if only != "" && !strings.Contains(only, p.letter) {
			continue
		}
		log.Printf("part %s", p.letter)
		began := time.Now()
		s, err := p.measure(b, ctx)
		if err != nil {
			return nil, fmt.Errorf("part %s: %w", p.letter, err)
		}
		log.Printf("part %s took %s", p.letter, time.Since(began).Round(time.Second))
		s.write(&text)
		load, err := describeLoad()
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&text, "\n%s\n", load)
	}
	return text.Bytes(), nil
}

func (b *bench) close() error {
	var err error
	if b.stack != nil {
		err = b.stack.stop()
	}
	return errors.Join(err, os.RemoveAll(b.dir))
}

const heading = `# Benchmarks

Written by ` + "`make bench`" + `. Every figure stands beside a peer or a limit that was measured in the same run, in turn with
it: the rounds alternate, and each figure is the median of its rounds. Read the ratios; the absolute figures are those of
this machine.

%s
`

const quickWarning = `
**A quick run: too short for figures.**
`
