package xmpp

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

const (
	dialTimeout = 10 * time.Second
	// writeTimeout is how long the server may take to accept what we write
	// before the link counts as dead.
	writeTimeout = 30 * time.Second
)

// streamError is why the server closed the stream (RFC 6120 §4.9.3).
type streamError struct{ condition, text string }

func (e *streamError) Error() string {
	if e.text == "" {
		return "stream error " + e.condition
	}
	return "stream error " + e.condition + ": " + e.text
}

// link is one connection to the server, from the handshake to its end.
type link struct {
	name    string // of the component
	conn    net.Conn
	parser  *parser
	pings   pings
	closed  chan struct{}
	closing sync.Once

	writing sync.Mutex
	buffer  bytes.Buffer
}

// dial connects to the server and shakes hands (XEP-0114 §3).
func dial(ctx context.Context, config Config) (*link, error) {
	dialer := net.Dialer{Timeout: dialTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", config.Server)
	if err != nil {
		return nil, err
	}
	l := &link{name: config.Component, conn: conn, parser: newParser(conn), closed: make(chan struct{})}
	stop := context.AfterFunc(ctx, l.close)
	defer stop()
	if err := l.handshake(config.Secret); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *link) handshake(secret string) error {
	if err := l.conn.SetDeadline(time.Now().Add(dialTimeout)); err != nil {
		return err
	}
	if err := l.write([]byte("<?xml version='1.0'?><stream:stream xmlns='" + nsComponent + "' xmlns:stream='" + nsStream + "' to='" + l.name + "'>")); err != nil {
		return err
	}
	header, err := l.parser.header()
	if err != nil {
		return err
	}
	// The digest is all that XEP-0114 has. Whoever reads the connection can try
	// secrets against it: use loopback or a VPN.
	digest := sha1.Sum([]byte(header.attr("id") + secret))
	if err := l.send(el(nsComponent, "handshake").saying(hex.EncodeToString(digest[:]))); err != nil {
		return err
	}
	answer, err := l.receive()
	if err != nil {
		return err
	}
	if !answer.is(nsComponent, "handshake") {
		return fmt.Errorf("the server answered the handshake with <%s>", answer.name.Local)
	}
	return l.conn.SetDeadline(time.Time{})
}

// receive reads the next stanza. Errors: *streamError, and all that end a
// connection.
func (l *link) receive() (*element, error) {
	e, err := l.parser.next()
	if err != nil {
		return nil, err
	}
	if !e.is(nsStream, "error") {
		return e, nil
	}
	failed := &streamError{condition: "undefined-condition"}
	for _, c := range e.children {
		switch {
		case c.is(nsStreamError, "text"):
			failed.text = c.text
		case c.name.Space == nsStreamError:
			failed.condition = c.name.Local
		}
	}
	return nil, failed
}

const (
	// MaxStanza is the largest stanza that is written, in bytes as it stands in
	// the stream: Prosody closes the stream of a component, and with it every
	// room, for one of more than 512 KiB.
	MaxStanza = 448 << 10
	// writeSize is how much is gathered before it is written.
	writeSize = 64 << 10
)

var errTooLong = fmt.Errorf("a stanza of more than %d bytes was not written", MaxStanza)

// send writes stanzas together, in order. What it returns says nothing about
// their arrival: see barrier. Those that are larger than MaxStanza are left out,
// which errTooLong tells once the others are written.
func (l *link) send(stanzas ...*element) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	var leftOut error
	for _, s := range stanzas {
		begin := l.buffer.Len()
		s.encode(&l.buffer)
		if l.buffer.Len()-begin > MaxStanza {
			l.buffer.Truncate(begin)
			leftOut = errTooLong
		}
		if l.buffer.Len() < writeSize {
			continue
		}
		if err := l.flush(); err != nil {
			return err
		}
	}
	return errors.Join(l.flush(), leftOut)
}

func (l *link) flush() error {
	defer l.buffer.Reset()
	return l.write(l.buffer.Bytes())
}

func (l *link) write(b []byte) error {
	if err := l.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	if _, err := l.conn.Write(b); err != nil {
		l.close()
		return fmt.Errorf("write to the XMPP server: %w", err)
	}
	return nil
}

func (l *link) close() {
	l.closing.Do(func() {
		close(l.closed)
		// Nothing can be done about a connection that does not close cleanly.
		_ = l.conn.Close()
	})
}

var errNotConnected = errors.New("not connected to the XMPP server")
