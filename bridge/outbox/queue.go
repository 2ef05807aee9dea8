package outbox

import (
	"context"
	"time"

	"mailroom/bridge"

	"github.com/google/uuid"
)

// Queue is what the outbox asks of the store. Methods that write for an owner
// return bridge.ErrFenced when another node has taken over.
type Queue interface {
	GetLane(ctx context.Context, session uuid.UUID, d bridge.Destination) (bridge.Lane, bool, error)
	// ListLanes lists the lanes whose position is before the end of the log.
	ListLanes(ctx context.Context, session uuid.UUID) ([]bridge.Lane, error)
	// ListBehind lists the sessions that have a lane of the network with
	// something in the log that it has not looked at, or that is failing.
	ListBehind(ctx context.Context, n bridge.Network) ([]uuid.UUID, error)
	// ListDue lists the sessions with a lane whose NextTry has come.
	ListDue(ctx context.Context, now time.Time) ([]uuid.UUID, error)
	ListRecords(ctx context.Context, session uuid.UUID, after int64, limit int) ([]bridge.Record, error)
	ListChanged(ctx context.Context, since time.Time) ([]bridge.Change, error)

	// ClaimLane makes owner the lane's owner, unless that is another node
	// whose lease lives: ok is false then.
	ClaimLane(ctx context.Context, l bridge.Lane, owner string) (claimed bridge.Lane, ok bool, err error)
	// FreeDead frees the lanes of nodes whose lease has run out, and says if
	// there were any.
	FreeDead(ctx context.Context) (freed bool, err error)
	// TakeLanes frees every lane of the network that another node owns.
	TakeLanes(ctx context.Context, n bridge.Network, owner string) error
	// SetLane writes Acked, Seen, NextTry and Attempts.
	SetLane(ctx context.Context, l bridge.Lane) error

	ListDueMails(ctx context.Context, now time.Time, limit int) ([]bridge.Mailing, error)
	ClaimMail(ctx context.Context, m bridge.Mailing, owner string) (fence int64, ok bool, err error)
	// SetMail writes State, NextTry and Attempts.
	SetMail(ctx context.Context, m bridge.Mailing, fence int64) error

	// AcquireLease takes or renews a lease for ttl by the database's clock;
	// ok is false while somebody else holds it. The fence grows with each
	// change of owner.
	AcquireLease(ctx context.Context, name, owner string, ttl time.Duration) (fence int64, ok bool, err error)
	ReleaseLease(ctx context.Context, name, owner string) error
}

// Transport is a gateway's way out.
type Transport interface {
	// Deliver brings consecutive records, of which the first follows
	// lane.Acked, to the lane's destination. accepted says how many, from the
	// front, the destination has taken: they never come again. It may take fewer
	// than all, at least one, without error: the rest follows at once. An error
	// is about the record after the accepted ones: *bridge.RefusedError if it
	// will never be taken, *bridge.WaitError if it is not time yet, any other to
	// try again later. Repeats after a crash must show nothing twice.
	Deliver(ctx context.Context, lane bridge.Lane, records []bridge.Record) (accepted int, err error)
}

// Log is what the outbox asks of the core.
type Log interface {
	RecordFailed(ctx context.Context, r bridge.Record, d bridge.Destination, reason string) error
	MailFailed(ctx context.Context, m bridge.Mailing, reason string) error
	Letter(ctx context.Context, m bridge.Mailing) (l bridge.Letter, ok bool, err error)
}

// Sender sends one mail.
type Sender interface {
	// Send returns nil when the smarthost has taken the mail, that is after
	// its answer to the final dot; *bridge.RefusedError if it never will; any
	// other error to try again later with the same Message-ID.
	Send(ctx context.Context, l bridge.Letter) error
}
