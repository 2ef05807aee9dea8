package appservice

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Bounds of waiting for what happens by itself.
const (
	waitLong = 2 * time.Minute
	waitStep = 20 * time.Millisecond
)

// quietLog keeps the logs of passing tests away; MAILROOM_TEST_LOG=1 shows them.
func quietLog() *slog.Logger {
	if os.Getenv("MAILROOM_TEST_LOG") != "" {
		return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return slog.New(slog.DiscardHandler)
}

// logTo writes everything down.
func logTo(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

const testDomain = "example.org"

// dendrite is a real homeserver with a few accounts, and the place where it pushes its transactions.
type dendrite struct {
	url          string
	registration string
	pushes       *switchboard
	commands     io.Writer
	answers      *bufio.Scanner
}

// switchboard listens where the registration points, for whichever gateway is running. Without one it takes everything, so
// that the homeserver does not fall into a long pause between two tests.
type switchboard struct {
	handler atomic.Pointer[http.Handler]
	failed  atomic.Int64 // how many transactions were not taken
}

func (s *switchboard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	handler := s.handler.Load()
	if handler == nil {
		fmt.Fprint(w, "{}")
		return
	}
	answer := httptest.NewRecorder()
	(*handler).ServeHTTP(answer, r)
	if answer.Code >= http.StatusInternalServerError {
		s.failed.Add(1)
	}
	w.WriteHeader(answer.Code)
	// A homeserver that has gone away meanwhile asks again.
	_, _ = answer.Body.WriteTo(w)
}

// waitFailed waits until a transaction was not taken.
func (s *switchboard) waitFailed(t *testing.T) {
	t.Helper()
	eventually(t, "no transaction came", func() bool { return s.failed.Load() > 0 })
}

func (s *switchboard) connect(t *testing.T, handler http.Handler) {
	s.handler.Store(&handler)
	t.Cleanup(func() { s.handler.Store(nil) })
}

var accounts = []string{"carol", "dave", "mallory"}

const password = "correct horse"

// startDendrite runs a homeserver for one test.
func startDendrite(t *testing.T) *dendrite {
	t.Helper()
	binary, server := os.Getenv("MAILROOM_STACK"), os.Getenv("MAILROOM_DENDRITE")
	require.NotEmpty(t, binary, "This test needs a real homeserver: run it with `make test`, which sets MAILROOM_STACK and MAILROOM_DENDRITE.")
	require.NotEmpty(t, server, "This test needs a real homeserver: run it with `make test`, which sets MAILROOM_DENDRITE.")

	dir := t.TempDir()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	d := &dendrite{pushes: &switchboard{}, registration: writeRegistration(t, dir, "http://"+listener.Addr().String())}
	web := &httptest.Server{Listener: listener, Config: &http.Server{Handler: d.pushes}}
	web.Start()
	t.Cleanup(web.Close)

	config := map[string]any{
		"dir": filepath.Join(dir, "stack"), "domain": testDomain,
		"dendrite": map[string]any{"enabled": true, "bin": server, "registrations": []string{d.registration}},
	}
	var people []map[string]string
	for _, name := range accounts {
		people = append(people, map[string]string{"localpart": name, "password": password})
	}
	config["accounts"] = people
	d.run(t, binary, dir, config)
	return d
}

func (d *dendrite) run(t *testing.T, binary, dir string, config map[string]any) {
	text, err := json.Marshal(config)
	require.NoError(t, err)
	file := filepath.Join(dir, "stack.json")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	command := exec.Command(binary, "up", "-config", file)
	command.Stderr = os.Stderr
	stdin, err := command.StdinPipe()
	require.NoError(t, err)
	stdout, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		require.NoError(t, stdin.Close())
		require.NoError(t, command.Wait())
	})
	d.commands, d.answers = stdin, bufio.NewScanner(stdout)
	require.True(t, d.answers.Scan(), "the stack did not start")
	var ready struct {
		Dendrite struct {
			URL string `json:"url"`
		} `json:"dendrite"`
	}
	require.NoError(t, json.Unmarshal(d.answers.Bytes(), &ready))
	d.url = ready.Dendrite.URL
}

// command tells the stack what to do with the homeserver: stop, start, restart or kill.
func (d *dendrite) command(t *testing.T, what string) {
	t.Helper()
	_, err := fmt.Fprintln(d.commands, what, "dendrite")
	require.NoError(t, err)
	require.True(t, d.answers.Scan(), "the stack has ended")
	require.Contains(t, d.answers.Text(), `"ok":true`)
}

// gateway makes a gateway that the homeserver pushes to from now on.
func (d *dendrite) gateway(t *testing.T, svc Service) *Gateway {
	t.Helper()
	g, err := New(Config{Homeserver: d.url, Domain: testDomain, Registration: d.registration, Listen: "127.0.0.1:0"}, svc, quietLog())
	require.NoError(t, err)
	t.Cleanup(g.client.CloseIdleConnections)
	d.pushes.connect(t, g.Handler())
	return g
}

func writeRegistration(t *testing.T, dir, address string) string {
	t.Helper()
	text, err := NewRegistration(Config{Domain: testDomain}, address).YAML()
	require.NoError(t, err)
	file := filepath.Join(dir, "registration.yaml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, waitLong, waitStep, what)
}
