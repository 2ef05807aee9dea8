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

// concerns says if a record is for this reader to see. Whom a mail did not reach is told to the initiator alone (SPEC B5); what
// did not reach a room is everybody's business.
func concerns(r bridge.Record, room *bridge.Room, reader bridge.Member) bool {
	return r.Kind != bridge.KindFailure || r.Destination.Network() != bridge.Mail || reader.ID == room.Initiator().ID
}

func (t teller) tell(r bridge.Record) entry {
	e := entry{Seq: r.Seq, At: r.At}
	if !concerns(r, t.room, t.me) {
		return e
	}
	if r.Kind != bridge.KindMessage {
		e.Quiet = t.happened(r)
		return e
	}
	m, _ := t.room.Member(r.Member)
	e.Member, e.Name, e.Own, e.Lang = r.Member.String(), t.room.DisplayName(m), m.ID == t.me.ID, r.Lang
	e.Initial, e.Hue, e.Badge = initial(e.Name), hue(m), networkName(t.printer, r.Via())
	e.HTML = template.HTML(content.Body(r.Body).PageHTML()) // safe: package content made it
	e.Said = nodes(string(e.HTML))
	if e.Own {
		e.Client = clientOf(r.Origin, m.Grant.ID)
	}
	return e
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
		return p.T("page.line_subject", "Name", who, "Subject", r.Subject)
	case bridge.KindClosed:
		return p.T("page.line_closed", "Name", who)
	case bridge.KindReopened:
		return p.T("page.line_reopened", "Name", who)
	case bridge.KindFailure:
		return r.Body.Text
	}
	return ""
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
		e.Follows = e.Day == "" && e.Member != "" && e.Member == last.Member && e.Badge == last.Badge && e.At.Sub(last.At) < followTime
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
