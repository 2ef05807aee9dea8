package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// errQuit ends the command loop.
var errQuit = errors.New("quit")

// answer is the reply to one command.
type answer struct {
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
	// URL is the address of a database that the command made.
	URL string `json:"url,omitempty"`
}

// serveCommands reads one command from each line and answers each with a line
// of JSON, until the input ends, the context is done or a quit arrives.
func serveCommands(ctx context.Context, s *stack, input io.Reader, output *json.Encoder) error {
	lines := readLines(ctx, input)
	for {
		select {
		case <-ctx.Done():
			return nil
		case line, open := <-lines:
			if !open {
				return nil
			}
			reply, err := s.execute(ctx, strings.Fields(line))
			if err := output.Encode(reply); err != nil {
				return err
			}
			if errors.Is(err, errQuit) {
				return nil
			}
		}
	}
}

// readLines sends the lines of the input, and closes the channel at its end. A
// read that fails is an end too: whoever gave commands is gone.
func readLines(ctx context.Context, input io.Reader) <-chan string {
	lines := make(chan string)
	go func() {
		defer close(lines)
		scanner := bufio.NewScanner(input)
		for scanner.Scan() {
			select {
			case lines <- scanner.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	return lines
}

// execute does one command. Its error is in the answer too.
func (s *stack) execute(ctx context.Context, words []string) (answer, error) {
	reply, err := s.dispatch(ctx, words)
	if err != nil && !errors.Is(err, errQuit) {
		return answer{Error: err.Error()}, err
	}
	reply.OK = true
	return reply, err
}

func (s *stack) dispatch(ctx context.Context, words []string) (answer, error) {
	switch {
	case len(words) == 1 && words[0] == "quit":
		return answer{}, errQuit
	case len(words) == 2 && words[0] == "createdb":
		return s.createDatabase(ctx, words[1])
	case len(words) == 2:
		return answer{}, s.control(ctx, words[0], words[1])
	}
	return answer{}, fmt.Errorf("unknown command %q: use start, stop, restart or kill with a peer, createdb with a name, or quit",
		strings.Join(words, " "))
}

func (s *stack) createDatabase(ctx context.Context, name string) (answer, error) {
	if s.postgres == nil {
		return answer{}, errors.New("there is no PostgreSQL in this stack")
	}
	url, err := s.postgres.createDatabase(ctx, name)
	return answer{URL: url}, err
}

func (s *stack) control(ctx context.Context, verb, name string) error {
	peer, err := s.find(name)
	if err != nil {
		return err
	}
	switch verb {
	case "start":
		return peer.start(ctx)
	case "stop":
		return peer.stop()
	case "kill":
		return peer.kill()
	case "restart":
		if err := peer.stop(); err != nil {
			return err
		}
		return peer.start(ctx)
	}
	return fmt.Errorf("unknown command %q: use start, stop, restart or kill", verb)
}
