package bridge

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// A link is not a proof: mails are forwarded and scanned. The first browser that
// presses the button is taken for the recipient, who is told by mail and can end
// it; each further one needs a code that is mailed to the recipient (SPEC F4).

// CodeNeeded is the code of an error that a mailed code answers.
const CodeNeeded Code = "code_needed"

// Bounds of mailed codes.
const (
	CodeLength = 6
	CodeTime   = 10 * time.Minute
	CodeTries  = 5
	// CodesInHour is how many codes are mailed for one member and purpose.
	CodesInHour = 5
	// codePause is how long a fresh code is not replaced: whoever asks twice gets
	// one mail.
	codePause = time.Minute
)

// MaxLabel is the longest label of a browser, in bytes.
const MaxLabel = 100

// Purpose is what a code or a sign-in link is for.
type Purpose string

const (
	ToJoin   Purpose = "join"
	ToSignIn Purpose = "sign-in"
)

// MailedCode is a code that was mailed. What was mailed derives from its ID.
type MailedCode struct {
	Session, ID, Member uuid.UUID
	Purpose             Purpose
	ExpiresAt           time.Time
	Tries               int
}

// digits are those that the mail shows.
func (s *Service) digits(session, id uuid.UUID) string {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte("code\x00"))
	mac.Write(session[:])
	mac.Write(id[:])
	return fmt.Sprintf("%0*d", CodeLength, binary.BigEndian.Uint64(mac.Sum(nil))%1_000_000)
}

// Browser is a browser that speaks for a member.
type Browser struct {
	ID    uuid.UUID
	Label string // what it said it is, as "Firefox on Windows"
	At    time.Time
}

var (
	errCodeNeeded = &Error{CodeNeeded, "This link is in use in another browser. We have mailed a code to the address that was invited; enter it here."}
	errCodeWrong  = &Error{CodeNeeded, "That is not the code in the last mail. Look at the newest one and try again."}
	errCodeSpent  = &Error{TooMany, "There were too many wrong codes. Wait an hour and open the link again."}
)

// Bind lets a browser speak for the holder of a join token, who comes in by
// it, and returns the secret that the browser keeps. The first browser ever needs
// no code (unless the installation asks for one always); without the right one a
// further browser gets CodeNeeded, after a code was mailed. Errors: NotFound,
// CodeNeeded, TooMany.
func (s *Service) Bind(ctx context.Context, h Holder, label, code string) (cookie string, err error) {
	cookie = secret()
	var refused error // what must be answered although something was written
	err = s.change(ctx, h.Session, func(tx Tx, room *Room) error {
		by := h.Identity(Web)
		m, err := gate(room, by, ActLook, s.now())
		if err != nil {
			return err
		}
		if m.Grant.Generation != h.generation {
			return errNoSession // the token died since it was looked up
		}
		if refused, err = s.admit(ctx, tx, room, m, code); err != nil || refused != nil {
			return err
		}
		if err := s.bind(ctx, tx, h, m, cookie, label); err != nil {
			return err
		}
		if _, err := gate(room, by, ActJoin, s.now()); err != nil {
			return nil // to read is all that is left
		}
		return s.respond(ctx, tx, room, &m, by)
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return "", err
	}
	return cookie, nil
}

// admit says if a browser may be bound: refused is the answer if not.
func (s *Service) admit(ctx context.Context, tx Tx, room *Room, m Member, code string) (refused, err error) {
	if m.Email().IsZero() {
		return nil, nil
	}
	first, err := s.isFirst(ctx, tx, room.Session.ID, m)
	if err != nil || first && !s.config.CodeAlways {
		return nil, err
	}
	if code == "" {
		return s.mailCode(ctx, tx, room, m, ToJoin, LetterCode)
	}
	return s.checkCode(ctx, tx, room.Session.ID, m, ToJoin, code)
}

// isFirst says that no browser was ever bound by the member's grant. One that was
// signed out, or ended because it was a stranger's, still knows the link: it is
// not the first again. The token that ends browsers is made with the first one.
func (s *Service) isFirst(ctx context.Context, tx Tx, session uuid.UUID, m Member) (bool, error) {
	bound, err := tx.ListBrowsers(ctx, session, m.ID)
	if err != nil || len(bound) > 0 {
		return false, err
	}
	token := s.token(session, m.Grant.ID, m.Grant.Generation, RightBrowsers, uuid.Nil)
	_, made, err := tx.GetToken(ctx, tokenHash(token))
	return !made, err
}

func (s *Service) bind(ctx context.Context, tx Tx, h Holder, m Member, cookie, label string) error {
	id := uuid.Must(uuid.NewV7())
	row := BrowserRow{Session: h.Session, Member: h.Member, Grant: h.Grant, Generation: h.generation, ID: id, Label: label}
	for len(row.Label) > MaxLabel || !utf8.ValidString(row.Label) {
		row.Label = row.Label[:len(row.Label)-1]
	}
	if err := tx.AddBrowser(ctx, tokenHash(cookie), row, s.now()); err != nil {
		return err
	}
	if m.Email().IsZero() {
		return nil
	}
	if err := s.addToken(ctx, tx, h.Session, m, RightBrowsers, uuid.Nil); err != nil {
		return err
	}
	return s.queueMail(ctx, tx, h.Session, m, LetterBound, id)
}

// queueMail queues a mail that stands for no records; about is what it is of.
func (s *Service) queueMail(ctx context.Context, tx Tx, session uuid.UUID, m Member, kind LetterKind, about uuid.UUID) error {
	_, err := tx.AddMail(ctx, Mailing{
		Session: session, ID: uuid.Must(uuid.NewV7()), Member: m.ID, Kind: kind, Held: about,
		State: MailQueued, CreatedAt: s.now(), NextTry: s.now(),
	})
	return err
}

// mailCode mails a code, unless one is on its way.
func (s *Service) mailCode(ctx context.Context, tx Tx, room *Room, m Member, purpose Purpose, kind LetterKind) (refused, err error) {
	now := s.now()
	codes, err := tx.ListCodes(ctx, room.Session.ID, m.ID, purpose, now.Add(-time.Hour))
	if err != nil {
		return nil, err
	}
	if n := len(codes); n >= CodesInHour {
		return errCodeSpent, nil
	} else if n > 0 && codes[n-1].ExpiresAt.Add(-CodeTime).Add(codePause).After(now) && codes[n-1].Tries < CodeTries {
		return errCodeNeeded, nil
	}
	c := MailedCode{Session: room.Session.ID, ID: uuid.Must(uuid.NewV7()), Member: m.ID, Purpose: purpose, ExpiresAt: now.Add(CodeTime)}
	if err := tx.AddCode(ctx, c); err != nil {
		return nil, err
	}
	if purpose == ToSignIn {
		if err := s.addToken(ctx, tx, c.Session, m, RightSignIn, c.ID); err != nil {
			return nil, err
		}
	}
	return errCodeNeeded, s.queueMail(ctx, tx, c.Session, m, kind, c.ID)
}

// checkCode compares with the newest code, in constant time. A wrong try is
// counted, and a right code serves once.
func (s *Service) checkCode(ctx context.Context, tx Tx, session uuid.UUID, m Member, purpose Purpose, code string) (refused, err error) {
	codes, err := tx.ListCodes(ctx, session, m.ID, purpose, s.now())
	if err != nil {
		return nil, err
	}
	if len(codes) == 0 {
		return errCodeWrong, nil
	}
	c := codes[len(codes)-1]
	if c.Tries >= CodeTries {
		return errCodeSpent, nil
	}
	if subtle.ConstantTimeCompare([]byte(s.digits(session, c.ID)), []byte(code)) != 1 {
		c.Tries++
		return errCodeWrong, tx.SetCode(ctx, c)
	}
	c.Tries, c.ExpiresAt = CodeTries, s.now()
	return nil, tx.SetCode(ctx, c)
}

// Browser is who a browser's secret is in a session. NotFound for every secret
// that does not count there, whatever the cause.
func (s *Service) Browser(ctx context.Context, cookie string, session uuid.UUID) (Identity, error) {
	asked := time.Now()
	by, err := s.browser(ctx, cookie, session)
	return by, even(ctx, asked, err)
}

func (s *Service) browser(ctx context.Context, cookie string, session uuid.UUID) (Identity, error) {
	row, ok, err := s.store.GetBrowser(ctx, tokenHash(cookie))
	if err != nil {
		return Identity{}, err
	}
	if !ok || row.Session != session {
		return Identity{}, errNoSession
	}
	room, err := s.Room(ctx, session)
	if err != nil {
		return Identity{}, err
	}
	m, ok := room.Member(row.Member)
	if !ok || m.Grant.Generation != row.Generation || m.Grant.Revoked {
		return Identity{}, errNoSession
	}
	return Identity{Via: Web, Grant: row.Grant}, nil
}

// ForgetBrowser signs a browser out of a session: its secret counts no more.
func (s *Service) ForgetBrowser(ctx context.Context, cookie string, session uuid.UUID) error {
	err := s.store.Write(ctx, session, func(tx Tx) error { return tx.DeleteBrowser(ctx, session, tokenHash(cookie)) })
	if err == nil {
		s.announce(session) // its streams look again
	}
	return err
}

// Browsers lists those that speak for the holder of a token in a mail, oldest
// first. Errors: NotFound.
func (s *Service) Browsers(ctx context.Context, token string) (Holder, []Browser, error) {
	h, err := s.Holder(ctx, RightBrowsers, token)
	if err != nil {
		return h, nil, err
	}
	browsers, err := s.store.ListBrowsers(ctx, h.Session, h.Member)
	return h, browsers, err
}

// EndBrowsers signs all browsers of a member out, as the mail about them
// offers. Errors: NotFound.
func (s *Service) EndBrowsers(ctx context.Context, token string) error {
	h, err := s.Holder(ctx, RightBrowsers, token)
	if err != nil {
		return err
	}
	return s.change(ctx, h.Session, func(tx Tx, room *Room) error {
		if _, err := gate(room, h.Identity(Web), ActLook, s.now()); err != nil {
			return err
		}
		return tx.DeleteBrowsers(ctx, h.Session, h.Member)
	})
}
