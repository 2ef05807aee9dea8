// Package app builds everything by hand and runs it. It is the only package
// that knows all others; tests start the whole product through it.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"mailroom/bridge"
	"mailroom/bridge/outbox"
	"mailroom/config"
	"mailroom/store"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
)

// Options are what the command line decides.
type Options struct {
	// Local catches all outgoing mail and shows it under /dev/outbox.
	Local   bool
	Version string
}

// App is one node.
type App struct {
	config   config.Config
	options  Options
	log      *slog.Logger
	name     string // of this node, new at each start
	unlock   func()
	store    *store.Store
	peers    *peers // nil on SQLite: there are no others
	hub      *bridge.Hub
	service  *bridge.Service
	outbox   *outbox.Outbox
	mails    *outbox.Mails
	registry *prometheus.Registry
	gateways gateways
}

// New opens and migrates the database and makes every gateway; nothing listens
// yet. Close what it returns. Errors name the key of the configuration and the
// mend.
func New(ctx context.Context, c config.Config, o Options, log *slog.Logger) (*App, error) {
	a := newApp(c, log)
	a.options, a.registry = o, newRegistry(o.Version)
	if err := a.open(ctx); err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

func (a *App) open(ctx context.Context) error {
	if err := a.openCore(ctx); err != nil {
		return err
	}
	a.outbox = outbox.New(a.store, a.service, a.name, a.log)
	a.hub.OnPublish(a.outbox.Wake)
	return a.makeGateways()
}

func newApp(c config.Config, log *slog.Logger) *App {
	return &App{config: c, log: log, name: uuid.NewString(), hub: bridge.NewHub()}
}

// openCore opens the database and makes the core over it.
func (a *App) openCore(ctx context.Context) (err error) {
	if err := a.openStore(ctx); err != nil {
		return err
	}
	var others func(context.Context, string) (store.Keeper, error)
	if a.store.Shared() {
		a.peers = newPeers(a.store, a.config.Node.Secret, a.log.With("part", "nodes"))
		others = a.peers.keeper
	}
	a.store.KeepAs(a.name, others)
	a.service, err = a.newService(ctx)
	return err
}

// Close frees what New has opened.
func (a *App) Close() {
	if a.gateways.sender != nil {
		a.gateways.sender.Close()
	}
	if a.peers != nil {
		a.peers.close()
	}
	if a.store != nil {
		if err := a.store.Close(); err != nil {
			a.log.Error("closing the database", "error", err)
		}
	}
	if a.unlock != nil {
		a.unlock()
	}
}

func (a *App) openStore(ctx context.Context) (err error) {
	if err := os.MkdirAll(a.config.DataDir, 0o750); err != nil {
		return fmt.Errorf("data_dir: %w", err)
	}
	if a.unlock, err = store.Lock(a.config.Database); err != nil {
		return err
	}
	if a.store, err = store.Open(ctx, a.config.Database, a.log); err != nil {
		return err
	}
	applied, err := a.store.Migrate(ctx)
	if err != nil {
		return err
	}
	if applied > 0 {
		a.log.Info("database migrated", "files", applied)
	}
	if !a.store.Shared() {
		return a.store.FreeLeases(ctx) // we own the file: whoever held one is gone
	}
	return nil
}

func (a *App) newService(ctx context.Context) (*bridge.Service, error) {
	key, err := a.serverKey(ctx)
	if err != nil {
		return nil, err
	}
	c := bridge.Config{
		Key: key, Allow: a.config.Initiators.Allow, MissedAfter: a.config.Mail.MissedAfter,
		NativeWait: a.config.Mail.NativeWait, MailHost: a.config.Mail.Domain, Networks: []bridge.Network{bridge.Web},
		Node: a.name, CodeAlways: a.config.Join.Code == "always", KeepFor: time.Duration(a.config.Transcripts.KeepFor),
		Limits: bridge.Limits(a.config.Limits),
	}
	for _, m := range a.config.Directory {
		c.Directory = append(c.Directory, bridge.Mapping(m))
	}
	for network, on := range map[bridge.Network]bool{
		bridge.Mail: a.config.HasMail(), bridge.Matrix: a.config.HasMatrix(), bridge.XMPP: a.config.HasXMPP(),
	} {
		if on {
			c.Networks = append(c.Networks, network)
		}
	}
	return bridge.NewService(c, a.store, a.hub, a.log)
}

// Run listens, serves until ctx ends, and then lets go of everything in turn.
// It returns early only if a listener cannot be bound or breaks; a peer that is
// down stops nothing.
func (a *App) Run(ctx context.Context) error {
	if err := a.enter(ctx); err != nil {
		return err
	}
	if err := a.gateways.listen(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	tasks := append(a.gateways.tasks(), a.deliver, a.serveAdmin, a.tidy)
	if a.store.Shared() {
		tasks = append(tasks, a.listenForHints)
	}
	if a.config.Metrics.Listen != "" {
		tasks = append(tasks, a.serveMetrics)
	}
	var wait sync.WaitGroup
	errs := make(chan error, len(tasks))
	for _, task := range tasks {
		wait.Go(func() {
			err := task(ctx)
			if err != nil {
				cancel() // the others cannot do without it
			}
			errs <- err
		})
	}
	a.log.Info("ready", "page", a.config.PublicURL, "listen", a.gateways.web.Addr().String(), "version", a.options.Version)
	wait.Wait()
	a.service.Wait()
	close(errs)
	var all error
	for err := range errs {
		all = errors.Join(all, err)
	}
	return all
}

// deliver drains the lanes and the mail queue while this node's lease lives.
func (a *App) deliver(ctx context.Context) error {
	outbox.Hold(ctx, a.store, outbox.NodeLease(a.name), a.name, a.log, func(ctx context.Context) {
		var wait sync.WaitGroup
		defer wait.Wait()
		wait.Go(func() { a.endOver(ctx) })
		if a.gateways.matrix != nil {
			a.outbox.Attach(ctx, bridge.Matrix, a.gateways.matrix)
		}
		if a.mails != nil {
			a.outbox.Attach(ctx, bridge.Mail, bridge.NewMailPlanner(a.service, a.mails.Wake))
			wait.Go(func() { a.logged("mail queue", a.mails.Run(ctx)) })
		}
		if a.gateways.xmpp != nil {
			wait.Go(func() { a.hostRooms(ctx) })
		}
		a.logged("outbox", a.outbox.Run(ctx))
	})
	return nil
}

// hostRooms runs the XMPP component: of all nodes the one that holds its lease,
// since some servers would split its traffic between two links.
func (a *App) hostRooms(ctx context.Context) {
	lease := "xmpp:" + a.config.XMPP.Component
	outbox.Hold(ctx, a.store, lease, a.name, a.log, func(ctx context.Context) {
		a.logged("xmpp", a.gateways.xmpp.Run(ctx))
	})
}

func (a *App) logged(part string, err error) {
	if err != nil {
		a.log.Error("a part has stopped", "part", part, "error", err)
	}
}

// listenForHints publishes what the other nodes have changed.
func (a *App) listenForHints(ctx context.Context) error {
	var wait sync.WaitGroup
	defer wait.Wait()
	wait.Go(func() { outbox.PollChanged(ctx, a.store, a.hub.Publish, a.log) })
	for ctx.Err() == nil {
		if err := a.store.Listen(ctx, a.hub.Publish, a.service.Heard); err != nil && ctx.Err() == nil {
			a.log.Warn("cannot listen for hints of other nodes; polling goes on", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(outbox.Poll):
			}
		}
	}
	return nil
}
