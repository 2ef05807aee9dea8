package xmpp

import "mailroom/bridge"

// Status codes of XEP-0045 §15.6.
const (
	statusNonAnonymous = "100"
	statusSelf         = "110"
	statusLogged       = "170"
	statusNickAssigned = "210"
	statusNickChanged  = "303"
	statusKicked       = "307"
	statusNotAllowed   = "321" // removed because no longer a member
	statusTechnical    = "333" // removed because of an error
)

// availability is the presence of a member in the room. Nothing of what their
// client says about itself is in it: no show, status, capabilities or idle time.
func (r *room) availability(m bridge.Member, codes ...string) *element {
	role := "participant"
	if r.visitors() {
		role = "visitor"
	}
	item := el(nsMUCUser, "item", "affiliation", "member", "role", role)
	if clients := r.clients(m.ID); len(clients) > 0 && !r.anonymous() {
		item.set("jid", clients[0])
	}
	return r.presence(m, r.nick(m), "", item, codes)
}

// unavailable is the presence of a member who is no longer in the room.
func (r *room) unavailable(m bridge.Member, codes ...string) *element {
	affiliation := "member"
	if m.State != bridge.Joined {
		affiliation = "none"
	}
	item := el(nsMUCUser, "item", "affiliation", affiliation, "role", "none")
	return r.presence(m, r.nick(m), "unavailable", item, codes)
}

// renamed says under the old nick which one the member has now (XEP-0045 §7.6).
func (r *room) renamed(m bridge.Member, old string) *element {
	item := el(nsMUCUser, "item", "affiliation", "member", "role", "participant", "nick", r.nick(m))
	return r.presence(m, old, "unavailable", item, []string{statusNickChanged})
}

func (r *room) presence(m bridge.Member, nick, kind string, item *element, codes []string) *element {
	x := el(nsMUCUser, "x").with(item)
	for _, code := range codes {
		x.with(el(nsMUCUser, "status", "code", code))
	}
	return stanza("presence", kind, r.jid+"/"+nick, "").with(x, occupantID(m))
}

// occupantID is the same for all that one person does in the room (XEP-0421).
// A member's id belongs to one session, so nobody can be followed by it.
func occupantID(m bridge.Member) *element {
	return el(nsOccupantID, "occupant-id", "id", m.ID.String())
}
