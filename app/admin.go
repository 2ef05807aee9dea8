package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"mailroom/bridge"
	"mailroom/config"
)

// A SQLite file has one owner, so commands that change something ask the
// running server to do it, over a socket in its data folder that only its own
// user may open. When no server runs they open the database themselves.
const adminSocket = "admin.sock"

// Admin is what commands may ask.
type Admin struct{ service *bridge.Service }

// TokenRequest asks for an API token.
type TokenRequest struct {
	As    string
	Admin bool
}

// CreateToken makes an API token that acts as an address.
func (a *Admin) CreateToken(r TokenRequest, token *string) error {
	address, err := bridge.ParseAddress(r.As)
	if err != nil {
		return err
	}
	*token, err = a.service.NewAPIToken(context.Background(), address, r.Admin)
	return err
}

// AddAccount gives an email address an app password for submission.
func (a *Admin) AddAccount(address string, password *string) error {
	parsed, err := bridge.ParseAddress(address)
	if err != nil {
		return err
	}
	if parsed.Network != bridge.Mail {
		return errors.New("an account needs an email address, as alice@example.org")
	}
	*password, err = a.service.NewAccount(context.Background(), parsed)
	return err
}

// serveAdmin answers commands until ctx ends.
func (a *App) serveAdmin(ctx context.Context) error {
	path := filepath.Join(a.config.DataDir, adminSocket)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	old := syscall.Umask(0o177)
	l, err := net.Listen("unix", path)
	syscall.Umask(old)
	if err != nil {
		return fmt.Errorf("data_dir: commands could not reach this server: %w. The folder's path may have 90 characters at most", err)
	}
	server := rpc.NewServer()
	if err := server.RegisterName("Admin", &Admin{a.service}); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		conn, err := l.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			a.log.Error("a command could not reach this server", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
			continue
		}
		go server.ServeCodec(jsonrpc.NewServerCodec(conn))
	}
}

// runAdmin has the running server do it, or does it here if none runs, and
// prints the answer.
func runAdmin[R any](ctx context.Context, load Load, log *slog.Logger, out io.Writer, method string, request R, here func(*Admin, R, *string) error) error {
	c, err := load()
	if err != nil {
		return err
	}
	var answer string
	conn, err := net.Dial("unix", filepath.Join(c.DataDir, adminSocket))
	if err == nil {
		client := jsonrpc.NewClient(conn)
		defer client.Close()
		err = client.Call("Admin."+method, request, &answer)
	} else {
		err = withoutServer(ctx, c, log, func(a *Admin) error { return here(a, request, &answer) })
	}
	if err == nil {
		_, err = fmt.Fprintln(out, answer)
	}
	return err
}

// withoutServer opens the database and the core without any gateway.
func withoutServer(ctx context.Context, c config.Config, log *slog.Logger, do func(*Admin) error) error {
	a := &App{config: c, log: log, hub: bridge.NewHub()}
	defer a.Close()
	err := a.openStore(ctx)
	if err == nil {
		a.service, err = a.newService(ctx)
	}
	if err != nil {
		return err
	}
	return do(&Admin{a.service})
}
