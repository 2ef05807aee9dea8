package outbox

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"mailroom/bridge"
)

// drain carries what there is. An error is one of the store, or ErrFenced.
func (o *Outbox) drain(a *attached, k key) error {
	ctx := a.ctx
	lane, ok, err := o.queue.GetLane(ctx, k.session, k.destination)
	if err != nil || !ok {
		return err
	}
	if lane.Attempts > 0 && time.Now().Before(lane.NextTry) && !a.isFresh() {
		return nil // it is failing: a hint makes the peer no better
	}
	for {
		records, err := o.queue.ListRecords(ctx, k.session, lane.Acked, Window)
		if err != nil || len(records) == 0 {
			return err
		}
		if lane, ok, err = o.claim(ctx, lane); err != nil || !ok {
			return err
		}
		more, err := o.carry(a, &lane, records)
		if err != nil || !more {
			return err
		}
	}
}

func (o *Outbox) claim(ctx context.Context, l bridge.Lane) (bridge.Lane, bool, error) {
	if l.Owner == o.owner {
		return l, true, nil
	}
	return o.queue.ClaimLane(ctx, l, o.owner)
}

// carry hands one window over and writes down what became of it.
func (o *Outbox) carry(a *attached, l *bridge.Lane, records []bridge.Record) (more bool, err error) {
	before := *l
	accepted, failure := o.deliver(a, *l, records)
	if accepted > 0 {
		l.Acked = records[accepted-1].Seq
	}
	l.Seen = max(l.Seen, l.Acked)
	if a.ctx.Err() == nil { // else we are stopping: that is no fault of the peer
		l.Seen = records[len(records)-1].Seq
		more, err = o.settle(a, l, records, accepted, failure)
	}
	if l.Acked != before.Acked || l.Seen != before.Seen || l.Attempts != before.Attempts || !l.NextTry.Equal(before.NextTry) {
		err = errors.Join(err, o.queue.SetLane(context.WithoutCancel(a.ctx), *l))
	}
	if before.Attempts > 0 && failure == nil && isRoom(l.Destination) && !a.isFresh() {
		a.back() // the first lane that gets through wakes the others
		o.wakeBehind(a.ctx, a.network)
	}
	return more && err == nil, err
}

// deliver hands the window to the transport, but for the failure that the lane
// itself has caused: that counts as taken.
func (o *Outbox) deliver(a *attached, l bridge.Lane, records []bridge.Record) (accepted int, err error) {
	wanted := o.wanted(l, records)
	if len(wanted) > 0 {
		accepted, err = a.Deliver(a.ctx, l, wanted)
		if accepted == 0 && err == nil {
			err = errors.New("the transport took nothing and gave no reason")
		}
	}
	if err == nil && accepted == len(wanted) && len(wanted) < len(records) {
		accepted++
	}
	return accepted, err
}

// wanted is the part of the window before the first record that must not
// reach the lane: the failure that the lane itself has caused.
func (o *Outbox) wanted(l bridge.Lane, records []bridge.Record) []bridge.Record {
	for i, r := range records {
		if r.Kind == bridge.KindFailure && r.Destination == l.Destination {
			return records[:i]
		}
	}
	return records
}

// settle decides what a delivery's outcome means for the lane.
func (o *Outbox) settle(a *attached, l *bridge.Lane, records []bridge.Record, accepted int, failure error) (more bool, err error) {
	var refused *bridge.RefusedError
	var wait *bridge.WaitError
	switch {
	case failure == nil:
		l.Attempts, l.NextTry = 0, time.Time{}
		return true, nil
	case errors.As(failure, &wait):
		l.Attempts, l.NextTry = 0, wait.Until
		return false, nil
	case errors.As(failure, &refused):
		r := records[accepted]
		o.slog.Warn("outbox: refused for good", "session", l.Session, "destination", l.Destination, "seq", r.Seq, "error", refused.Err)
		if err := o.log.RecordFailed(a.ctx, r, l.Destination, refused.Reason); err != nil {
			return false, err
		}
		l.Acked, l.Attempts, l.NextTry = r.Seq, 0, time.Time{}
		return true, nil
	default:
		a.lost()
		if accepted > 0 {
			l.Attempts = 0
		}
		l.Attempts++
		l.NextTry = time.Now().Add(pause(l.Attempts)).Truncate(time.Microsecond)
		o.slog.Warn("outbox: will try again", "session", l.Session, "destination", l.Destination, "attempt", l.Attempts, "at", l.NextTry, "error", failure)
		return false, nil
	}
}

// pause before the next attempt, after so many failures in a row.
func pause(attempts int) time.Duration {
	d := FirstRetry
	for i := 1; i < attempts && d < LastRetry; i++ {
		d *= 2
	}
	d = min(d, LastRetry)
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}
