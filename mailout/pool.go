package mailout

import (
	"context"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

const (
	// idleFor is how long a connection waits for the next mail of a burst.
	idleFor = 10 * time.Second
	// maxPerConnection is how many mails go over one connection; servers like to part then and now.
	maxPerConnection = 100
	// maxIdle is how many connections wait at once, as many as the outbox sends mails at a time.
	maxIdle = 8
)

// pool keeps connections to the smarthost through a burst of mails.
type pool struct {
	host smarthost

	mu     sync.Mutex
	idle   []*connection // the one used last at the end
	closed bool
}

type connection struct {
	client *smtp.Client
	sent   int
	timer  *time.Timer // ends the wait; nil while in use
}

func newPool(host smarthost) *pool { return &pool{host: host} }

// send sends one mail over a waiting connection or a new one. A connection that the server has closed meanwhile is
// noticed at its first command, when nothing has been handed over yet, and replaced.
func (p *pool) send(ctx context.Context, mail Mail) error {
	if c := p.take(); c != nil {
		err := p.over(ctx, c, mail)
		if !isStale(err) || ctx.Err() != nil {
			return err
		}
	}
	client, err := p.host.connect(ctx)
	if err != nil {
		return connectError(err)
	}
	return p.over(ctx, &connection{client: client}, mail)
}

// over sends the mail and puts the connection back, or closes it if it is of no more use.
func (p *pool) over(ctx context.Context, c *connection, mail Mail) error {
	stop := context.AfterFunc(ctx, func() { _ = c.client.Close() })
	reusable, err := deliver(c.client, mail)
	c.sent++
	if stop() && reusable && c.sent < maxPerConnection {
		p.put(c)
		return err
	}
	_ = c.client.Close() // the mail's outcome is known already
	return err
}

func (p *pool) take() *connection {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.idle) > 0 {
		c := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		if c.timer.Stop() {
			return c
		}
	}
	return nil
}

func (p *pool) put(c *connection) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.idle) >= maxIdle {
		go quit(c)
		return
	}
	c.timer = time.AfterFunc(idleFor, func() { p.expire(c) })
	p.idle = append(p.idle, c)
}

func (p *pool) expire(c *connection) {
	p.mu.Lock()
	for i, waiting := range p.idle {
		if waiting == c {
			p.idle = append(p.idle[:i], p.idle[i+1:]...)
			break
		}
	}
	p.mu.Unlock()
	quit(c)
}

// close ends all waiting connections; those in use end with their mail.
func (p *pool) close() {
	p.mu.Lock()
	waiting := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	for _, c := range waiting {
		if c.timer.Stop() {
			quit(c)
		}
	}
}

// quit says goodbye; every mail of the connection has its answer already, so that no error can matter.
func quit(c *connection) {
	c.client.CommandTimeout = connectTimeout
	_ = c.client.Quit()
	_ = c.client.Close()
}
