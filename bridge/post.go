package bridge

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"

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
		if err != nil || member.State != Joined {
			// The same words once more are no new act: they change nothing, and are
			// acknowledged even if new ones would be refused by now.
			repeat, ok, lookup := s.repeated(ctx, tx, room, p)
			if lookup != nil || ok {
				stored = repeat
				return lookup
			}
		}
		if err != nil {
			return err
		}
		if err := room.Session.refuses(p.By.Via); err != nil {
			return err
		}
		if err := s.pace.allow(member.ID, s.now()); err != nil {
			return err
		}
		if err := s.respond(ctx, tx, room, &member, p.By); err != nil {
			return err
		}
		if err := s.reveal(ctx, tx, room, &member, p.By); err != nil {
			return err
		}
		stored, err = s.say(ctx, tx, room, member, p)
		return err
	})
	return stored, err
}

// reveal shows a blind copy to everybody, since they are about to speak.
func (s *Service) reveal(ctx context.Context, tx Tx, room *Room, m *Member, by Identity) error {
	if !m.Blind {
		return nil
	}
	m.Blind = false
	if err := tx.SetMember(ctx, room.Session.ID, *m); err != nil {
		return err
	}
	if err := s.addLanes(ctx, tx, room.Session, *m); err != nil {
		return err
	}
	if err := s.tellOf(ctx, tx, room, *m, KindJoined, by.Via); err != nil {
		return err
	}
	return grown(ctx, tx, room)
}

// repeated finds the record of a post that its own author sends again.
func (s *Service) repeated(ctx context.Context, tx Tx, room *Room, p PostRequest) (Record, bool, error) {
	author, ok := room.identify(p.By)
	if !ok {
		return Record{}, false, nil
	}
	r, ok, err := tx.GetOrigin(ctx, p.Session, p.Origin)
	return r, ok && r.Member == author.ID, err
}

func (p PostRequest) check() error {
	switch {
	case p.Body == (Body{}):
		return &Error{Invalid, "There is nothing in that message. Write something first."}
	case len(p.Body.Text) > MaxBody || len(p.Body.HTML) > MaxBody:
		return errTooLong
	}
	return checkLabels(p.Origin, p.Lang)
}

// MaxLang is the longest language tag taken, in bytes (RFC 5646 §4.4.1).
const MaxLang = 35

// checkLabels refuses ids and language tags that some network or database
// could not carry.
func checkLabels(o Origin, lang string) error {
	if o.ID == "" || len(o.ID) > MaxOrigin || !utf8.ValidString(o.ID) || strings.ContainsFunc(o.ID, unicode.IsControl) {
		return &Error{Invalid, "The id of that message is missing, longer than " + itoa(MaxOrigin) + " bytes, or has control characters in it."}
	}
	for _, c := range lang {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-'
		if !letter || len(lang) > MaxLang {
			return &Error{Invalid, "The language of that message is no language tag. Write one like en or pt-BR, or leave it out."}
		}
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
	if err != nil || repeat || len(p.Received) == 0 || room.Session.Options.OffRecord {
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
		m.State, m.Withheld = Joined, false
		if m.Name == "" && !posesAsAddress(by.Name) {
			m.Name = by.Name
		}
		if err := tx.SetMember(ctx, room.Session.ID, *m); err != nil {
			return err
		}
		if err := s.tellOf(ctx, tx, room, *m, KindJoined, by.Via); err != nil {
			return err
		}
	}
	return grown(ctx, tx, room)
}

// posesAsAddress says if a name looks like an address: the address is who
// somebody is, and nobody may show another's in its place.
func posesAsAddress(name string) bool { return strings.Contains(name, "@") }

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
	if err := checkLabels(o, ""); err != nil {
		return stored, err
	}
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
