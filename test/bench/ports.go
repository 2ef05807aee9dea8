package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// Free ports are taken from below the kernel's ephemeral range, so that no
// outgoing connection sits on the port of a program that is down for a while.
// The stack chooses from the same range and marks what it holds in the same
// way: by an abstract Unix socket, which the kernel drops with the process.
const (
	firstPort = 20000
	lastPort  = 31999
)

// marks keep the ports that we have chosen.
var marks []net.Listener

// freeAddress is a loopback address that nobody else is given while we run.
func freeAddress() (string, error) {
	for range 200 {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		mark, err := net.Listen("unix", fmt.Sprintf("@mailroom-stack-port-%d", port))
		if err != nil {
			continue
		}
		address := fmt.Sprintf("127.0.0.1:%d", port)
		probe, err := net.Listen("tcp", address)
		if err == nil {
			marks = append(marks, mark)
			return address, probe.Close()
		}
		_ = mark.Close() // nobody connects to a mark
	}
	return "", errors.New("no free port")
}

// proxy stands before a port of a server, so that the link can be cut.
type proxy struct {
	address string
	target  string

	mu       sync.Mutex
	listener net.Listener // nil while it is cut
	open     map[net.Conn]bool
}

func newProxy(target string) (*proxy, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	p := &proxy{address: address, target: target, open: make(map[net.Conn]bool)}
	return p, p.mend()
}

// mend lets connections through.
func (p *proxy) mend() error {
	var l net.Listener
	var err error
	for range 50 { // the kernel may hold the port for a moment
		if l, err = net.Listen("tcp", p.address); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.listener = l
	p.mu.Unlock()
	go p.accept(l)
	return nil
}

// cut closes every connection, and refuses new ones until mend.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		_ = p.listener.Close() // it only stops
		p.listener = nil
	}
	for c := range p.open {
		_ = c.Close() // that is the cut
	}
	clear(p.open)
}

func (p *proxy) accept(l net.Listener) {
	for {
		in, err := l.Accept()
		if err != nil {
			return // cut
		}
		go p.carry(in)
	}
}

func (p *proxy) carry(in net.Conn) {
	defer p.forget(in)
	out, err := net.Dial("tcp", p.target)
	if err != nil || !p.keep(in, out) {
		return
	}
	defer p.forget(out)
	go func() {
		_, _ = io.Copy(out, in) // either end may break off
		_ = out.Close()
	}()
	_, _ = io.Copy(in, out)
}

// keep remembers connections for the cut; false if it has come already.
func (p *proxy) keep(in, out net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener == nil {
		_ = out.Close() // nothing was said on it
		return false
	}
	p.open[in], p.open[out] = true, true
	return true
}

func (p *proxy) forget(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
	_ = c.Close() // the other end has gone
}
