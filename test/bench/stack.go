package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// domain is that of the homeserver and of the XMPP server.
const domain = "example.org"

// stack is the peers, run by the program of test/stack. They end with its
// input, and so with us.
type stack struct {
	Dendrite struct {
		URL string `json:"url"`
	} `json:"dendrite"`
	Prosody struct {
		Client    string `json:"c2s"`
		Component string `json:"component"`
		MUC       string `json:"muc"`
	} `json:"prosody"`

	command *exec.Cmd
	mu      sync.Mutex // one command at a time
	stdin   io.WriteCloser
	stdout  *bufio.Scanner
}

// startStack starts the peers that config asks for.
func startStack(ctx context.Context, dir string, config map[string]any) (*stack, error) {
	binary, err := program("MAILROOM_STACK")
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "stack.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, err
	}
	s := &stack{command: exec.CommandContext(ctx, binary, "up", "-config", file)}
	s.command.Stderr = os.Stderr
	if s.stdin, err = s.command.StdinPipe(); err != nil {
		return nil, err
	}
	s.command.Cancel = s.stdin.Close // it lets go of everything then
	stdout, err := s.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.stdout = bufio.NewScanner(stdout)
	if err := s.command.Start(); err != nil {
		return nil, err
	}
	if err := s.read(s); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

func (s *stack) stop() error {
	_ = s.stdin.Close() // it can only be closed already
	return s.command.Wait()
}

func (s *stack) read(answer any) error {
	if !s.stdout.Scan() {
		return errors.Join(errors.New("the peers have ended"), s.stdout.Err())
	}
	return json.Unmarshal(s.stdout.Bytes(), answer)
}

// createDatabase makes a database on PostgreSQL and returns its URL.
func (s *stack) createDatabase(name string) (url string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := fmt.Fprintln(s.stdin, "createdb", name); err != nil {
		return "", err
	}
	var answer struct {
		OK         bool
		Error, URL string
	}
	if err := s.read(&answer); err != nil {
		return "", err
	}
	if !answer.OK {
		return "", errors.New(answer.Error)
	}
	return answer.URL, nil
}

// program is a program around the measurements, named by the environment.
func program(variable string) (string, error) {
	file := os.Getenv(variable)
	if file == "" {
		return "", fmt.Errorf("%s is not set: run `make bench`", variable)
	}
	return file, nil
}

// peers starts what stands around Mailroom when the first part needs it.
func (b *bench) peers(ctx context.Context) (*stack, error) {
	if b.stack != nil {
		return b.stack, nil
	}
	var err error
	b.stack, err = startStack(ctx, b.dir, map[string]any{
		"dir": filepath.Join(b.dir, "peers"), "domain": domain, "postgres": map[string]any{"enabled": true},
	})
	return b.stack, err
}
