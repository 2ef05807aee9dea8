package xmpp

import (
	"context"

	"github.com/google/uuid"

	"mailroom/bridge"
	"mailroom/locales"
)

// behind are the clients who are to get a record live: it was not in the
// history that they were shown when they entered.
func (r *room) behind(seq int64) []string {
	var jids []string
	for _, o := range r.occupants {
		if o.FromSeq < seq {
			jids = append(jids, o.JID)
		}
	}
	return jids
}

// appear shows a member who has joined by another network. One who came in
// here was shown by that already.
func (r *room) appear(d *delivery, record bridge.Record) {
	m, _ := r.session.Member(record.Member)
	if r.present(m) && len(r.clients(m.ID)) == 0 {
		d.sendEach(r.availability(m), r.others(m.ID))
	}
}

// vanish takes out a member who has left or whose grant was revoked: their
// clients are told that they are outside (XEP-0045 §9.4), the others see them
// go. A client that came in again later stays.
func (r *room) vanish(ctx context.Context, d *delivery, record bridge.Record, member uuid.UUID) error {
	m, ok := r.session.Member(member)
	if !ok {
		return nil
	}
	for _, jid := range r.clients(member) {
		o := r.occupants[jid]
		if o.FromSeq >= record.Seq {
			continue
		}
		if err := r.service.Exit(ctx, r.id, jid); err != nil {
			return err
		}
		delete(r.occupants, jid)
		d.send(r.farewell(o, statusNotAllowed))
		d.done = true
	}
	if len(r.clients(member)) == 0 {
		d.sendEach(r.unavailable(m, statusNotAllowed), r.others(member))
	}
	return nil
}

// speak sends what is read in the room: a message, a subject or a notice.
func (r *room) speak(d *delivery, record bridge.Record, s *element) {
	d.sendEach(s, r.behind(record.Seq))
}

// newSubject is a change of the subject, by the member who made it.
func (r *room) newSubject(record bridge.Record) *element {
	return r.say(record).with(el(nsComponent, "subject").saying(record.Subject))
}

// notice is what the room itself says.
func (r *room) notice(record bridge.Record, text string) *element {
	record.Member = uuid.Nil
	s := r.say(record).with(el(nsComponent, "body").saying(fit(text)))
	return r.late(s, record)
}

// turn tells that the session was closed or opened again, and gives every
// client the role that goes with it: without voice, clients hide their input.
func (r *room) turn(d *delivery, record bridge.Record) {
	p := locales.Default().For(r.session.Session.Lang)
	text := p.T("xmpp.closed")
	if record.Kind == bridge.KindReopened {
		text = p.T("xmpp.reopened")
	}
	r.speak(d, record, r.notice(record, text))
	for jid, o := range r.occupants {
		if m, ok := r.session.Member(o.Member); ok {
			d.send(r.availability(m, statusSelf).sentTo(jid))
		}
	}
}
