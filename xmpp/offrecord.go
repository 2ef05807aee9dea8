package xmpp

import (
	"github.com/google/uuid"

	"mailroom/bridge"
	"mailroom/locales"
)

// discreet asks every server and client on the way to keep nothing of what is
// said off the record (XEP-0334 §4). Of the rest it asks nothing.
func (r *room) discreet(s *element) *element {
	if !r.session.Session.Options.OffRecord {
		return s
	}
	return s.with(el(nsHints, "no-store"), el(nsHints, "no-permanent-store"), el(nsHints, "no-copy"))
}

// warning tells who enters a room that is off the record what that means, before
// they can write. It is nil for any other.
func (r *room) warning(m bridge.Member, lang string) *element {
	text := r.offRecord(locales.Default().For(lang, m.Lang, r.session.Session.Lang))
	if text == "" {
		return nil
	}
	return r.aside(text)
}

// offRecord says in words that the session is off the record, "" if it is not.
func (r *room) offRecord(p locales.Printer) string {
	switch o := r.session.Session.Options; {
	case !o.OffRecord:
		return ""
	case o.MatrixKeeps:
		return p.T("xmpp.off_record_matrix")
	}
	return p.T("xmpp.off_record")
}

// aside is what the room says to one client, and what no record stands for.
func (r *room) aside(text string) *element {
	s := stanza("message", "groupchat", r.jid, "").set("id", uuid.NewString())
	return r.discreet(s.with(el(nsComponent, "body").saying(text)))
}

// destruction tells a client that the session is over for good, and puts it out
// of the room that is no more (XEP-0045 §10.9).
func (r *room) destruction(o bridge.Occupant) []*element {
	text := locales.Default().For(r.session.Session.Lang).T("xmpp.over")
	out := r.farewell(o)
	x := out.child(nsMUCUser, "x")
	x.child(nsMUCUser, "item").set("affiliation", "none")
	x.with(el(nsMUCUser, "destroy").with(el(nsMUCUser, "reason").saying(text)))
	return []*element{r.aside(text).sentTo(o.JID), out}
}
