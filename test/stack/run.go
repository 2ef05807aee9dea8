package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// run starts the peers and mailroom for a person who wants to try it, says what
// to do next, and waits until it is told to end.
func run(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("run", flag.ExitOnError)
	var programs trialPrograms
	flags.StringVar(&programs.mailroom, "mailroom", "./mailroom", "the mailroom program")
	flags.StringVar(&programs.dendrite, "dendrite", "", "the Dendrite program (default: beside this one)")
	dir := flags.String("dir", "local", "folder for everything that is written")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	return try(ctx, programs, *dir, wellKnownPorts, os.Stdout)
}

// trialPrograms are the files to run.
type trialPrograms struct {
	mailroom string
	dendrite string // empty: beside the stack
}

// try runs a trial in dir until the context is done. The next steps go to the
// output.
func try(ctx context.Context, programs trialPrograms, dir string, ports trialPorts, output io.Writer) (err error) {
	if err := ports.probeMailroom(); err != nil {
		return err
	}
	t, err := openTrial(dir, ports)
	if err != nil {
		return err
	}
	program, err := newMailroomProgram(t, programs.mailroom)
	if err != nil {
		return err
	}
	if err := program.prepare(ctx); err != nil {
		return err
	}
	fmt.Fprintln(output, "Starting Dendrite, Prosody and Mailroom")
	peers, err := t.newPeers(ctx, programs.dendrite)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, peers.stop()) }()
	mailroom := program.process()
	// Mailroom ends before its peers, while they still take what it has to say.
	defer func() { err = errors.Join(err, mailroom.stop()) }()
	if err := startAll(ctx, peers.start, mailroom.start); err != nil {
		return err
	}
	if err := t.explain(output); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		fmt.Fprintln(output, "\nStopping")
		return nil
	case <-mailroom.ended():
		return fmt.Errorf("mailroom ended; its log is %s", mailroom.log)
	}
}

// startAll starts one after the other. A context that is done meanwhile, as by
// Ctrl-C, is no failure.
func startAll(ctx context.Context, starts ...func(context.Context) error) error {
	for _, start := range starts {
		if err := start(ctx); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// probeMailroom finds taken ports before anything is started. The peers' ports
// are claimed by the stack.
func (p trialPorts) probeMailroom() error {
	var problems []error
	for _, wanted := range []struct {
		port    int
		purpose string
	}{
		{p.Web, "Mailroom's page"}, {p.SMTP, "Mailroom's SMTP"}, {p.Submission, "Mailroom's mail submission"},
		{p.Matrix, "Mailroom's Matrix listener"}, {p.Metrics, "Mailroom's metrics"},
	} {
		if err := probe(wanted.port); err != nil {
			problems = append(problems, takenError(wanted.port, wanted.purpose, err))
		}
	}
	return errors.Join(problems...)
}

// mailroomProgram is the program on trial.
type mailroomProgram struct {
	trial  *trial
	binary string // absolute
}

func newMailroomProgram(t *trial, binary string) (mailroomProgram, error) {
	binary, err := filepath.Abs(binary)
	if err == nil {
		_, err = os.Stat(binary)
	}
	return mailroomProgram{trial: t, binary: binary}, err
}

// prepare does what an administrator does once: the registration for the
// homeserver, and an app password for the initiator.
func (m mailroomProgram) prepare(ctx context.Context) error {
	_, err := os.Stat(m.trial.file("registration.yaml"))
	if errors.Is(err, fs.ErrNotExist) {
		_, err = m.command(ctx, "registration")
	}
	if err != nil || m.trial.Secrets.Submission != "" {
		return err
	}
	answer, err := m.command(ctx, "account", "add", initiator)
	if err != nil {
		return err
	}
	words := strings.Fields(answer)
	if len(words) == 0 {
		return fmt.Errorf("`mailroom account add %s` printed no password", initiator)
	}
	m.trial.Secrets.Submission = words[len(words)-1]
	return m.trial.keepSecrets()
}

// command runs one of mailroom's commands and returns what it prints.
func (m mailroomProgram) command(ctx context.Context, words ...string) (string, error) {
	command := exec.CommandContext(ctx, m.binary, append(words, "-c", m.trial.file("mailroom.yaml"))...)
	command.Dir = m.trial.Dir
	var errorText strings.Builder
	command.Stderr = &errorText
	output, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("mailroom %s: %w: %s", strings.Join(words, " "), err, strings.TrimSpace(errorText.String()))
	}
	return string(output), nil
}

// process is the server itself, in the mode that catches outgoing mail.
func (m mailroomProgram) process() *process {
	return &process{
		name: "mailroom", log: m.trial.file("mailroom.log"), quit: syscall.SIGTERM,
		spawner: newSpawner(), answers: m.ready,
		command: func() *exec.Cmd {
			command := exec.Command(m.binary, "local", "-c", m.trial.file("mailroom.yaml"))
			command.Dir = m.trial.Dir
			return command
		},
	}
}

func (m mailroomProgram) ready(ctx context.Context) error {
	return answersOK(ctx, fmt.Sprintf("http://%s/readyz", loopback(m.trial.Ports.Web)))
}

// answersOK tells whether the URL answers 200.
func answersOK(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return nil
}
