package xmpp

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// prosody is a real server, shared by the tests of the package.
type prosody struct {
	Client     string `json:"c2s"`
	Component  string `json:"component"`
	OtherHouse string `json:"second_c2s"` // the clients' port of other.test

	mu       sync.Mutex
	commands io.WriteCloser
	answers  *bufio.Scanner
	process  *exec.Cmd
	dir      string
}

var shared struct {
	once   sync.Once
	server *prosody
	err    error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.server != nil {
		shared.server.stop()
	}
	os.Exit(code)
}

const password = "a password of eight"

// realServer is Prosody, started by the stack program when the first test asks.
func realServer(t *testing.T) *prosody {
	t.Helper()
	binary := os.Getenv("MAILROOM_STACK")
	require.NotEmpty(t, binary, "This test needs a real XMPP server: run it with `make test`, which sets MAILROOM_STACK.")
	shared.once.Do(func() { shared.server, shared.err = startProsody(binary) })
	require.NoError(t, shared.err)
	return shared.server
}

func startProsody(binary string) (*prosody, error) {
	dir, err := os.MkdirTemp("", "mailroom-xmpp")
	if err != nil {
		return nil, err
	}
	type account struct {
		Localpart string `json:"localpart"`
		Password  string `json:"password"`
	}
	config := map[string]any{
		"dir": filepath.Join(dir, "stack"), "domain": "example.org",
		"prosody": map[string]any{
			"enabled": true, "second_host": "other.test",
			"components": []map[string]string{{"name": component, "secret": secret}},
		},
		"accounts": []account{{"bob", password}, {"carol", password}, {"mallory", password}},
	}
	text, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "config.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, err
	}
	return launch(binary, file, dir)
}

func launch(binary, file, dir string) (*prosody, error) {
	p := &prosody{process: exec.Command(binary, "up", "-config", file), dir: dir}
	p.process.Stderr = os.Stderr
	out, err := p.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if p.commands, err = p.process.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.process.Start(); err != nil {
		return nil, err
	}
	p.answers = bufio.NewScanner(out)
	if !p.answers.Scan() {
		return nil, fmt.Errorf("the stack did not start: %w", p.process.Wait())
	}
	ready := struct {
		Prosody *prosody `json:"prosody"`
	}{p}
	return p, json.Unmarshal(p.answers.Bytes(), &ready)
}

func (p *prosody) stop() {
	p.commands.Close()
	_ = p.process.Wait() // it was told to end
	os.RemoveAll(p.dir)
}

// command tells the stack to do something and waits until it is done.
func (p *prosody) command(t *testing.T, line string) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err := fmt.Fprintln(p.commands, line)
	require.NoError(t, err)
	require.True(t, p.answers.Scan())
	require.Contains(t, p.answers.Text(), `"ok":true`)
}

// world is a component that runs against the real server, with sessions in memory.
type world struct {
	*memory
	*prosody
	t         *testing.T
	connected chan struct{} // one for each time that the link works
	component *Component
	stop      func()
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{memory: newMemory(), prosody: realServer(t), t: t, connected: make(chan struct{}, 100)}
	w.begin()
	return w
}

// begin runs a new component, as a bridge that was started again would.
func (w *world) begin() {
	c, err := New(Config{
		Component: component, Server: w.prosody.Component, Secret: secret, Domains: []string{"example.org"},
		OnConnect: func() { w.connected <- struct{}{} },
	}, w.memory, slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})))
	require.NoError(w.t, err)
	w.component = c
	w.stop = runComponent(c, w.memory)
	w.t.Cleanup(w.stop)
	w.awaitLink()
}

func (w *world) awaitLink() {
	w.t.Helper()
	select {
	case <-w.connected:
	case <-time.After(patience):
		require.Fail(w.t, "the component did not connect")
	}
}

// person is a real client, slixmpp, that a test speaks through.
type person struct {
	t       *testing.T
	jid     string // full
	session uuid.UUID
	stdin   io.WriteCloser

	mu    sync.Mutex
	inbox []*element
}

// login connects a client, which listens to one session's room; name is a full
// JID. The zero id means every room.
func (w *world) login(name string, id uuid.UUID) *person {
	w.t.Helper()
	address := w.Client
	if strings.Contains(name, "@other.test") {
		address = w.OtherHouse
	}
	host, port, _ := strings.Cut(address, ":")
	process := exec.Command("/usr/bin/python3", "testdata/client.py", name, password, host, port)
	c := &person{t: w.t, session: id}
	var err error
	c.stdin, err = process.StdinPipe()
	require.NoError(w.t, err)
	out, err := process.StdoutPipe()
	require.NoError(w.t, err)
	require.NoError(w.t, process.Start())
	w.t.Cleanup(func() { c.stdin.Close(); _ = process.Process.Kill(); _ = process.Wait() })
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 4<<20)
	for c.jid == "" {
		require.True(w.t, lines.Scan(), "the client did not log in")
		if jid, online := strings.CutPrefix(lines.Text(), "online "); online {
			c.jid = jid
		}
	}
	go c.listen(lines)
	return c
}

// listen keeps what comes from the rooms. A client speaks jabber:client, which
// is ours by another name.
func (c *person) listen(lines *bufio.Scanner) {
	for lines.Scan() {
		var text string
		if json.Unmarshal(lines.Bytes(), &text) != nil {
			continue
		}
		text = strings.ReplaceAll(text, "jabber:client", nsComponent)
		e, err := newParser(strings.NewReader("<stream xmlns='" + nsComponent + "'>" + text)).afterHeader()
		if err == nil && c.listensTo(parseJID(e.attr("from"))) {
			c.mu.Lock()
			c.inbox = append(c.inbox, e)
			c.mu.Unlock()
		}
	}
}

func (c *person) listensTo(from jid) bool {
	return from.domain == component && (c.session == uuid.Nil || from.local == "" || from.session() == c.session)
}

func (p *parser) afterHeader() (*element, error) {
	if _, err := p.header(); err != nil {
		return nil, err
	}
	return p.next()
}

func (c *person) write(format string, args ...any) {
	c.t.Helper()
	_, err := fmt.Fprintf(c.stdin, format+"\n", args...)
	require.NoError(c.t, err)
}

// next takes the next n stanzas that came.
func (c *person) next(n int) []*element {
	c.t.Helper()
	var got []*element
	require.Eventually(c.t, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		got = c.inbox
		return len(got) >= n
	}, patience, 5*time.Millisecond, "%s got only %v", c.jid, lazily(c.told))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inbox = c.inbox[n:]
	return got[:n]
}

// told is all that came and was not looked at.
func (c *person) told() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(tellAll(c.inbox), " | ")
}

// forget throws away what came so far.
// shown waits until the clients have got all that was done, and forgets it.
func (w *world) shown(clients ...*person) {
	w.t.Helper()
	upToDate(w.t, w.component, openRooms(w.component))
	for _, c := range clients {
		c.write("<iq type='get' id='q' to='%s'><ping xmlns='urn:xmpp:ping'/></iq>", component)
		for tell(c.next(1)[0]) != "iq result" {
		}
	}
}

func (c *person) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inbox = nil
}

// ask sends something and returns the next thing that comes, as it came.
func (c *person) ask(format string, args ...any) string {
	c.t.Helper()
	c.write(format, args...)
	return c.next(1)[0].String()
}

func (c *person) sees(lines ...string) []*element {
	c.t.Helper()
	got := c.next(len(lines))
	require.Equal(c.t, lines, tellAll(got), "what %s sees", c.jid)
	return got
}

// quiet demands that nothing came that was not looked at: a ping to the
// component would be answered after it.
func (c *person) quiet() {
	c.t.Helper()
	c.write("<iq type='get' id='q' to='%s'><ping xmlns='urn:xmpp:ping'/></iq>", component)
	c.sees("iq result")
}

func (c *person) join(id uuid.UUID, nick string) {
	c.write("<presence to='%s@%s/%s' id='join-1'><x xmlns='http://jabber.org/protocol/muc'/></presence>", id, component, nick)
}

func (c *person) say(id uuid.UUID, text string) {
	message := uuid.NewString()
	c.write("<message type='groupchat' to='%s@%s' id='%s'><body>%s</body><origin-id xmlns='urn:xmpp:sid:0' id='%[3]s'/></message>", id, component, message, text)
}

// texts are the bodies of the next n messages that people said in the room.
func (c *person) texts(t *testing.T, n int) []string {
	t.Helper()
	var texts []string
	for len(texts) < n {
		e := c.next(1)[0]
		if body := e.child(nsComponent, "body"); body != nil && e.attr("type") == "groupchat" {
			texts = append(texts, body.text)
		}
	}
	return texts
}
