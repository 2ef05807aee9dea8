package bridge

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Invitee is somebody to be invited, by the address that the initiator wrote.
type Invitee struct {
	Address Address
	Name    string
	// Blind is a blind copy (Bcc): the others do not see them before they say
	// something. Only at the start of a session.
	Blind bool
	// ExpiresAt ends the grant: from then on it is for reading only. Zero: never.
	ExpiresAt time.Time
}

// StartRequest asks for a new session.
type StartRequest struct {
	By       Identity
	Subject  string
	Body     Body // the first message; may be empty
	Lang     string
	Invitees []Invitee
	Options  Options
	Origin   Origin
	// MessageID is that of the mail that started it, without brackets, so that
	// the invitations stand in its thread; else "".
	MessageID string
	Received  []byte // the mail as it was received, if it is to be kept
}

// MayStart says if the identity may start sessions: nil, or Forbidden.
func (s *Service) MayStart(by Identity) error {
	for _, a := range s.config.Directory.Addresses(by.Address) {
		if !by.Address.IsZero() && s.config.Allow.Allows(a) {
			return nil
		}
	}
	return &Error{Forbidden, "You may not start sessions here. Ask the people who run this service to allow your address."}
}

// Start makes a session of what an initiator wrote. The same Origin is one
// session: a repeat returns it again. Errors: Forbidden, Invalid (nobody to
// invite), TooMany.
func (s *Service) Start(ctx context.Context, r StartRequest) (*Room, error) {
	if err := s.MayStart(r.By); err != nil {
		return nil, err
	}
	id := uuid.New()
	room, err := s.draft(id, r)
	if err != nil {
		return nil, err
	}
	err = s.store.Write(ctx, id, func(tx Tx) error {
		id = room.Session.ID
		known, taken, err := intake(ctx, tx, r.Origin, id)
		if err != nil || taken {
			id = known
			return err
		}
		if err := s.countStart(ctx, tx, r.By.Address); err != nil {
			return err
		}
		return s.addSession(ctx, tx, room, r)
	})
	if err != nil {
		return nil, err
	}
	s.announce(id)
	return s.Room(ctx, id)
}

// intake claims an origin for a session, or finds the one that has it.
func intake(ctx context.Context, tx Tx, o Origin, session uuid.UUID) (known uuid.UUID, taken bool, err error) {
	added, err := tx.AddIntake(ctx, o, session)
	if err != nil || added {
		return session, false, err
	}
	known, ok, err := tx.GetIntake(ctx, o)
	if err == nil && !ok {
		err = &Error{Conflict, "The same request is being worked on. Please try again."}
	}
	return known, true, err
}

// draft makes the room that the request asks for, in memory.
func (s *Service) draft(id uuid.UUID, r StartRequest) (*Room, error) {
	if len(r.Body.Text) > MaxBody || len(r.Body.HTML) > MaxBody {
		return nil, errTooLong
	}
	if err := checkLabels(r.Origin, r.Lang); err != nil {
		return nil, err
	}
	if err := r.Options.check(s.now()); err != nil {
		return nil, err
	}
	room := &Room{Session: Session{
		ID: id, Subject: r.Subject, State: Open, Options: r.Options, Lang: r.Lang, CreatedAt: s.now(), MessageID: r.MessageID,
	}}
	if r.Options.OffRecord {
		room.Session.Keeper = s.config.Node
	}
	initiator := s.newMember(room, Invitee{Address: r.By.Address, Name: r.By.Name})
	initiator.Role, initiator.State, initiator.Lang = Initiator, Joined, r.Lang
	room.Members = append(room.Members, initiator)
	if _, err := s.addInvitees(room, initiator, 0, r.Invitees); err != nil {
		return nil, err
	}
	switch n := len(room.Members) - 1; {
	case n == 0:
		return nil, &Error{Invalid, "There is nobody to talk with. Write to at least one other person beside this address."}
	case n > MaxRecipients:
		return nil, errTooManyRecipients
	}
	return room, nil
}

var (
	errTooManyRecipients = &Error{TooMany, "A session can have at most " + itoa(MaxRecipients) + " recipients. Write to fewer people at once."}
	errTooLong           = &Error{TooMany, "That message is too long. A message can have at most " + itoa(MaxBody>>10) + " KiB; send the rest in another one."}
)

var errBlindLater = &Error{Invalid, "Somebody can be a blind copy only from the start of a session, and needs an email address for it."}

// addInvitees adds the people who are not in the room yet and returns them:
// those whom everybody is shown first, so that a number tells of nobody else.
func (s *Service) addInvitees(room *Room, inviter Member, round int, invitees []Invitee) ([]Member, error) {
	before := len(room.Members)
	for _, blind := range []bool{false, true} {
		for _, i := range invitees {
			if i.Blind != blind {
				continue
			}
			m := s.newMember(room, i)
			if room.hasAny(m.Endpoints) {
				continue
			}
			m.Inviter, m.Round, m.Blind = inviter.ID, round, blind
			if blind {
				if m.Round = blindRound; round != 0 || m.Email().IsZero() {
					return nil, errBlindLater
				}
			}
			if room.Session.Options.NewcomersFromNow {
				m.FromSeq = room.Session.Head
			}
			if !room.Session.reaches(Matrix) && m.only(Matrix) {
				return nil, errOffRecordOnly
			}
			room.Members = append(room.Members, m)
		}
	}
	return room.Members[before:], nil
}

// only says that a member can be reached by one network alone.
func (m Member) only(n Network) bool {
	return !slices.ContainsFunc(m.Endpoints, func(e Endpoint) bool { return e.Address.Network != n })
}

func (r *Room) hasAny(endpoints []Endpoint) bool {
	for _, e := range endpoints {
		if _, ok := r.ByAddress(e.Address); ok {
			return true
		}
	}
	return false
}

// newMember makes the next member of a room, with every address that the
// directory knows for them.
func (s *Service) newMember(room *Room, i Invitee) Member {
	m := Member{
		ID: uuid.New(), Number: len(room.Members) + 1, Name: i.Name, Address: i.Address,
		Role: Participant, State: Invited, Grant: Grant{ID: uuid.New(), ExpiresAt: i.ExpiresAt},
	}
	if posesAsAddress(m.Name) {
		m.Name = ""
	}
	if m.Name == "" && room.Session.Options.HideAddresses && m.Number > 1 {
		m.Name = guestName(m.Number) // a part of the address would be shown else
	}
	for _, a := range s.config.Directory.Addresses(i.Address) {
		m.Endpoints = append(m.Endpoints, Endpoint{a, EndpointMapped})
	}
	return m
}

func (s *Service) addSession(ctx context.Context, tx Tx, room *Room, r StartRequest) error {
	if err := tx.AddSession(ctx, room.Session); err != nil {
		return err
	}
	if _, _, err := tx.LockSession(ctx, room.Session.ID); err != nil {
		return err
	}
	initiator := room.Members[0]
	if err := s.addMembers(ctx, tx, room, room.Members, initiator, r.By); err != nil {
		return err
	}
	initiator = room.Members[0]
	if err := s.countInvitations(ctx, tx, initiator.Address, room.Members[1:]); err != nil {
		return err
	}
	started := s.record(room, KindStarted, initiator.ID, r.By.Via)
	started.Subject, started.Lang = r.Subject, r.Lang
	if _, _, err := tx.Append(ctx, started); err != nil {
		return err
	}
	if err := s.appendInvited(ctx, tx, room, initiator, room.Members[1:], r.By.Via); err != nil {
		return err
	}
	if r.Body == (Body{}) {
		return nil
	}
	first := s.record(room, KindMessage, initiator.ID, r.By.Via)
	first.Origin, first.Body, first.Lang = r.Origin, r.Body, r.Lang
	if r.Options.OffRecord {
		r.Received = nil
	}
	return s.appendReceived(ctx, tx, first, r.Received)
}

// addMembers writes new members with their persons, endpoints, tokens and lanes.
func (s *Service) addMembers(ctx context.Context, tx Tx, room *Room, members []Member, inviter Member, by Identity) error {
	for i := range members {
		person, err := s.person(ctx, tx, members[i], by)
		if err != nil {
			return err
		}
		members[i].Person = person
		if members[i].ID == inviter.ID {
			inviter.Person = person
		}
	}
	if err := s.withhold(ctx, tx, inviter, members); err != nil {
		return err
	}
	for _, m := range members {
		if err := tx.AddMember(ctx, room.Session.ID, m); err != nil {
			return err
		}
		if err := s.addTokens(ctx, tx, room.Session.ID, m); err != nil {
			return err
		}
		if err := s.addLanes(ctx, tx, room.Session, m); err != nil {
			return err
		}
	}
	return nil
}

// addLanes makes the lanes that lead to a member's endpoints. A session has no
// Matrix room and no MUC traffic before somebody there belongs to it; then the
// room gets the log from its start. Mails begin with the member's invitation,
// which shows what was said before.
func (s *Service) addLanes(ctx context.Context, tx Tx, session Session, m Member) error {
	for _, e := range m.Endpoints {
		n := e.Address.Network
		if !s.networks[n] || !session.reaches(n) || m.Blind && n != Mail {
			continue
		}
		lane, after := Destination(n), int64(0)
		if n == Mail {
			lane, after = ToMail(m.ID), session.Head
		}
		if err := tx.AddLane(ctx, session.ID, lane, after); err != nil {
			return err
		}
	}
	return nil
}

// person finds or makes the person who has the member's addresses.
func (s *Service) person(ctx context.Context, tx Tx, m Member, by Identity) (uuid.UUID, error) {
	person := uuid.New()
	for _, e := range m.Endpoints {
		known, ok, err := tx.GetPerson(ctx, e.Address)
		if err != nil {
			return uuid.Nil, err
		}
		if ok {
			person = known
			break
		}
	}
	for _, e := range m.Endpoints {
		how := "directory"
		switch e.Address {
		case by.Address:
			how = string(by.Via)
		case m.Address:
			how = "invited"
		}
		added, err := tx.AddAddress(ctx, person, e.Address, how, s.now())
		if err != nil {
			return uuid.Nil, err
		}
		if added {
			continue
		}
		// Somebody has it: the person found above, or one made at this moment.
		if known, ok, err := tx.GetPerson(ctx, e.Address); err != nil {
			return uuid.Nil, err
		} else if ok && e.Address == m.Address {
			person = known
		}
	}
	return person, nil
}

func (s *Service) appendInvited(ctx context.Context, tx Tx, room *Room, by Member, invited []Member, via Network) error {
	for _, m := range invited {
		if m.Blind {
			continue
		}
		r := s.record(room, KindInvited, by.ID, via)
		r.Target = m.ID
		if _, _, err := tx.Append(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// record makes a record of our own: its origin is its id.
func (s *Service) record(room *Room, kind Kind, member uuid.UUID, via Network) Record {
	id := uuid.Must(uuid.NewV7())
	return Record{
		Session: room.Session.ID, ID: id, Kind: kind, Member: member,
		At: s.now().Truncate(time.Microsecond), Origin: Origin{via, "mailroom:" + id.String()},
	}
}

func (s *Service) appendReceived(ctx context.Context, tx Tx, r Record, raw []byte) error {
	stored, repeat, err := tx.Append(ctx, r)
	if err != nil || repeat || len(raw) == 0 {
		return err
	}
	return tx.AddReceived(ctx, stored.Session, stored.Seq, raw)
}
