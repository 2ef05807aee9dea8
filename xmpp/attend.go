package xmpp

import (
	"context"
	"time"
)

const (
	// hintPause is how long after a hint the room is looked at: what comes
	// together is seen together, and behind the words that the lane brings.
	hintPause = 50 * time.Millisecond
	// lookAgain is how long a look that has failed is put off.
	lookAgain = time.Second
	// longTime is a time after which nothing happens by itself.
	longTime = 24 * time.Hour
)

// attend keeps the pictures of the clients inside a room true until ctx ends:
// settings, signals and grants change without a record in the log.
func (c *Component) attend(ctx context.Context, r *room) {
	changed, unsubscribe := c.service.Subscribe(r.id)
	defer unsubscribe()
	signalled, silence := c.service.SubscribeSignals(r.id)
	defer silence()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
			sleep(ctx, hintPause)
		case <-signalled:
		case <-r.linked:
		case <-timer.C:
		}
		timer.Reset(c.look(ctx, r))
	}
}

// look brings a room up to date and says when it has to be looked at again.
func (c *Component) look(ctx context.Context, r *room) time.Duration {
	wait := longTime
	err := c.rooms.with(ctx, r.id, func(r *room) error {
		err := r.look(ctx)
		if !r.turnsAt.IsZero() {
			wait = min(wait, time.Until(r.turnsAt))
		}
		return err
	})
	if err != nil && ctx.Err() == nil {
		c.log.Error("the presence in a room could not be brought up to date", "session", r.id, "error", err)
		return lookAgain
	}
	return max(wait, 0)
}

func (r *room) look(ctx context.Context) error {
	if err := r.refresh(ctx); err != nil {
		return err
	}
	out, err := r.turnOut(ctx)
	r.reply(append(out, r.changes()...)...)
	return err
}
