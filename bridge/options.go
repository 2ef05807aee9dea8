package bridge

import "time"

// Options are what a session allows and keeps. The zero value is the default.
type Options struct {
	// OffRecord: subject and records live only in the memory of one node and
	// are gone when the session ends (SPEC G2). It cannot be changed later.
	OffRecord bool
	// MatrixKeeps: an off-the-record session has a Matrix room all the same, and
	// the homeservers keep what they will; everybody is told. It cannot be
	// changed later.
	MatrixKeeps bool
	// MembersInvite: who responded may invite others, too.
	MembersInvite bool
	// HideAddresses: nobody but who wrote them sees the others' addresses. It can
	// be switched on later, and never off: what was hidden stays so.
	HideAddresses bool
	// NewcomersFromNow: who is invited later sees only what follows.
	NewcomersFromNow bool
	// KeepFor is how long a message is kept; 0: as long as the installation does.
	KeepFor time.Duration
	// ExpiresAt ends writing; zero: never.
	ExpiresAt time.Time
}

// Bounds of the options.
const (
	MinKeepFor = time.Hour
	MaxKeepFor = 100 * 365 * 24 * time.Hour
)

// check refuses options that make no sense. Errors: Invalid.
func (o Options) check(now time.Time) error {
	if !o.ExpiresAt.IsZero() && !o.ExpiresAt.After(now) {
		return &Error{Invalid, "The session would have ended before it begins. Give a time in the future."}
	}
	return o.checkKeeping()
}

// checkKeeping is what does not depend on the time.
func (o Options) checkKeeping() error {
	switch {
	case o.KeepFor != 0 && (o.KeepFor < MinKeepFor || o.KeepFor > MaxKeepFor):
		return &Error{Invalid, "A session can keep its messages for an hour at the least and a hundred years at the most."}
	case o.MatrixKeeps && !o.OffRecord:
		return &Error{Invalid, "Only a session that is off the record needs to say that Matrix servers may keep it."}
	}
	return nil
}

// changed is what becomes of the options when the initiator wants others. A time
// that has passed by now may stay as it was.
func (o Options) changed(wanted Options, now time.Time) (Options, error) {
	check := wanted.checkKeeping()
	if !wanted.ExpiresAt.Equal(o.ExpiresAt) {
		check = wanted.check(now)
	}
	if check != nil {
		return o, check
	}
	if o.OffRecord != wanted.OffRecord || o.MatrixKeeps != wanted.MatrixKeeps {
		return o, &Error{Invalid, "Whether a session is off the record is decided when it starts. Start a new one."}
	}
	if o.HideAddresses && !wanted.HideAddresses {
		return o, &Error{Invalid, "Addresses that were hidden once stay hidden in this session. Start a new one."}
	}
	return wanted, nil
}
