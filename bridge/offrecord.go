package bridge

import (
	"context"

	"github.com/google/uuid"
)

// Off the record (SPEC G2): the subject and the records of a session are in the
// memory of one node, its keeper, and nowhere else. What the database has of it
// are the session's id and options, its members and their grants, and how many
// records there were. It is over for good when it is closed, when its last
// person leaves, when its time is over, and when its keeper ends.

var (
	errOffRecordMail = &Error{Forbidden, "This conversation is off the record, and what is sent by mail stays in mailboxes. Open the page by the link in your invitation and write there."}
	errOffRecordOnly = &Error{Invalid, "An off-the-record session is not shown on Matrix, and somebody here has no other address. Give an email address, or accept that Matrix servers keep what is said there."}
)

// refusesMail says that a way in may not be used in the session.
func (s Session) refuses(via Network) error {
	if s.Options.OffRecord && via == Mail {
		return errOffRecordMail
	}
	return nil
}

// reaches says if what is said in the session may go to a network.
func (s Session) reaches(n Network) bool {
	return n != Matrix || !s.Options.OffRecord || s.Options.MatrixKeeps
}

// overWhenEmpty ends an off-the-record session in which nobody is left.
func (s *Service) overWhenEmpty(ctx context.Context, tx Tx, room *Room) error {
	if !room.Session.Options.OffRecord || room.Session.State == Over {
		return nil
	}
	members, err := tx.ListMembers(ctx, room.Session.ID)
	if err != nil {
		return err
	}
	for _, m := range members {
		if m.State == Joined {
			return nil
		}
	}
	return s.over(ctx, tx, room, Member{}, Web)
}

// over ends an off-the-record session: its memory is dropped with the commit.
// The record that says so has no content, and is the only one that is stored.
func (s *Service) over(ctx context.Context, tx Tx, room *Room, by Member, via Network) error {
	room.Session.State, room.Session.Subject = Over, ""
	if err := tx.Forget(ctx, room.Session.ID, s.record(room, KindOver, by.ID, via)); err != nil {
		return err
	}
	if err := tx.WithdrawMails(ctx, room.Session.ID, uuid.Nil); err != nil {
		return err
	}
	return grown(ctx, tx, room)
}

// EndOver ends the off-the-record sessions whose keeper is gone or whose time is
// over, and forgets signals that are. Each node calls it every few seconds.
func (s *Service) EndOver(ctx context.Context) error {
	s.signals.sweep(s.now())
	lost, err := s.store.ListLost(ctx, s.config.Node, s.now())
	if err != nil {
		return err
	}
	for _, session := range lost {
		err := s.change(ctx, session, func(tx Tx, room *Room) error {
			if room.Session.State == Over {
				return nil
			}
			return s.over(ctx, tx, room, Member{}, Web)
		})
		if err != nil && CodeOf(err) != NotFound {
			return err
		}
		s.log.Info("an off-the-record session has ended", "session", session)
	}
	return nil
}
