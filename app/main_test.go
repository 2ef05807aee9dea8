package app

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mailroom/bridge"
	"mailroom/config"
	"mailroom/store/storetest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A test that needs a node to crash starts this binary again as that node.
func TestMain(m *testing.M) {
	if database := os.Getenv(crashingNode); database != "" {
		runCrashingNode(database)
		return
	}
	storetest.Main(m)
}

var (
	alice = bridge.EmailAddress("alice@example.org")
	bob   = bridge.EmailAddress("bob@example.org")
	carol = bridge.EmailAddress("carol@other.test")
)

const nodeSecret = "the secret that all nodes of a test share"

func by(a bridge.Address) bridge.Identity { return bridge.Identity{Via: bridge.Web, Address: a} }

// logBuffer takes the log of a node.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// settings are those of a node with the page alone. Its folder has a short
// name: a socket is in it.
func settings(database string) (config.Config, error) {
	dir, err := os.MkdirTemp("", "mr")
	if err != nil {
		return config.Config{}, err
	}
	listen, err := freeAddress()
	c := config.Default()
	c.DataDir, c.Web.Listen, c.PublicURL, c.Initiators.Allow = dir, listen, "http://"+listen, []string{"*@example.org"}
	c.Database = database
	if database == "" {
		c.Database = "sqlite:" + filepath.Join(dir, "mailroom.db")
	} else {
		c.Node = config.Node{URL: c.PublicURL, Secret: nodeSecret}
	}
	return c, err
}

func settingsOf(t *testing.T, database string) config.Config {
	t.Helper()
	c, err := settings(database)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(c.DataDir)) })
	return c
}

// testNode is a node that runs in this process.
type testNode struct {
	*App
	log  *logBuffer
	stop func()
}

// makeNode makes a node that does not run.
func makeNode(t *testing.T, c config.Config) *testNode {
	t.Helper()
	n := &testNode{log: &logBuffer{}}
	var err error
	n.App, err = New(t.Context(), c, Options{Version: "test"}, slog.New(slog.NewTextHandler(n.log, nil)))
	require.NoError(t, err)
	t.Cleanup(n.Close)
	return n
}

// startNode makes a node, runs it until the test or stop ends it, and waits
// until it answers.
func startNode(t *testing.T, c config.Config) *testNode {
	t.Helper()
	n := makeNode(t, c)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	n.stop = sync.OnceFunc(func() {
		cancel()
		assert.NoError(t, <-done)
		assert.NotContains(t, n.log.String(), "level=ERROR")
	})
	t.Cleanup(n.stop)
	eventually(t, readyTime, func() error { return ready(c) })
	return n
}

// readyTime is how long a node may take until it is ready.
const readyTime = 20 * time.Second

func ready(c config.Config) error {
	response, err := http.Get(c.PublicURL + "/readyz")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("/readyz answers %s", response.Status)
	}
	return nil
}

func eventually(t *testing.T, patience time.Duration, check func() error) {
	t.Helper()
	require.NoError(t, until(patience, check), "not in time")
}

// until looks again and again, and returns what was wrong in the end.
func until(patience time.Duration, check func() error) error {
	end := time.NewTimer(patience)
	defer end.Stop()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-end.C:
			return err
		case <-look.C:
		}
	}
}

// begin starts a session of Alice with Bob.
func begin(s *bridge.Service, origin string, o bridge.Options, others ...bridge.Address) (*bridge.Room, error) {
	r := bridge.StartRequest{
		By: by(alice), Subject: "about " + origin, Body: bridge.Body{Text: "first " + origin}, Options: o,
		Invitees: []bridge.Invitee{{Address: bob}}, Origin: bridge.Origin{Network: bridge.Web, ID: origin},
	}
	for _, a := range others {
		r.Invitees = append(r.Invitees, bridge.Invitee{Address: a})
	}
	return s.Start(context.Background(), r)
}

func say(s *bridge.Service, room *bridge.Room, who bridge.Address, text string) error {
	_, err := s.Post(context.Background(), bridge.PostRequest{
		Session: room.Session.ID, By: by(who), Body: bridge.Body{Text: text}, Origin: bridge.Origin{Network: bridge.Web, ID: text},
	})
	return err
}

// said lists the texts of a session as somebody reads them.
func said(s *bridge.Service, room *bridge.Room, who bridge.Address) (string, error) {
	records, err := s.Records(context.Background(), room.Session.ID, by(who), 0, 100)
	var texts []string
	for _, r := range records {
		if r.Kind == bridge.KindMessage {
			texts = append(texts, r.Body.Text)
		}
	}
	return strings.Join(texts, "|"), err
}

func stateOf(s *bridge.Service, room *bridge.Room) (bridge.SessionState, error) {
	now, err := s.Room(context.Background(), room.Session.ID)
	if err != nil {
		return "", err
	}
	return now.Session.State, nil
}
