package bridge

import (
	"errors"
	"fmt"
	"time"
)

// Code says what kind of error a person or a peer meets.
type Code string

const (
	NotFound  Code = "not_found" // unknown or forbidden: the same answer, so that nothing is told
	Forbidden Code = "forbidden" // a member may not do this
	Closed    Code = "closed"    // the session is closed or expired
	Invalid   Code = "invalid"   // the request cannot be understood
	TooMany   Code = "too_many"  // a limit is reached
	Conflict  Code = "conflict"  // somebody else was first
	// Unavailable: off the record, and the node that keeps the session does not
	// answer at the moment.
	Unavailable Code = "unavailable"
)

// Error is for people: Message is a sentence that says what happened and what
// to do next, and is safe to show to anybody who met it. Every other error is
// internal: its text belongs in the log, never with a peer.
type Error struct {
	Code    Code
	Message string
}

func (e *Error) Error() string { return e.Message }

// CodeOf is the code of the *Error in err's chain, or "" for an internal error.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// SentenceOf is what a person may read of err: its own sentence, or a general
// one for an internal error.
func SentenceOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Message
	}
	return "Something went wrong here. Nothing was lost; please try again in a minute."
}

// errNoSession is the answer to everybody who may not know that a session
// exists, and the answer when it does not.
var errNoSession = &Error{NotFound, "There is no such session, or you have no permission for it. Open it by the link in your own invitation."}

// RefusedError is what a Transport returns for a record that the peer will
// never take: it is not tried again, and Reason, a sentence, goes into the log.
type RefusedError struct {
	Reason string
	Err    error
}

func (e *RefusedError) Error() string { return fmt.Sprintf("refused for good: %v", e.Err) }
func (e *RefusedError) Unwrap() error { return e.Err }

// WaitError is what a Transport returns when there is nothing to do before
// Until (or, if Until is zero, before the session changes). It is no failure.
type WaitError struct{ Until time.Time }

func (e *WaitError) Error() string { return "wait until " + e.Until.String() }

// ErrFenced says that another node has taken over the lane, mail or lease that
// the caller believed to own: stop at once, write nothing.
var ErrFenced = errors.New("taken over by another node")
