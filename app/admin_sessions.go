package app

import (
	"context"
	"fmt"
	"time"

	"mailroom/bridge"

	"github.com/google/uuid"
)

// What an operator sees of a session has nothing of what was said in it: no
// subject and no message.

// SessionSummary is one session in a list.
type SessionSummary struct {
	ID        uuid.UUID `json:"id"`
	Started   time.Time `json:"started_at"`
	Condition string    `json:"condition"` // open, closed, expired or over
	OffRecord bool      `json:"off_record"`
	OnHold    bool      `json:"on_hold"`
	Initiator string    `json:"initiator"`
	Members   int       `json:"members"`
	Records   int64     `json:"records"`
}

// SessionDetails is one session as far as an operator sees it.
type SessionDetails struct {
	SessionSummary
	Options SessionOptions  `json:"options"`
	Grants  GrantCounts     `json:"grants"`
	People  []MemberDetails `json:"people"`
}

// SessionOptions are what the session allows and keeps. Times and periods are
// empty where there is none.
type SessionOptions struct {
	MatrixKeeps      bool   `json:"matrix_keeps"`
	MembersInvite    bool   `json:"members_invite"`
	HideAddresses    bool   `json:"hide_addresses"`
	NewcomersFromNow bool   `json:"newcomers_from_now"`
	KeepFor          string `json:"keep_for"`
	ExpiresAt        string `json:"expires_at"`
}

// GrantCounts counts the grants of a session.
type GrantCounts struct {
	Living  int `json:"living"`
	Revoked int `json:"revoked"`
	Expired int `json:"expired"`
}

// MemberDetails is one member as an operator sees them.
type MemberDetails struct {
	ID        uuid.UUID `json:"id"`
	Name      string    `json:"name"`
	Address   string    `json:"address"`
	Role      string    `json:"role"`
	State     string    `json:"state"`
	Grant     string    `json:"grant"` // living, revoked or expired
	Blind     bool      `json:"blind_copy"`
	Blocked   bool      `json:"blocked"` // they have blocked who invited them
	Endpoints []string  `json:"endpoints"`
}

// SessionList asks for the newest sessions.
type SessionList struct{ Limit int }

// SessionAct asks for something to be done with a session.
type SessionAct struct {
	Session    uuid.UUID
	Who        string // a member's id or address, to revoke
	RemoveSaid bool
	On         bool // to hold
}

// ListSessions lists the newest sessions first.
func (a *Admin) ListSessions(r SessionList, list *[]SessionSummary) error {
	sessions, err := a.store.ListAllSessions(context.Background(), r.Limit)
	if err != nil {
		return err
	}
	*list = make([]SessionSummary, 0, len(sessions))
	for _, s := range sessions {
		room, err := a.room(s.ID)
		if err != nil {
			return err
		}
		*list = append(*list, summaryOf(room, time.Now()))
	}
	return nil
}

// ShowSession tells what there is to know of a session without its content.
func (a *Admin) ShowSession(session uuid.UUID, details *SessionDetails) error {
	room, err := a.room(session)
	if err != nil {
		return err
	}
	*details = detailsOf(room, time.Now())
	return nil
}

// CloseSession ends writing; off the record it ends the session.
func (a *Admin) CloseSession(session uuid.UUID, sentence *string) error {
	room, err := a.room(session)
	if err != nil {
		return err
	}
	*sentence = fmt.Sprintf("Session %s is closed. It can be read, but nothing new can be said in it.", session)
	if room.Session.Options.OffRecord {
		*sentence = fmt.Sprintf("Session %s is over. It was off the record: nothing of it was kept.", session)
	}
	return a.service.Close(context.Background(), session, operator)
}

// RevokeMember ends a grant.
func (a *Admin) RevokeMember(r SessionAct, sentence *string) error {
	room, err := a.room(r.Session)
	if err != nil {
		return err
	}
	m, err := memberNamed(room, r.Who)
	if err != nil {
		return err
	}
	*sentence = fmt.Sprintf("%s can neither read nor write in session %s any more. What they said stays.", r.Who, r.Session)
	if r.RemoveSaid {
		*sentence = fmt.Sprintf("%s can neither read nor write in session %s any more, and what they said is taken away.", r.Who, r.Session)
	}
	return a.service.Revoke(context.Background(), r.Session, operator, m.ID, r.RemoveSaid)
}

// HoldSession puts a session on legal hold, or takes the hold off.
func (a *Admin) HoldSession(r SessionAct, sentence *string) error {
	if _, err := a.room(r.Session); err != nil {
		return err
	}
	*sentence = fmt.Sprintf("Session %s is on legal hold: nothing that was said in it is erased until you release it.", r.Session)
	if !r.On {
		*sentence = fmt.Sprintf("Session %s is released: retention and erasure count again.", r.Session)
	}
	return a.service.Hold(context.Background(), r.Session, operator, r.On)
}

// room is a session for an operator, who is told plainly if there is none.
func (a *Admin) room(session uuid.UUID) (*bridge.Room, error) {
	room, err := a.service.Room(context.Background(), session)
	if bridge.CodeOf(err) == bridge.NotFound {
		return nil, fmt.Errorf("there is no session %s. See: mailroom sessions list", session)
	}
	return room, err
}

// memberNamed finds a member by id or address.
func memberNamed(room *bridge.Room, who string) (bridge.Member, error) {
	if id, err := uuid.Parse(who); err == nil {
		if m, ok := room.Member(id); ok {
			return m, nil
		}
	} else if address, err := bridge.ParseAddress(who); err != nil {
		return bridge.Member{}, err
	} else if m, ok := room.ByAddress(address); ok {
		return m, nil
	}
	return bridge.Member{}, fmt.Errorf("%s is no member of session %s. See: mailroom sessions show %[2]s", who, room.Session.ID)
}

var conditionNames = map[bridge.Condition]string{
	bridge.IsOpen: "open", bridge.IsClosed: "closed", bridge.IsExpired: "expired", bridge.IsOver: "over",
}

func summaryOf(room *bridge.Room, now time.Time) SessionSummary {
	s := room.Session
	return SessionSummary{
		ID: s.ID, Started: s.CreatedAt, Condition: conditionNames[s.Condition(now)], OffRecord: s.Options.OffRecord, OnHold: s.OnHold,
		Initiator: room.Initiator().Address.String(), Members: len(room.Members), Records: s.Head,
	}
}

func detailsOf(room *bridge.Room, now time.Time) SessionDetails {
	d := SessionDetails{SessionSummary: summaryOf(room, now), Options: optionsOf(room.Session.Options)}
	for _, m := range room.Members {
		grant := grantOf(m.Grant, now)
		d.Grants.count(grant)
		p := MemberDetails{
			ID: m.ID, Name: m.Name, Address: m.Address.String(), Role: string(m.Role), State: string(m.State),
			Grant: grant, Blind: m.Blind, Blocked: m.Withheld, Endpoints: []string{},
		}
		for _, e := range m.Endpoints {
			p.Endpoints = append(p.Endpoints, e.Address.String()+" ("+string(e.State)+")")
		}
		d.People = append(d.People, p)
	}
	return d
}

func optionsOf(o bridge.Options) SessionOptions {
	s := SessionOptions{
		MatrixKeeps: o.MatrixKeeps, MembersInvite: o.MembersInvite, HideAddresses: o.HideAddresses, NewcomersFromNow: o.NewcomersFromNow,
	}
	if o.KeepFor > 0 {
		s.KeepFor = o.KeepFor.String()
	}
	if !o.ExpiresAt.IsZero() {
		s.ExpiresAt = o.ExpiresAt.UTC().Format(time.RFC3339)
	}
	return s
}

const (
	living  = "living"
	revoked = "revoked"
	expired = "expired"
)

func grantOf(g bridge.Grant, now time.Time) string {
	switch {
	case g.Revoked:
		return revoked
	case !g.ExpiresAt.IsZero() && !now.Before(g.ExpiresAt):
		return expired
	}
	return living
}

func (c *GrantCounts) count(grant string) {
	*map[string]*int{living: &c.Living, revoked: &c.Revoked, expired: &c.Expired}[grant]++
}
