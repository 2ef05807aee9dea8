package mailin

import (
	"context"
	"errors"
	"strings"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

var (
	errNoAuth      = refuse(502, "5.7.0", "no AUTH here", "Signing in is for the submission port. Other mail servers need no account.")
	errNeedTLS     = refuse(538, "5.7.11", "AUTH without TLS", "Please switch on STARTTLS in your mail program first, so that nobody can read your password.")
	errAuthFailed  = refuse(535, "5.7.8", "AUTH failed", "The address or the app password is wrong. Ask the people who run this service for a new one (mailroom account add ADDRESS).")
	errAuthTooMany = refuse(421, "4.7.0", "AUTH guessing", "Too many failed sign-ins. Closing the connection.")
	errAuthAs      = refuse(535, "5.7.8", "AUTH for another", "Nobody can sign in for somebody else here. Leave the authorization identity empty.")
)

// AuthMechanisms are those that may be used now: none without TLS, except from
// this machine, and none where other mail servers connect.
func (s *session) AuthMechanisms() []string {
	if s.authRefusal() != nil {
		return nil
	}
	return []string{sasl.Plain, sasl.Login}
}

func (s *session) authRefusal() *refusal {
	if s.door.kind != submissionDoor {
		return errNoAuth
	}
	if _, encrypted := s.conn.TLSConnectionState(); !encrypted && !s.peer().Local {
		return errNeedTLS
	}
	return nil
}

// Auth begins an exchange (RFC 4954).
func (s *session) Auth(mechanism string) (sasl.Server, error) {
	if r := s.authRefusal(); r != nil {
		return nil, smtpError(r)
	}
	switch mechanism {
	case sasl.Plain:
		return sasl.NewPlainServer(func(identity, username, password string) error {
			if identity != "" && !strings.EqualFold(identity, username) {
				return smtpError(errAuthAs)
			}
			return s.signIn(username, password)
		}), nil
	case sasl.Login:
		return &loginServer{signIn: s.signIn}, nil
	}
	return nil, smtp.ErrAuthUnknownMechanism
}

func (s *session) signIn(username, password string) error {
	ctx, cancel := context.WithTimeout(s.ctx, s.server.config.Limits.WorkTime)
	defer cancel()
	address, valid := emailAddress(username)
	ok := false
	if valid {
		var err error
		if ok, err = s.server.service.CheckAccount(ctx, address.ID, password); err != nil {
			s.server.log.Error("cannot check an account", "error", err)
			return smtpError(refuse(454, "4.7.0", "account check", "Signing in does not work at the moment. Please try again in a minute."))
		}
	}
	if !ok {
		return smtpError(s.countFailure())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.account = address.ID
	return nil
}

// countFailure ends a connection that guesses passwords.
func (s *session) countFailure() *refusal {
	if s.failures++; s.failures < s.server.config.Limits.AuthFailures {
		return errAuthFailed
	}
	s.server.log.Info("mail", "class", "refused", "reason", errAuthTooMany.Reason, "peer", s.peer().Name)
	s.hangUp()
	return errAuthTooMany
}

// loginServer speaks LOGIN, which old mail programs need: the names of its two
// questions are fixed by custom, not by a standard.
type loginServer struct {
	signIn   func(username, password string) error
	username string
	asked    int
}

var errLogin = errors.New("LOGIN is over")

// Next takes an answer and asks the next question. The username may come with
// the command.
func (l *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	switch {
	case l.asked == 0 && response == nil:
		l.asked = 1
		return []byte("Username:"), false, nil
	case l.asked <= 1:
		l.username, l.asked = string(response), 2
		return []byte("Password:"), false, nil
	case l.asked == 2:
		l.asked = 3
		return nil, true, l.signIn(l.username, string(response))
	}
	return nil, false, errLogin
}
