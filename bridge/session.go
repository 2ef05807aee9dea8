package bridge

import (
	"strings"
	"time"

	"github.com/google/uuid"
)

// SessionState says if a session takes new messages.
type SessionState string

const (
	Open  SessionState = "open"
	Ended SessionState = "closed"
	Over  SessionState = "over" // off the record, and gone for good
)

// Condition is what the session is at a moment.
func (s Session) Condition(now time.Time) Condition {
	switch {
	case s.State == Over:
		return IsOver
	case s.State == Ended:
		return IsClosed
	case !s.Options.ExpiresAt.IsZero() && !now.Before(s.Options.ExpiresAt):
		return IsExpired
	}
	return IsOpen
}

// Writable says if something new can be said now.
func (s Session) Writable() bool { return s.Condition(time.Now()) == IsOpen }

// MaxRecipients is how many people one session may have, the initiator not
// counted.
const MaxRecipients = 50

// Session is one conversation, named by a UUID (version 4: unguessable, and no
// clock in it).
type Session struct {
	ID        uuid.UUID
	Subject   string // off the record: in memory only
	State     SessionState
	Options   Options
	Lang      string // BCP 47 tag of the first message, "" if unknown
	CreatedAt time.Time
	// Keeper is the node in whose memory an off-the-record session is; "" for
	// one that is on the record.
	Keeper string
	// OnHold keeps everything that was said, whatever else would end it: an
	// operator set it for the law.
	OnHold bool
	// ACLVersion grows with each change of members, grants, endpoints or state;
	// what was cached under another version does not count.
	ACLVersion int64
	Head       int64 // seq of the last record
	// MessageID is that of the mail which started the session, "" if none did.
	MessageID string
}

// Change says how far a session has come, for nodes that missed a hint.
type Change struct {
	Session    uuid.UUID
	Head       int64
	ACLVersion int64
}

// Role is what a member is in a session.
type Role string

const (
	Initiator   Role = "initiator"
	Participant Role = "member"
)

// MemberState is how far a member has come.
type MemberState string

const (
	Invited MemberState = "invited" // mailed or invited natively, no answer yet
	Joined  MemberState = "joined"  // responded: one of the audience
	Left    MemberState = "left"
	Revoked MemberState = "revoked"
	// Declined is who gave the grant back: nothing of the session reaches them
	// until somebody invites them again.
	Declined MemberState = "declined"
)

// Member is a person in one session: one identity, one or more endpoints.
type Member struct {
	ID      uuid.UUID
	Person  uuid.UUID
	Number  int // 1, 2, 3… in order of invitation; the initiator is 1
	Name    string
	Address Address // the address that the initiator wrote to, shown as the screen name
	Role    Role
	State   MemberState
	Lang    string
	// ReadSeq is the last record that the member has certainly seen.
	ReadSeq   int64
	NoMail    bool // unsubscribed from the mails of this session
	Grant     Grant
	Endpoints []Endpoint

	// Inviter is the member who invited this one; uuid.Nil for the initiator,
	// and for whom an operator invited.
	Inviter uuid.UUID
	// Round is the invitation that brought them: 0 at the start, one more for
	// each later one. Who came with the same one was shown to each other.
	Round int
	// FromSeq: records up to it are before this member's time, if the session
	// shows newcomers only what follows.
	FromSeq int64
	// Blind is a blind copy (Bcc): the others do not see this member before
	// they say something.
	Blind bool
	// Withheld is who blocked their inviter: the invitation does not reach them,
	// nor does its grant, and nobody can tell that from one without an answer.
	// A grant that somebody else gave them before lives on.
	Withheld bool
}

// Gone says that the member has no part in the session any more.
func (m Member) Gone() bool { return m.State == Left || m.State == Revoked || m.State == Declined }

// Lapsed says that the member's grant has run out: to read is all that is left.
func (m Member) Lapsed(now time.Time) bool {
	return m.Role != Initiator && !m.Grant.Revoked && !m.Grant.alive(now)
}

// Display is what others see as the member's name: the display name, or the
// part of the address before the @ if there is none.
func (m Member) Display() string {
	switch {
	case m.Name != "":
		return m.Name
	case m.Address.IsZero():
		return guestName(m.Number)
	}
	return m.Address.Localpart()
}

func guestName(number int) string { return "Guest " + itoa(number) }

// Endpoint is the member's endpoint on a network that has the address, and
// says if there is one.
func (m Member) Endpoint(n Network) (Endpoint, bool) {
	for _, e := range m.Endpoints {
		if e.Address.Network == n {
			return e, true
		}
	}
	return Endpoint{}, false
}

// Email is the member's email address; zero if none is known.
func (m Member) Email() Address {
	e, _ := m.Endpoint(Mail)
	return e.Address
}

// JoinedBy says if the member's endpoint on the network is inside.
func (m Member) JoinedBy(n Network) bool {
	e, ok := m.Endpoint(n)
	return ok && e.State == EndpointJoined
}

// EndpointState is how far a native endpoint has come.
type EndpointState string

const (
	EndpointMapped  EndpointState = "mapped"  // known, not yet invited
	EndpointInvited EndpointState = "invited" // the native invitation was sent
	EndpointJoined  EndpointState = "joined"  // inside the room
	EndpointFailed  EndpointState = "failed"  // no such account, or it cannot be invited
	EndpointLeft    EndpointState = "left"
)

// Endpoint is one address by which a member takes part.
type Endpoint struct {
	Address Address
	State   EndpointState
}

// Grant is the permission that an email gave: this address may talk in this
// session until revoked. Generation is part of every token of it, so that all
// of them die together.
type Grant struct {
	ID         uuid.UUID
	Generation int
	Revoked    bool
	ExpiresAt  time.Time // zero: never
}

func (g Grant) alive(now time.Time) bool {
	return g.ID != uuid.Nil && !g.Revoked && (g.ExpiresAt.IsZero() || now.Before(g.ExpiresAt))
}

// Room is a snapshot of a session and its members, as of Session.ACLVersion
// and Session.Head. It is shared between readers: do not change it.
type Room struct {
	Session Session
	Members []Member // by Number
}

// Member finds a member by id.
func (r *Room) Member(id uuid.UUID) (Member, bool) {
	for _, m := range r.Members {
		if m.ID == id {
			return m, true
		}
	}
	return Member{}, false
}

// ByAddress finds the member who has the address as an endpoint.
func (r *Room) ByAddress(a Address) (Member, bool) {
	for _, m := range r.Members {
		for _, e := range m.Endpoints {
			if e.Address == a {
				return m, true
			}
		}
	}
	return Member{}, false
}

// Initiator is the member who started the session.
func (r *Room) Initiator() Member {
	if len(r.Members) == 0 {
		return Member{}
	}
	return r.Members[0]
}

// Audience is the initiator and every recipient who responded and is still here.
func (r *Room) Audience() []Member {
	var audience []Member
	for _, m := range r.Members {
		if m.State == Joined {
			audience = append(audience, m)
		}
	}
	return audience
}

// DisplayName is the member's name made different from every earlier member's
// of the same name, by its number: "Bob", "Bob (2)". Case does not make a
// difference between names. Whom nobody sees makes none either: a number must
// not tell of them.
func (r *Room) DisplayName(m Member) string {
	name := m.Display()
	same := 1
	for _, other := range r.Members {
		if other.Number < m.Number && !other.Blind && strings.EqualFold(other.Display(), name) {
			same++
		}
	}
	if same == 1 {
		return name
	}
	return name + " (" + itoa(same) + ")"
}
