package bridge

import (
	"context"

	"github.com/google/uuid"
)

// PostRequest is something said in a session.
type PostRequest struct {
	Session  uuid.UUID
	By       Identity
	Body     Body
	Lang     string
	Origin   Origin
	Received []byte // as it was received, if it is to be kept
}

// Post appends a message and returns its record after the commit: acknowledge
// then. The same Origin is one message: a repeat returns the first record. A
// recipient who posts has responded, and joins by it. Errors: NotFound,
// Closed, Invalid (nothing said), TooMany (longer than MaxBody).
func (s *Service) Post(ctx context.Context, p PostRequest) (Record, error) {
	if err := p.check(); err != nil {
		return Record{}, err
	}
	var stored Record
	err := s.change(ctx, p.Session, func(tx Tx, room *Room) error {
		member, err := gate(room, p.By, ActWrite, s.now())
		if err != nil {
			return err
		}
		if err := s.respond(ctx, tx, room, &member, p.By); err != nil {
			return err
		}
		stored, err = s.say(ctx, tx, room, member, p)
		return err
	})
	return stored, err
}

func (p PostRequest) check() error {
	switch {
	case p.Body == (Body{}):
		return &Error{Invalid, "There is nothing in that message. Write something first."}
	case len(p.Body.Text) > MaxBody || len(p.Body.HTML) > MaxBody:
		return errTooLong
	case p.Origin.ID == "" || len(p.Origin.ID) > MaxOrigin:
		return &Error{Invalid, "The id of that message is missing or longer than " + itoa(MaxOrigin) + " bytes."}
	}
	return nil
}

func (s *Service) say(ctx context.Context, tx Tx, room *Room, member Member, p PostRequest) (Record, error) {
	r := s.record(room, KindMessage, member.ID, p.By.Via)
	r.Origin, r.Body, r.Lang = p.Origin, p.Body, p.Lang
	if r.Lang == "" {
		r.Lang = member.Lang
	}
	stored, repeat, err := tx.Append(ctx, r)
	if err != nil || repeat || len(p.Received) == 0 {
		return stored, err
	}
	return stored, tx.AddReceived(ctx, stored.Session, stored.Seq, p.Received)
}

// respond makes a recipient who acts a member of the audience, and notes by
// which endpoint they are inside now.
func (s *Service) respond(ctx context.Context, tx Tx, room *Room, m *Member, by Identity) error {
	inside := m.State == Joined
	e, native := m.endpointOf(by)
	if inside && (!native || e.State == EndpointJoined) {
		return nil
	}
	if native && e.State != EndpointJoined {
		if err := tx.SetEndpoint(ctx, room.Session.ID, Endpoint{e.Address, EndpointJoined}); err != nil {
			return err
		}
	}
	if !inside {
		m.State = Joined
		if m.Name == "" {
			m.Name = by.Name
		}
		if err := tx.SetMember(ctx, room.Session.ID, *m); err != nil {
			return err
		}
		if _, _, err := tx.Append(ctx, s.record(room, KindJoined, m.ID, by.Via)); err != nil {
			return err
		}
	}
	return grown(ctx, tx, room)
}

// endpointOf is the endpoint of a room network by which the identity acts.
// Mail and web have no inside: a mailbox is always reachable, a browser says
// what it has read.
func (m Member) endpointOf(by Identity) (Endpoint, bool) {
	if by.Via != Matrix && by.Via != XMPP {
		return Endpoint{}, false
	}
	for _, e := range m.Endpoints {
		if e.Address == by.Address {
			return e, true
		}
	}
	return Endpoint{}, false
}

// SetSubject changes the subject; only the initiator may.
func (s *Service) SetSubject(ctx context.Context, session uuid.UUID, by Identity, subject string, o Origin) (Record, error) {
	var stored Record
	err := s.change(ctx, session, func(tx Tx, room *Room) error {
		member, err := gate(room, by, ActSubject, s.now())
		if err != nil {
			return err
		}
		r := s.record(room, KindSubject, member.ID, by.Via)
		r.Origin, r.Subject = o, subject
		var repeat bool
		if stored, repeat, err = tx.Append(ctx, r); err != nil || repeat {
			return err
		}
		room.Session.Subject = subject
		return grown(ctx, tx, room)
	})
	return stored, err
}
