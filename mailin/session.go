package mailin

import (
	"context"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"

	"mailroom/content"
)

// session is one connection. What belongs to one mail is in its envelope alone
// and is thrown away by MAIL, RSET, EHLO and the end of DATA, so that nothing of
// one mail reaches the next.
type session struct {
	server *Server
	door   *door
	conn   *smtp.Conn
	ctx    context.Context
	cancel context.CancelFunc

	unknown  int // RCPT of unknown addresses so far
	failures int // of AUTH so far

	mu       sync.Mutex // a chunked transfer (BDAT) runs beside the commands
	envelope envelope
	account  string
}

var (
	_ smtp.LMTPSession = (*session)(nil)
	_ smtp.AuthSession = (*session)(nil)
)

func (s *Server) newSession(d *door, c *smtp.Conn) *session {
	ctx, cancel := context.WithCancel(context.Background())
	return &session{server: s, door: d, conn: c, ctx: ctx, cancel: cancel}
}

// Reset forgets the mail that is being received (RFC 5321 §4.1.1.5).
func (s *session) Reset() {
	s.setDelivering(false) // go-smtp resets after the answer was written
	s.setReceiving(false)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.envelope = envelope{}
}

// Logout ends what still works for a peer that has gone.
func (s *session) Logout() error {
	s.cancel()
	return nil
}

var (
	errAuthFirst = refuse(530, "5.7.0", "AUTH missing", "This port is for people with an account. Please let your mail program sign in.")
	errOwnSender = refuse(550, "5.4.6", "our own sender", "This mail says that it was sent by this server, which sends its mail elsewhere. It seems to run in a circle.")
)

// Mail begins a mail.
func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.Reset()
	if s.door.kind == submissionDoor && s.signedIn() == "" {
		return smtpError(errAuthFirst)
	}
	if domainOf(from) == s.server.config.Domain && from != "" {
		return smtpError(errOwnSender)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.envelope.From = from
	return nil
}

// Rcpt takes one of our addresses, and from who has signed in others, too. The null sender is taken for all of them: who
// checks addresses before he sends uses it.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if s.takesForeign(to) {
		return s.rcptForeign(to)
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.server.config.Limits.WorkTime)
	defer cancel()
	r, refused := s.server.recipientOf(ctx, to)
	if refused != nil {
		return smtpError(s.countUnknown(refused))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.envelope.Recipients = append(s.envelope.Recipients, r)
	return nil
}

// countUnknown ends a connection that guesses addresses.
func (s *session) countUnknown(r *refusal) *refusal {
	if r.temporary() || r == errPostmaster || r == errNoMailbox {
		return r
	}
	if s.unknown++; s.unknown < s.server.config.Limits.UnknownRecipients {
		return r
	}
	s.server.log.Info("mail", "class", "refused", "reason", errManyUnknown.Reason, "peer", s.peer().Name)
	s.hangUp()
	return errManyUnknown
}

// hangUp closes the connection after the next reply.
func (s *session) hangUp() {
	if c := s.guarded(); c != nil {
		c.closeAfterReply()
	}
}

func (s *session) setDelivering(yes bool) {
	if c := s.guarded(); c != nil {
		c.delivering.Store(yes)
	}
}

func (s *session) setReceiving(yes bool) {
	if c := s.guarded(); c != nil {
		c.receiving.Store(yes)
	}
}

// guarded is the connection, or nil.
func (s *session) guarded() *guarded {
	if s.conn == nil {
		return nil
	}
	return guardedConn(s.conn.Conn())
}

// Data takes the mail for all its recipients or for none.
func (s *session) Data(r io.Reader) error {
	answers, refused := s.receive(r)
	if refused != nil {
		return smtpError(refused)
	}
	for _, a := range answers {
		if a != nil {
			return smtpError(a)
		}
	}
	return nil
}

// LMTPData answers for each recipient (RFC 2033 §4.2).
func (s *session) LMTPData(r io.Reader, status smtp.StatusCollector) error {
	env := s.currentEnvelope()
	answers, refused := s.receive(r)
	if refused != nil {
		return smtpError(refused)
	}
	for i, rcpt := range env.Recipients {
		var err error
		if answers[i] != nil {
			err = smtpError(answers[i])
		}
		status.SetStatus(rcpt.Path, err)
	}
	return nil
}

func (s *session) currentEnvelope() envelope {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.envelope
}

// receive reads a mail to its end and delivers it. The answers are those for the
// recipients in their order; refused is for the mail as a whole.
func (s *session) receive(r io.Reader) (answers []*refusal, refused *refusal) {
	env, started := s.currentEnvelope(), time.Now()
	s.setReceiving(true)
	raw, release, refused := s.server.read(r, placeOf(s.conn.Conn().RemoteAddr()))
	defer release()
	if refused != nil {
		s.server.note(s.peer(), &delivery{env: env, size: len(raw), started: started}, refused)
		return nil, refused
	}
	s.setDelivering(true)
	ctx, cancel := context.WithTimeout(s.ctx, s.server.config.Limits.WorkTime)
	defer cancel()
	return s.server.deliver(ctx, s.peer(), env, raw, !s.conn.Server().LMTP)
}

// peer describes who is connected.
func (s *session) peer() peer {
	remote := s.conn.Conn().RemoteAddr()
	p := peer{IP: ipOf(remote), Helo: strings.ToLower(s.conn.Hostname()), LMTP: s.conn.Server().LMTP, Account: s.signedIn()}
	p.Local = p.IP == nil || p.IP.IsLoopback()
	p.Name = "local"
	if p.IP != nil {
		p.Name = p.IP.String()
	}
	return p
}

func (s *session) signedIn() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.account
}

// logWord makes what a stranger wrote fit for a log line.
func logWord(s string) string { return content.OneLine(s, 100) }
