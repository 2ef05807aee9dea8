package xmpp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"mailroom/bridge"
)

// Config is the part of the configuration that this package needs.
type Config struct {
	Component string // xmpp.component: the name that the rooms live under
	Server    string // xmpp.server: host:port of the server's component listener
	Secret    string // xmpp.secret
	// Domains are the operator's own (xmpp.domains): real JIDs are shown in a
	// room only while all who are invited over XMPP belong to them.
	Domains []string
	// Anonymity (xmpp.anonymity) is AnonymityAuto, also if empty, or
	// AnonymityAlways.
	Anonymity string
	// OnConnect and OnDisconnect are called by Run each time that the link to
	// the server begins and ends to work, in turn; either may be nil.
	OnConnect, OnDisconnect func()
}

// Service is what of *bridge.Service the rooms need.
type Service interface {
	// View is the gate for whoever asks something: what it returns is one member's.
	View(ctx context.Context, session uuid.UUID, by bridge.Identity) (*bridge.Room, bridge.Member, error)
	// Room, Log, Watch and SignsOf are for the room itself, and ask no permission.
	Room(ctx context.Context, session uuid.UUID) (*bridge.Room, error)
	Log(ctx context.Context, session uuid.UUID, after int64, limit int) ([]bridge.Record, error)
	Watch(ctx context.Context, room *bridge.Room) (bridge.Watch, error)
	SignsOf(session uuid.UUID) []bridge.Signs
	Subscribe(session uuid.UUID) (changed <-chan struct{}, cancel func())
	SubscribeSignals(session uuid.UUID) (changed <-chan struct{}, cancel func())
	Signal(ctx context.Context, session uuid.UUID, by bridge.Identity, kind bridge.SignalKind, on bool) error
	RecordsBefore(ctx context.Context, session uuid.UUID, by bridge.Identity, before int64, limit int) ([]bridge.Record, error)
	Post(ctx context.Context, p bridge.PostRequest) (bridge.Record, error)
	SetSubject(ctx context.Context, session uuid.UUID, by bridge.Identity, subject string, o bridge.Origin) (bridge.Record, error)
	SetEndpoint(ctx context.Context, session uuid.UUID, a bridge.Address, state bridge.EndpointState) error
	Occupants(ctx context.Context, session uuid.UUID) ([]bridge.Occupant, error)
	Enter(ctx context.Context, session uuid.UUID, by bridge.Identity, jid, nick string) (*bridge.Room, bridge.Member, bridge.Occupant, error)
	Exit(ctx context.Context, session uuid.UUID, jid string) error
}

// Component hosts the session rooms. It is safe for use by many goroutines.
type Component struct {
	config  Config
	service Service
	log     *slog.Logger
	rooms   rooms
	limits  limits

	mu   sync.Mutex
	link *link // nil while not connected
}

// New checks the configuration and makes the component. It connects in Run.
func New(config Config, service Service, log *slog.Logger) (*Component, error) {
	if err := config.check(); err != nil {
		return nil, err
	}
	c := &Component{config: config, service: service, log: log}
	c.rooms.component = c
	return c, nil
}

func (config Config) check() error {
	if config.Component == "" || strings.ContainsAny(config.Component, "@/ ") || config.Component != strings.ToLower(config.Component) {
		return fmt.Errorf("xmpp.component: %q is not a name in lower case, such as rooms.example.org", config.Component)
	}
	if _, port, err := net.SplitHostPort(config.Server); err != nil || port == "" {
		return fmt.Errorf("xmpp.server: %q is not host:port, such as 127.0.0.1:5347", config.Server)
	}
	if config.Secret == "" {
		return errors.New("xmpp.secret: missing. Set it to the secret that the XMPP server has for this component")
	}
	if !slices.Contains([]string{"", AnonymityAuto, AnonymityAlways}, config.Anonymity) {
		return fmt.Errorf("xmpp.anonymity: %q is neither %q nor %q", config.Anonymity, AnonymityAuto, AnonymityAlways)
	}
	return nil
}

// Run holds the link to the server until ctx ends, and then returns nil. A
// server that is down or refuses us is tried again for ever. One Run at a time,
// of all nodes: a server may share the traffic out between two links.
func (c *Component) Run(ctx context.Context) error {
	defer c.rooms.begin(ctx)()
	work, stop := c.startWorkers(ctx)
	defer stop()
	var wait backoff
	for ctx.Err() == nil {
		err := c.connect(ctx, work, &wait)
		if ctx.Err() != nil {
			break
		}
		delay := wait.after(err)
		c.log.Warn(explain(err, c.config), "error", err, "again_in", delay)
		sleep(ctx, delay)
	}
	return nil
}

// connect serves one link to its end and says why it ended.
func (c *Component) connect(ctx context.Context, work queues, wait *backoff) error {
	l, err := dial(ctx, c.config)
	if err != nil {
		return err
	}
	defer l.close()
	defer context.AfterFunc(ctx, l.close)()
	wait.reset()
	c.attach(l)
	defer c.detach()
	c.log.Info("connected to the XMPP server", "component", c.config.Component, "server", c.config.Server)
	go l.keepAlive(ctx)
	for {
		s, err := l.receive()
		if err != nil {
			return err
		}
		if !l.returned(s) {
			c.dispatch(ctx, work, s)
		}
	}
}

func (c *Component) attach(l *link) {
	c.mu.Lock()
	c.link = l
	c.mu.Unlock()
	c.rooms.relinked()
	if c.config.OnConnect != nil {
		c.config.OnConnect()
	}
}

func (c *Component) detach() {
	c.mu.Lock()
	c.link = nil
	c.mu.Unlock()
	if c.config.OnDisconnect != nil {
		c.config.OnDisconnect()
	}
}

func (c *Component) current() (*link, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link == nil {
		return nil, errNotConnected
	}
	return c.link, nil
}

// reply sends what answers somebody. If the link is gone the answer is too:
// clients ask again, and what is said goes out by Deliver.
func (c *Component) reply(stanzas ...*element) {
	l, err := c.current()
	if err == nil {
		err = l.send(stanzas...)
	}
	if err != nil {
		c.log.Debug("an answer was not sent", "error", err)
	}
}

const (
	minBackoff = time.Second
	maxBackoff = time.Minute
)

// backoff is how long to wait before the next try: twice as long each time,
// and from the start the longest when trying again will not help by itself.
type backoff struct{ failures int }

func (b *backoff) reset() { b.failures = 0 }

func (b *backoff) after(err error) time.Duration {
	wait := min(minBackoff<<min(b.failures, 6), maxBackoff)
	b.failures++
	if refused(err) != "" {
		wait = maxBackoff
	}
	// Not all nodes and components at once when a server comes back.
	return wait/2 + rand.N(wait/2)
}

// refused is the condition of a stream error that only the admin can mend.
func refused(err error) string {
	var failed *streamError
	if errors.As(err, &failed) && slices.Contains([]string{"conflict", "not-authorized", "host-unknown"}, failed.condition) {
		return failed.condition
	}
	return ""
}

// explain is what an admin reads about a link that could not be made or held.
func explain(err error, config Config) string {
	switch refused(err) {
	case "conflict":
		return "the XMPP server has another connection for " + config.Component + ": see that only one Mailroom uses this component"
	case "not-authorized":
		return "the XMPP server refused the secret for " + config.Component + ": set xmpp.secret to the one that the server has"
	case "host-unknown":
		return "the XMPP server does not know " + config.Component + ": add it to the server's configuration as an external component"
	}
	return "no link to the XMPP server at " + config.Server
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
