package bridge

import (
	"time"

	"github.com/google/uuid"
)

// Identity is who a gateway authenticated. Address is proved (by DMARC, the
// homeserver, the XMPP server, an API token), Grant is that of a token or a
// browser's cookie that was shown. A mail reply has both.
type Identity struct {
	Via     Network
	Address Address
	Grant   uuid.UUID
	Name    string // the display name that was offered with it
	Admin   bool
}

// Act is what somebody wants to do in a session.
type Act string

const (
	ActRead    Act = "read"
	ActJoin    Act = "join"
	ActWrite   Act = "write"
	ActLeave   Act = "leave"
	ActSubject Act = "subject"
	ActInvite  Act = "invite"
	ActRevoke  Act = "revoke"
	ActClose   Act = "close"
	ActReopen  Act = "reopen"
)

// rule says who may do an act. Members are all who hold a living grant,
// whether they have answered yet or not.
type rule struct {
	members bool // every member; otherwise the initiator alone
	admin   bool // an operator may, without being a member
	ended   bool // also in a closed session
}

// rules is the whole permission of Mailroom: a stranger, a revoked or an
// expired grant may do nothing at all and learns nothing.
var rules = map[Act]rule{
	ActRead:    {members: true, ended: true},
	ActJoin:    {members: true, ended: true},
	ActLeave:   {members: true, ended: true},
	ActWrite:   {members: true},
	ActSubject: {},
	ActInvite:  {},
	ActRevoke:  {admin: true, ended: true},
	ActClose:   {admin: true, ended: true},
	ActReopen:  {admin: true, ended: true},
}

// gate is the one place that decides. It returns the member whom the identity
// is in the room (the zero Member for an admin who is none). Errors: NotFound
// to all who may not know of the session, Forbidden to a member who may not do
// this, Closed when the session has ended.
func gate(room *Room, by Identity, act Act, now time.Time) (Member, error) {
	r := rules[act]
	member, found := room.identify(by)
	switch {
	case by.Admin && r.admin:
		return member, nil
	case !found || !member.Grant.alive(now):
		return Member{}, errNoSession
	case !r.members && member.Role != Initiator:
		return Member{}, &Error{Forbidden, "Only " + room.Initiator().Display() + ", who started this session, may do that."}
	case !r.ended && room.Session.State != Open:
		return Member{}, &Error{Closed, "This session is closed. It can be read, but nothing new can be said in it."}
	}
	return member, nil
}

// identify finds the member whom the identity is. A grant that was shown
// counts before an address.
func (r *Room) identify(by Identity) (Member, bool) {
	if by.Grant != uuid.Nil {
		for _, m := range r.Members {
			if m.Grant.ID == by.Grant {
				return m, true
			}
		}
		return Member{}, false
	}
	if by.Address.IsZero() {
		return Member{}, false
	}
	return r.ByAddress(by.Address)
}
