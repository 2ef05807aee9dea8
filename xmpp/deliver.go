package xmpp

import (
	"context"

	"mailroom/bridge"
)

// delivery collects what one call of Deliver sends.
type delivery struct{ out []*element }

func (d *delivery) send(stanzas ...*element) { d.out = append(d.out, stanzas...) }

// Deliver brings records to the clients inside the session's room. All are
// accepted when the server has answered a ping that was sent after them; if it
// does not, none is, and they come again with the same ids, by which clients
// drop what they know. While there is no link it returns an error at once.
func (c *Component) Deliver(ctx context.Context, lane bridge.Lane, records []bridge.Record) (accepted int, err error) {
	l, err := c.current()
	if err != nil {
		return 0, err
	}
	r := c.rooms.acquire(lane.Session)
	defer c.rooms.release(r)
	var d delivery
	err = r.locked(ctx, func() error { return r.deliver(ctx, l, &d, records) })
	if err != nil {
		return 0, err
	}
	if len(d.out) == 0 {
		return len(records), nil
	}
	// The room is free meanwhile: what comes in before the answer needs it.
	if err := l.barrier(ctx); err != nil {
		return 0, err
	}
	if err := r.locked(ctx, func() error { return r.invited(ctx) }); err != nil {
		return 0, err
	}
	return len(records), nil
}

// deliver sends what the records bring about. A failed try is made again from
// the start, with the invitations that it had noted.
func (r *room) deliver(ctx context.Context, l *link, d *delivery, records []bridge.Record) error {
	clear(r.inviting)
	if err := r.refresh(ctx); err != nil {
		return err
	}
	for _, record := range records {
		if err := r.effect(ctx, d, record); err != nil {
			return err
		}
	}
	if len(d.out) > 0 {
		if err := l.send(d.out...); err != nil {
			return err
		}
	}
	if len(records) > 0 {
		r.delivered = max(r.delivered, records[len(records)-1].Seq)
	}
	return nil
}

// effect adds what one record brings about. Kinds that are not here have
// nothing to show.
func (r *room) effect(ctx context.Context, d *delivery, record bridge.Record) error {
	switch record.Kind {
	case bridge.KindStarted:
		r.invite(d, record, r.session.Initiator())
	case bridge.KindInvited:
		target, _ := r.session.Member(record.Target)
		r.invite(d, record, target)
	case bridge.KindJoined:
		r.appear(d, record)
	case bridge.KindLeft:
		return r.vanish(ctx, d, record, record.Member)
	case bridge.KindRevoked:
		return r.vanish(ctx, d, record, record.Target)
	case bridge.KindMessage:
		r.speak(d, record, r.message(record))
	case bridge.KindSubject:
		r.speak(d, record, r.newSubject(record))
	case bridge.KindClosed, bridge.KindReopened:
		r.turn(d, record)
	case bridge.KindFailure:
		r.speak(d, record, r.notice(record, record.Body.Text))
	}
	return nil
}
