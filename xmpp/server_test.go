package xmpp

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

const (
	component = "rooms.example.org"
	secret    = "the secret of the component"
	patience  = 20 * time.Second // the machine may be busy
)

// server is the other end of XEP-0114, played: clients write through it, and
// what the component sends them is kept in order for each. It can fail in ways
// in which a real server will not.
type server struct {
	t        *testing.T
	listener net.Listener

	mu       sync.Mutex
	changed  *sync.Cond
	conn     net.Conn
	inboxes  map[string][]*element // by full JID
	refusing string                // condition with which connections are refused
	deaf     bool                  // takes what comes, and neither routes nor answers
	unheard  int                   // how many stanzas it took that way
	links    int
}

func newServer(t *testing.T) *server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &server{t: t, listener: listener, inboxes: make(map[string][]*element)}
	s.changed = sync.NewCond(&s.mu)
	t.Cleanup(func() { s.listener.Close(); s.cut() })
	go s.accept()
	return s
}

func (s *server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		go s.serve(conn)
	}
}

func (s *server) serve(conn net.Conn) {
	defer conn.Close()
	p := newParser(conn)
	if _, err := p.header(); err != nil {
		return
	}
	fmt.Fprintf(conn, "<?xml version='1.0'?><stream:stream xmlns:stream='%s' xmlns='%s' from='%s' id='stream-1'>", nsStream, nsComponent, component)
	shake, err := p.next()
	if err != nil {
		return
	}
	digest := sha1.Sum([]byte("stream-1" + secret))
	s.mu.Lock()
	refusing := s.refusing
	s.mu.Unlock()
	if refusing == "" && shake.text != hex.EncodeToString(digest[:]) {
		refusing = "not-authorized"
	}
	if refusing != "" {
		fmt.Fprintf(conn, "<stream:error><%s xmlns='%s'/></stream:error></stream:stream>", refusing, nsStreamError)
		return
	}
	fmt.Fprint(conn, "<handshake/>")
	s.mu.Lock()
	s.conn = conn
	s.links++
	s.changed.Broadcast()
	s.mu.Unlock()
	for {
		e, err := p.next()
		if err != nil {
			return
		}
		s.route(conn, e)
	}
}

func (s *server) route(conn net.Conn, e *element) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.deaf {
		s.unheard++
		return
	}
	if e.attr("to") == component {
		fmt.Fprint(conn, e.String())
		return
	}
	s.inboxes[e.attr("to")] = append(s.inboxes[e.attr("to")], e)
	s.changed.Broadcast()
}

// write sends the component whatever it is.
func (s *server) write(format string, args ...any) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	require.NotNil(s.t, s.conn, "the component is not connected")
	_, err := fmt.Fprintf(s.conn, format, args...)
	require.NoError(s.t, err)
}

// cut ends the connection without a word.
func (s *server) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
}

func (s *server) alter(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// misses waits until the server, deaf, has taken n stanzas.
func (s *server) misses(n int) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.unheard >= n
	}, patience, time.Millisecond)
}

// connected waits until the component has connected n times.
func (s *server) connected(n int) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.links >= n && s.conn != nil
	}, patience, time.Millisecond)
}

// next takes the next n stanzas that a client was sent.
func (s *server) next(client string, n int) []*element {
	s.t.Helper()
	var got []*element
	require.Eventually(s.t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		got = s.inboxes[client]
		return len(got) >= n
	}, patience, time.Millisecond, "%s got only %v", client, lazily(func() string { return s.told(client) }))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inboxes[client] = s.inboxes[client][n:]
	return got[:n]
}

// told is all that a client was sent and that was not looked at.
func (s *server) told(client string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(tellAll(s.inboxes[client]), " | ")
}

type lazily func() string

func (l lazily) String() string { return l() }

// sees demands that a client is sent exactly these stanzas next, as tell puts
// them.
func (s *server) sees(client string, lines ...string) {
	s.t.Helper()
	require.Equal(s.t, lines, tellAll(s.next(client, len(lines))), "what %s sees", client)
}

// quiet demands that a client has been sent nothing more by the time that a
// question to the component is answered.
func (s *server) quiet(client string) {
	s.t.Helper()
	s.caughtUp()
	s.mu.Lock()
	defer s.mu.Unlock()
	require.Empty(s.t, tellAll(s.inboxes[client]), "%s was sent something", client)
}

// tell puts a stanza in few words: what matters in a conversation.
func tell(e *element) string {
	words := []string{e.name.Local}
	if kind := e.attr("type"); kind != "" && kind != "groupchat" {
		words = append(words, kind)
	}
	if nick := parseJID(e.attr("from")).resource; nick != "" {
		words = append(words, "/"+nick)
	}
	if c := conditionOf(e); c != "" {
		words = append(words, c)
	}
	if x := e.child(nsMUCUser, "x"); x != nil {
		for _, c := range x.children {
			switch c.name.Local {
			case "destroy":
				words = append(words, "destroy")
			case "status":
				words = append(words, c.attr("code"))
			case "item":
				if nick := c.attr("nick"); nick != "" {
					words = append(words, "->", nick)
				}
				if c.attr("role") == "visitor" {
					words = append(words, "visitor")
				}
			}
		}
	}
	if show := e.child(nsComponent, "show"); show != nil {
		words = append(words, show.text)
	}
	for _, c := range e.children {
		if c.name.Space == nsChatStates {
			words = append(words, c.name.Local)
		}
	}
	if retracted := e.child(nsRetract, "retract"); retracted != nil {
		words = append(words, "retract "+retracted.attr("id"))
	}
	line := strings.Join(words, " ")
	if s := e.child(nsComponent, "subject"); s != nil {
		line += " subject=" + s.text
	}
	if b := e.child(nsComponent, "body"); b != nil {
		line += ": " + b.text
	}
	return line
}

func tellAll(stanzas []*element) []string {
	lines := make([]string, 0, len(stanzas))
	for _, e := range stanzas {
		lines = append(lines, tell(e))
	}
	return lines
}

// stage is a component that runs, with a server and sessions, all played.
type stage struct {
	*server
	*memory
	component *Component
	stop      func()
}

func newStage(t *testing.T, change ...func(*Config)) *stage {
	t.Helper()
	s := newServer(t)
	st := &stage{server: s, memory: newMemory()}
	config := Config{Component: component, Server: s.listener.Addr().String(), Secret: secret, Domains: []string{"example.org"}}
	for _, c := range change {
		c(&config)
	}
	var err error
	st.component, err = New(config, st.memory, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	st.stop = runComponent(st.component, st.memory)
	t.Cleanup(st.stop)
	return st
}

// runComponent runs a component and its outbox; stop ends both.
func runComponent(c *Component, m *memory) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = c.Run(ctx) })
	running.Go(func() { m.drain(ctx, c.Deliver) })
	return func() { cancel(); running.Wait() }
}

// rest stops the outbox: the test delivers itself.
func (st *stage) rest() {
	st.t.Helper()
	st.stop()
	st.server.mu.Lock()
	links := st.links
	st.server.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = st.component.Run(ctx) })
	st.t.Cleanup(func() { cancel(); running.Wait() })
	st.connected(links + 1)
	require.Eventually(st.t, func() bool { _, err := st.component.current(); return err == nil }, patience, time.Millisecond)
	st.look()
}

// look brings all rooms up to date, and forgets what their clients were told.
func (st *stage) look() {
	st.t.Helper()
	upToDate(st.t, st.component, slices.Collect(maps.Keys(st.sessions)))
	st.quietly()
}

// openRooms are those that somebody is inside of.
func openRooms(c *Component) []uuid.UUID {
	c.rooms.mu.Lock()
	defer c.rooms.mu.Unlock()
	return slices.Collect(maps.Keys(c.rooms.open))
}

// upToDate looks at rooms now, as a hint makes the component do a moment later,
// which then finds nothing to tell.
func upToDate(t *testing.T, c *Component, rooms []uuid.UUID) {
	t.Helper()
	for _, id := range rooms {
		require.NoError(t, c.rooms.with(t.Context(), id, func(r *room) error { return r.look(t.Context()) }))
	}
}

// quietly forgets what all clients were told by the time that a question to the
// component is answered.
func (s *server) quietly() {
	s.t.Helper()
	s.caughtUp()
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.inboxes)
}

// join enters the room without looking at what is shown.
func (s *server) join(id uuid.UUID, client, nick string) {
	s.t.Helper()
	s.write("<presence from='%s' to='%s@%s/%s' id='join'><x xmlns='http://jabber.org/protocol/muc'/></presence>", client, id, component, nick)
	require.Eventually(s.t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		for i, e := range s.inboxes[client] {
			if e.child(nsComponent, "subject") != nil {
				s.inboxes[client] = s.inboxes[client][i+1:]
				return true
			}
		}
		return false
	}, patience, time.Millisecond, "%s is not inside", client)
	s.caughtUp()
}

// caughtUp waits until everything is here that the component has written so far:
// what it answers now comes after it.
func (s *server) caughtUp() {
	s.t.Helper()
	probe := "probe-" + uuid.NewString() + "@example.org/x"
	s.write("<iq type='get' id='q' from='%s' to='%s'><ping xmlns='urn:xmpp:ping'/></iq>", probe, component)
	s.sees(probe, "iq result")
}

// settled waits until the lane of the session is empty.
func (st *stage) settled(id uuid.UUID) {
	st.t.Helper()
	require.Eventually(st.t, func() bool { return st.done(id) }, patience, time.Millisecond)
}

// said are the next n messages that a client was sent, without the presence
// between them.
func (s *server) said(client string, n int) (lines []string) {
	s.t.Helper()
	for len(lines) < n {
		if e := s.next(client, 1)[0]; e.name.Local == "message" {
			lines = append(lines, tell(e))
		}
	}
	return lines
}

// forget throws away what a client was sent so far.
func (s *server) forget(client string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.inboxes, client)
}
