package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"syscall"
)

// Free ports are taken from below the kernel's ephemeral range (32768 and up
// on Linux), so that no outgoing connection can sit on the port of a peer that
// is stopped for a while.
const (
	firstFreePort = 20000
	lastFreePort  = 31999
	portAttempts  = 200
)

// ports are the loopback TCP ports that this stack holds for its peers. Each is
// also marked by an abstract Unix socket of that name: other stacks on the same
// machine then leave it alone even while no peer listens on it, and the kernel
// drops the mark with the process, however that ends.
type ports struct {
	marks []net.Listener
}

// choose returns the wanted port if it is not 0, and a free one otherwise. The
// error for a wanted port that is taken names the port and what needs it.
func (p *ports) choose(wanted int, purpose string) (int, error) {
	if wanted != 0 {
		return wanted, p.claim(wanted, purpose)
	}
	for range portAttempts {
		port := firstFreePort + rand.IntN(lastFreePort-firstFreePort+1)
		if p.claim(port, purpose) == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free port between %d and %d for %s", firstFreePort, lastFreePort, purpose)
}

func (p *ports) claim(port int, purpose string) error {
	mark, err := net.Listen("unix", fmt.Sprintf("@mailroom-stack-port-%d", port))
	if err != nil {
		return takenError(port, purpose, err)
	}
	if err := probe(port); err != nil {
		return errors.Join(takenError(port, purpose, err), mark.Close())
	}
	p.marks = append(p.marks, mark)
	return nil
}

func (p *ports) release() {
	for _, mark := range p.marks {
		// Nobody connects to a mark, so closing it can lose nothing.
		_ = mark.Close()
	}
	p.marks = nil
}

// probe tells whether a server could listen on the port now.
func probe(port int) error {
	listener, err := net.Listen("tcp", loopback(port))
	if err != nil {
		return err
	}
	return listener.Close()
}

func takenError(port int, purpose string, cause error) error {
	if !errors.Is(cause, syscall.EADDRINUSE) {
		return fmt.Errorf("port %d for %s: %w", port, purpose, cause)
	}
	return fmt.Errorf("port %d is taken by another program, and %s needs it: "+
		"see which one it is with `ss -ltnp 'sport = :%d'`, stop it, and start this again", port, purpose, port)
}

// loopback is the address of a port on this machine only.
func loopback(port int) string {
	return fmt.Sprintf("127.0.0.1:%d", port)
}
