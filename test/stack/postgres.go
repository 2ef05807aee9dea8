package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"github.com/lib/pq"
)

// postgres is a database server with a data folder of its own.
type postgres struct {
	*process
	port     int
	password string
}

// newPostgres makes the data folder below dir, unless an earlier start did.
func newPostgres(ctx context.Context, dir string, held *ports, spawner spawner) (*postgres, error) {
	programs, err := findPostgres()
	if err != nil {
		return nil, err
	}
	port, err := held.choose(0, "PostgreSQL")
	if err != nil {
		return nil, err
	}
	owner, err := postgresOwner()
	if err != nil {
		return nil, err
	}
	cluster := cluster{programs: programs, dir: filepath.Join(dir, "data"), owner: owner}
	password, err := cluster.ensure(ctx, filepath.Join(dir, "password"))
	if err != nil {
		return nil, err
	}
	p := &postgres{port: port, password: password}
	p.process = &process{
		name: "postgres", log: filepath.Join(dir, "postgres.log"), spawner: spawner,
		// SIGINT is the fast shutdown: it does not wait for clients to leave.
		quit: syscall.SIGINT, answers: p.accepts,
		// It does not start while children of a server that was killed live.
		tries:   50,
		command: func() *exec.Cmd { return cluster.serve(port) },
	}
	return p, nil
}

// url is the address of a database on the server.
func (p *postgres) url(database string) string {
	address := url.URL{
		Scheme: "postgres", User: url.UserPassword("postgres", p.password),
		Host: loopback(p.port), Path: database, RawQuery: "sslmode=disable",
	}
	return address.String()
}

func (p *postgres) accepts(ctx context.Context) error {
	return p.run(ctx, "SELECT 1")
}

// createDatabase makes an empty database and returns its address.
func (p *postgres) createDatabase(ctx context.Context, name string) (string, error) {
	if err := p.run(ctx, "CREATE DATABASE "+pq.QuoteIdentifier(name)); err != nil {
		return "", fmt.Errorf("create the database %s: %w", name, err)
	}
	return p.url(name), nil
}

func (p *postgres) run(ctx context.Context, statement string) (err error) {
	database, err := sql.Open("postgres", p.url("postgres"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, database.Close()) }()
	_, err = database.ExecContext(ctx, statement)
	return err
}

// cluster is a data folder and the programs that work on it.
type cluster struct {
	programs string // folder with initdb and postgres
	dir      string
	owner    *syscall.Credential // nil: who runs the stack
}

// ensure makes the cluster on the first start and returns the password of its
// superuser, which it keeps in passwordFile.
func (c cluster) ensure(ctx context.Context, passwordFile string) (string, error) {
	if _, err := os.Stat(filepath.Join(c.dir, "PG_VERSION")); err == nil {
		password, err := os.ReadFile(passwordFile)
		return string(password), err
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return "", err
	}
	password := rand.Text()
	if err := os.WriteFile(passwordFile, []byte(password), 0o600); err != nil {
		return "", err
	}
	if err := c.own(c.dir, passwordFile); err != nil {
		return "", err
	}
	return password, c.initialize(ctx, passwordFile)
}

func (c cluster) own(paths ...string) error {
	if c.owner == nil {
		return nil
	}
	for _, path := range paths {
		if err := os.Chown(path, int(c.owner.Uid), int(c.owner.Gid)); err != nil {
			return err
		}
	}
	return nil
}

func (c cluster) initialize(ctx context.Context, passwordFile string) error {
	initdb := c.command(ctx, "initdb", "--pgdata", c.dir, "--username", "postgres", "--pwfile", passwordFile,
		"--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync")
	output, err := initdb.CombinedOutput()
	if err != nil {
		return fmt.Errorf("make the PostgreSQL data folder: %w: %s", err, output)
	}
	return nil
}

// serve runs the server with durable commits, as in production: the tests are
// about what survives.
func (c cluster) serve(port int) *exec.Cmd {
	return c.command(context.Background(), "postgres", "-D", c.dir, "-p", strconv.Itoa(port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
		"-c", "fsync=on", "-c", "max_connections=300")
}

// command runs a program as the owner. Its one capability (CAP_DAC_OVERRIDE)
// lets it pass through folders that only root may enter, such as a test's
// temporary one.
func (c cluster) command(ctx context.Context, program string, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, filepath.Join(c.programs, program), arguments...)
	if c.owner != nil {
		const capDACOverride = 1 // linux/capability.h
		command.SysProcAttr = &syscall.SysProcAttr{Credential: c.owner, AmbientCaps: []uintptr{capDACOverride}}
	}
	return command
}

// findPostgres is the folder of the newest server that the system has. Debian
// keeps the programs outside the PATH.
func findPostgres() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	if inPath, err := exec.LookPath("initdb"); err == nil {
		found = append(found, inPath)
	}
	if len(found) == 0 {
		return "", errors.New("the program postgres is missing: install the package postgresql (apt-get install postgresql)")
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return postgresVersion(a) - postgresVersion(b) })), nil
}

// postgresVersion reads N from /usr/lib/postgresql/N/bin/initdb, and is 0 for
// any other path.
func postgresVersion(initdb string) int {
	version, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(initdb))))
	if err != nil {
		return 0
	}
	return version
}

// postgresOwner is the user postgres when root runs the stack, because the
// server refuses to run as root.
func postgresOwner() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not run as root, and its own user is missing: %w", err)
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}
