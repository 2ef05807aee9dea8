package xmpp

import (
	"context"

	"github.com/google/uuid"

	"mailroom/bridge"
	"mailroom/locales"
)

// retract tells the clients inside that words were taken away, one stanza for
// each message that they may have (XEP-0425): in as many pieces of MaxDelivery as
// it takes, since there may be any number, with the room free between them. What
// fails half-way begins anew, with the same ids.
func (c *Component) retract(ctx context.Context, l *link, r *room, erasure bridge.Record) error {
	var after int64
	for more := true; more; {
		var d delivery
		err := r.locked(ctx, func() (err error) {
			if err := r.look(ctx); err != nil {
				return err
			}
			after = max(after, r.retracted[uuid.Nil], r.retracted[erasure.Target])
			if after, more, err = r.retractions(ctx, &d, erasure, after); err != nil {
				return err
			}
			if len(d.out) == 0 {
				return nil
			}
			return l.send(d.out...)
		})
		if err == nil && len(d.out) > 0 {
			err = l.barrier(ctx)
		}
		if err != nil {
			return err
		}
	}
	return r.locked(ctx, func() error {
		r.retracted[erasure.Target] = max(r.retracted[erasure.Target], erasure.Ref)
		r.delivered = max(r.delivered, erasure.Seq)
		return nil
	})
}

// erasedPage is how many records are looked through at a time.
const erasedPage = 200

// retractions adds what was erased after a seq, until the delivery is full, and
// says how far it came and if there is more.
func (r *room) retractions(ctx context.Context, d *delivery, erasure bridge.Record, after int64) (_ int64, more bool, err error) {
	receivers := r.receivers(erasure)
	if len(receivers) == 0 {
		return after, false, nil
	}
	page, err := r.service.Log(ctx, r.id, after, erasedPage)
	if err != nil {
		return after, false, err
	}
	for _, record := range page {
		if record.Seq > erasure.Ref {
			return after, false, nil
		}
		if d.size > MaxDelivery {
			return after, true, nil
		}
		r.retraction(d, receivers, erasure, record)
		after = record.Seq
	}
	return after, len(page) > 0, nil
}

func (r *room) retraction(d *delivery, receivers []string, erasure, record bridge.Record) {
	if erasure.Target != uuid.Nil && record.Member != erasure.Target {
		return
	}
	switch record.Kind {
	case bridge.KindMessage:
		if record.Erased {
			d.sendEach(r.withdrawn(erasure, record), r.holders(receivers, record))
		}
	case bridge.KindStarted, bridge.KindSubject:
		// Retention leaves subjects as they are.
		if record.Subject == "" && erasure.Target != uuid.Nil {
			d.sendEach(r.subject(), receivers)
		}
	}
}

// holders are those of the clients who may have a message: it is not from before
// their member's time.
func (r *room) holders(receivers []string, record bridge.Record) (jids []string) {
	for _, jid := range receivers {
		if m, _ := r.session.Member(r.occupants[jid].Member); m.FromSeq < record.Seq {
			jids = append(jids, jid)
		}
	}
	return jids
}

// withdrawn is a moderated retraction, by whom it was ordered if that is a
// member, else by the room. The id of what is retracted is its stanza-id.
func (r *room) withdrawn(erasure, record bridge.Record) *element {
	p := locales.Default().For(r.session.Session.Lang)
	reason := p.T("xmpp.taken_away")
	if erasure.Target == uuid.Nil {
		reason = p.T("xmpp.past_keeping")
	}
	moderated := el(nsModerate, "moderated", "by", r.jid)
	if by, ok := r.session.Member(erasure.Member); ok {
		moderated.set("by", r.as(by)).with(occupantID(by))
	}
	id := record.ID.String()
	return r.discreet(stanza("message", "groupchat", r.jid, "").set("id", "retract-"+id).with(
		el(nsRetract, "retract", "id", id).with(moderated, el(nsRetract, "reason").saying(reason))))
}
