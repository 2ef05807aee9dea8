package mailin

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/google/uuid"

	"mailroom/bridge"
)

// Config says where mail comes in and whom to believe.
type Config struct {
	Domain string // of our addresses, as in.example.org

	SMTPListen       string // host:port for other mail servers; "" for none
	LMTPListen       string // unix:/path or host:port for a front MTA, and nobody else must reach it; "" for none
	SubmissionListen string // host:port for people with an account; port 465 begins with TLS; "" for none

	// TrustedAuthservID is the name under which a front MTA on this machine writes
	// Authentication-Results; it must remove those of that name that come from
	// outside. "" believes nobody.
	TrustedAuthservID string
	// OwnDomains are the operator's own: mail that claims to be from them and is
	// not proved is refused, whatever their DMARC records say.
	OwnDomains []string

	Resolver string      // DNS server as host:port; "" for the system's
	TLS      *tls.Config // for STARTTLS; nil for none
	Limits   Limits
}

// Service is what mailin asks of bridge. Errors are those of bridge.
type Service interface {
	MayStart(by bridge.Identity) error
	Start(ctx context.Context, r bridge.StartRequest) (*bridge.Room, error)
	Answered(ctx context.Context, by bridge.Identity, ids []string) (session uuid.UUID, ok bool, err error)
	Post(ctx context.Context, p bridge.PostRequest) (bridge.Record, error)
	Holder(ctx context.Context, right bridge.Right, token string) (bridge.Holder, error)
	ReplyByMail(ctx context.Context, r bridge.MailReply) (posted bool, err error)
	Unsubscribe(ctx context.Context, token string) error
	Bounced(ctx context.Context, token, reason string) error
	CheckAccount(ctx context.Context, address, password string) (bool, error)
}

func (c Config) checked() (Config, error) {
	c.Domain = strings.ToLower(strings.TrimSuffix(c.Domain, "."))
	c.Limits = c.Limits.withDefaults()
	if c.Domain == "" || strings.ContainsAny(c.Domain, "@ /") {
		return c, fmt.Errorf("mail.domain: %q is no domain. Give the domain of the addresses that mail comes in at, as in.example.org", c.Domain)
	}
	if c.SMTPListen == "" && c.LMTPListen == "" && c.SubmissionListen == "" {
		return c, errors.New("mail.smtp_listen: no way for mail to come in. Set it, mail.lmtp_listen or mail.submission_listen")
	}
	for key, address := range map[string]string{"mail.smtp_listen": c.SMTPListen, "mail.submission_listen": c.SubmissionListen} {
		if err := checkHostPort(key, address); err != nil {
			return c, err
		}
	}
	if !strings.HasPrefix(c.LMTPListen, "unix:") {
		if err := checkHostPort("mail.lmtp_listen", c.LMTPListen); err != nil {
			return c, err
		}
	}
	if strings.HasSuffix(c.SubmissionListen, ":465") && c.TLS == nil {
		return c, errors.New("mail.submission_listen: port 465 needs TLS. Set tls.cert_file and tls.key_file, or choose port 587")
	}
	if err := checkHostPort("dns.resolver", c.Resolver); err != nil {
		return c, err
	}
	return c, nil
}

func checkHostPort(key, address string) error {
	if address == "" {
		return nil
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		return fmt.Errorf("%s: %q is no address to use. Write host:port, as 127.0.0.1:2525", key, address)
	}
	return nil
}
