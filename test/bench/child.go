package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// child is a server that we start, end and start again.
type child struct {
	name string
	path string
	args []string
	log  string // file, appended to

	mu      sync.Mutex
	command *exec.Cmd
	exited  chan struct{}
}

// starts happen on one thread that lives as long as we: the kernel ends a
// child whose Pdeathsig is set when the thread that started it ends.
var starts = sync.OnceValue(func() chan<- func() {
	queue := make(chan func())
	go func() {
		runtime.LockOSThread()
		for start := range queue {
			start()
		}
	}()
	return queue
})

func (c *child) start() error {
	log, err := os.OpenFile(c.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	command := exec.Command(c.path, c.args...)
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	starts() <- func() { started <- command.Start() }
	if err := <-started; err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	exited := make(chan struct{})
	go func() {
		_ = command.Wait() // how it ended stands in its state
		close(exited)
	}()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.command, c.exited = command, exited
	return nil
}

// stopTime is how long a child may take to stop in order.
const stopTime = 15 * time.Second

// stop ends the child in order, or by force if it takes too long.
func (c *child) stop() error {
	if err := c.signal(syscall.SIGTERM, stopTime); err != nil {
		return c.kill()
	}
	return nil
}

// kill ends the child as a crash would.
func (c *child) kill() error { return c.signal(syscall.SIGKILL, stopTime) }

func (c *child) signal(signal syscall.Signal, patience time.Duration) error {
	c.mu.Lock()
	command, exited := c.command, c.exited
	c.mu.Unlock()
	if command == nil {
		return nil
	}
	_ = command.Process.Signal(signal) // it can only have ended already
	select {
	case <-exited:
		return nil
	case <-time.After(patience):
		return fmt.Errorf("%s does not end", c.name)
	}
}

// memory is the resident memory of the child now, in bytes.
func (c *child) memory() (int64, error) {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(c.pid()) + "/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("%s has no VmRSS", c.name)
}

// clockTick is the unit of CPU times in /proc: USER_HZ, which is 100 on every
// architecture that Go runs on.
const clockTick = 10 * time.Millisecond

// cpu is the CPU time that the child has used.
func (c *child) cpu() (time.Duration, error) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(c.pid()) + "/stat")
	if err != nil {
		return 0, err
	}
	// The name, in brackets, may hold anything; utime and stime are the 12th and
	// 13th field after it (proc(5)).
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * clockTick, err
}

func (c *child) pid() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.command.Process.Pid
}

func megabytes(bytes int64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/1e6) }

// failed adds the end of the child's log to an error.
func (c *child) failed(err error) error {
	text, readErr := os.ReadFile(c.log)
	if err == nil || readErr != nil {
		return err
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return fmt.Errorf("%w\nthe end of the log of %s:\n%s", err, c.name, strings.Join(lines[max(0, len(lines)-20):], "\n"))
}

// output runs a program to its end and returns what it prints.
func output(ctx context.Context, path string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, path, args...)
	var complaints bytes.Buffer
	command.Stderr = &complaints
	text, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, complaints.String())
	}
	return strings.TrimSpace(string(text)), nil
}

// pollTime is the time between two looks at something that gives no sign.
const pollTime = time.Millisecond

// eventually looks until there is no error any more, and returns the last one
// when patience ends first.
func eventually(ctx context.Context, patience time.Duration, look func() error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := look()
		if err == nil || ctx.Err() != nil {
			return err
		}
		pause(ctx, pollTime)
	}
}
