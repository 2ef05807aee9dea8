package xmpp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestAWrongConfigurationNamesTheKey(t *testing.T) {
	good := Config{Component: component, Server: "127.0.0.1:5347", Secret: secret}
	for key, spoil := range map[string]func(*Config){
		"xmpp.component": func(c *Config) { c.Component = "Rooms@example.org" },
		"xmpp.server":    func(c *Config) { c.Server = "example.org" },
		"xmpp.secret":    func(c *Config) { c.Secret = "" },
		"xmpp.anonymity": func(c *Config) { c.Anonymity = "sometimes" },
	} {
		config := good
		spoil(&config)
		_, err := New(config, newMemory(), slog.New(slog.DiscardHandler))
		require.ErrorContains(t, err, key)
	}
}

func TestALinkThatIsCutIsMadeAgain(t *testing.T) {
	s, id := talking(t)
	for n, spoil := range []func(){
		func() { s.cut() },
		func() { s.write("<message from='%s' to='%s' id='", bob, component); s.cut() },
		func() { s.write("<message <broken/>") },
		func() { s.write("</stream:stream>") },
		func() { s.write("<!DOCTYPE x [<!ENTITY a 'aaaa'>]>") },
		func() {
			s.write("<stream:error><system-shutdown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>")
		},
	} {
		spoil()
		s.connected(n + 2)
	}
	s.say(id, 1, "back again", time.Now())
	require.Equal(t, []string{"message /alice: back again"}, s.said(bob, 1))
}

func TestARefusalByTheServerIsExplained(t *testing.T) {
	for condition, words := range map[string]string{
		"conflict":       "only one Mailroom",
		"not-authorized": "set xmpp.secret",
		"host-unknown":   "add it to the server's configuration",
	} {
		var log locked
		server := newServer(t)
		server.refusing = condition
		c, err := New(Config{Component: component, Server: server.listener.Addr().String(), Secret: secret}, newMemory(), slog.New(slog.NewTextHandler(&log, nil)))
		require.NoError(t, err)
		stop := runComponent(c, newMemory())
		require.Eventually(t, func() bool { return strings.Contains(log.String(), words) }, patience, time.Millisecond)
		stop()
		require.NotContains(t, log.String(), secret)
		var wait backoff
		require.GreaterOrEqual(t, wait.after(&streamError{condition: condition}), maxBackoff/2)
	}
}

func TestBackoffGrowsToAMinuteWithJitter(t *testing.T) {
	var wait backoff
	for _, most := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60} {
		got := wait.after(errors.New("refused"))
		require.LessOrEqual(t, got, most*time.Second)
		require.GreaterOrEqual(t, got, most*time.Second/2)
	}
	wait.reset()
	require.LessOrEqual(t, wait.after(errors.New("refused")), time.Second)
}

// Run ends at once in every state that it can be in.
func TestRunEndsWithItsContext(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and says nothing
	require.NoError(t, err)
	defer silent.Close()
	s := newServer(t)
	for name, address := range map[string]string{
		"connected": s.listener.Addr().String(),
		"handshake": silent.Addr().String(),
		"refused":   "127.0.0.1:1",
	} {
		c, err := New(Config{Component: component, Server: address, Secret: secret}, newMemory(), slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		begin := time.Now()
		require.NoError(t, c.Run(ctx))
		require.Less(t, time.Since(begin), 2*time.Second, name)
		cancel()
	}
	s.listener.Close()
	s.cut()
}

func TestTheHooksAreCalledInTurn(t *testing.T) {
	events := make(chan string, 10)
	s := newStage(t, func(c *Config) {
		c.OnConnect = func() { events <- "connected" }
		c.OnDisconnect = func() { events <- "disconnected" }
	})
	s.connected(1)
	require.Equal(t, "connected", <-events)
	s.cut()
	require.Equal(t, "disconnected", <-events)
	require.Equal(t, "connected", <-events)
	s.stop()
	require.Equal(t, "disconnected", <-events)
}

// What is too deep or too large is refused, and the stream goes on.
func TestAMonstrousStanzaIsRefused(t *testing.T) {
	s, id := talking(t)
	deep := strings.Repeat("<a>", MaxDepth) + strings.Repeat("</a>", MaxDepth)
	s.groupchat(id, bob, "<body>hello</body>"+deep)
	s.sees(bob, "message error policy-violation")
	s.groupchat(id, bob, "<body>"+strings.Repeat("x", MaxIncoming)+"</body>")
	s.sees(bob, "message error policy-violation")
	s.groupchat(id, bob, "<body>and now in short</body>")
	s.sees(carol, "message /Bob: and now in short")
}

func TestAFloodIsRefusedAndNobodyElseSuffers(t *testing.T) {
	s, id := talking(t)
	var flood bytes.Buffer
	for i := range 10_000 {
		fmt.Fprintf(&flood, "<presence from='%s' to='room-%d@%s/M'><x xmlns='http://jabber.org/protocol/muc'/></presence>", mallory, i, component)
	}
	s.write("%s", flood.String())
	s.groupchat(id, bob, "<body>business as usual</body>")
	s.sees(carol, "message /Bob: business as usual")
	told := make(map[string]int)
	for _, answer := range s.next(mallory, 10_000) {
		told[conditionOf(answer)]++
	}
	require.GreaterOrEqual(t, told["registration-required"], StanzaBurst)
	require.Greater(t, told["resource-constraint"], 5000)
}

// The newest emoji, a nick of another script, an address without sense: they
// are the sender's, and nothing of ours falls over them.
func TestStrangeNicksDoNotEndTheStream(t *testing.T) {
	s, id := talking(t)
	for _, nick := range []string{"\U0001fae9", "bob\u202eevil", "  ", "a/b@c", "بوب", "&lt;b&gt;"} {
		s.write("<presence type='unavailable' from='%s' to='%s@%s/Bob'/>", bobHome, id, component)
		s.write("<presence from='bob@example.org/new' to='%s@%s/%s'><x xmlns='http://jabber.org/protocol/muc'/></presence>", id, component, nick)
	}
	s.write("<message from='' to='%s@%s' type='groupchat'><body>nobody</body></message>", id, component)
	s.write("<message from='@@//' to='@%s' type='groupchat'><body>nobody</body></message>", component)
	s.write("<iq from='%s' to='%s' type='get' id='1'/>", bob, component)
	s.sees(bob, "iq error service-unavailable")
	s.groupchat(id, bob, "<body>fine</body>")
	s.sees(carol, "message /Bob: fine")
}

// An answer carries the id of its question, and that could be longer than the
// server takes from a component.
func TestAnAnswerThatIsTooLongIsNotWritten(t *testing.T) {
	s, id := talking(t)
	for _, to := range []string{component, id.String() + "@" + component, id.String() + "@" + component + "/Bob"} {
		s.write("<iq type='get' from='%s' to='%s' id='%s'><ping xmlns='urn:xmpp:ping'/></iq>", bob, to, strings.Repeat("&apos;", MaxStanza/6))
	}
	s.quiet(bob)
	s.say(id, 1, "the link stands", time.Now())
	s.sees(bob, "message /alice: the link stands")
	s.connected(1)
}

// locked is a buffer that a logger may write to while a test reads.
type locked struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.String()
}
