package xmpp

import (
	"context"
	"fmt"

	"mailroom/bridge"
	"mailroom/locales"
)

// MaxDelivery is how much one call of Deliver sends, in bytes of the stream over
// all receivers: the server must have read it within pingTimeout, and the other
// rooms wait for it. The first record is sent whatever it takes.
const MaxDelivery = 2 << 20

// Deliver brings records to the clients inside the session's room: as many of
// them, from the front, as fit into MaxDelivery, so that accepted may be less
// than all without an error. They are accepted when the server has answered a
// ping that was sent after them; if it does not, none is, and they come again
// with the same ids, by which clients drop what they know. While there is no
// link it returns an error at once. Errors: *bridge.RefusedError for a record of
// which a stanza is larger than MaxStanza; every other passes.
func (c *Component) Deliver(ctx context.Context, lane bridge.Lane, records []bridge.Record) (accepted int, err error) {
	l, err := c.current()
	if err != nil {
		return 0, err
	}
	r := c.rooms.acquire(lane.Session)
	defer c.rooms.release(r)
	if records[0].Kind == bridge.KindErased {
		if err := c.retract(ctx, l, r, records[0]); err != nil {
			return 0, err
		}
		return 1, nil
	}
	var d delivery
	err = r.locked(ctx, func() error { return r.deliver(ctx, l, &d, records) })
	if err != nil {
		return 0, err
	}
	if len(d.out) == 0 {
		return d.taken, d.refused
	}
	// The room is free meanwhile: what comes in before the answer needs it.
	if err := l.barrier(ctx); err != nil {
		return 0, err
	}
	if err := r.locked(ctx, func() error { return r.invited(ctx) }); err != nil {
		return 0, err
	}
	return d.taken, d.refused
}

// deliver sends what the first of the records bring about. A failed try is made
// again from the start, with the invitations that it had noted.
func (r *room) deliver(ctx context.Context, l *link, d *delivery, records []bridge.Record) error {
	clear(r.inviting)
	if err := r.refresh(ctx); err != nil {
		return err
	}
	// First those who must not get it: what was said after a revocation is in no
	// snapshot without it.
	farewells, err := r.turnOut(ctx)
	r.reply(farewells...)
	if err != nil {
		return err
	}
	r.gather(d, records)
	if len(d.out) > 0 {
		if err := l.send(d.out...); err != nil {
			return err
		}
	}
	r.reply(r.changes()...)
	if d.taken > 0 {
		r.delivered = max(r.delivered, records[d.taken-1].Seq)
	}
	return nil
}

// gather takes records until the delivery is full or one can never be sent.
func (r *room) gather(d *delivery, records []bridge.Record) {
	for _, record := range records {
		if record.Kind == bridge.KindErased {
			return // it is told in pieces of its own
		}
		var one delivery
		r.effect(&one, record)
		if one.largest > MaxStanza {
			d.refused = r.unsendable(record, one.largest)
			return
		}
		if d.taken > 0 && d.size+one.size > MaxDelivery {
			return
		}
		d.take(one)
		for _, address := range one.inviting {
			r.inviting[address] = true
		}
	}
}

func (r *room) unsendable(record bridge.Record, size int) error {
	return &bridge.RefusedError{
		Reason: locales.Default().For(r.session.Session.Lang).T("xmpp.message_too_large"),
		Err:    fmt.Errorf("record %d needs a stanza of %d bytes, and %d may be written", record.Seq, size, MaxStanza),
	}
}

// effect adds what one record brings about. Kinds that are not here have
// nothing to show: who comes and goes is in everybody's picture.
func (r *room) effect(d *delivery, record bridge.Record) {
	switch record.Kind {
	case bridge.KindStarted:
		r.invite(d, record, r.session.Initiator())
	case bridge.KindInvited:
		target, _ := r.session.Member(record.Target)
		r.invite(d, record, target)
	case bridge.KindMessage:
		if !record.Erased {
			r.speak(d, record, r.message(record))
		}
	case bridge.KindSubject:
		// One that was erased is empty, and the subject another one by now.
		if record.Subject != "" || r.session.Session.Subject == "" {
			r.speak(d, record, r.newSubject(record))
		}
	case bridge.KindClosed, bridge.KindReopened:
		r.turn(d, record)
	case bridge.KindFailure:
		if record.Body.Text != "" {
			r.speak(d, record, r.notice(record, record.Body.Text))
		}
	}
}
