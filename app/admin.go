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
	"mailroom/store"
)

// A SQLite file has one owner, so commands that change something ask the
// running server to do it, over a socket in its data folder that only its own
// user may open. When no server runs they open the database themselves.
const adminSocket = "admin.sock"

// Admin is what commands may ask.
type Admin struct {
	service *bridge.Service
	store   *store.Store
}

// operator is who acts by the command line.
var operator = bridge.Identity{Via: bridge.Web, Admin: true}

// None is the request or the answer of what needs none.
type None struct{}

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

func (a *App) adminServer() (*rpc.Server, error) {
	server := rpc.NewServer()
	return server, server.RegisterName("Admin", &Admin{a.service, a.store})
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
	server, err := a.adminServer()
	if err != nil {
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

// office is where a command asks: the running server, or the core that the
// command has opened itself.
type office struct {
	*rpc.Client
	served bool // by a running server, which carries out what was begun
}

// ask calls a method of Admin.
func (o office) ask(method string, request, answer any) error {
	return o.Call("Admin."+method, request, answer)
}

// withOffice lets a command ask the running server, or the core opened here if
// none runs.
func withOffice(ctx context.Context, load Load, log *slog.Logger, do func(office) error) error {
	c, err := load()
	if err != nil {
		return err
	}
	conn, err := net.Dial("unix", filepath.Join(c.DataDir, adminSocket))
	if err != nil {
		return withoutServer(ctx, c, log, do)
	}
	client := jsonrpc.NewClient(conn)
	defer client.Close()
	return do(office{client, true})
}

// withoutServer opens the database and the core without any gateway.
func withoutServer(ctx context.Context, c config.Config, log *slog.Logger, do func(office) error) error {
	a := newApp(c, log)
	defer a.Close()
	if err := a.openCore(ctx); err != nil {
		return err
	}
	server, err := a.adminServer()
	if err != nil {
		return err
	}
	here, there := net.Pipe()
	go server.ServeCodec(jsonrpc.NewServerCodec(there))
	client := jsonrpc.NewClient(here)
	defer client.Close()
	return do(office{client, false})
}

// askText prints the answer of a method that gives a text.
func askText(ctx context.Context, load Load, log *slog.Logger, out io.Writer, method string, request any) error {
	return withOffice(ctx, load, log, func(o office) error {
		var text string
		if err := o.ask(method, request, &text); err != nil {
			return err
		}
		_, err := fmt.Fprintln(out, text)
		return err
	})
}
