package webui

import (
	"time"

	"mailroom/bridge"
	"mailroom/locales"
)

// terms are what a reader must know of a session before they write a word.
type terms struct {
	Notices []string `json:"notices"`          // what is out of the ordinary
	Facts   []string `json:"facts"`            // who can read it, and for how long
	Closed  string   `json:"closed,omitempty"` // why nothing can be written; "" if it can
}

func (v *visit) terms() terms {
	return terms{Notices: v.notices(), Facts: v.facts(), Closed: v.closed()}
}

func (v *visit) notices() []string {
	p, options, list := v.tell.printer, v.room.Session.Options, []string{}
	switch {
	case options.OffRecord && options.MatrixKeeps:
		list = append(list, p.T("page.off_record_matrix"))
	case options.OffRecord:
		list = append(list, p.T("page.off_record"))
	}
	if v.me.Blind {
		list = append(list, p.T("page.blind", "Name", v.inviter()))
	}
	return list
}

func (v *visit) facts() []string {
	p, options := v.tell.printer, v.room.Session.Options
	list := []string{p.T("page.privacy"), v.addressFact()}
	if options.NewcomersFromNow {
		list = append(list, p.T("page.newcomers_from_now"))
	}
	if !options.OffRecord {
		list = append(list, keptFact(p, v.kept))
	}
	if end := options.ExpiresAt; !end.IsZero() && v.room.Session.Condition(v.now) == bridge.IsOpen {
		list = append(list, p.T("page.open_until", "Time", moment(p, end)))
	}
	if end := v.me.Grant.ExpiresAt; v.me.Role != bridge.Initiator && !end.IsZero() && !v.me.Lapsed(v.now) {
		list = append(list, p.T("page.granted_until", "Time", moment(p, end)))
	}
	return list
}

func (v *visit) addressFact() string {
	switch p := v.tell.printer; {
	case v.room.Session.Options.HideAddresses:
		return p.T("page.addresses_hidden", "Name", v.tell.name(v.room.Initiator().ID))
	case v.room.ShowsAllAddresses():
		return p.T("page.addresses_shown")
	default:
		return p.T("page.addresses_mixed")
	}
}

func keptFact(p locales.Printer, kept time.Duration) string {
	switch {
	case kept == 0:
		return p.T("page.kept_always")
	case kept < 2*24*time.Hour:
		return p.T("page.kept_hours", "Count", int(kept.Hours()))
	}
	return p.T("page.kept_days", "Count", days(kept))
}

// days is a time in whole days; a part of one counts.
func days(d time.Duration) int {
	const day = 24 * time.Hour
	return int((d + day - 1) / day)
}

// moment is a time in UTC: the server does not know where its reader is.
func moment(p locales.Printer, at time.Time) string {
	return at.UTC().Format(p.T("page.day_layout")+" 15:04") + " UTC"
}

// closed says why nothing can be written, or "".
func (v *visit) closed() string {
	if v.writable() {
		return ""
	}
	p := v.tell.printer
	switch v.room.Session.Condition(v.now) {
	case bridge.IsOver:
		return p.T("page.over")
	case bridge.IsClosed:
		return p.T("page.closed")
	case bridge.IsExpired:
		return p.T("page.expired")
	}
	return p.T("page.lapsed", "Name", v.inviter())
}

// inviter is the name of the member who invited the reader.
func (v *visit) inviter() string { return v.tell.name(v.room.InviterOf(v.me).ID) }

// turns is when time alone will change what the reader may do; zero: never.
func (v *visit) turns() time.Time {
	var next time.Time
	for _, end := range []time.Time{v.room.Session.Options.ExpiresAt, v.me.Grant.ExpiresAt} {
		if end.After(v.now) && (next.IsZero() || end.Before(next)) {
			next = end
		}
	}
	return next
}
