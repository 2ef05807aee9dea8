package bridge

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
)

// MailReply is a mail to a reply address. Session and By of its Post are
// filled in here: the token says them.
type MailReply struct {
	Token         string
	Sender        Address // the one mailbox in From
	Authenticated bool    // the sender is proved
	Post          PostRequest
}

// HeldState is what became of a held reply.
type HeldState string

const (
	HeldWaiting HeldState = "waiting"
	HeldPosted  HeldState = "posted"
	HeldRefused HeldState = "refused"
)

// Held is a reply by mail whose sender is not proved to be the owner of the
// reply address. It waits until the owner says that it may be posted.
type Held struct {
	Session, ID, Member uuid.UUID
	Sender              Address
	At                  time.Time
	Lang                string
	Body                Body
	Origin              Origin
	State               HeldState
	Received            []byte
}

// ReplyByMail posts a mail reply if its sender is proved to be the token's
// owner or was confirmed by the owner before. Otherwise the reply is held and
// the owner is asked by mail; posted is false then. Either is durable when
// this returns without error. Errors: NotFound (the token), and those of Post.
func (s *Service) ReplyByMail(ctx context.Context, r MailReply) (posted bool, err error) {
	h, err := s.Holder(ctx, RightReply, r.Token)
	if err != nil {
		return false, err
	}
	r.Post.Session = h.Session
	name := r.Post.By.Name
	r.Post.By = h.Identity(Mail)
	r.Post.By.Name = name
	known, err := s.isOwner(ctx, h, r)
	if err != nil {
		return false, err
	}
	if known {
		_, err := s.Post(ctx, r.Post)
		return err == nil, err
	}
	return false, s.hold(ctx, h, r)
}

func (s *Service) isOwner(ctx context.Context, h Holder, r MailReply) (bool, error) {
	room, err := s.Room(ctx, h.Session)
	if err != nil {
		return false, err
	}
	m, _ := room.Member(h.Member)
	for _, e := range m.Endpoints {
		if r.Authenticated && e.Address == r.Sender {
			return true, nil
		}
	}
	return s.store.IsConfirmed(ctx, h.Session, h.Grant, r.Sender)
}

// MaxAnswered is how many Message-IDs of a mail's thread are looked at.
const MaxAnswered = 5

// Answered finds the session that a mail to everybody answers: one that was
// started by a mail whose Message-ID is among ids (without brackets), and in
// which the identity has a grant. A subject alone never leads into a session.
func (s *Service) Answered(ctx context.Context, by Identity, ids []string) (session uuid.UUID, ok bool, err error) {
	for _, id := range ids[:min(len(ids), MaxAnswered)] {
		sessions, err := s.store.ListStartedBy(ctx, id)
		if err != nil {
			return uuid.Nil, false, err
		}
		for _, session := range sessions {
			switch _, _, err := s.View(ctx, session, by); {
			case err == nil:
				return session, true, nil
			case CodeOf(err) == "":
				return uuid.Nil, false, err
			}
		}
	}
	return uuid.Nil, false, nil
}

// MaxHeld is how many replies of one member wait for a word at the most.
const MaxHeld = 20

// hold keeps the reply and queues the question to the owner: one for all that
// comes from the same sender while it is unanswered. Errors: TooMany.
func (s *Service) hold(ctx context.Context, h Holder, r MailReply) error {
	if err := r.Post.check(); err != nil {
		return err
	}
	held := Held{
		Session: h.Session, ID: uuid.Must(uuid.NewV7()), Member: h.Member, Sender: r.Sender, At: s.now(),
		Lang: r.Post.Lang, Body: r.Post.Body, Origin: r.Post.Origin, State: HeldWaiting, Received: r.Post.Received,
	}
	return s.change(ctx, h.Session, func(tx Tx, room *Room) error {
		m, err := gate(room, r.Post.By, ActWrite, s.now())
		if err != nil {
			return err
		}
		if err := room.Session.refuses(Mail); err != nil {
			return err
		}
		waiting, err := tx.ListHeld(ctx, h.Session, h.Member)
		if err != nil {
			return err
		}
		if len(waiting) >= MaxHeld {
			return &Error{TooMany, "Too many replies to this address wait until its owner has confirmed them. Please wait, or write to the owner in another way."}
		}
		added, err := tx.AddHeld(ctx, held, r.Post.Origin)
		asked := slices.ContainsFunc(waiting, func(w Held) bool { return w.Sender == held.Sender })
		if err != nil || !added || asked {
			return err
		}
		if err := s.addToken(ctx, tx, h.Session, m, RightConfirm, held.ID); err != nil {
			return err
		}
		_, err = tx.AddMail(ctx, Mailing{
			Session: h.Session, ID: held.ID, Member: h.Member, Kind: LetterConfirm, Held: held.ID,
			State: MailQueued, CreatedAt: s.now(), NextTry: s.now(),
		})
		return err
	})
}

// HeldReply shows the owner the reply that waits behind a confirm token.
func (s *Service) HeldReply(ctx context.Context, confirmToken string) (Held, error) {
	h, err := s.Holder(ctx, RightConfirm, confirmToken)
	if err != nil {
		return Held{}, err
	}
	if _, _, err := s.look(ctx, h.Session, h.Identity(Mail), ActLook); err != nil {
		return Held{}, err
	}
	held, ok, err := s.store.GetHeld(ctx, h.Session, h.held)
	if err == nil && !ok {
		err = errNoSession
	}
	return held, err
}

// ConfirmHeld posts what is held of one sender in the owner's name, in order;
// later replies of that sender are posted at once. Saying it twice posts once.
func (s *Service) ConfirmHeld(ctx context.Context, confirmToken string) (Record, error) {
	h, asked, err := s.waiting(ctx, confirmToken)
	if err != nil {
		return Record{}, err
	}
	var last Record
	by := h.Identity(Mail)
	err = s.change(ctx, h.Session, func(tx Tx, room *Room) error {
		m, err := gate(room, by, ActWrite, s.now())
		if err != nil {
			return err
		}
		if err := s.respond(ctx, tx, room, &m, by); err != nil {
			return err
		}
		if err := s.reveal(ctx, tx, room, &m, by); err != nil {
			return err
		}
		waiting, err := tx.ListHeld(ctx, h.Session, h.Member)
		if err != nil {
			return err
		}
		for _, held := range append(waiting, asked) {
			if held.Sender != asked.Sender {
				continue
			}
			if last, err = s.release(ctx, tx, room, m, by, held); err != nil {
				return err
			}
		}
		return tx.AddConfirmed(ctx, h.Session, h.Grant, asked.Sender)
	})
	return last, err
}

// release posts one held reply; one that was posted before stays as it is.
func (s *Service) release(ctx context.Context, tx Tx, room *Room, m Member, by Identity, held Held) (Record, error) {
	p := PostRequest{Session: held.Session, By: by, Body: held.Body, Lang: held.Lang, Origin: held.Origin, Received: held.Received}
	r, err := s.say(ctx, tx, room, m, p)
	if err != nil {
		return r, err
	}
	return r, tx.SetHeld(ctx, held.Session, held.ID, HeldPosted)
}

// RefuseHeld throws away what is held of one sender.
func (s *Service) RefuseHeld(ctx context.Context, confirmToken string) error {
	h, held, err := s.waiting(ctx, confirmToken)
	if err != nil {
		return err
	}
	return s.within(ctx, h.Session, func(tx Tx, room *Room) error {
		m, err := gate(room, h.Identity(Mail), ActLook, s.now())
		if err != nil {
			return err
		}
		return refuseHeld(ctx, tx, room, m, func(w Held) bool { return w.Sender == held.Sender })
	})
}

// refuseHeld throws away what waits for a member's word.
func refuseHeld(ctx context.Context, tx Tx, room *Room, m Member, which func(Held) bool) error {
	waiting, err := tx.ListHeld(ctx, room.Session.ID, m.ID)
	for _, w := range waiting {
		if err == nil && which(w) {
			err = tx.SetHeld(ctx, room.Session.ID, w.ID, HeldRefused)
		}
	}
	return err
}

// withdraw takes back what waits for a member whose grant ends: mails, and the
// replies that nobody can confirm any more.
func withdraw(ctx context.Context, tx Tx, room *Room, m Member) error {
	if err := tx.WithdrawMails(ctx, room.Session.ID, m.ID); err != nil {
		return err
	}
	return refuseHeld(ctx, tx, room, m, func(Held) bool { return true })
}

func (s *Service) waiting(ctx context.Context, confirmToken string) (Holder, Held, error) {
	h, err := s.Holder(ctx, RightConfirm, confirmToken)
	if err != nil {
		return h, Held{}, err
	}
	held, ok, err := s.store.GetHeld(ctx, h.Session, h.held)
	if err == nil && (!ok || held.State == HeldRefused) {
		err = errNoSession
	}
	return h, held, err
}

// Unsubscribe ends the mails of one session to the token's member; reading and
// writing go on. Errors: NotFound.
func (s *Service) Unsubscribe(ctx context.Context, token string) error {
	h, err := s.Holder(ctx, RightUnsubscribe, token)
	if err != nil {
		return err
	}
	return s.change(ctx, h.Session, func(tx Tx, room *Room) error {
		m, err := gate(room, h.Identity(Mail), ActStop, s.now())
		if err != nil || m.NoMail {
			return err
		}
		m.NoMail = true
		if err := tx.SetMember(ctx, h.Session, m); err != nil {
			return err
		}
		return grown(ctx, tx, room)
	})
}

// Bounced notes that mail to the token's member came back; reason is a
// sentence. Errors: NotFound.
func (s *Service) Bounced(ctx context.Context, token, reason string) error {
	h, err := s.Holder(ctx, RightBounce, token)
	if err != nil {
		return err
	}
	return s.MailFailed(ctx, Mailing{Session: h.Session, Member: h.Member, ID: h.Grant}, reason)
}
