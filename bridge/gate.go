package bridge

import (
	"slices"
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
	Right   Right  // of the token that was shown with the grant; "" for a browser's cookie, which has all of them
	Name    string // the display name that was offered with it
	Admin   bool
}

// Act is what somebody wants to do in a session.
type Act string

const (
	ActLook    Act = "look"    // what an invitation says: who invites to what, and how many there are
	ActRead    Act = "read"    // the transcript and who is in it
	ActJoin    Act = "join"    // come in, which is a response
	ActWrite   Act = "write"   // say something
	ActSignal  Act = "signal"  // typing, "here now", read marks: seen by whom the person's setting allows
	ActLeave   Act = "leave"   // go, and be able to come back
	ActDecline Act = "decline" // give the grant back: nothing more of this session
	ActStop    Act = "stop"    // get no more mails of it
	ActReport  Act = "report"  // tell the operator of abuse
	ActSubject Act = "subject"
	ActOptions Act = "options" // what the session allows and keeps
	ActInvite  Act = "invite"
	ActRevoke  Act = "revoke"
	ActRemove  Act = "remove" // take away what somebody said
	ActClose   Act = "close"
	ActReopen  Act = "reopen"
	ActHold    Act = "hold"  // keep everything for the law, whatever else would end it
	ActErase   Act = "erase" // a person's data
)

// Standing is what an identity is to a session.
type Standing int

const (
	AsInitiator Standing = iota
	AsMember             // responded, and may have left again
	AsRecipient          // holds a grant and has not answered
	AsLapsed             // holds one that has run out
	AsRevoked            // held one that was revoked or given back
	AsStranger           // never held one
	AsAdmin              // operates the service; also without a grant
	standings
)

// Condition is what a session is at a moment.
type Condition int

const (
	IsOpen    Condition = iota
	IsClosed            // by somebody
	IsExpired           // by its own time
	IsOver              // off the record, and its memory is gone
	conditions
)

// answer is what the table says.
type answer byte

const (
	no  answer = iota
	yes        //
	opt        // if the session's options let members do it
)

// rule says of one act who may do it and in which condition of the session.
type rule struct {
	who [standings]answer
	in  [conditions]bool
}

// rules is the whole permission of Mailroom. Revoked people and strangers may
// do nothing at all and learn nothing: not even that there is a session.
// Closing and expiry end writing; only revocation ends reading (SPEC A5).
var rules = map[Act]rule{
	//            initiator member recipient lapsed revoked stranger admin  open   closed expired over
	ActLook:    {[...]answer{yes, yes, yes, yes, no, no, no}, [...]bool{true, true, true, true}},
	ActRead:    {[...]answer{yes, yes, yes, yes, no, no, no}, [...]bool{true, true, true, true}},
	ActJoin:    {[...]answer{yes, yes, yes, no, no, no, no}, [...]bool{true, true, true, false}},
	ActWrite:   {[...]answer{yes, yes, yes, no, no, no, no}, [...]bool{true, false, false, false}},
	ActSignal:  {[...]answer{yes, yes, yes, yes, no, no, no}, [...]bool{true, true, true, false}},
	ActLeave:   {[...]answer{yes, yes, yes, yes, no, no, no}, [...]bool{true, true, true, true}},
	ActDecline: {[...]answer{no, yes, yes, yes, no, no, no}, [...]bool{true, true, true, true}},
	ActStop:    {[...]answer{yes, yes, yes, yes, no, no, no}, [...]bool{true, true, true, true}},
	ActReport:  {[...]answer{yes, yes, yes, yes, no, no, no}, [...]bool{true, true, true, true}},
	ActSubject: {[...]answer{yes, no, no, no, no, no, no}, [...]bool{true, false, false, false}},
	ActOptions: {[...]answer{yes, no, no, no, no, no, no}, [...]bool{true, true, true, false}},
	ActInvite:  {[...]answer{yes, opt, no, no, no, no, no}, [...]bool{true, false, false, false}},
	ActRevoke:  {[...]answer{yes, no, no, no, no, no, yes}, [...]bool{true, true, true, true}},
	ActRemove:  {[...]answer{yes, no, no, no, no, no, yes}, [...]bool{true, true, true, true}},
	ActClose:   {[...]answer{yes, no, no, no, no, no, yes}, [...]bool{true, true, true, true}},
	ActReopen:  {[...]answer{yes, no, no, no, no, no, yes}, [...]bool{true, true, true, false}},
	ActHold:    {[...]answer{no, no, no, no, no, no, yes}, [...]bool{true, true, true, false}},
	ActErase:   {[...]answer{no, no, no, no, no, no, yes}, [...]bool{true, true, true, true}},
}

// allowed is what the token of each right is good for. What is not here is
// refused to its holder as to a stranger: a link that was forwarded does not read.
var allowed = map[Right][]Act{
	RightJoin:        {ActLook, ActJoin, ActDecline, ActReport},
	RightReply:       {ActWrite},
	RightAMP:         {ActRead, ActWrite},
	RightConfirm:     {ActLook, ActWrite},
	RightUnsubscribe: {ActStop},
	RightBrowsers:    {ActLook},
}

// gate is the one place that decides. It returns the member whom the identity
// is in the room (the zero Member for an admin who is none). Errors: NotFound
// to all who may not know of the session, Forbidden to a member who may not do
// this, Closed when the session has ended.
func gate(room *Room, by Identity, act Act, now time.Time) (Member, error) {
	r := rules[act]
	if by.Right != "" && !slices.Contains(allowed[by.Right], act) {
		return Member{}, errNoSession
	}
	member, standing := room.standing(by, now)
	if by.Admin && r.who[AsAdmin] == yes && r.who[standing] != yes {
		standing = AsAdmin
	}
	switch answered := r.who[standing]; {
	case standing == AsRevoked || standing == AsStranger:
		return Member{}, errNoSession
	case answered == no && standing == AsLapsed:
		return Member{}, errLapsed
	case answered == no || answered == opt && !room.Session.Options.MembersInvite:
		return Member{}, refusalOf(room, act)
	case !r.in[room.Session.Condition(now)]:
		return Member{}, errEnded[room.Session.Condition(now)]
	}
	return member, nil
}

// May says if an act of a member would pass the gate at a moment, or why not: a
// page offers only what it lets pass. The act itself asks again.
func (r *Room) May(m Member, act Act, now time.Time) error {
	_, err := gate(r, Identity{Grant: m.Grant.ID}, act, now)
	return err
}

var (
	errLapsed = &Error{Closed, "Your invitation to this session has run out. You can read it, but say nothing new in it. Ask the person who invited you for a new one."}
	errEnded  = map[Condition]*Error{
		IsClosed:  {Closed, "This session is closed. It can be read, but nothing new can be said in it."},
		IsExpired: {Closed, "The time of this session is over. It can be read, but nothing new can be said in it."},
		IsOver:    {Closed, "This session was off the record and has ended. Nothing of it was kept; start a new one to go on."},
	}
)

// operate is the gate for what belongs to no session: it is for operators alone.
func operate(by Identity) error {
	if !by.Admin {
		return errOperators
	}
	return nil
}

var errOperators = &Error{Forbidden, "Only the people who run this service may do that."}

func refusalOf(room *Room, act Act) *Error {
	if act == ActDecline {
		return &Error{Forbidden, "You started this session. Close it instead."}
	}
	if r := rules[act]; r.who[AsInitiator] == no {
		return errOperators
	}
	return &Error{Forbidden, "Only " + room.Initiator().Display() + ", who started this session, may do that."}
}

// standing finds the member whom the identity is, and what that makes of them.
func (r *Room) standing(by Identity, now time.Time) (Member, Standing) {
	m, found := r.identify(by)
	switch {
	case !found:
		return Member{}, AsStranger
	case m.Grant.Revoked:
		return m, AsRevoked
	case m.Role == Initiator:
		return m, AsInitiator
	case !m.Grant.alive(now):
		return m, AsLapsed
	case m.State == Invited:
		return m, AsRecipient
	}
	return m, AsMember
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
