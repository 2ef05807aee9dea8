package bridge

import (
	"strconv"
	"time"

	"github.com/google/uuid"
)

// Kind says what a record tells.
type Kind string

const (
	KindStarted  Kind = "started"  // Subject; Member is the initiator
	KindInvited  Kind = "invited"  // Target was invited by Member
	KindJoined   Kind = "joined"   // Member joined
	KindLeft     Kind = "left"     // Member left
	KindRevoked  Kind = "revoked"  // Target's grant was revoked by Member
	KindMessage  Kind = "message"  // Member said Text
	KindSubject  Kind = "subject"  // Member set Subject
	KindClosed   Kind = "closed"   // Member closed the session
	KindReopened Kind = "reopened" // Member opened it again
	KindFailure  Kind = "failure"  // Text says what could not be delivered, Destination by which lane
	KindDeclined Kind = "declined" // Member gave the invitation back
	KindErased   Kind = "erased"   // what Target (uuid.Nil: everybody) said up to seq Ref was taken away
	KindOptions  Kind = "options"  // Member changed what the session allows
	KindOver     Kind = "over"     // off the record, and gone for good
)

// Origin is where a record came from: the network and the id that it has
// there. One origin is one record per session: the key by which repeats are
// found. Matrix: the event id. Mail: Message-ID, sender and body hash. Web and
// API: the id that the client made. XMPP: sender and origin-id (XEP-0359).
type Origin struct {
	Network Network
	ID      string
}

// MaxOrigin is the longest origin id, in bytes.
const MaxOrigin = 512

// Body is one form of what was said: plain text and, if it says more, safe
// HTML (see package content; bridge never looks into it).
type Body struct {
	Text string
	HTML string
}

// MaxBody is the largest text and the largest HTML of one message, in bytes.
const MaxBody = 256 << 10

// Record is one entry of a session's log. Seq begins at 1 and has no gaps.
type Record struct {
	Session uuid.UUID
	Seq     int64
	ID      uuid.UUID // version 7; for a message also the id of the message
	Kind    Kind
	Member  uuid.UUID // who did it; uuid.Nil: Mailroom itself
	Target  uuid.UUID // the member it was done to, for invited, revoked and erased
	Ref     int64     // the seq that it is about, for erased
	Erased  bool      // what was said was taken away: nothing is left of it
	At      time.Time
	Origin  Origin
	Lang    string // BCP 47 tag, "" if unknown
	Body    Body
	// Texts is the body in other languages, by BCP 47 tag: the processed form.
	Texts   map[string]Body
	Subject string
	// Destination is the lane that a failure is about: it skips that lane.
	Destination Destination
}

// Via is the network that the record came from.
func (r Record) Via() Network { return r.Origin.Network }

// Destination names the reader that a lane serves: "matrix", "xmpp" or
// "mail:<member id>".
type Destination string

const (
	ToMatrix Destination = "matrix"
	ToXMPP   Destination = "xmpp"
)

// ToMail is the destination of one member's mails.
func ToMail(member uuid.UUID) Destination { return Destination("mail:" + member.String()) }

// Network is the gateway that serves the destination.
func (d Destination) Network() Network {
	if len(d) > 5 && d[:5] == "mail:" {
		return Mail
	}
	return Network(d)
}

// Member is the member whose mails the destination carries; uuid.Nil for a room.
func (d Destination) Member() uuid.UUID {
	if d.Network() != Mail {
		return uuid.Nil
	}
	id, err := uuid.Parse(string(d[5:]))
	if err != nil {
		return uuid.Nil
	}
	return id
}

// Lane is one destination's position in one session's log.
type Lane struct {
	Session     uuid.UUID
	Destination Destination
	Acked       int64 // everything up to this seq was accepted by the destination
	Seen        int64 // the end of the log when the lane was last looked at
	Owner       string
	Fence       int64 // grows with each change of owner
	NextTry     time.Time
	Attempts    int // failures in a row
}

func itoa(n int) string { return strconv.Itoa(n) }
