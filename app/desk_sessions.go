package app

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/google/uuid"
)

// ListSessions prints the newest sessions first.
func (d Desk) ListSessions(ctx context.Context, limit int, asJSON bool) error {
	return show(ctx, d, "ListSessions", SessionList{Limit: limit}, asJSON, func(table io.Writer, list []SessionSummary) {
		if len(list) == 0 {
			row(table, "There are no sessions.")
			return
		}
		row(table, "SESSION", "STARTED", "CONDITION", "MEMBERS", "RECORDS", "INITIATOR")
		for _, s := range list {
			row(table, s.ID, moment(s.Started), s.condition(), s.Members, s.Records, s.Initiator)
		}
	})
}

// condition is the state of a session in words.
func (s SessionSummary) condition() string {
	words := []string{s.Condition}
	if s.OffRecord {
		words = append(words, "off the record")
	}
	if s.OnHold {
		words = append(words, "on hold")
	}
	return strings.Join(words, ", ")
}

// ShowSession prints what there is to know of a session without its content.
func (d Desk) ShowSession(ctx context.Context, session uuid.UUID, asJSON bool) error {
	return show(ctx, d, "ShowSession", session, asJSON, readSession)
}

func readSession(table io.Writer, s SessionDetails) {
	row(table, "session", s.ID)
	row(table, "started", moment(s.Started)+" by "+s.Initiator)
	row(table, "condition", s.condition())
	row(table, "records", s.Records)
	row(table, "grants", fmt.Sprintf("%d living, %d revoked, %d expired", s.Grants.Living, s.Grants.Revoked, s.Grants.Expired))
	row(table, "options", s.Options.words())
	row(table)
	row(table, "MEMBER", "ADDRESS", "NAME", "STATE", "GRANT", "ENDPOINTS")
	for _, m := range s.People {
		row(table, m.ID, m.Address, m.Name, m.state(), m.Grant, strings.Join(m.Endpoints, ", "))
	}
}

func (o SessionOptions) words() string {
	var words []string
	for _, option := range []struct {
		set  bool
		word string
	}{
		{o.MatrixKeeps, "Matrix servers may keep it"},
		{o.MembersInvite, "members may invite"},
		{o.HideAddresses, "addresses are hidden"},
		{o.NewcomersFromNow, "newcomers see only what follows"},
		{o.KeepFor != "", "kept for " + o.KeepFor},
		{o.ExpiresAt != "", "ends at " + o.ExpiresAt},
	} {
		if option.set {
			words = append(words, option.word)
		}
	}
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}

func (m MemberDetails) state() string {
	state := m.State
	if m.Role == "initiator" {
		state += ", initiator"
	}
	if m.Blind {
		state += ", blind copy"
	}
	if m.Blocked {
		state += ", has blocked the inviter"
	}
	return state
}

// CloseSession closes a session.
func (d Desk) CloseSession(ctx context.Context, session uuid.UUID) error {
	return d.say(ctx, "CloseSession", session)
}

// RevokeMember ends the grant of a member, named by id or address.
func (d Desk) RevokeMember(ctx context.Context, session uuid.UUID, who string, removeSaid bool) error {
	return d.say(ctx, "RevokeMember", SessionAct{Session: session, Who: who, RemoveSaid: removeSaid})
}

// HoldSession puts a session on legal hold, or takes the hold off.
func (d Desk) HoldSession(ctx context.Context, session uuid.UUID, on bool) error {
	return d.say(ctx, "HoldSession", SessionAct{Session: session, On: on})
}
