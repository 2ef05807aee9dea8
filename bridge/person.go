package bridge

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
)

// What belongs to a person is theirs in every session. Only who proved an
// address acts as its person: the grant of one session is not enough.

var errNobody = &Error{NotFound, "Sign in first, by the link that we mail to your address."}

// personOf finds the person of a proved address.
func (s *Service) personOf(ctx context.Context, r Reader, by Identity) (uuid.UUID, bool, error) {
	if by.Address.IsZero() || by.Grant != uuid.Nil {
		return uuid.Nil, false, errNobody
	}
	return r.GetPerson(ctx, by.Address)
}

// ensurePerson makes the person if the address was never seen, with all that the
// directory knows of them: else another of their addresses would be somebody else.
func (s *Service) ensurePerson(ctx context.Context, tx Tx, by Identity) (uuid.UUID, error) {
	person, ok, err := s.personOf(ctx, tx, by)
	if err != nil || ok {
		return person, err
	}
	m := Member{Address: by.Address}
	for _, a := range s.config.Directory.Addresses(by.Address) {
		m.Endpoints = append(m.Endpoints, Endpoint{Address: a})
	}
	return s.person(ctx, tx, m, by)
}

// sessionsOf lists the sessions in which any address of the person holds a
// grant, newest first.
func (s *Service) sessionsOf(ctx context.Context, by Identity) ([]Session, error) {
	person, ok, err := s.personOf(ctx, s.store, by)
	if err != nil || !ok {
		return nil, err
	}
	return s.store.ListSessionsOf(ctx, person)
}

// Reach is one session through which somebody can be reached.
type Reach struct {
	Session   Session
	Condition Condition
	Me        Member
	Inviter   Member   // who invited Me, as Me is shown them; zero for who started it
	People    []Member // the others who hold a grant, as Me is shown them
}

// Reaches lists every way in which a person can be reached, the latest first.
// Errors: NotFound.
func (s *Service) Reaches(ctx context.Context, by Identity) ([]Reach, error) {
	sessions, err := s.sessionsOf(ctx, by)
	if err != nil {
		return nil, err
	}
	var reaches []Reach
	for _, session := range sessions {
		reach, err := s.reach(ctx, session.ID, by)
		if CodeOf(err) == NotFound {
			continue // ended at this moment
		}
		if err != nil {
			return nil, err
		}
		reaches = append(reaches, reach)
	}
	return reaches, nil
}

func (s *Service) reach(ctx context.Context, session uuid.UUID, by Identity) (Reach, error) {
	who, err := s.memberBy(ctx, session, by)
	if err != nil {
		return Reach{}, err
	}
	room, me, err := s.View(ctx, session, who)
	if err != nil {
		return Reach{}, err
	}
	reach := Reach{Session: room.Session, Condition: room.Session.Condition(s.now()), Me: me}
	if me.Role != Initiator {
		reach.Inviter = room.InviterOf(me)
	}
	for _, m := range room.Members {
		if m.ID != me.ID && !m.Gone() {
			reach.People = append(reach.People, m)
		}
	}
	return reach, nil
}

// memberBy is the identity of a person in one session, by whichever of their
// addresses is a member there.
func (s *Service) memberBy(ctx context.Context, session uuid.UUID, by Identity) (Identity, error) {
	person, ok, err := s.personOf(ctx, s.store, by)
	if err != nil {
		return by, err
	}
	room, err := s.Room(ctx, session)
	if err != nil {
		return by, err
	}
	for _, m := range room.Members {
		if ok && m.Person == person && !m.Grant.Revoked {
			return Identity{Via: by.Via, Grant: m.Grant.ID}, nil
		}
	}
	return by, nil
}

// End gives back the grant by which a person can be reached through a session.
// Errors: NotFound, Forbidden (the initiator).
func (s *Service) End(ctx context.Context, session uuid.UUID, by Identity) error {
	who, err := s.memberBy(ctx, session, by)
	if err != nil {
		return err
	}
	return s.Decline(ctx, session, who)
}

// Blocked is somebody whom a person does not want to hear from.
type Blocked struct {
	Address Address
	At      time.Time
}

// Blocks lists whom a person has blocked. Errors: NotFound.
func (s *Service) Blocks(ctx context.Context, by Identity) ([]Blocked, error) {
	person, ok, err := s.personOf(ctx, s.store, by)
	if err != nil || !ok {
		return nil, err
	}
	return s.store.ListBlocks(ctx, person)
}

// Block ends every grant that the address gave to the person, and lets it give
// none again: what it starts later reaches everybody else and not them, and
// looks to it like an invitation without an answer. Sessions that others
// started stay. Errors: NotFound, Invalid (oneself), TooMany.
func (s *Service) Block(ctx context.Context, by Identity, whom Address) error {
	var blocker uuid.UUID
	err := s.store.Write(ctx, uuid.Nil, func(tx Tx) error {
		person, err := s.ensurePerson(ctx, tx, by)
		if err != nil {
			return err
		}
		other, known, err := tx.GetPerson(ctx, whom)
		if err != nil {
			return err
		}
		if known && other == person || whom == by.Address {
			return &Error{Invalid, "That is your own address."}
		}
		blocks, err := tx.ListBlocks(ctx, person)
		if err != nil {
			return err
		}
		if len(blocks) >= MaxChosen {
			return &Error{TooMany, "You can block " + itoa(MaxChosen) + " addresses at the most."}
		}
		blocker = person
		return tx.AddBlock(ctx, person, Blocked{whom, s.now()})
	})
	if err != nil {
		return err
	}
	return s.endGrantsFrom(ctx, blocker, by, whom)
}

// endGrantsFrom ends what the address gave the person before it was blocked.
func (s *Service) endGrantsFrom(ctx context.Context, person uuid.UUID, by Identity, whom Address) error {
	sessions, err := s.store.ListSessionsOf(ctx, person)
	if err != nil {
		return err
	}
	for _, session := range sessions {
		err := s.change(ctx, session.ID, func(tx Tx, room *Room) error {
			for _, m := range room.Members {
				inviter := room.InviterOf(m)
				if m.Person != person || m.Role == Initiator || m.Grant.Revoked || !s.samePerson(ctx, tx, inviter, whom) {
					continue
				}
				return s.giveBack(ctx, tx, room, m, by.Via)
			}
			return nil
		})
		if err != nil && CodeOf(err) != NotFound {
			return err
		}
	}
	return nil
}

// samePerson says if an address is one of a member's person.
func (s *Service) samePerson(ctx context.Context, r Reader, m Member, a Address) bool {
	if m.hasAny([]Address{a}) {
		return true
	}
	person, ok, err := r.GetPerson(ctx, a)
	return err == nil && ok && person == m.Person
}

// Unblock lets the address give grants again; what was ended stays so.
func (s *Service) Unblock(ctx context.Context, by Identity, whom Address) error {
	return s.store.Write(ctx, uuid.Nil, func(tx Tx) error {
		person, ok, err := s.personOf(ctx, tx, by)
		if err != nil || !ok {
			return err
		}
		return tx.DeleteBlock(ctx, person, whom)
	})
}

// withhold marks the new members who have blocked their inviter.
func (s *Service) withhold(ctx context.Context, tx Tx, inviter Member, members []Member) error {
	addresses, err := tx.ListAddresses(ctx, inviter.Person)
	if err != nil {
		return err
	}
	for i, m := range members {
		if m.ID == inviter.ID {
			continue
		}
		blocks, err := tx.ListBlocks(ctx, m.Person)
		if err != nil {
			return err
		}
		blocked := slices.ContainsFunc(blocks, func(b Blocked) bool {
			return inviter.hasAny([]Address{b.Address}) || slices.Contains(addresses, b.Address)
		})
		members[i].Withheld, members[i].Grant.Revoked = blocked, blocked
		if blocked {
			members[i].Endpoints = unreachable(m.Endpoints)
		}
	}
	return nil
}

// unreachable marks native endpoints so that no invitation goes there.
func unreachable(endpoints []Endpoint) []Endpoint {
	marked := slices.Clone(endpoints)
	for i, e := range marked {
		if e.Address.Network != Mail {
			marked[i].State = EndpointFailed
		}
	}
	return marked
}

// Addresses lists the addresses of a person, the one that they signed in by
// first. Errors: NotFound.
func (s *Service) Addresses(ctx context.Context, by Identity) ([]Address, error) {
	person, ok, err := s.personOf(ctx, s.store, by)
	if err != nil || !ok {
		return []Address{by.Address}, err
	}
	addresses, err := s.store.ListAddresses(ctx, person)
	slices.SortStableFunc(addresses, func(a, b Address) int {
		return cmp.Compare(boolToInt(b == by.Address), boolToInt(a == by.Address))
	})
	return addresses, err
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
