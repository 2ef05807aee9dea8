package bridge

import (
	"context"
	"slices"

	"github.com/google/uuid"
)

// Join says that a recipient has come in. It is idempotent: who is inside
// stays so. Errors: NotFound.
func (s *Service) Join(ctx context.Context, session uuid.UUID, by Identity) (*Room, Member, error) {
	var member Member
	err := s.change(ctx, session, func(tx Tx, room *Room) (err error) {
		if member, err = gate(room, by, ActJoin, s.now()); err != nil {
			return err
		}
		return s.respond(ctx, tx, room, &member, by)
	})
	if err != nil {
		return nil, Member{}, err
	}
	room, err := s.Room(ctx, session)
	if err != nil {
		return nil, Member{}, err
	}
	member, _ = room.Member(member.ID)
	return room, member, nil
}

// Leave takes a member out of the audience. The grant lives on: by writing or
// joining again the member is back. Errors: NotFound.
func (s *Service) Leave(ctx context.Context, session uuid.UUID, by Identity) error {
	return s.change(ctx, session, func(tx Tx, room *Room) error {
		m, err := gate(room, by, ActLeave, s.now())
		if err != nil || m.State == Left {
			return err
		}
		return s.leave(ctx, tx, room, m, by.Via)
	})
}

func (s *Service) leave(ctx context.Context, tx Tx, room *Room, m Member, via Network) error {
	for _, e := range m.Endpoints {
		if e.State == EndpointJoined {
			if err := tx.SetEndpoint(ctx, room.Session.ID, Endpoint{e.Address, EndpointLeft}); err != nil {
				return err
			}
		}
	}
	m.State = Left
	if err := tx.SetMember(ctx, room.Session.ID, m); err != nil {
		return err
	}
	if _, _, err := tx.Append(ctx, s.record(room, KindLeft, m.ID, via)); err != nil {
		return err
	}
	return grown(ctx, tx, room)
}

// EndpointLeft says that a member's native endpoint has gone out of its room.
// The member has left only if no other endpoint reaches them.
func (s *Service) EndpointLeft(ctx context.Context, session uuid.UUID, by Identity) error {
	return s.change(ctx, session, func(tx Tx, room *Room) error {
		m, err := gate(room, by, ActLeave, s.now())
		if err != nil {
			return err
		}
		e, ok := m.endpointOf(by)
		if !ok || e.State == EndpointLeft {
			return nil
		}
		if err := tx.SetEndpoint(ctx, session, Endpoint{e.Address, EndpointLeft}); err != nil {
			return err
		}
		if m.State == Joined && !m.reachableWithout(e.Address) {
			return s.leave(ctx, tx, room, m, by.Via)
		}
		return grown(ctx, tx, room)
	})
}

func (m Member) reachableWithout(a Address) bool {
	for _, e := range m.Endpoints {
		if e.Address != a && (e.State == EndpointJoined || e.Address.Network == Mail && !m.NoMail) {
			return true
		}
	}
	return false
}

// Invite gives more people a grant. Who is a member already stays so, and one
// whose grant was revoked gets a new one. Errors: NotFound, Forbidden, Closed,
// TooMany.
func (s *Service) Invite(ctx context.Context, session uuid.UUID, by Identity, invitees []Invitee) (*Room, error) {
	err := s.change(ctx, session, func(tx Tx, room *Room) error {
		inviter, err := gate(room, by, ActInvite, s.now())
		if err != nil {
			return err
		}
		renewed, err := s.renew(ctx, tx, room, invitees)
		if err != nil {
			return err
		}
		// The members of a snapshot are shared: grow a copy.
		room.Members = append([]Member(nil), room.Members...)
		added := s.addInvitees(room, invitees)
		if len(room.Members)-1 > MaxRecipients {
			return errTooManyRecipients
		}
		if err := s.addMembers(ctx, tx, room, added, by); err != nil {
			return err
		}
		if err := s.appendInvited(ctx, tx, room, inviter, append(renewed, added...), by.Via); err != nil {
			return err
		}
		if len(renewed)+len(added) == 0 {
			return nil
		}
		return grown(ctx, tx, room)
	})
	if err != nil {
		return nil, err
	}
	return s.Room(ctx, session)
}

// renew invites members again who left, or whose grant was revoked: these get
// one of the next generation, so that their old tokens stay dead.
func (s *Service) renew(ctx context.Context, tx Tx, room *Room, invitees []Invitee) ([]Member, error) {
	var renewed []Member
	for _, i := range invitees {
		m, ok := room.ByAddress(i.Address)
		if !ok || m.State != Revoked && m.State != Left {
			continue
		}
		if m.Grant.Revoked {
			m.Grant.Revoked = false
			m.Grant.Generation++
		}
		m.State = Invited
		if err := tx.SetMember(ctx, room.Session.ID, m); err != nil {
			return nil, err
		}
		if err := s.addTokens(ctx, tx, room.Session.ID, m); err != nil {
			return nil, err
		}
		for _, e := range m.Endpoints {
			if err := tx.SetEndpoint(ctx, room.Session.ID, Endpoint{e.Address, EndpointMapped}); err != nil {
				return nil, err
			}
		}
		renewed = append(renewed, m)
	}
	return renewed, nil
}

// Revoke ends a member's grant: reading, writing and every token of it, from
// the commit on. Errors: NotFound, Forbidden, Invalid (the initiator).
func (s *Service) Revoke(ctx context.Context, session uuid.UUID, by Identity, member uuid.UUID) error {
	return s.change(ctx, session, func(tx Tx, room *Room) error {
		revoker, err := gate(room, by, ActRevoke, s.now())
		if err != nil {
			return err
		}
		m, ok := room.Member(member)
		switch {
		case !ok:
			return &Error{NotFound, "There is no such member in this session."}
		case m.Role == Initiator:
			return &Error{Invalid, "The initiator cannot be removed. Close the session instead."}
		case m.Grant.Revoked:
			return nil
		}
		m.State, m.Grant.Revoked = Revoked, true
		if err := tx.SetMember(ctx, session, m); err != nil {
			return err
		}
		r := s.record(room, KindRevoked, revoker.ID, by.Via)
		r.Target = m.ID
		if _, _, err := tx.Append(ctx, r); err != nil {
			return err
		}
		return grown(ctx, tx, room)
	})
}

// Close ends writing for everybody; the transcript stays readable.
func (s *Service) Close(ctx context.Context, session uuid.UUID, by Identity) error {
	return s.setState(ctx, session, by, ActClose, Ended, KindClosed)
}

// Reopen lets everybody write again.
func (s *Service) Reopen(ctx context.Context, session uuid.UUID, by Identity) error {
	return s.setState(ctx, session, by, ActReopen, Open, KindReopened)
}

func (s *Service) setState(ctx context.Context, session uuid.UUID, by Identity, act Act, state SessionState, kind Kind) error {
	return s.change(ctx, session, func(tx Tx, room *Room) error {
		member, err := gate(room, by, act, s.now())
		if err != nil || room.Session.State == state {
			return err
		}
		room.Session.State = state
		if _, _, err := tx.Append(ctx, s.record(room, kind, member.ID, by.Via)); err != nil {
			return err
		}
		return grown(ctx, tx, room)
	})
}

// onlyFrom says from which states a gateway may move an endpoint: news of an
// invitation may come late, when its answer is here already.
var onlyFrom = map[EndpointState][]EndpointState{
	EndpointInvited: {EndpointMapped},
	EndpointFailed:  {EndpointMapped, EndpointInvited},
}

// SetEndpoint notes how far a native endpoint has come; a waiting mail
// invitation follows at once if no native one is left. What comes too late
// changes nothing.
func (s *Service) SetEndpoint(ctx context.Context, session uuid.UUID, a Address, state EndpointState) error {
	return s.change(ctx, session, func(tx Tx, room *Room) error {
		m, ok := room.ByAddress(a)
		if !ok {
			return errNoSession
		}
		for _, e := range m.Endpoints {
			from, bound := onlyFrom[state]
			if e.Address == a && (e.State == state || bound && !slices.Contains(from, e.State)) {
				return nil
			}
		}
		if err := tx.SetEndpoint(ctx, session, Endpoint{a, state}); err != nil {
			return err
		}
		return grown(ctx, tx, room)
	})
}

// MarkRead moves the member's read cursor forward. It is no record, and wakes
// nobody: a mail that waits looks at the cursor when it falls due.
func (s *Service) MarkRead(ctx context.Context, session uuid.UUID, by Identity, seq int64) error {
	return s.within(ctx, session, func(tx Tx, room *Room) error {
		m, err := gate(room, by, ActRead, s.now())
		if err != nil {
			return err
		}
		return tx.SetReadSeq(ctx, session, m.ID, min(seq, room.Session.Head))
	})
}
