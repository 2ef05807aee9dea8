package bridge

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// SignInTime is how long a browser stays signed in as a person.
const SignInTime = 90 * 24 * time.Hour

// SignIn is a browser that is signed in by an address.
type SignIn struct {
	ID        uuid.UUID
	Address   Address
	Label     string
	At        time.Time
	ExpiresAt time.Time
}

// AskSignIn mails a link by which a browser signs in with an email address, if
// the address belongs to somebody in a session. The answer is the same for every
// address, and so is its time: the work is done afterwards.
func (s *Service) AskSignIn(ctx context.Context, a Address) {
	s.later(ctx, "sign-in", func(ctx context.Context) error {
		if a.Network != Mail {
			return nil
		}
		sessions, err := s.store.ListSessions(ctx, a, 1)
		if err != nil || len(sessions) == 0 {
			return err
		}
		return s.change(ctx, sessions[0].ID, func(tx Tx, room *Room) error {
			m, ok := room.ByAddress(a)
			if !ok || m.Grant.Revoked {
				return nil
			}
			// Whatever is refused here is nobody's to know.
			_, err := s.mailCode(ctx, tx, room, m, ToSignIn, LetterSignIn)
			return err
		})
	})
}

// SigningIn is whom a link in a sign-in mail names. Reading it changes nothing.
// Errors: NotFound, also when it is too old or was used.
func (s *Service) SigningIn(ctx context.Context, token string) (Address, error) {
	h, err := s.signInHolder(ctx, token)
	if err != nil {
		return Address{}, err
	}
	room, err := s.Room(ctx, h.Session)
	if err != nil {
		return Address{}, err
	}
	m, _ := room.Member(h.Member)
	return m.Email(), nil
}

func (s *Service) signInHolder(ctx context.Context, token string) (Holder, error) {
	h, err := s.Holder(ctx, RightSignIn, token)
	if err != nil {
		return h, err
	}
	codes, err := s.store.ListCodes(ctx, h.Session, h.Member, ToSignIn, s.now())
	if err != nil {
		return h, err
	}
	for _, c := range codes {
		if c.ID == h.held && c.Tries == 0 {
			return h, nil
		}
	}
	return Holder{}, errNoSession
}

// SignIn is the button behind the link: it serves once. It returns the secret
// that the browser keeps. Errors: NotFound.
func (s *Service) SignIn(ctx context.Context, token, label string) (cookie string, err error) {
	h, err := s.signInHolder(ctx, token)
	if err != nil {
		return "", err
	}
	cookie = secret()
	err = s.change(ctx, h.Session, func(tx Tx, room *Room) error {
		m, ok := room.Member(h.Member)
		if !ok || m.Grant.Revoked || m.Email().IsZero() {
			return errNoSession
		}
		codes, err := tx.ListCodes(ctx, h.Session, h.Member, ToSignIn, s.now())
		if err != nil {
			return err
		}
		for _, c := range codes {
			if c.ID != h.held || c.Tries > 0 {
				continue
			}
			c.Tries, c.ExpiresAt = CodeTries, s.now()
			if err := tx.SetCode(ctx, c); err != nil {
				return err
			}
			return tx.AddSignIn(ctx, tokenHash(cookie), SignIn{
				ID: uuid.Must(uuid.NewV7()), Address: m.Email(), Label: label, At: s.now(), ExpiresAt: s.now().Add(SignInTime),
			})
		}
		return errNoSession
	})
	if err != nil {
		return "", err
	}
	return cookie, nil
}

// SignedIn is the person as whom a browser is signed in. Errors: NotFound.
func (s *Service) SignedIn(ctx context.Context, cookie string) (Identity, error) {
	in, ok, err := s.store.GetSignIn(ctx, tokenHash(cookie))
	if err != nil {
		return Identity{}, err
	}
	if !ok || !s.now().Before(in.ExpiresAt) {
		return Identity{}, errNobody
	}
	return Identity{Via: Web, Address: in.Address}, nil
}

// SignIns lists the browsers that are signed in as a person, the one that asks by
// its secret first. Errors: NotFound.
func (s *Service) SignIns(ctx context.Context, cookie string) ([]SignIn, error) {
	by, err := s.SignedIn(ctx, cookie)
	if err != nil {
		return nil, err
	}
	own, _, err := s.store.GetSignIn(ctx, tokenHash(cookie))
	if err != nil {
		return nil, err
	}
	addresses, err := s.Addresses(ctx, by)
	if err != nil {
		return nil, err
	}
	all, err := s.store.ListSignIns(ctx, addresses)
	ins := []SignIn{own}
	for _, in := range all {
		if in.ID != own.ID && s.now().Before(in.ExpiresAt) {
			ins = append(ins, in)
		}
	}
	return ins, err
}

// SignOut ends a sign-in by its own secret.
func (s *Service) SignOut(ctx context.Context, cookie string) error {
	return s.store.Write(ctx, uuid.Nil, func(tx Tx) error { return tx.DeleteSignIn(ctx, tokenHash(cookie)) })
}

// SignOutEverywhere ends every sign-in by the person's address, and every
// browser that speaks for them in a session. Errors: NotFound.
func (s *Service) SignOutEverywhere(ctx context.Context, by Identity) error {
	sessions, err := s.sessionsOf(ctx, by)
	if err != nil {
		return err
	}
	addresses, err := s.Addresses(ctx, by)
	if err != nil {
		return err
	}
	err = s.store.Write(ctx, uuid.Nil, func(tx Tx) error { return tx.DeleteSignIns(ctx, addresses) })
	for _, session := range sessions {
		if err != nil {
			return err
		}
		err = s.change(ctx, session.ID, func(tx Tx, room *Room) error {
			for _, m := range room.Members {
				if m.hasAny(addresses) {
					return tx.DeleteBrowsers(ctx, session.ID, m.ID)
				}
			}
			return nil
		})
	}
	return err
}
