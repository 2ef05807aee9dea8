package mailin

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// guard is a listener that bounds how many connections there are, in total and
// from one address: go-smtp takes any number.
type guard struct {
	net.Listener
	limits Limits

	mu    sync.Mutex
	total int
	byIP  map[string]int
	conns map[*guarded]bool
}

func newGuard(l net.Listener, limits Limits) *guard {
	return &guard{Listener: l, limits: limits, byIP: map[string]int{}, conns: map[*guarded]bool{}}
}

// Accept returns the next connection that there is room for; others are told so.
func (g *guard) Accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if admitted := g.admit(c); admitted != nil {
			return admitted, nil
		}
		go turnAway(c)
	}
}

func (g *guard) admit(c net.Conn) *guarded {
	key := placeOf(c.RemoteAddr())
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.total >= g.limits.Connections || key != "" && g.byIP[key] >= g.limits.ConnectionsIP {
		return nil
	}
	g.total++
	g.byIP[key]++
	admitted := &guarded{Conn: c, guard: g, key: key}
	g.conns[admitted] = true
	return admitted
}

// placeOf is what connections are counted by: an IPv4 address, or the /64 that one
// customer has of IPv6; "" for this machine, which is not bounded.
func placeOf(a net.Addr) string {
	ip := ipOf(a)
	switch {
	case ip == nil || ip.IsLoopback():
		return ""
	case ip.To4() == nil:
		return ip.Mask(net.CIDRMask(64, 128)).String()
	}
	return ip.String()
}

func (g *guard) release(c *guarded) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.total--
	if g.byIP[c.key]--; g.byIP[c.key] == 0 {
		delete(g.byIP, c.key)
	}
	delete(g.conns, c)
}

// closeIdle cuts the connections that have no mail under way which is about to be
// answered, closeAll all of them.
func (g *guard) closeIdle() { g.cut(func(c *guarded) bool { return !c.delivering.Load() }) }
func (g *guard) closeAll()  { g.cut(func(*guarded) bool { return true }) }

func (g *guard) cut(which func(*guarded) bool) {
	g.mu.Lock()
	var open []*guarded
	for c := range g.conns {
		if which(c) {
			open = append(open, c)
		}
	}
	g.mu.Unlock()
	for _, c := range open {
		_ = c.Close() // the peer is gone either way
	}
}

// turnAway says 421 (RFC 5321 §3.8) and hangs up.
func turnAway(c net.Conn) {
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return
	}
	_, _ = c.Write([]byte("421 4.7.0 Too many connections. Please try again later.\r\n")) // whoever does not listen is turned away all the same
}

// guarded is a connection that gives its place back when it is closed.
type guarded struct {
	net.Conn
	guard *guard
	key   string
	once  sync.Once

	delivering atomic.Bool // a mail was read to its end and not answered yet

	receiving atomic.Bool // a mail is being read: its sender may not stall

	mu       sync.Mutex
	last     bool
	deadline time.Time // of reads, as go-smtp set it
}

func (c *guarded) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	c.deadline = t
	c.mu.Unlock()
	return c.Conn.SetReadDeadline(t)
}

// Read ends a transfer that stalls, and the connection with it: what comes later
// of the mail would be read as commands.
func (c *guarded) Read(b []byte) (int, error) {
	if !c.receiving.Load() {
		return c.Conn.Read(b)
	}
	if err := c.Conn.SetReadDeadline(c.stallDeadline()); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.closeAfterReply()
	}
	return n, err
}

// stallDeadline is the end of the time without a byte, or of the whole transfer.
func (c *guarded) stallDeadline() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	stalled := time.Now().Add(c.guard.limits.StallTime)
	if !c.deadline.IsZero() && c.deadline.Before(stalled) {
		return c.deadline
	}
	return stalled
}

// closeAfterReply makes the next reply the last one.
func (c *guarded) closeAfterReply() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = true
}

func (c *guarded) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.mu.Lock()
	last := c.last
	c.mu.Unlock()
	if last {
		_ = c.Close() // said goodbye
	}
	return n, err
}

func (c *guarded) Close() error {
	c.once.Do(func() { c.guard.release(c) })
	return c.Conn.Close()
}

// guardedConn finds our connection below a TLS layer.
func guardedConn(c net.Conn) *guarded {
	if layer, ok := c.(*tls.Conn); ok {
		c = layer.NetConn()
	}
	g, _ := c.(*guarded)
	return g
}

// ipOf is the IP address of a peer, or nil on a unix socket.
func ipOf(a net.Addr) net.IP {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.IP
	}
	return nil
}
