package mailout

import (
	"time"

	"mailroom/bridge"
)

// addTerms says what one can do beside opening the page, until when, and how long
// what is said is kept.
func addTerms(v *view, l bridge.Letter, now time.Time) {
	session, p := l.Room.Session, v.Printer
	until := earliest(session.Options.ExpiresAt, l.To.Grant.ExpiresAt)
	v.Ended = session.Condition(now) != bridge.IsOpen
	switch {
	case v.Ended:
		v.Next = p.T("mail.ended")
	case !until.IsZero() && !now.Before(until):
		v.Next = p.T("mail.lapsed")
	case v.OffRecord:
		v.Next = p.T("mail.private_answer")
	default:
		v.Next = p.T("mail.how_to_answer")
	}
	if !until.IsZero() && now.Before(until) && !v.Ended {
		v.Terms = append(v.Terms, p.T("mail.open_until", "Time", moment(until)))
	}
	switch keep := session.Options.KeepFor; {
	case keep == 0 || v.OffRecord:
	case keep%day == 0:
		v.Terms = append(v.Terms, p.T("mail.kept_days", "Count", int(keep/day)))
	default:
		v.Terms = append(v.Terms, p.T("mail.kept_hours", "Count", int((keep+time.Hour-1)/time.Hour)))
	}
}

const day = 24 * time.Hour

// earliest is the first of two moments; the zero one never comes.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
