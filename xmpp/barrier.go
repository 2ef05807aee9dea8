package xmpp

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
)

const (
	// pingTimeout is how long the server may take to answer a ping before the
	// link counts as dead.
	pingTimeout = 30 * time.Second
	// idleAfter is how often the link is tried while nothing is delivered.
	idleAfter = time.Minute
)

// pings are those that wait for their answer, by the id of the iq.
type pings struct {
	mu      sync.Mutex
	waiting map[string]chan struct{}
}

func (p *pings) add() (id string, answered <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting == nil {
		p.waiting = make(map[string]chan struct{})
	}
	id = "ping-" + uuid.NewString()
	c := make(chan struct{})
	p.waiting[id] = c
	return id, c
}

// settle ends the wait for a ping and says if there was one.
func (p *pings) settle(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, ok := p.waiting[id]
	if ok {
		delete(p.waiting, id)
		close(c)
	}
	return ok
}

// barrier returns when the server has read everything that was sent before.
// There is no stream management for components, so a ping stands in for it:
// the server handles a component's stanzas in order. It goes to our own name
// and so comes back to ourselves, whatever the server is called. If no answer
// comes the link is dead and is closed.
func (l *link) barrier(ctx context.Context) error {
	id, answered := l.pings.add()
	defer l.pings.settle(id)
	ping := stanza("iq", "get", l.name, l.name).set("id", id).with(el(nsPing, "ping"))
	if err := l.send(ping); err != nil {
		return err
	}
	timeout := time.NewTimer(pingTimeout)
	defer timeout.Stop()
	select {
	case <-answered:
		return nil
	case <-l.closed:
		return errNotConnected
	case <-ctx.Done():
		return ctx.Err()
	case <-timeout.C:
		l.close()
		return fmt.Errorf("the XMPP server did not answer a ping within %s", pingTimeout)
	}
}

// returned says if a stanza is one of our own pings, come back or answered.
func (l *link) returned(s *element) bool {
	return s.name.Local == "iq" && parseJID(s.attr("from")).String() == l.name && l.pings.settle(s.attr("id"))
}

// keepAlive notices a link that has died in silence.
func (l *link) keepAlive(ctx context.Context) {
	tick := time.NewTicker(idleAfter)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			// A failed ping closes the link; whoever reads it says so.
			_ = l.barrier(ctx)
		case <-l.closed:
			return
		case <-ctx.Done():
			return
		}
	}
}
