package mailout

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"mailroom/bridge"
	"mailroom/locales"
)

// Sender renders letters and sends them. It is safe for concurrent use.
type Sender struct {
	settings  settings
	sentences *locales.Catalogue
	signer    *signer // nil: mails are not signed
	pool      *pool
	log       *slog.Logger
	refused   atomic.Bool // the admin was told that the smarthost refuses us
}

// New makes a Sender. It checks the configuration and connects to nothing: a smarthost that is down is met when there is
// something to send. Errors name the key and the mend.
func New(cfg Config, log *slog.Logger) (*Sender, error) {
	checked, err := cfg.settings()
	if err != nil {
		return nil, err
	}
	host, err := parseSmarthost(cfg.Smarthost)
	if err != nil {
		return nil, fmt.Errorf("mail.smarthost: %w", err)
	}
	host.helloName = checked.helloName()
	signer, err := newSigner(cfg.DKIM)
	if err != nil {
		return nil, fmt.Errorf("mail.dkim: %w", err)
	}
	return &Sender{settings: checked, sentences: locales.Default(), signer: signer, pool: newPool(host), log: log}, nil
}

// Send implements outbox.Sender: nil means that the smarthost has answered 250 to the final dot, *bridge.RefusedError
// that the mail will never be taken, any other error that it is to be tried again.
func (s *Sender) Send(ctx context.Context, letter bridge.Letter) error {
	mail, err := s.Render(letter)
	if err != nil {
		return err
	}
	if err := s.pool.send(ctx, mail); err != nil {
		cleared := withoutSecrets(err, letter)
		s.noteRefusal(errors.Is(err, errRefusesUs), cleared)
		return cleared
	}
	s.refused.Store(false)
	s.log.Info("mail sent", "session", letter.Mail.Session, "mail", letter.Mail.ID, "kind", letter.Mail.Kind, "bytes", len(mail.Raw))
	return nil
}

// noteRefusal tells the admin, once until a mail goes through again, that the smarthost refuses us.
func (s *Sender) noteRefusal(refused bool, err error) {
	if refused && !s.refused.Swap(true) {
		s.log.Error("the smarthost refuses us, and mails wait: let it take mail from this machine and from this sender "+
			"(in Postfix: mynetworks), or write user and password into mail.smarthost", "error", err)
	}
}

// Close ends the connections that are kept for the next mail.
func (s *Sender) Close() { s.pool.close() }
