package harness

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// balancer gives each connection to the first node that takes it, and begins with another one each time.
type balancer struct {
	Address string

	listener net.Listener
	done     sync.WaitGroup

	mu    sync.Mutex
	nodes []string
	next  int
	open  map[net.Conn]bool
}

func startBalancer(t *testing.T) *balancer {
	t.Helper()
	b := &balancer{Address: freeAddress(t), open: make(map[net.Conn]bool)}
	var err error
	b.listener, err = net.Listen("tcp", b.Address)
	require.NoError(t, err)
	b.done.Go(b.accept)
	t.Cleanup(b.close)
	return b
}

// add makes one more node known.
func (b *balancer) add(address string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.nodes = append(b.nodes, address)
}

func (b *balancer) accept() {
	for {
		in, err := b.listener.Accept()
		if err != nil {
			return // closed
		}
		b.done.Go(func() { b.carry(in) })
	}
}

func (b *balancer) carry(in net.Conn) {
	defer b.forget(in)
	out, err := b.dial()
	if err != nil || !b.keep(in, out) {
		return
	}
	defer b.forget(out)
	b.done.Go(func() {
		_, _ = io.Copy(out, in) // either end may break off
		_ = out.Close()
	})
	_, _ = io.Copy(in, out)
}

func (b *balancer) dial() (net.Conn, error) {
	b.mu.Lock()
	nodes, first := b.nodes, b.next
	b.next++
	b.mu.Unlock()
	err := errors.New("no node")
	for i := range nodes {
		var out net.Conn
		if out, err = net.Dial("tcp", nodes[(first+i)%len(nodes)]); err == nil {
			return out, nil
		}
	}
	return nil, err
}

// keep remembers connections for close; not ok after it.
func (b *balancer) keep(connections ...net.Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open == nil {
		for _, c := range connections {
			_ = c.Close() // nothing was said on it
		}
		return false
	}
	for _, c := range connections {
		b.open[c] = true
	}
	return true
}

func (b *balancer) forget(c net.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.open, c)
	_ = c.Close() // the other end has gone
}

func (b *balancer) close() {
	_ = b.listener.Close() // it only stops
	b.mu.Lock()
	for c := range b.open {
		_ = c.Close() // the tests are over
	}
	b.open = nil
	b.mu.Unlock()
	b.done.Wait()
}
