package outbox

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"
)

// LeaseTTL is how long a lease lives without renewal; it is renewed at a third
// of it. A node that dies is succeeded after at most this time.
const LeaseTTL = 5 * time.Second

// NodeLease is the name of the lease by which a node's lanes stay its own.
func NodeLease(owner string) string { return "node:" + owner }

// Hold runs fn while this node holds a lease, again each time that the lease
// was lost and won. fn's context ends when the lease can no longer be trusted:
// fn must return then. Hold returns when ctx ends.
func Hold(ctx context.Context, queue Queue, name, owner string, logger *slog.Logger, fn func(ctx context.Context)) {
	for ctx.Err() == nil {
		asked := time.Now()
		_, ok, err := queue.AcquireLease(ctx, name, owner, LeaseTTL)
		if err != nil && ctx.Err() == nil {
			logger.Error("cannot ask for a lease", "lease", name, "error", err)
		}
		if !ok || err != nil {
			sleep(ctx, LeaseTTL/5+rand.N(LeaseTTL/10))
			continue
		}
		held(ctx, queue, name, owner, asked, logger, fn)
	}
}

// held runs fn beside the renewal. The trust in the lease ends with the time
// that was asked for, counted from before the asking.
func held(ctx context.Context, queue Queue, name, owner string, asked time.Time, logger *slog.Logger, fn func(context.Context)) {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn(inner)
	}()
	trust := time.AfterFunc(time.Until(asked.Add(LeaseTTL)), cancel)
	defer trust.Stop()
	ticker := time.NewTicker(LeaseTTL / 3)
	defer ticker.Stop()
	for inner.Err() == nil {
		select {
		case <-inner.Done():
		case <-done:
			cancel()
		case <-ticker.C:
			renew(inner, queue, name, owner, logger, trust, cancel)
		}
	}
	<-done
	if ctx.Err() == nil {
		logger.Warn("a lease was lost", "lease", name)
	}
	// A clean stop frees the lease at once. If that fails, it runs out.
	release, stop := context.WithTimeout(context.WithoutCancel(ctx), LeaseTTL/5)
	defer stop()
	if err := queue.ReleaseLease(release, name, owner); err != nil {
		logger.Warn("cannot release a lease; it will run out", "lease", name, "error", err)
	}
}

func renew(ctx context.Context, queue Queue, name, owner string, logger *slog.Logger, trust *time.Timer, lost func()) {
	asked := time.Now()
	_, ok, err := queue.AcquireLease(ctx, name, owner, LeaseTTL)
	switch {
	case err != nil:
		logger.Warn("cannot renew a lease", "lease", name, "error", err)
	case !ok:
		lost()
	default:
		trust.Reset(time.Until(asked.Add(LeaseTTL)))
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
