package bridge

import (
	"context"

	"github.com/google/uuid"
)

// Portal is the remote room of a session on a network.
func (s *Service) Portal(ctx context.Context, session uuid.UUID, n Network) (remote string, ok bool, err error) {
	return s.store.GetPortal(ctx, session, n)
}

// SetPortal links a session with a remote room, once. Errors: Conflict if
// either is linked already.
func (s *Service) SetPortal(ctx context.Context, session uuid.UUID, n Network, remote string) error {
	return s.store.Write(ctx, session, func(tx Tx) error {
		added, err := tx.AddPortal(ctx, session, n, remote)
		if err == nil && !added {
			return &Error{Conflict, "This session or this room is linked already."}
		}
		return err
	})
}

// SessionOf is the session of a remote room.
func (s *Service) SessionOf(ctx context.Context, n Network, remote string) (uuid.UUID, bool, error) {
	return s.store.GetRoute(ctx, n, remote)
}

// Occupants lists the XMPP clients inside a session's MUC.
func (s *Service) Occupants(ctx context.Context, session uuid.UUID) ([]Occupant, error) {
	return s.store.ListOccupants(ctx, session)
}

// Enter lets an XMPP client into the session's MUC and makes a recipient a
// member. What is in the log up to FromSeq is to be shown as history; the lane
// brings everything after it. Entering again begins anew. Errors: NotFound.
func (s *Service) Enter(ctx context.Context, session uuid.UUID, by Identity, jid, nick string) (*Room, Member, Occupant, error) {
	var o Occupant
	var member Member
	err := s.change(ctx, session, func(tx Tx, room *Room) (err error) {
		if member, err = gate(room, by, ActJoin, s.now()); err != nil {
			return err
		}
		if err := s.respond(ctx, tx, room, &member, by); err != nil {
			return err
		}
		row, _, err := tx.LockSession(ctx, session)
		if err != nil {
			return err
		}
		// A blind copy alone makes no lane of the room before it speaks, and hears
		// all the same.
		if err := tx.AddLane(ctx, session, ToXMPP, row.Head); err != nil {
			return err
		}
		o = Occupant{session, member.ID, jid, nick, row.Head}
		return tx.SetOccupant(ctx, o)
	})
	if err != nil {
		return nil, Member{}, Occupant{}, err
	}
	room, err := s.Room(ctx, session)
	if err != nil {
		return nil, Member{}, Occupant{}, err
	}
	member, _ = room.Member(member.ID)
	return room, member, o, nil
}

// Exit takes an XMPP client out of the MUC. The member stays one: a closed
// client is no farewell.
func (s *Service) Exit(ctx context.Context, session uuid.UUID, jid string) error {
	err := s.store.Write(ctx, session, func(tx Tx) error { return tx.DeleteOccupant(ctx, session, jid) })
	if err == nil {
		s.announce(session)
	}
	return err
}
