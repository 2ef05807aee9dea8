package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// startTimeout bounds the time from the start of a peer to its first answer,
	// with room for a machine that runs several stacks at once.
	startTimeout = 90 * time.Second
	// stopTimeout is how long a peer may take to end by itself before SIGKILL.
	stopTimeout = 15 * time.Second
	// askAgain is how often it is asked in that time.
	askAgain = 3 * time.Second
	// pollInterval is the time between two looks whether a peer answers.
	pollInterval = 20 * time.Millisecond
	// retryPause is the time between tries of a start.
	retryPause = 200 * time.Millisecond
	// tailLines is how much of a peer's log an error shows.
	tailLines = 25
)

// process is one peer: a server that can be stopped and started again on the
// same ports and data.
type process struct {
	name    string           // as the commands of the stack name it
	command func() *exec.Cmd // makes a fresh command for each start
	log     string           // file that takes what the peer prints
	quit    syscall.Signal   // asks the peer to end in order
	answers func(context.Context) error
	tries   int // how often a start is tried again that ended at once
	spawner spawner

	mu      sync.Mutex
	running *running // nil when stopped
}

// running is one life of a process.
type running struct {
	pid    int
	exited chan struct{}
}

// start runs the peer and returns when it answers. The error holds the tail of
// its log.
func (p *process) start(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running != nil && !p.running.ended() {
		return fmt.Errorf("%s is running already", p.name)
	}
	err := p.try(ctx)
	for again := p.tries; again > 0 && errors.Is(err, errEnded) && ctx.Err() == nil; again-- {
		time.Sleep(retryPause)
		err = p.try(ctx)
	}
	return err
}

func (p *process) try(ctx context.Context) error {
	life, err := p.spawn()
	if err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	p.running = life
	if err := p.waitReady(ctx, life); err != nil {
		p.running = nil
		life.kill()
		return fmt.Errorf("%s did not start: %w%s", p.name, err, p.tail())
	}
	return nil
}

var errEnded = errors.New("it ended by itself")

func (p *process) spawn() (*running, error) {
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	command := p.command()
	command.Stdout, command.Stderr = log, log
	if command.SysProcAttr == nil {
		command.SysProcAttr = &syscall.SysProcAttr{}
	}
	// A group of its own keeps the terminal's Ctrl-C from the peers: the stack
	// stops them itself, in order.
	command.SysProcAttr.Setpgid = true
	command.SysProcAttr.Pdeathsig = syscall.SIGKILL
	if err := p.spawner.start(command); err != nil {
		return nil, err
	}
	life := &running{pid: command.Process.Pid, exited: make(chan struct{})}
	go p.watch(command, life)
	return life, nil
}

// watch reaps the process and reports an end that nobody asked for.
func (p *process) watch(command *exec.Cmd, life *running) {
	err := command.Wait()
	close(life.exited)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running == life {
		fmt.Fprintf(os.Stderr, "stack: %s ended by itself (%v)%s\n", p.name, err, p.tail())
	}
}

func (p *process) waitReady(ctx context.Context, life *running) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		err := p.answers(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-life.exited:
			return errEnded
		case <-ctx.Done():
			return fmt.Errorf("no answer: %w", err)
		case <-tick.C:
		}
	}
}

// stop asks the peer to end, and makes it end after stopTimeout. Stopping a
// stopped peer does nothing.
func (p *process) stop() error {
	life := p.expectEnd()
	if life == nil {
		return nil
	}
	// More than once: Prosody acts on a signal only when something wakes it, and a
	// signal that comes just before it goes to sleep does not.
	for range int(stopTimeout / askAgain) {
		if err := syscall.Kill(life.pid, p.quit); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stop %s: %w", p.name, err)
		}
		select {
		case <-life.exited:
			return nil
		case <-time.After(askAgain):
		}
	}
	life.kill()
	return fmt.Errorf("%s did not end within %s and was killed", p.name, stopTimeout)
}

// kill ends the peer with SIGKILL, as a crash would.
func (p *process) kill() error {
	life := p.expectEnd()
	if life == nil {
		return fmt.Errorf("%s is not running", p.name)
	}
	life.kill()
	return nil
}

// ended is closed when the present life of the peer is over, and nil while it
// is stopped.
func (p *process) ended() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running == nil {
		return nil
	}
	return p.running.exited
}

// expectEnd takes the running life out of the process, so that watch does not
// report its end.
func (p *process) expectEnd() *running {
	p.mu.Lock()
	defer p.mu.Unlock()
	life := p.running
	p.running = nil
	if life == nil || life.ended() {
		return nil
	}
	return life
}

func (r *running) ended() bool {
	select {
	case <-r.exited:
		return true
	default:
		return false
	}
}

// kill ends the whole process group and waits until the peer is gone. The only
// error, that the group is gone already, is what is wanted.
func (r *running) kill() {
	_ = syscall.Kill(-r.pid, syscall.SIGKILL)
	<-r.exited
}

// tail is the end of the peer's log, made to follow an error message.
func (p *process) tail() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return fmt.Sprintf("; its log cannot be read: %v", err)
	}
	lines := strings.Split(string(bytes.TrimSpace(text)), "\n")
	if len(lines) > tailLines {
		lines = lines[len(lines)-tailLines:]
	}
	return fmt.Sprintf("; the end of %s:\n  %s", p.log, strings.Join(lines, "\n  "))
}
