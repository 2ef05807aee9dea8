package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
)

// logTail is how many lines of a node's log a failed test shows.
const logTail = 80

// Node is one process of Mailroom, which can be ended and started again on its ports and data.
type Node struct {
	WebURL string // of this very node

	name   string
	binary string
	config string // file
	log    string // file
	data   string // folder
	debug  bool   // the log has everything

	mu   sync.Mutex
	life *life // nil while it does not run
}

// life is one run of a node.
type life struct {
	command *exec.Cmd
	exited  chan struct{}
}

func newNode(t *testing.T, name, webURL string, settings map[string]any) *Node {
	t.Helper()
	folder := t.TempDir()
	n := &Node{
		WebURL: webURL, name: name, binary: binary(t),
		config: filepath.Join(folder, "mailroom.yaml"), log: filepath.Join(folder, "mailroom.log"),
	}
	n.data = filepath.Join(folder, "data")
	settings["data_dir"] = n.data
	text, err := yaml.Marshal(settings)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(n.config, text, 0o600))
	require.NoError(t, os.Mkdir(n.Temporary(), 0o700))
	t.Cleanup(func() { n.end(t) })
	return n
}

// Run runs one of the program's other commands and returns what it prints.
func (n *Node) Run(t *testing.T, arguments ...string) string {
	t.Helper()
	command := exec.Command(n.binary, append(arguments, "-c", n.config)...)
	var complaints bytes.Buffer
	command.Stderr = &complaints
	output, err := command.Output()
	require.NoError(t, err, "mailroom %s: %s", strings.Join(arguments, " "), complaints.String())
	return strings.TrimSpace(string(output))
}

// Start runs the server and returns without waiting for it.
func (n *Node) Start(t *testing.T) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	require.Nil(t, n.life, "%s runs already", n.name)
	log, err := os.OpenFile(n.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	defer log.Close()
	command := exec.Command(n.binary, "serve", "-c", n.config, "--log-level", n.logLevel())
	command.Stdout, command.Stderr = log, log
	command.Env = append(os.Environ(), "GORACE=halt_on_error=1", "TMPDIR="+n.Temporary())
	require.NoError(t, start(command))
	l := &life{command, make(chan struct{})}
	n.life = l
	go func() {
		_ = command.Wait() // how it ended stands in its state
		close(l.exited)
	}()
}

func (n *Node) logLevel() string {
	if n.debug {
		return "debug"
	}
	return "info"
}

// Temporary is the folder for files that do not stay.
func (n *Node) Temporary() string { return filepath.Join(filepath.Dir(n.config), "temporary") }

// Log is the file of the node's log.
func (n *Node) Log() string { return n.log }

// Data is the node's folder.
func (n *Node) Data() string { return n.data }

// AwaitReady waits until the node answers that it is ready; the test fails at once if the node ends instead.
func (n *Node) AwaitReady(t *testing.T) {
	t.Helper()
	l := n.running()
	require.NotNil(t, l, "%s does not run", n.name)
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	go func() {
		select {
		case <-l.exited:
			cancel()
		case <-ctx.Done():
		}
	}()
	require.NoError(t, Poll(ctx, n.ready), "%s is not ready", n.name)
}

func (n *Node) ready() error {
	response, err := http.Get(n.WebURL + "/readyz")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("/readyz says %s", response.Status)
	}
	return nil
}

func (n *Node) running() *life {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.life
}

// Kill ends the node with SIGKILL, as a crash would.
func (n *Node) Kill(t *testing.T) {
	t.Helper()
	require.NoError(t, n.signal(syscall.SIGKILL))
}

// signal ends the present life and returns when it is over. A life that had ended by itself is an error.
func (n *Node) signal(signal syscall.Signal) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.life == nil {
		return nil
	}
	l := n.life
	n.life = nil
	select {
	case <-l.exited:
		return fmt.Errorf("%s has ended by itself: %s", n.name, l.command.ProcessState)
	default:
	}
	if err := l.command.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-l.exited
	if code := l.command.ProcessState.ExitCode(); signal == syscall.SIGTERM && code != 0 {
		return fmt.Errorf("%s did not stop in order: %s", n.name, l.command.ProcessState)
	}
	return nil
}

// end stops the node at the end of a test, and shows its log if the test failed.
func (n *Node) end(t *testing.T) {
	if err := n.signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if faults := n.faults(); len(faults) > 0 {
		t.Errorf("%s has logged errors:\n%s", n.name, strings.Join(faults, "\n"))
	}
	if _, err := os.Stat(n.log); err == nil && t.Failed() {
		t.Logf("the end of the log of %s:\n%s", n.name, n.tail())
	}
}

// faults are the errors in the log: what is wrong with Mailroom itself. What peers do wrong are warnings.
func (n *Node) faults() []string {
	text, err := os.ReadFile(n.log)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it never ran
	}
	if err != nil {
		return []string{err.Error()}
	}
	var faults []string
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, " level=ERROR ") {
			faults = append(faults, strings.TrimSpace(line))
		}
	}
	return faults
}

func (n *Node) tail() string {
	text, err := os.ReadFile(n.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-logTail):], "\n")
}
