package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/smtp"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	gosmtp "github.com/emersion/go-smtp"
	"github.com/jhillyerd/enmime/v2"
)

// mailbox is a bare SMTP server on go-smtp, as Mailroom's own. It takes every
// mail, and answers when it is on the disk: it is the smarthost, and the peer
// of what mail costs.
type mailbox struct {
	address string
	server  *gosmtp.Server
	file    *os.File

	mu    sync.Mutex
	mails map[string]letter // the latest to each address
}

// letter is what Mailroom has written to somebody.
type letter struct {
	link    string // to the page
	replyTo string
}

func startMailbox(file string) (*mailbox, error) {
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	m := &mailbox{address: l.Addr().String(), file: f, mails: make(map[string]letter)}
	m.server = gosmtp.NewServer(gosmtp.BackendFunc(func(*gosmtp.Conn) (gosmtp.Session, error) { return &delivery{mailbox: m}, nil }))
	m.server.Domain = "mailbox.test"
	go m.server.Serve(l) // ends with close
	return m, nil
}

func (m *mailbox) close() error { return errors.Join(m.server.Close(), m.file.Close()) }

// delivery is one SMTP connection.
type delivery struct {
	mailbox *mailbox
	to      string
}

func (d *delivery) Reset()                                 { d.to = "" }
func (d *delivery) Logout() error                          { return nil }
func (d *delivery) Mail(string, *gosmtp.MailOptions) error { return nil }
func (d *delivery) Rcpt(to string, _ *gosmtp.RcptOptions) error {
	d.to = strings.ToLower(to)
	return nil
}

func (d *delivery) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if _, err := d.mailbox.file.Write(raw); err != nil {
		return err
	}
	if err := d.mailbox.file.Sync(); err != nil {
		return err
	}
	return d.mailbox.keep(d.to, raw)
}

var pageLink = regexp.MustCompile(`https?://[^\s"<>]+/j/[a-z0-9]+`)

// keep remembers what a mail of Mailroom's leads to.
func (m *mailbox) keep(to string, raw []byte) error {
	if !bytes.Contains(raw, []byte("\nReply-To:")) {
		return nil
	}
	mail, err := enmime.ReadEnvelope(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	reply, err := mail.AddressList("Reply-To")
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mails[to] = letter{pageLink.FindString(mail.Text), reply[0].Address}
	return nil
}

// await waits for a mail to an address.
func (m *mailbox) await(ctx context.Context, to string) (l letter, err error) {
	err = eventually(ctx, patience, func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		var ok bool
		if l, ok = m.mails[to]; !ok {
			return fmt.Errorf("no mail has come to %s", to)
		}
		return nil
	})
	return l, err
}

// mailer is a mail program with its connection open.
type mailer struct {
	from   string
	client *smtp.Client
}

// newMailer connects, and signs in if there is a secret.
func newMailer(address, from, secret string) (*mailer, error) {
	c, err := smtp.Dial(address)
	if err != nil {
		return nil, err
	}
	if secret == "" {
		return &mailer{from, c}, nil
	}
	host, _, err := net.SplitHostPort(address)
	if err == nil {
		err = c.Auth(smtp.PlainAuth("", from, secret, host))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("signing in to send mail: %w", err), c.Close())
	}
	return &mailer{from, c}, nil
}

// send returns when the server has answered the final dot with 250. Everybody
// in to is in the header; the server gets the mail for the first.
func (m *mailer) send(subject, text string, to ...string) error {
	mail := fmt.Sprintf("From: %s\r\nTo: %s\r\nSubject: %s\r\nDate: %s\r\nMessage-ID: <%s@%s>\r\nMIME-Version: 1.0\r\n"+
		"Content-Type: text/plain; charset=utf-8\r\n\r\n%s\r\n",
		m.from, strings.Join(to, ", "), subject, time.Now().Format(time.RFC1123Z), rand.Text(), domain, text)
	if err := m.client.Mail(m.from); err != nil {
		return err
	}
	if err := m.client.Rcpt(to[0]); err != nil {
		return err
	}
	data, err := m.client.Data()
	if err != nil {
		return err
	}
	if _, err := io.WriteString(data, mail); err != nil {
		return err
	}
	return data.Close()
}
