package webui

import (
	"html/template"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"mailroom/bridge"
	"mailroom/content"
	"mailroom/locales"
)

const (
	// followTime is how long one person's messages stand together under one name; static/timeline.js has the same.
	followTime = 5 * time.Minute
	// startTime is how long after the start an invitation belongs to it and is no news.
	startTime = 10 * time.Second
)

// entry is a record as the page shows it. One that the page does not show has neither Said nor Quiet, only a Seq: the
// reader's position moves over it.
type entry struct {
	Seq     int64     `json:"seq"`
	At      time.Time `json:"at"`
	Member  string    `json:"member,omitempty"`
	Name    string    `json:"name,omitempty"`
	Initial string    `json:"initial,omitempty"`
	Hue     int       `json:"hue,omitempty"`
	Badge   string    `json:"badge,omitempty"`
	Own     bool      `json:"own,omitempty"`
	Lang    string    `json:"lang,omitempty"`
	Client  string    `json:"client,omitempty"` // the id that the reader's own browser gave it
	Said    []any     `json:"said,omitempty"`   // what was said, as nodes: see nodes.go
	Quiet   string    `json:"quiet,omitempty"`  // a line about what happened
	Erased  bool      `json:"erased,omitempty"` // what was said was taken away
	Erases  *erasure  `json:"erases,omitempty"`

	// For the page alone; the script works these out in the reader's own time zone.
	HTML    template.HTML `json:"-"`
	Day     string        `json:"-"` // set if this entry is the first of a day
	Follows bool          `json:"-"` // the same person goes on
	Stamp   string        `json:"-"`
	Clock   string        `json:"-"`
}

// teller turns records into entries for one reader.
type teller struct {
	printer locales.Printer
	room    *bridge.Room
	me      bridge.Member
}

// erasure empties what the page shows already: what a member (all of them, if it is none) said up to a seq.
type erasure struct {
	UpTo   int64  `json:"up_to"`
	Member string `json:"member,omitempty"`
	Name   string `json:"name,omitempty"` // as the member is called now: the name may be erased, too
}

func (t teller) tell(r bridge.Record) entry {
	e := entry{Seq: r.Seq, At: r.At}
	if r.Kind != bridge.KindMessage {
		e.Quiet, e.Erases = t.happened(r), t.erases(r)
		if r.Kind == bridge.KindSubject {
			e.Member = r.Member.String() // a subject is erased with what its author said
		}
		return e
	}
	m, _ := t.room.Member(r.Member)
	e.Member, e.Name, e.Own, e.Lang = r.Member.String(), t.room.DisplayName(m), m.ID == t.me.ID, r.Lang
	e.Initial, e.Hue, e.Badge = initial(e.Name), hue(m), networkName(t.printer, r.Via())
	e.HTML = t.body(r)
	e.Said, e.Erased = nodes(string(e.HTML)), r.Erased
	if e.Own {
		e.Client = clientOf(r.Origin, m.Grant.ID)
	}
	return e
}

// body is what was said, or that it was taken away.
func (t teller) body(r bridge.Record) template.HTML {
	if r.Erased {
		return template.HTML(template.HTMLEscapeString(t.printer.T("page.taken_away")))
	}
	return template.HTML(content.Body(r.Body).PageHTML()) // safe: package content made it
}

func (t teller) erases(r bridge.Record) *erasure {
	switch {
	case r.Kind == bridge.KindOver: // nothing of what was said is anywhere any more
		return &erasure{UpTo: r.Seq}
	case r.Kind != bridge.KindErased:
		return nil
	case r.Target == uuid.Nil:
		return &erasure{UpTo: r.Ref}
	}
	return &erasure{r.Ref, r.Target.String(), t.name(r.Target)}
}

// happened is the line for a record that is no message, or "".
func (t teller) happened(r bridge.Record) string {
	p, who, whom := t.printer, t.name(r.Member), t.name(r.Target)
	switch r.Kind {
	case bridge.KindStarted:
		return p.T("page.line_started", "Name", who)
	case bridge.KindInvited:
		if r.At.Sub(t.room.Session.CreatedAt) < startTime {
			return "" // the list of people says it
		}
		return p.T("page.line_invited", "Name", who, "Target", whom)
	case bridge.KindJoined:
		return p.T("page.line_joined", "Name", who)
	case bridge.KindLeft:
		return p.T("page.line_left", "Name", who)
	case bridge.KindRevoked:
		return p.T("page.line_revoked", "Name", who, "Target", whom)
	case bridge.KindSubject:
		if r.Erased {
			return p.T("page.taken_away")
		}
		return p.T("page.line_subject", "Name", who, "Subject", r.Subject)
	case bridge.KindClosed:
		return p.T("page.line_closed", "Name", who)
	case bridge.KindReopened:
		return p.T("page.line_reopened", "Name", who)
	case bridge.KindFailure:
		return r.Body.Text
	case bridge.KindDeclined:
		return p.T("page.line_declined", "Name", who)
	case bridge.KindErased:
		return t.erased(r)
	case bridge.KindOptions:
		return p.T("page.line_options", "Name", who)
	case bridge.KindOver:
		return p.T("page.over")
	}
	return ""
}

// erased is the line for an erasure: of everybody by their age, of one person by somebody or by the operators.
func (t teller) erased(r bridge.Record) string {
	switch p := t.printer; {
	case r.Target == uuid.Nil:
		return p.T("page.line_too_old")
	case r.Member == uuid.Nil:
		return p.T("page.line_erased", "Target", t.name(r.Target))
	default:
		return p.T("page.line_erased_by", "Name", t.name(r.Member), "Target", t.name(r.Target))
	}
}

func (t teller) name(id uuid.UUID) string {
	if m, ok := t.room.Member(id); ok {
		return t.room.DisplayName(m)
	}
	return "Mailroom"
}

// tellAll tells the records that a page shows, with days and groups for readers without script, in UTC: the server does
// not know where they are.
func (t teller) tellAll(records []bridge.Record) []entry {
	var entries []entry
	var last entry
	for _, r := range records {
		e := t.tell(r)
		if e.HTML == "" && e.Quiet == "" {
			continue
		}
		at := r.At.UTC()
		e.Stamp, e.Clock = at.Format(time.RFC3339), at.Format("15:04")+" UTC"
		if day := at.Format(t.printer.T("page.day_layout")); len(entries) == 0 || day != last.At.UTC().Format(t.printer.T("page.day_layout")) {
			e.Day = day
		}
		e.Follows = e.Day == "" && e.HTML != "" && last.HTML != "" && e.Member == last.Member && e.Badge == last.Badge && e.At.Sub(last.At) < followTime
		entries = append(entries, e)
		last = e
	}
	return entries
}

// originOf is the key of a message from the page. What was said is part of it: a browser without script that goes back
// sends the same form again, and other words in it are another message.
func originOf(grant uuid.UUID, client, text string) bridge.Origin {
	return bridge.Origin{Network: bridge.Web, ID: strings.Join([]string{"page", grant.String(), client, digest(text)}, "/")}
}

// clientOf is the client's part of an origin that originOf made for this grant, or "".
func clientOf(o bridge.Origin, grant uuid.UUID) string {
	parts := strings.Split(o.ID, "/")
	if o.Network != bridge.Web || len(parts) != 4 || parts[0] != "page" || parts[1] != grant.String() {
		return ""
	}
	return parts[2]
}

func seqOf(text string) int64 {
	seq, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seq < 0 {
		return 0
	}
	return seq
}
