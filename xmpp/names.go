package xmpp

import (
	"github.com/google/uuid"

	"mailroom/bridge"
)

// name is the nick of a member, and what the member was when they got it.
type name struct {
	nick   string
	blind  bool // nobody else knows of them, and it keeps no nick from anybody
	erased bool
}

// nameAll gives each member a nick in order of their number, so that what one
// chooses cannot be another's. It stays, but for one who was erased, and for one
// whom nobody saw and whose nick somebody has taken meanwhile.
func (r *room) nameAll() {
	for _, m := range r.session.Members {
		n, ok := r.names[m.ID]
		if !ok || erased(m) && !n.erased || (n.blind || m.Blind) && r.taken(n.nick, m.ID) {
			delete(r.names, m.ID)
			n.nick = r.nick(m)
		}
		r.names[m.ID] = name{n.nick, m.Blind, erased(m)}
	}
}

// nick is the member's nick, made when it is first asked for.
func (r *room) nick(m bridge.Member) string {
	if n, ok := r.names[m.ID]; ok {
		return n.nick
	}
	base := safeNick(r.session.DisplayName(m), guestNick(m.ID))
	nick := base
	for n := 2; r.taken(nick, m.ID); n++ {
		nick = numbered(base, n)
	}
	r.names[m.ID] = name{nick, m.Blind, erased(m)}
	return nick
}

// taken says if a nick is that of another member, by what it looks like. Whom
// nobody sees takes none: a refusal would tell of them.
func (r *room) taken(nick string, member uuid.UUID) bool {
	folded := foldNick(nick)
	for id, other := range r.names {
		if id != member && !other.blind && foldNick(other.nick) == folded {
			return true
		}
	}
	return false
}
