package bridge

import (
	"context"
	"slices"
	"time"

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
	if err := s.tellOf(ctx, tx, room, m, KindLeft, via); err != nil {
		return err
	}
	if err := grown(ctx, tx, room); err != nil {
		return err
	}
	return s.overWhenEmpty(ctx, tx, room)
}

// tellOf appends what a member did. Of a blind copy nobody is told; only a room
// network that has them inside must learn that they go.
func (s *Service) tellOf(ctx context.Context, tx Tx, room *Room, m Member, kind Kind, via Network) error {
	if m.Blind && !m.inside() {
		return nil
	}
	_, _, err := tx.Append(ctx, s.record(room, kind, m.ID, via))
	return err
}

func (m Member) inside() bool { return m.JoinedBy(Matrix) || m.JoinedBy(XMPP) }

// Decline gives the grant back: nothing more of the session reaches the member,
// and nothing of theirs goes into it, until somebody invites them again. Errors:
// NotFound, Forbidden (the initiator).
func (s *Service) Decline(ctx context.Context, session uuid.UUID, by Identity) error {
	return s.change(ctx, session, func(tx Tx, room *Room) error {
		m, err := gate(room, by, ActDecline, s.now())
		if err != nil {
			return err
		}
		return s.giveBack(ctx, tx, room, m, by.Via)
	})
}

func (s *Service) giveBack(ctx context.Context, tx Tx, room *Room, m Member, via Network) error {
	kind := KindLeft
	if m.State == Invited {
		kind = KindDeclined
	}
	told := m.State == Invited || m.State == Joined
	m.State, m.Grant.Revoked = Declined, true
	if err := tx.SetMember(ctx, room.Session.ID, m); err != nil {
		return err
	}
	if err := withdraw(ctx, tx, room, m); err != nil {
		return err
	}
	if told {
		if err := s.tellOf(ctx, tx, room, m, kind, via); err != nil {
			return err
		}
	}
	if err := grown(ctx, tx, room); err != nil {
		return err
	}
	return s.overWhenEmpty(ctx, tx, room)
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
		renewed, err := s.renew(ctx, tx, room, inviter, invitees)
		if err != nil {
			return err
		}
		// The members of a snapshot are shared: grow a copy.
		room.Members = append([]Member(nil), room.Members...)
		added, err := s.addInvitees(room, inviter, room.nextRound(), invitees)
		if err != nil {
			return err
		}
		if room.granted()+len(renewed) > MaxRecipients {
			return errTooManyRecipients
		}
		if err := s.addMembers(ctx, tx, room, added, inviter, by); err != nil {
			return err
		}
		invited := append(renewed, added...)
		if err := s.countInvitations(ctx, tx, inviter.Address, invited); err != nil {
			return err
		}
		if err := s.appendInvited(ctx, tx, room, inviter, invited, by.Via); err != nil {
			return err
		}
		if len(invited) == 0 {
			return nil
		}
		return grown(ctx, tx, room)
	})
	if err != nil {
		return nil, err
	}
	return s.Room(ctx, session)
}

// nextRound is that of people who are invited now.
func (r *Room) nextRound() int {
	last := 0
	for _, m := range r.Members {
		last = max(last, m.Round)
	}
	return last + 1
}

// granted counts the recipients who hold a grant.
func (r *Room) granted() int {
	n := 0
	for _, m := range r.Members {
		if m.Role != Initiator && (!m.Grant.Revoked || m.Withheld) {
			n++
		}
	}
	return n
}

// renew invites members again who left, or whose grant has ended.
func (s *Service) renew(ctx context.Context, tx Tx, room *Room, inviter Member, invitees []Invitee) ([]Member, error) {
	var renewed []Member
	for _, i := range invitees {
		m, ok := room.ByAddress(i.Address)
		same := func(other Member) bool { return other.ID == m.ID }
		if !ok || !s.renewable(m) || slices.ContainsFunc(renewed, same) {
			continue
		}
		m, err := s.invitedAgain(ctx, tx, m, inviter, i)
		if err != nil {
			return nil, err
		}
		if err := s.setRenewed(ctx, tx, room, m); err != nil {
			return nil, err
		}
		renewed = append(renewed, m)
	}
	return renewed, nil
}

// renewable says if there is something to invite a member again to. The
// initiator's grant is nobody's to give, and who was erased is nobody.
func (s *Service) renewable(m Member) bool {
	if m.Role == Initiator || m.Person == uuid.Nil {
		return false
	}
	return m.Gone() || m.Withheld || !m.Grant.alive(s.now())
}

// invitedAgain is what a member becomes. A grant that was revoked is followed by
// one of the next generation, so that its tokens stay dead. Whom they blocked
// can take nothing from them either: a grant that lives stays as it is.
func (s *Service) invitedAgain(ctx context.Context, tx Tx, m, inviter Member, i Invitee) (Member, error) {
	before, alive := m, m.Grant.alive(s.now())
	if m.Grant.Revoked {
		m.Grant.Generation++
	}
	m.Grant.Revoked, m.Grant.ExpiresAt, m.Inviter, m.State = false, i.ExpiresAt, inviter.ID, Invited
	one := []Member{m}
	if err := s.withhold(ctx, tx, inviter, one); err != nil {
		return m, err
	}
	m = one[0]
	if m.Withheld && alive {
		m.Grant, m.Inviter = before.Grant, before.Inviter
	}
	return m, nil
}

func (s *Service) setRenewed(ctx context.Context, tx Tx, room *Room, m Member) error {
	if err := tx.SetMember(ctx, room.Session.ID, m); err != nil {
		return err
	}
	if err := s.addTokens(ctx, tx, room.Session.ID, m); err != nil {
		return err
	}
	for _, e := range m.Endpoints {
		if !m.Withheld {
			e.State = EndpointMapped
		}
		if err := tx.SetEndpoint(ctx, room.Session.ID, e); err != nil {
			return err
		}
	}
	return nil
}

var errNoMember = &Error{NotFound, "There is no such member in this session."}

// Revoke ends a member's grant: reading, writing and every token of it, from
// the commit on; what waits to be mailed to them is withdrawn. What they said
// stays, unless removeSaid takes it away. Errors: NotFound, Forbidden (also to
// remove something that is on hold), Invalid (the initiator).
func (s *Service) Revoke(ctx context.Context, session uuid.UUID, by Identity, member uuid.UUID, removeSaid bool) error {
	return s.change(ctx, session, func(tx Tx, room *Room) error {
		revoker, err := gate(room, by, ActRevoke, s.now())
		if err != nil {
			return err
		}
		m, ok := room.Member(member)
		switch {
		case !ok:
			return errNoMember
		case removeSaid && room.Session.OnHold:
			return errOnHold
		case m.Role == Initiator:
			return &Error{Invalid, "The initiator cannot be removed. Close the session instead."}
		}
		if err := s.audit(ctx, tx, room, by, ActRevoke, m.ID.String()); err != nil {
			return err
		}
		if !m.Grant.Revoked || m.Withheld {
			if err := s.revoke(ctx, tx, room, revoker, m, by.Via); err != nil {
				return err
			}
		}
		if removeSaid {
			if err := s.eraseSaid(ctx, tx, room, revoker, m.ID, by.Via); err != nil {
				return err
			}
		}
		return s.overWhenEmpty(ctx, tx, room)
	})
}

func (s *Service) revoke(ctx context.Context, tx Tx, room *Room, by, m Member, via Network) error {
	m.State, m.Grant.Revoked, m.Withheld = Revoked, true, false
	if err := tx.SetMember(ctx, room.Session.ID, m); err != nil {
		return err
	}
	if err := withdraw(ctx, tx, room, m); err != nil {
		return err
	}
	if !m.Blind || m.inside() {
		r := s.record(room, KindRevoked, by.ID, via)
		r.Target = m.ID
		if _, _, err := tx.Append(ctx, r); err != nil {
			return err
		}
	}
	return grown(ctx, tx, room)
}

// Close ends writing for everybody; the transcript stays readable. A session
// that is off the record is over by it: nothing of it stays.
func (s *Service) Close(ctx context.Context, session uuid.UUID, by Identity) error {
	return s.change(ctx, session, func(tx Tx, room *Room) error {
		m, err := gate(room, by, ActClose, s.now())
		if err != nil || room.Session.State != Open {
			return err
		}
		if err := s.audit(ctx, tx, room, by, ActClose, ""); err != nil {
			return err
		}
		return s.endSession(ctx, tx, room, m, by.Via)
	})
}

func (s *Service) endSession(ctx context.Context, tx Tx, room *Room, by Member, via Network) error {
	if room.Session.Options.OffRecord {
		return s.over(ctx, tx, room, by, via)
	}
	return s.turn(ctx, tx, room, by, via, Ended, KindClosed)
}

// Reopen lets everybody write again, also after the session's time was over: it
// has no end then.
func (s *Service) Reopen(ctx context.Context, session uuid.UUID, by Identity) error {
	return s.change(ctx, session, func(tx Tx, room *Room) error {
		m, err := gate(room, by, ActReopen, s.now())
		if err != nil || room.Session.Condition(s.now()) == IsOpen {
			return err
		}
		if err := s.audit(ctx, tx, room, by, ActReopen, ""); err != nil {
			return err
		}
		if e := room.Session.Options.ExpiresAt; !e.IsZero() && !e.After(s.now()) {
			room.Session.Options.ExpiresAt = time.Time{}
		}
		return s.turn(ctx, tx, room, m, by.Via, Open, KindReopened)
	})
}

func (s *Service) turn(ctx context.Context, tx Tx, room *Room, by Member, via Network, state SessionState, kind Kind) error {
	room.Session.State = state
	if _, _, err := tx.Append(ctx, s.record(room, kind, by.ID, via)); err != nil {
		return err
	}
	return grown(ctx, tx, room)
}

// SetOptions changes what the session allows and keeps. Errors: NotFound,
// Forbidden, Invalid (what cannot be changed any more).
func (s *Service) SetOptions(ctx context.Context, session uuid.UUID, by Identity, wanted Options) (*Room, error) {
	err := s.change(ctx, session, func(tx Tx, room *Room) error {
		m, err := gate(room, by, ActOptions, s.now())
		if err != nil || wanted.equal(room.Session.Options) {
			return err
		}
		hidden := room.Session.Options.HideAddresses
		if room.Session.Options, err = room.Session.Options.changed(wanted, s.now()); err != nil {
			return err
		}
		if wanted.HideAddresses && !hidden {
			if err := hideNames(ctx, tx, room); err != nil {
				return err
			}
		}
		if _, _, err := tx.Append(ctx, s.record(room, KindOptions, m.ID, by.Via)); err != nil {
			return err
		}
		return grown(ctx, tx, room)
	})
	if err != nil {
		return nil, err
	}
	return s.Room(ctx, session)
}

// hideNames gives those a name for whom a part of their address stood, once
// addresses are hidden.
func hideNames(ctx context.Context, tx Tx, room *Room) error {
	for _, m := range room.Members {
		if m.Name != "" || m.Role == Initiator {
			continue
		}
		m.Name = guestName(m.Number)
		if err := tx.SetMember(ctx, room.Session.ID, m); err != nil {
			return err
		}
	}
	return nil
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
		m, err := gate(room, by, ActSignal, s.now())
		if err != nil {
			return err
		}
		return tx.SetReadSeq(ctx, session, m.ID, min(seq, room.Session.Head))
	})
}
