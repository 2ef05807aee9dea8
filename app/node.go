package app

import (
	"context"
	"net/http"
	"time"

	"mailroom/bridge/outbox"
)

const (
	overEvery  = 2 * time.Second
	eraseEvery = 30 * time.Second
	tidyEvery  = time.Hour
)

// enter makes this node known before anything can begin on it: what is off the
// record on a node without a lease is ended by the others.
func (a *App) enter(ctx context.Context) error {
	if !a.store.Shared() {
		// Whatever was off the record went with the process before this one, and
		// must be over before anybody can ask for it.
		return a.service.EndOver(ctx)
	}
	if _, _, err := a.store.AcquireLease(ctx, outbox.NodeLease(a.name), a.name, outbox.LeaseTTL); err != nil {
		return err
	}
	return a.store.SetNode(ctx, a.name, a.config.Node.URL)
}

// servePeers serves this node's memory to the others; nil if there can be none.
func (a *App) servePeers() (func(unknown http.Handler) http.Handler, error) {
	if !a.store.Shared() || a.config.Node.URL == "" {
		return nil, nil
	}
	s, err := newSeal(a.config.Node.Secret, a.name)
	return func(unknown http.Handler) http.Handler {
		return &memoryServer{memory: a.store.Memory(), seal: s, log: a.log.With("part", "nodes"), unknown: unknown}
	}, err
}

// endOver ends what is off the record and over, while this node's lease lives.
//
// It judges other nodes only after it has held its lease for as long as one
// lives: when the database was away for all of them, each has had the time to
// take its own again.
func (a *App) endOver(ctx context.Context) {
	if a.store.Shared() {
		// Who made its place while this node's lease had run out has forgotten it.
		if err := a.store.SetNode(ctx, a.name, a.config.Node.URL); err != nil && ctx.Err() == nil {
			a.log.Error("the other nodes may not find this one", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(outbox.LeaseTTL):
		}
	}
	a.repeat(ctx, overEvery, "ending what is over", a.service.EndOver)
}

// tidy drops what was kept long enough, until ctx ends.
func (a *App) tidy(ctx context.Context) error {
	erasures := make(chan struct{})
	go func() {
		defer close(erasures)
		a.repeat(ctx, eraseEvery, "finishing erasures", a.finishErasures)
	}()
	a.repeat(ctx, tidyEvery, "retention", func(ctx context.Context) error {
		sessions, err := a.service.Retain(ctx)
		if sessions > 0 {
			a.log.Info("messages that were kept long enough are erased", "sessions", sessions)
		}
		if err != nil {
			return err
		}
		return a.store.Sweep(ctx, time.Now())
	})
	<-erasures
	return nil
}

func (a *App) finishErasures(ctx context.Context) error {
	_, err := a.store.FinishErasures(ctx)
	return err
}

// repeat does something now and again after each pause, until ctx ends. A
// failure is logged: the next time may go well.
func (a *App) repeat(ctx context.Context, pause time.Duration, what string, do func(context.Context) error) {
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for ctx.Err() == nil {
		if err := do(ctx); err != nil && ctx.Err() == nil {
			a.log.Error("something of the node's own work failed; it is tried again", "work", what, "error", err)
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}
