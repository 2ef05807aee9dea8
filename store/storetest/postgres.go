package storetest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
	_ "github.com/lib/pq" // the driver that the store uses
)

// Server is a PostgreSQL of our own in a temporary folder, on loopback, with
// the system's binaries. It ends with the process that started it.
type Server struct {
	port int
	dir  string
	cmd  *exec.Cmd
}

var shared struct {
	once   sync.Once
	server *Server
	err    error
}

// Main runs the tests of a package and ends the PostgreSQL that they started.
func Main(m *testing.M) {
	code := m.Run()
	if shared.server != nil {
		shared.server.Stop()
	}
	os.Exit(code)
}

// NewDatabase makes a fresh database on a server that the package's tests
// share and returns its URL. The package's TestMain must call Main.
func NewDatabase(t testing.TB) string {
	t.Helper()
	shared.once.Do(func() { shared.server, shared.err = StartPostgres() })
	if shared.err != nil {
		t.Fatalf("starting PostgreSQL: %v", shared.err)
	}
	url, err := shared.server.NewDatabase()
	if err != nil {
		t.Fatalf("making a database: %v", err)
	}
	return url
}

// StartPostgres starts a server. PostgreSQL refuses to run as root, so as root
// it runs as the user postgres.
func StartPostgres() (*Server, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "mailroom-pg-")
	if err != nil {
		return nil, err
	}
	attr, err := asPostgres(dir)
	if err != nil {
		return nil, err
	}
	s := &Server{port: freePort(), dir: dir}
	data := filepath.Join(dir, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "mailroom", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = attr, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	s.cmd = exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-p", strconv.Itoa(s.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=200")
	s.cmd.SysProcAttr, s.cmd.Dir = attr, dir
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	return s, s.wait()
}

func (s *Server) url(database string) string {
	return fmt.Sprintf("postgres://mailroom@127.0.0.1:%d/%s?sslmode=disable", s.port, database)
}

func (s *Server) wait() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	db, err := sqlx.Open("postgres", s.url("postgres"))
	if err != nil {
		return err
	}
	defer db.Close()
	for {
		err := db.PingContext(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// NewDatabase makes a fresh database and returns its URL.
func (s *Server) NewDatabase() (string, error) {
	db, err := sqlx.Open("postgres", s.url("postgres"))
	if err != nil {
		return "", err
	}
	defer db.Close()
	name := "t" + uuid.NewString()[:8]
	if _, err := db.Exec("create database " + name); err != nil {
		return "", err
	}
	return s.url(name), nil
}

// Stop ends the server and removes its folder.
func (s *Server) Stop() {
	s.cmd.Process.Signal(syscall.SIGQUIT) // at once; if it is gone already, good
	s.cmd.Wait()                          // its exit code tells nothing we need
	os.RemoveAll(s.dir)                   // a rest in the temporary folder does no harm
}

func binaries() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(found) == 0 {
		return "", errors.New("no PostgreSQL server here: install the Debian package postgresql")
	}
	sort.Strings(found)
	return found[len(found)-1], nil
}

// asPostgres hands dir to the user postgres when we are root.
func asPostgres(dir string) (*syscall.SysProcAttr, error) {
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	if os.Getuid() != 0 {
		return attr, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return nil, err
	}
	attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return attr, os.Chown(dir, uid, gid)
}

func freePort() int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
