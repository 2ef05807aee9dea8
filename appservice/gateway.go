// Package appservice is the Matrix gateway: it makes a room for each session in which somebody is on Matrix, lets everybody
// else appear there through a ghost, and takes what is said there.
//
// Into Matrix: Deliver receives the records of a session in order from the outbox and turns each into a request to the
// homeserver. What a room holds already is kept in a view (view.go). A delivery that fails throws its view away, and the
// next one looks into the room first (unsure.go), so that nothing appears twice.
//
// Out of Matrix: the homeserver pushes transactions (transactions.go). Each event becomes a call of the Service (events.go,
// members.go, messages.go), and the transaction is answered only when all of them are stored.
//
// Section numbers are those of the Matrix specification: AS for the application service API, CS for the client-server API.
package appservice

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"maunium.net/go/mautrix/id"

	"mailroom/bridge"
)

// Config says which homeserver the gateway serves.
type Config struct {
	// Homeserver is the base URL of the client-server API, for example http://127.0.0.1:8008.
	Homeserver string
	// Domain is the server name, the part of a user ID after the colon.
	Domain string
	// Registration is the path of the registration file that the homeserver reads too.
	Registration string
	// Listen is the address at which the homeserver reaches us, host:port.
	Listen string
}

// Service is what the gateway asks of the core; *bridge.Service has it.
type Service interface {
	Post(ctx context.Context, post bridge.PostRequest) (bridge.Record, error)
	Join(ctx context.Context, session uuid.UUID, by bridge.Identity) (*bridge.Room, bridge.Member, error)
	EndpointLeft(ctx context.Context, session uuid.UUID, by bridge.Identity) error
	SetSubject(ctx context.Context, session uuid.UUID, by bridge.Identity, subject string, origin bridge.Origin) (bridge.Record, error)
	View(ctx context.Context, session uuid.UUID, by bridge.Identity) (*bridge.Room, bridge.Member, error)
	Room(ctx context.Context, session uuid.UUID) (*bridge.Room, error)
	Portal(ctx context.Context, session uuid.UUID, network bridge.Network) (remote string, ok bool, err error)
	SetPortal(ctx context.Context, session uuid.UUID, network bridge.Network, remote string) error
	SessionOf(ctx context.Context, network bridge.Network, remote string) (uuid.UUID, bool, error)
	SetEndpoint(ctx context.Context, session uuid.UUID, address bridge.Address, state bridge.EndpointState) error
	Log(ctx context.Context, session uuid.UUID, after int64, limit int) ([]bridge.Record, error)
	Signal(ctx context.Context, session uuid.UUID, by bridge.Identity, kind bridge.SignalKind, on bool) error
	SignsFor(ctx context.Context, room *bridge.Room, me bridge.Member) ([]bridge.Signs, error)
	OnSignal(f func(session uuid.UUID))
}

// Gateway is the Matrix side of all sessions. It is safe for concurrent use, except that the records of one session must be
// delivered one call after the other.
type Gateway struct {
	cfg          Config
	svc          Service
	log          *slog.Logger
	registration *Registration
	homeserver   *url.URL
	client       *http.Client
	bot          id.UserID
	listener     net.Listener

	introduction introduction
	portals      portals
	views        views
	echoes       echoes
	typists      typists
}

// New checks the configuration and reads the registration file. Errors name the key and say how to mend it.
func New(cfg Config, svc Service, log *slog.Logger) (*Gateway, error) {
	homeserver, err := cfg.check()
	if err != nil {
		return nil, err
	}
	registration, err := LoadRegistration(cfg)
	if err != nil {
		return nil, err
	}
	return &Gateway{
		cfg: cfg, svc: svc, log: log,
		registration: registration,
		homeserver:   homeserver,
		client:       newHTTPClient(),
		bot:          id.NewUserID(botLocalpart, cfg.Domain),
		typists:      typists{hints: make(chan struct{}, 1)},
	}, nil
}

func (c Config) check() (*url.URL, error) {
	homeserver, err := url.Parse(c.Homeserver)
	if err != nil || homeserver.Host == "" || (homeserver.Scheme != "http" && homeserver.Scheme != "https") {
		return nil, fmt.Errorf("matrix.homeserver: %q is not the URL of a homeserver; write for example http://127.0.0.1:8008", c.Homeserver)
	}
	if c.Domain == "" || strings.ContainsAny(c.Domain, "@/ ") {
		return nil, fmt.Errorf("matrix.domain: %q is not a server name; write what stands after the colon in your users' IDs, for example example.org", c.Domain)
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return nil, fmt.Errorf("matrix.listen: %q is not an address to listen on; write for example 127.0.0.1:29300", c.Listen)
	}
	return homeserver, nil
}

// Limits of the listener, which only the homeserver should reach.
const (
	headerTimeout   = 10 * time.Second
	idleTimeout     = 2 * time.Minute
	shutdownTimeout = 10 * time.Second
)

// Listen binds the address at which the homeserver reaches us.
func (g *Gateway) Listen() error {
	listener, err := net.Listen("tcp", g.cfg.Listen)
	if err != nil {
		return fmt.Errorf("matrix.listen: cannot listen on %s; stop what uses it or choose another port, in the registration too: %w", g.cfg.Listen, err)
	}
	g.listener = listener
	return nil
}

// Addr is the address that Listen has bound.
func (g *Gateway) Addr() net.Addr { return g.listener.Addr() }

// Run serves the homeserver until ctx ends, and then returns nil. A homeserver that is down is waited for. Listen comes first.
func (g *Gateway) Run(ctx context.Context) error {
	server := &http.Server{
		Handler:           g.Handler(),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		ErrorLog:          slog.NewLogLogger(g.log.Handler(), slog.LevelWarn),
	}
	var aside sync.WaitGroup
	aside.Go(func() { g.greet(ctx) })
	aside.Go(func() { g.showTyping(ctx) })
	finished := make(chan struct{})
	stopped := context.AfterFunc(ctx, func() {
		defer close(finished)
		deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		if err := server.Shutdown(deadline); err != nil {
			g.log.Warn("a transaction of the homeserver was cut off; it will be repeated", "error", err)
		}
	})
	defer stopped()
	err := server.Serve(g.listener)
	if errors.Is(err, http.ErrServerClosed) {
		<-finished // what is under way is still stored
		aside.Wait()
		return nil
	}
	return fmt.Errorf("serve the homeserver: %w", err)
}
