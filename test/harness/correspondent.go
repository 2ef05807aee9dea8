package harness

import (
	"crypto/rand"
	"fmt"
	"net/smtp"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mailroom/mailin/dnstest"
)

// Alice and Anna may start sessions. Their domain signs its mails and forbids all others in its name.
const (
	Alice = "alice@company.test"
	Anna  = "anna@company.test"
)

// Bob has only email.
const Bob = "bob@mailbox.test"

// Correspondent is a person with a mailbox, at a domain whose server signs what they write.
type Correspondent struct {
	Address string
	Name    string

	site   *Site
	signer *dnstest.Signer
	t      *testing.T
}

// NewCorrespondent makes a person with a mailbox, and their domain with its key known.
func (s *Site) NewCorrespondent(t *testing.T, address, name string) *Correspondent {
	t.Helper()
	selector, domain, _ := strings.Cut(address, "@")
	c := &Correspondent{Address: address, Name: name, site: s, signer: dnstest.NewSigner(t, domain, selector), t: t}
	s.dns.Set(domain, "MX 10 mx."+domain)
	s.dns.Set("_dmarc."+domain, "TXT v=DMARC1; p=reject")
	s.dns.Set(c.signer.Name(), c.signer.Record())
	return c
}

// Letter is a mail that was written. It can be sent again and again, as a mail server does that got no answer.
type Letter struct {
	from string
	to   []string // of the envelope: those of our own domain
	text string
}

// Write writes and signs a mail. Of those it is to, only the addresses of Mailroom get it from here.
func (c *Correspondent) Write(subject, text string, to ...string) Letter {
	return c.write(c.header(subject, to), text, to)
}

// Answer writes and signs an answer to a mail, above its text.
func (c *Correspondent) Answer(m Mail, text string) Letter {
	to := []string{m.ReplyTo}
	header := c.header("Re: "+m.Subject, to) + "In-Reply-To: " + m.MessageID + "\r\nReferences: " + m.MessageID + "\r\n"
	quoted := "> " + strings.ReplaceAll(strings.TrimSpace(m.Text), "\n", "\n> ")
	attribution := "On " + time.Now().Format("Mon, 2 Jan 2006 at 15:04") + ", " + m.Sender + " wrote:"
	return c.write(header, text+"\n\n"+attribution+"\n"+quoted+"\n", to)
}

func (c *Correspondent) header(subject string, to []string) string {
	_, domain, _ := strings.Cut(c.Address, "@")
	return fmt.Sprintf("From: %s <%s>\r\nTo: %s\r\nSubject: %s\r\nDate: %s\r\nMessage-ID: <%s@%s>\r\n", c.Name, c.Address,
		strings.Join(to, ", "), subject, time.Now().Format(time.RFC1123Z), rand.Text(), domain)
}

// crlf makes the line ends of a mail (RFC 5322 §2.3) of those that a text has.
var crlf = strings.NewReplacer("\r\n", "\r\n", "\n", "\r\n")

func (c *Correspondent) write(header, text string, to []string) Letter {
	l := Letter{from: c.Address, text: header + "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" +
		crlf.Replace(text) + "\r\n"}
	l.text = c.signer.Sign(c.t, l.text)
	for _, address := range to {
		if strings.HasSuffix(address, "@"+MailDomain) {
			l.to = append(l.to, address)
		}
	}
	return l
}

// Unsigned is the letter as somebody else would send it, who has not the key.
func (l Letter) Unsigned() Letter {
	l.text = l.text[strings.Index(l.text, "From: "):]
	return l
}

// Send hands a letter to Mailroom: nil means that it was answered with 250. An answer of SMTP is a *textproto.Error.
func (s *Site) Send(l Letter) error {
	client, err := smtp.Dial(s.smtp.Address)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Mail(l.from); err != nil {
		return err
	}
	for _, to := range l.to {
		if err := client.Rcpt(to); err != nil {
			return err
		}
	}
	data, err := client.Data()
	if err != nil {
		return err
	}
	if _, err := data.Write([]byte(l.text)); err != nil {
		return err
	}
	return data.Close()
}

// Recipient asks Mailroom if it takes mail to an address. An answer of SMTP is a *textproto.Error.
func (s *Site) Recipient(to string) error {
	client, err := smtp.Dial(s.smtp.Address)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Mail("somebody@elsewhere.test"); err != nil {
		return err
	}
	return client.Rcpt(to)
}

// Mails are those of conversations that the person has got: what browsers and codes are about stands beside them.
func (c *Correspondent) Mails() []Mail { return c.Letters(OfConversation) }

// Letters are the mails of one kind that the person has got.
func (c *Correspondent) Letters(kind MailKind) []Mail {
	return slices.DeleteFunc(c.site.Sink.Mails(c.Address), func(m Mail) bool { return m.Kind != kind })
}

// Letter waits for the mail of a kind with this number, counted from 0.
func (c *Correspondent) Letter(t *testing.T, kind MailKind, number int) Mail {
	t.Helper()
	var letters []Mail
	Eventually(t, func() error {
		if letters = c.Letters(kind); len(letters) <= number {
			return fmt.Errorf("%s has got %d mails of the kind %q and waits for one more", c.Address, len(letters), kind)
		}
		return nil
	})
	return letters[number]
}

// Mail waits for the mail of a conversation with this number, counted from 0.
func (c *Correspondent) Mail(t *testing.T, number int) Mail {
	t.Helper()
	return c.Letter(t, OfConversation, number)
}

// saying is what tests let people say: a name and a number, so that each is said once and is found in any text.
var saying = regexp.MustCompile(`\b[a-z]+-\d+\b`)

// Seen is what the person has read in their mails, in the order in which it stands there.
func (c *Correspondent) Seen() []string {
	var seen []string
	for _, m := range c.Mails() {
		seen = append(seen, saying.FindAllString(m.Text, -1)...)
	}
	return seen
}
