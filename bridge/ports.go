package bridge

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Store keeps what Mailroom knows. Package store implements it on SQLite and
// PostgreSQL; storetest is the suite that both pass.
type Store interface {
	Reader
	// Write runs fn in a writing transaction and returns after its commit, or
	// with fn's error after everything that fn wrote was undone. Calls that
	// wait at the same time share one transaction. fn may run again after a
	// fault of the database: it must assign what it leaves outside, never add
	// to it. session picks the writer; use uuid.Nil for what belongs to none.
	Write(ctx context.Context, session uuid.UUID, fn func(Tx) error) error
	// Announce tells the other nodes that a session has changed. It never
	// blocks; a lost hint costs a poll interval.
	Announce(session uuid.UUID)
	// Spread tells a signal to the other nodes; it never blocks, and one that is
	// lost is lost.
	Spread(signal string)
	// Scrub makes sure that nothing that was erased is left in a log or free
	// page of the database. It takes seconds.
	Scrub(ctx context.Context) error
}

// Reader has what can be read inside and outside of a writing transaction.
// A Get method's ok is false, without error, when there is no such thing.
type Reader interface {
	GetSession(ctx context.Context, id uuid.UUID) (s Session, ok bool, err error)
	ListSessions(ctx context.Context, a Address, limit int) ([]Session, error)
	// ListStartedBy lists the sessions that a mail with this Message-ID started.
	ListStartedBy(ctx context.Context, messageID string) ([]uuid.UUID, error)
	ListMembers(ctx context.Context, session uuid.UUID) ([]Member, error)
	// ListLost lists the off-the-record sessions that are not over although
	// their keeper, if it is not self, is gone, or their time is over.
	ListLost(ctx context.Context, self string, now time.Time) ([]uuid.UUID, error)
	// ListPastKeeping lists the sessions with messages that are older than they
	// are kept, and the seq of the last of those. keep is that of the
	// installation; 0 is for ever.
	ListPastKeeping(ctx context.Context, now time.Time, keep time.Duration) (map[uuid.UUID]int64, error)

	GetPerson(ctx context.Context, a Address) (uuid.UUID, bool, error)
	ListAddresses(ctx context.Context, person uuid.UUID) ([]Address, error)
	// ListSessionsOf lists the sessions in which a person holds a grant, newest
	// first; ListMemberships all in which they ever did.
	ListSessionsOf(ctx context.Context, person uuid.UUID) ([]Session, error)
	ListMemberships(ctx context.Context, person uuid.UUID) ([]uuid.UUID, error)
	// GetPresence is SeenByNobody for who has chosen nothing.
	GetPresence(ctx context.Context, person uuid.UUID) (PresenceSetting, error)
	// ListPresences has the settings of the persons in a session that are not
	// SeenByNobody.
	ListPresences(ctx context.Context, session uuid.UUID) (map[uuid.UUID]PresenceSetting, error)
	ListChosen(ctx context.Context, person uuid.UUID) ([]Address, error)
	// ListMailed lists the persons whom a person invited anywhere.
	ListMailed(ctx context.Context, person uuid.UUID) ([]uuid.UUID, error)
	ListBlocks(ctx context.Context, person uuid.UUID) ([]Blocked, error)

	ListRecords(ctx context.Context, session uuid.UUID, after int64, limit int) ([]Record, error)
	ListRecordsBefore(ctx context.Context, session uuid.UUID, before int64, limit int) ([]Record, error)

	GetIntake(ctx context.Context, o Origin) (session uuid.UUID, ok bool, err error)
	GetPortal(ctx context.Context, session uuid.UUID, n Network) (remote string, ok bool, err error)
	GetRoute(ctx context.Context, n Network, remote string) (session uuid.UUID, ok bool, err error)
	ListOccupants(ctx context.Context, session uuid.UUID) ([]Occupant, error)

	// GetToken finds the tokens of grants that live: one of a revoked grant is
	// unknown, and takes the same single look-up.
	GetToken(ctx context.Context, hash string) (TokenRow, bool, error)
	GetBrowser(ctx context.Context, hash string) (BrowserRow, bool, error)
	// ListBrowsers lists those that count for the member's grant as it is now,
	// oldest first.
	ListBrowsers(ctx context.Context, session, member uuid.UUID) ([]Browser, error)
	// ListCodes lists those that end after a moment, oldest first.
	ListCodes(ctx context.Context, session, member uuid.UUID, p Purpose, after time.Time) ([]MailedCode, error)
	GetSignIn(ctx context.Context, hash string) (SignIn, bool, error)
	ListSignIns(ctx context.Context, addresses []Address) ([]SignIn, error)
	GetAPIToken(ctx context.Context, hash string) (a Address, admin, ok bool, err error)
	GetAccount(ctx context.Context, a Address) (hash string, ok bool, err error)

	GetHeld(ctx context.Context, session, id uuid.UUID) (Held, bool, error)
	// ListHeld lists what waits for a member's word, the oldest first.
	ListHeld(ctx context.Context, session, member uuid.UUID) ([]Held, error)
	IsConfirmed(ctx context.Context, session, grant uuid.UUID, sender Address) (bool, error)
	ListMails(ctx context.Context, session, member uuid.UUID) ([]Mailing, error)
	// CountInvitations counts the invitations mailed to an address since a moment.
	CountInvitations(ctx context.Context, a Address, since time.Time) (int, error)

	ListUsages(ctx context.Context, since time.Time, limit int) ([]Usage, error)
	ListAudit(ctx context.Context, limit int) ([]AuditEntry, error)
}

// Tx writes. All writes of one session are in the order of its lock.
type Tx interface {
	Reader

	// LockSession reads a session and holds it until the transaction ends.
	LockSession(ctx context.Context, id uuid.UUID) (s Session, ok bool, err error)
	AddSession(ctx context.Context, s Session) error
	// SetSession writes Subject, State, Options, OnHold and ACLVersion.
	SetSession(ctx context.Context, s Session) error
	// Append gives the record the next seq of its session, which must be
	// locked, and writes it; for a message also its current-state row. If its
	// origin is known, nothing is written and the first record comes back,
	// with repeat true. Off the record it is put into the keeper's memory; that
	// keeper may have gone, which is an internal error. Once the session is over,
	// what still happens in it (somebody goes) is stored: it has no content.
	Append(ctx context.Context, r Record) (stored Record, repeat bool, err error)
	// GetOrigin finds the record of an origin.
	GetOrigin(ctx context.Context, session uuid.UUID, o Origin) (Record, bool, error)
	// AddReceived keeps a record as it was received.
	AddReceived(ctx context.Context, session uuid.UUID, seq int64, raw []byte) error
	// EraseRecords empties what a member (uuid.Nil: everybody) said up to a seq,
	// as received and as it is now, and what is held of them, and says how many
	// records it has emptied. Subjects are emptied for a member alone.
	EraseRecords(ctx context.Context, session, member uuid.UUID, upTo int64) (int, error)
	// GetSubject is what the log says that the subject is.
	GetSubject(ctx context.Context, session uuid.UUID) (string, error)
	// Forget drops the memory of an off-the-record session with the commit, and
	// stores one last record, which has no content.
	Forget(ctx context.Context, session uuid.UUID, last Record) error
	// AddIntake binds the origin of a session's start to it; false if it is taken.
	AddIntake(ctx context.Context, o Origin, session uuid.UUID) (bool, error)

	// AddAddress gives an address to a person, who is made if new; false if
	// somebody has it already.
	AddAddress(ctx context.Context, person uuid.UUID, a Address, how string, at time.Time) (bool, error)

	AddMember(ctx context.Context, session uuid.UUID, m Member) error
	SetPresence(ctx context.Context, person uuid.UUID, p PresenceSetting) error
	SetChosen(ctx context.Context, person uuid.UUID, chosen []Address) error
	AddBlock(ctx context.Context, person uuid.UUID, b Blocked) error
	DeleteBlock(ctx context.Context, person uuid.UUID, whom Address) error
	// ErasePerson forgets a person's addresses, choices, accounts, tokens and
	// sign-ins.
	ErasePerson(ctx context.Context, person uuid.UUID) error

	// SetMember writes State, Name, Lang, NoMail, Inviter, Blind, Withheld and
	// the grant of a member.
	SetMember(ctx context.Context, session uuid.UUID, m Member) error
	// SetReadSeq moves the cursor forward only.
	SetReadSeq(ctx context.Context, session, member uuid.UUID, seq int64) error
	AddEndpoint(ctx context.Context, session, member uuid.UUID, e Endpoint) error
	SetEndpoint(ctx context.Context, session uuid.UUID, e Endpoint) error
	// EraseMember forgets who a member was: name, address, tokens, browsers,
	// mails. Addresses in room networks stay until their lanes have passed the
	// end of the log (FinishErasures).
	EraseMember(ctx context.Context, session uuid.UUID, m Member) error

	AddToken(ctx context.Context, hash string, t TokenRow) error
	AddBrowser(ctx context.Context, hash string, b BrowserRow, at time.Time) error
	DeleteBrowser(ctx context.Context, session uuid.UUID, hash string) error
	DeleteBrowsers(ctx context.Context, session, member uuid.UUID) error
	AddCode(ctx context.Context, c MailedCode) error
	// SetCode writes Tries and ExpiresAt.
	SetCode(ctx context.Context, c MailedCode) error
	AddSignIn(ctx context.Context, hash string, in SignIn) error
	DeleteSignIn(ctx context.Context, hash string) error
	DeleteSignIns(ctx context.Context, addresses []Address) error
	AddAPIToken(ctx context.Context, hash string, a Address, admin bool, at time.Time) error
	SetAccount(ctx context.Context, a Address, hash string, at time.Time) error
	// AddSetting stores a value once and returns the stored one.
	AddSetting(ctx context.Context, key, value string) (string, error)

	// AddPortal links a session to a remote room; false if either is linked already.
	AddPortal(ctx context.Context, session uuid.UUID, n Network, remote string) (bool, error)
	SetOccupant(ctx context.Context, o Occupant) error
	DeleteOccupant(ctx context.Context, session uuid.UUID, jid string) error

	// AddLane makes a lane that begins after a seq, unless it exists.
	AddLane(ctx context.Context, session uuid.UUID, d Destination, after int64) error
	// AddMail queues a mail unless one of its Kind and From is there for the
	// member, and returns the one that is.
	AddMail(ctx context.Context, m Mailing) (Mailing, error)
	// WithdrawMails takes a member's (uuid.Nil: everybody's) mails out of the
	// queue.
	WithdrawMails(ctx context.Context, session, member uuid.UUID) error
	AddHeld(ctx context.Context, h Held, o Origin) (bool, error)
	SetHeld(ctx context.Context, session, id uuid.UUID, state HeldState) error
	AddConfirmed(ctx context.Context, session, grant uuid.UUID, sender Address) error

	// AddUse counts uses of a limit in the window that began at a moment, and
	// returns how many there are now.
	AddUse(ctx context.Context, name string, startsAt time.Time, n int) (int, error)
	DeleteUsage(ctx context.Context, name string) (bool, error)
	AddAudit(ctx context.Context, e AuditEntry) error
}

// TokenRow is what the hash of a token leads to.
type TokenRow struct {
	Session    uuid.UUID
	Grant      uuid.UUID
	Member     uuid.UUID
	Right      Right
	Generation int
	Held       uuid.UUID // for RightConfirm
}

// BrowserRow is what the hash of a browser's cookie leads to.
type BrowserRow struct {
	Session    uuid.UUID
	Member     uuid.UUID
	Grant      uuid.UUID
	Generation int
	ID         uuid.UUID
	Label      string
}

// Occupant is one XMPP client inside a session's MUC.
type Occupant struct {
	Session uuid.UUID
	Member  uuid.UUID
	JID     string // full
	Nick    string
	// FromSeq: records up to it are the history that the client was shown when
	// it entered, later ones reach it live.
	FromSeq int64
}
