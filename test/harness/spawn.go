package harness

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// spawns are starts of children. They all happen on one thread that lives as long as the tests: the kernel ends a child whose
// Pdeathsig is set when the thread that started it ends.
var spawns = sync.OnceValue(func() chan<- func() {
	queue := make(chan func())
	go func() {
		runtime.LockOSThread()
		for start := range queue {
			start()
		}
	}()
	return queue
})

// start runs a child that does not outlive the tests, however these end.
func start(command *exec.Cmd) error {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	spawns() <- func() { started <- command.Start() }
	return <-started
}

var built struct {
	once   sync.Once
	folder string
	file   string
	output []byte
	err    error
}

// binary is the program under test: what MAILROOM_BINARY names, or else a fresh build with the race detector.
func binary(t *testing.T) string {
	t.Helper()
	if file := os.Getenv("MAILROOM_BINARY"); file != "" {
		return file
	}
	built.once.Do(build)
	require.NoError(t, built.err, "go build -race: %s", built.output)
	return built.file
}

func build() {
	if built.folder, built.err = os.MkdirTemp("", "mailroom-test"); built.err != nil {
		return
	}
	built.file = filepath.Join(built.folder, "mailroom")
	command := exec.Command("go", "build", "-race", "-o", built.file, "mailroom")
	command.Env = append(os.Environ(), "CGO_ENABLED=1")
	built.output, built.err = command.CombinedOutput()
}

// peer is a program around Mailroom, named by the environment.
func peer(t *testing.T, variable string) string {
	t.Helper()
	file := os.Getenv(variable)
	require.NotEmpty(t, file, "%s is not set: run the tests with `make test`", variable)
	return file
}

// Close removes what the tests of a package shared. Call it at the end of TestMain.
func Close() {
	closeChromium()
	if built.folder != "" {
		_ = os.RemoveAll(built.folder) // what is left of a temporary folder harms nobody
	}
}
