package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// heard is a message that somebody has got.
type heard struct {
	text string
	id   string // by which clients know a repeat; "" if there is none
	at   time.Time
}

// ear collects what somebody hears.
type ear struct {
	mu      sync.Mutex
	all     []heard
	waiting map[string]chan time.Time // by text
}

func newEar() *ear { return &ear{waiting: make(map[string]chan time.Time)} }

func (e *ear) hear(h heard) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, h)
	if c := e.waiting[h.text]; c != nil {
		c <- h.at
		delete(e.waiting, h.text)
	}
}

// expect returns where the time will come at which a text is heard next. Ask
// before it is said.
func (e *ear) expect(text string) <-chan time.Time {
	c := make(chan time.Time, 1)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.waiting[text] = c
	return c
}

// since is what was heard after the first n messages.
func (e *ear) since(n int) []heard {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.all[n:len(e.all):len(e.all)]
}

func (e *ear) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.all)
}

// patience is how long a message may take that nothing stands in the way of.
const patience = 20 * time.Second

// await waits for what expect returned.
func await(ctx context.Context, what string, c <-chan time.Time) (time.Time, error) {
	select {
	case at := <-c:
		return at, nil
	case <-ctx.Done():
		return time.Time{}, ctx.Err()
	case <-time.After(patience):
		return time.Time{}, fmt.Errorf("%q has not come within %s", what, patience)
	}
}
