package bridge

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Erasure overwrites what was said, as received, its translations and what is
// held, in the transaction that appends the record which tells the networks.

var errOnHold = &Error{Forbidden, "This session is on legal hold: nothing that was said in it can be taken away. Ask the people who run this service."}

// RemoveSaid takes away everything that a member has said so far. Errors:
// NotFound, Forbidden (on hold, too).
func (s *Service) RemoveSaid(ctx context.Context, session uuid.UUID, by Identity, member uuid.UUID) error {
	return s.change(ctx, session, func(tx Tx, room *Room) error {
		remover, err := gate(room, by, ActRemove, s.now())
		if err != nil {
			return err
		}
		if _, ok := room.Member(member); !ok {
			return errNoMember
		}
		if room.Session.OnHold {
			return errOnHold
		}
		if err := s.audit(ctx, tx, room, by, ActRemove, member.String()); err != nil {
			return err
		}
		return s.eraseSaid(ctx, tx, room, remover, member, by.Via)
	})
}

// eraseSaid empties what a member said so far; of uuid.Nil what everybody did.
func (s *Service) eraseSaid(ctx context.Context, tx Tx, room *Room, by Member, member uuid.UUID, via Network) error {
	row, _, err := tx.LockSession(ctx, room.Session.ID)
	if err != nil {
		return err
	}
	return s.eraseUpTo(ctx, tx, room, by, member, row.Head, via)
}

func (s *Service) eraseUpTo(ctx context.Context, tx Tx, room *Room, by Member, member uuid.UUID, upTo int64, via Network) error {
	n, err := tx.EraseRecords(ctx, room.Session.ID, member, upTo)
	if err != nil || n == 0 {
		return err
	}
	return s.tellErased(ctx, tx, room, by, member, upTo, via)
}

// tellErased appends the record by which the networks learn what to take away.
func (s *Service) tellErased(ctx context.Context, tx Tx, room *Room, by Member, member uuid.UUID, upTo int64, via Network) error {
	if member != uuid.Nil {
		if err := s.eraseSubject(ctx, tx, room); err != nil {
			return err
		}
	}
	r := s.record(room, KindErased, by.ID, via)
	r.Target, r.Ref = member, upTo
	if _, _, err := tx.Append(ctx, r); err != nil {
		return err
	}
	return grown(ctx, tx, room)
}

// eraseWholly is eraseSaid of a person: the networks are told of one who said
// nothing, too, because they know the name.
func (s *Service) eraseWholly(ctx context.Context, tx Tx, room *Room, member uuid.UUID, via Network) error {
	row, _, err := tx.LockSession(ctx, room.Session.ID)
	if err != nil {
		return err
	}
	if _, err := tx.EraseRecords(ctx, room.Session.ID, member, row.Head); err != nil {
		return err
	}
	return s.tellErased(ctx, tx, room, Member{}, member, row.Head, via)
}

// eraseSubject makes the subject what the log says of it now: nothing, if who
// wrote it was erased.
func (s *Service) eraseSubject(ctx context.Context, tx Tx, room *Room) error {
	subject, err := tx.GetSubject(ctx, room.Session.ID)
	room.Session.Subject = subject
	return err
}

// Erasure says what became of one session when a person was erased.
type Erasure struct {
	Session uuid.UUID
	// Kept is set when the session is on hold: nothing was touched.
	Kept bool
}

// Erase takes a person's data away: what they said, their names and addresses
// as a member, what waits to be mailed to them, and what is known of the
// person. Who was the initiator leaves the session without one: it is closed.
// Sessions on hold are left as they are, and the person with them. Native
// addresses go as soon as their networks have taken the person out. Errors:
// NotFound for an address that is not known.
func (s *Service) Erase(ctx context.Context, by Identity, a Address) ([]Erasure, error) {
	if err := operate(by); err != nil {
		return nil, err
	}
	person, ok, err := s.store.GetPerson(ctx, a)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, &Error{NotFound, "Nobody here has the address " + a.String() + "."}
	}
	sessions, err := s.store.ListMemberships(ctx, person)
	if err != nil {
		return nil, err
	}
	var erasures []Erasure
	kept := false
	for _, session := range sessions {
		e := Erasure{Session: session}
		err := s.change(ctx, session, func(tx Tx, room *Room) (err error) {
			if _, err := gate(room, by, ActErase, s.now()); err != nil {
				return err
			}
			if e.Kept = room.Session.OnHold; e.Kept {
				return nil
			}
			return s.erasePerson(ctx, tx, room, by, person)
		})
		if err != nil {
			return erasures, err
		}
		kept = kept || e.Kept
		erasures = append(erasures, e)
	}
	err = s.store.Write(ctx, uuid.Nil, func(tx Tx) error {
		if !kept {
			if err := tx.ErasePerson(ctx, person); err != nil {
				return err
			}
		}
		return tx.AddAudit(ctx, AuditEntry{ID: uuid.Must(uuid.NewV7()), At: s.now(), Who: auditor(by), Act: ActErase, About: s.pseudonym(a)})
	})
	if err != nil {
		return erasures, err
	}
	return erasures, s.store.Scrub(ctx)
}

// pseudonym stands for an address that must not be written down any more: who
// knows the address can find it again.
func (s *Service) pseudonym(a Address) string {
	return "address " + s.opaqueText("pseudonym", a.String())[:12]
}

func (s *Service) erasePerson(ctx context.Context, tx Tx, room *Room, by Identity, person uuid.UUID) error {
	for _, m := range room.Members {
		if m.Person != person {
			continue
		}
		if err := s.eraseWholly(ctx, tx, room, m.ID, by.Via); err != nil {
			return err
		}
		if !m.Grant.Revoked || m.State != Revoked {
			r := s.record(room, KindRevoked, uuid.Nil, by.Via)
			r.Target = m.ID
			if _, _, err := tx.Append(ctx, r); err != nil {
				return err
			}
		}
		if m.Role == Initiator && room.Session.State == Open {
			if err := s.endSession(ctx, tx, room, Member{}, by.Via); err != nil {
				return err
			}
		}
		if err := tx.EraseMember(ctx, room.Session.ID, m); err != nil {
			return err
		}
	}
	if err := grown(ctx, tx, room); err != nil {
		return err
	}
	return s.overWhenEmpty(ctx, tx, room)
}

// Retain empties the messages that are older than their session, or the
// installation, keeps them.
func (s *Service) Retain(ctx context.Context) (sessions int, err error) {
	due, err := s.store.ListPastKeeping(ctx, s.now(), s.config.KeepFor)
	if err != nil {
		return 0, err
	}
	for session, upTo := range due {
		err := s.change(ctx, session, func(tx Tx, room *Room) error {
			if room.Session.OnHold {
				return nil
			}
			return s.eraseUpTo(ctx, tx, room, Member{}, uuid.Nil, upTo, Web)
		})
		if err != nil {
			return sessions, err
		}
		sessions++
	}
	if sessions > 0 {
		err = s.store.Scrub(ctx)
	}
	return sessions, err
}

// Hold puts a session on legal hold, or takes the hold off. Errors: NotFound,
// Forbidden.
func (s *Service) Hold(ctx context.Context, session uuid.UUID, by Identity, on bool) error {
	return s.change(ctx, session, func(tx Tx, room *Room) error {
		if _, err := gate(room, by, ActHold, s.now()); err != nil {
			return err
		}
		if room.Session.Options.OffRecord {
			return &Error{Invalid, "An off-the-record session keeps nothing that could be held."}
		}
		room.Session.OnHold = on
		about := "off"
		if on {
			about = "on"
		}
		if err := s.audit(ctx, tx, room, by, ActHold, about); err != nil {
			return err
		}
		return grown(ctx, tx, room)
	})
}

// PersonData is everything that is kept of a person, for them to have.
type PersonData struct {
	Addresses []string        `json:"addresses"`
	Presence  PresenceSetting `json:"presence"`
	Chosen    []string        `json:"chosen,omitempty"`
	Blocks    []string        `json:"blocked,omitempty"`
	SignIns   []SignIn        `json:"sign_ins,omitempty"`
	Sessions  []PersonSession `json:"sessions"`
}

// PersonSession is a person's part in one session.
type PersonSession struct {
	ID       uuid.UUID       `json:"id"`
	Subject  string          `json:"subject"`
	Name     string          `json:"name"`
	Role     Role            `json:"role"`
	State    MemberState     `json:"state"`
	Messages []PersonMessage `json:"messages,omitempty"`
}

// PersonMessage is something that the person said.
type PersonMessage struct {
	At   time.Time `json:"at"`
	Via  Network   `json:"via"`
	Text string    `json:"text"`
	HTML string    `json:"html,omitempty"`
}

// ExportPerson collects everything of a person. Errors: NotFound, Forbidden.
func (s *Service) ExportPerson(ctx context.Context, by Identity, a Address) (PersonData, error) {
	if err := operate(by); err != nil && (by.Address != a || by.Grant != uuid.Nil) {
		return PersonData{}, err
	}
	as := Identity{Via: Web, Address: a}
	person, ok, err := s.store.GetPerson(ctx, a)
	if err != nil {
		return PersonData{}, err
	}
	if !ok {
		return PersonData{}, &Error{NotFound, "Nobody here has the address " + a.String() + "."}
	}
	data, err := s.personData(ctx, as, person)
	if err != nil || !by.Admin {
		return data, err
	}
	return data, s.store.Write(ctx, uuid.Nil, func(tx Tx) error {
		return tx.AddAudit(ctx, AuditEntry{ID: uuid.Must(uuid.NewV7()), At: s.now(), Who: auditor(by), Act: "export", About: a.String()})
	})
}

func (s *Service) personData(ctx context.Context, as Identity, person uuid.UUID) (data PersonData, err error) {
	addresses, err := s.store.ListAddresses(ctx, person)
	if err != nil {
		return data, err
	}
	setting, chosen, err := s.Presence(ctx, as)
	if err != nil {
		return data, err
	}
	blocks, err := s.store.ListBlocks(ctx, person)
	if err != nil {
		return data, err
	}
	data.Addresses, data.Presence, data.Chosen = texts(addresses), setting, texts(chosen)
	for _, b := range blocks {
		data.Blocks = append(data.Blocks, b.Address.String())
	}
	if data.SignIns, err = s.store.ListSignIns(ctx, addresses); err != nil {
		return data, err
	}
	sessions, err := s.store.ListMemberships(ctx, person)
	if err != nil {
		return data, err
	}
	for _, session := range sessions {
		part, err := s.personSession(ctx, session, person)
		if err != nil {
			return data, err
		}
		data.Sessions = append(data.Sessions, part...)
	}
	return data, nil
}

func texts(addresses []Address) []string {
	list := make([]string, len(addresses))
	for i, a := range addresses {
		list[i] = a.String()
	}
	return list
}

// personSession is each membership of a person in a session: there is one.
func (s *Service) personSession(ctx context.Context, session, person uuid.UUID) (parts []PersonSession, err error) {
	room, err := s.Room(ctx, session)
	if err != nil {
		return nil, err
	}
	for _, m := range room.Members {
		if m.Person != person {
			continue
		}
		p := PersonSession{ID: session, Subject: room.Session.Subject, Name: m.Name, Role: m.Role, State: m.State}
		for after := int64(0); ; {
			records, err := s.store.ListRecords(ctx, session, after, MaxPage)
			if err != nil {
				return nil, err
			}
			for _, r := range records {
				if r.Kind == KindMessage && r.Member == m.ID && !r.Erased {
					p.Messages = append(p.Messages, PersonMessage{r.At, r.Via(), r.Body.Text, r.Body.HTML})
				}
				after = r.Seq
			}
			if len(records) < MaxPage {
				break
			}
		}
		parts = append(parts, p)
	}
	return parts, nil
}
