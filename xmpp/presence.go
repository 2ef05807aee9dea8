package xmpp

import "mailroom/bridge"

// Status codes of XEP-0045 §15.6.
const (
	statusNonAnonymous  = "100"
	statusConfigChanged = "104"
	statusSelf          = "110"
	statusLogged        = "170"
	statusNowAnonymous  = "173" // from now on real JIDs are hidden from all but the room
	statusNickAssigned  = "210"
	statusNickChanged   = "303"
	statusKicked        = "307"
	statusNotAllowed    = "321" // removed because no longer a member
	statusTechnical     = "333" // removed because of an error
)

// notHere is what is shown of everybody of whom a viewer may not know whether
// they are here, and of everybody who is not: the two cannot be told apart.
const notHere = "xa" // RFC 6121 §4.7.2.1

// sight is what one client is shown of a member.
type sight struct {
	nick, role string
	show       string // notHere, or "" for one who is here
	jid        string // the real one, bare; "" where it is hidden
	typing     bool
}

// presence is the sight without what presence does not tell.
func (s sight) presence() sight {
	s.typing = false
	return s
}

// availability is a member's presence as it is shown to one client. Nothing of
// what the member's own clients say about themselves is in it: no status,
// capabilities or idle time.
func (r *room) availability(m bridge.Member, s sight, codes ...string) *element {
	item := el(nsMUCUser, "item", "affiliation", "member", "role", s.role)
	if s.jid != "" {
		item.set("jid", s.jid)
	}
	p := r.presence(m, s.nick, "", item, codes)
	if s.show != "" {
		p.with(el(nsComponent, "show").saying(s.show))
	}
	return p
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
func (r *room) renamed(m bridge.Member, old string, codes ...string) *element {
	item := el(nsMUCUser, "item", "affiliation", "member", "role", "participant", "nick", r.nick(m))
	return r.presence(m, old, "unavailable", item, append(codes, statusNickChanged))
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
