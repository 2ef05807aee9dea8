package xmpp

import (
	"github.com/google/uuid"

	"mailroom/bridge"
	"mailroom/locales"
)

// receivers are the clients who are to get a record live: it was not in the
// history that they were shown when they entered, and it is their member's
// business. Whose grant has ended gets nothing, whether or not they are out yet.
func (r *room) receivers(record bridge.Record) (jids []string) {
	for _, jid := range r.inside() {
		o := r.occupants[jid]
		m, _ := r.session.Member(o.Member)
		if o.FromSeq < record.Seq && r.hasPlace(o) && r.session.Concerns(m, record) {
			jids = append(jids, jid)
		}
	}
	return jids
}

// speak sends what is read in the room: a message, a subject or a notice.
func (r *room) speak(d *delivery, record bridge.Record, s *element) {
	d.sendEach(s, r.receivers(record))
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

// turn tells that the session was closed or opened again. The roles that go with
// it are in everybody's picture.
func (r *room) turn(d *delivery, record bridge.Record) {
	p := locales.Default().For(r.session.Session.Lang)
	text := p.T("xmpp.closed")
	if record.Kind == bridge.KindReopened {
		text = p.T("xmpp.reopened")
	}
	r.speak(d, record, r.notice(record, text))
}
