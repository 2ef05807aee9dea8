package harness

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Domain is that of the homeserver and of the XMPP server; OtherDomain is a second XMPP server, federated with it.
const (
	Domain      = "example.org"
	OtherDomain = "other.test"
)

// componentHost is the domain of the session rooms.
const componentHost = "rooms." + Domain

// Password is that of every account.
const Password = "correct horse"

// Accounts exist on Dendrite and on both XMPP servers.
var Accounts = []string{"carol", "dave", "eve"}

// Stack is the peers, run by the program of test/stack.
type Stack struct {
	Dendrite struct {
		URL string `json:"url"`
	} `json:"dendrite"`
	Prosody struct {
		Client    string `json:"c2s"`
		Component string `json:"component"`
		Other     string `json:"second_c2s"`
	} `json:"prosody"`
	Postgres struct {
		URL string `json:"url"`
	} `json:"postgres"`

	// Folder has all that the peers keep.
	Folder string `json:"-"`

	command *exec.Cmd
	mu      sync.Mutex // one command at a time
	stdin   io.WriteCloser
	stdout  *bufio.Scanner
}

// stackRequest is which peers a test needs.
type stackRequest struct {
	registration string // the appservice that Dendrite is to know, if any
	secret       string // of the component
	postgres     bool
	accounts     []string // beside Accounts
}

func startStack(t *testing.T, r stackRequest) *Stack {
	t.Helper()
	folder := t.TempDir()
	config := filepath.Join(folder, "config.json")
	text, err := json.Marshal(r.config(t, folder))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(config, text, 0o600))

	s := &Stack{Folder: filepath.Join(folder, "peers"), command: exec.Command(peer(t, "MAILROOM_STACK"), "up", "-config", config)}
	s.command.Stderr = t.Output()
	s.stdin, err = s.command.StdinPipe()
	require.NoError(t, err)
	stdout, err := s.command.StdoutPipe()
	require.NoError(t, err)
	s.stdout = bufio.NewScanner(stdout)
	require.NoError(t, start(s.command))
	t.Cleanup(s.stop)
	require.NoError(t, s.read(s), "the stack did not start")
	return s
}

func (r stackRequest) config(t *testing.T, folder string) map[string]any {
	t.Helper()
	var accounts []map[string]string
	for _, name := range slices.Concat(Accounts, r.accounts) {
		accounts = append(accounts, map[string]string{"localpart": name, "password": Password})
	}
	dendrite := map[string]any{"enabled": true, "bin": peer(t, "MAILROOM_DENDRITE")}
	if r.registration != "" {
		dendrite["registrations"] = []string{r.registration}
	}
	return map[string]any{
		"dir": filepath.Join(folder, "peers"), "domain": Domain, "accounts": accounts, "dendrite": dendrite,
		"prosody": map[string]any{
			"enabled": true, "second_host": OtherDomain,
			"components": []map[string]string{{"name": componentHost, "secret": r.secret}},
		},
		"postgres": map[string]any{"enabled": r.postgres},
	}
}

// stop ends all peers: they go with the input of their program.
func (s *Stack) stop() {
	_ = s.stdin.Close() // it can only be closed already
	_ = s.command.Wait()
}

func (s *Stack) read(answer any) error {
	if !s.stdout.Scan() {
		return errors.Join(errors.New("the stack has ended"), s.stdout.Err())
	}
	return json.Unmarshal(s.stdout.Bytes(), answer)
}

// Do obeys one command: stop, start, restart or kill, with a peer.
func (s *Stack) Do(t *testing.T, command string) {
	t.Helper()
	_, err := s.do(command)
	require.NoError(t, err)
}

// CreateDatabase makes a database and returns its URL.
func (s *Stack) CreateDatabase(t *testing.T, name string) string {
	t.Helper()
	url, err := s.do("createdb " + name)
	require.NoError(t, err)
	return url
}

func (s *Stack) do(command string) (url string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := io.WriteString(s.stdin, command+"\n"); err != nil {
		return "", fmt.Errorf("tell the stack %q: %w", command, err)
	}
	var answer struct {
		OK         bool
		Error, URL string
	}
	if err := s.read(&answer); err != nil {
		return "", err
	}
	if !answer.OK {
		return "", fmt.Errorf("%s: %s", command, answer.Error)
	}
	return answer.URL, nil
}
