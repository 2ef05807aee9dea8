package mailout

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"net/url"
	"strings"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Timeouts of RFC 5321 §4.5.3.2.
const (
	connectTimeout = 30 * time.Second
	commandTimeout = 5 * time.Minute  // greeting, MAIL, RCPT
	blockTimeout   = 3 * time.Minute  // each piece of DATA
	finalTimeout   = 10 * time.Minute // the answer to the final dot
)

// smarthost is the server that takes all our mail.
type smarthost struct {
	address   string // host:port
	host      string
	tls       bool // from the first byte on (smtps); else STARTTLS if it is offered
	user      string
	password  string
	helloName string // what we call ourselves in EHLO
	// roots are whom to trust for the server's certificate; nil: whom the system trusts.
	roots *tls.Config
}

func parseSmarthost(s string) (smarthost, error) {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.Scheme != "smtp" && u.Scheme != "smtps" || u.Path != "" && u.Path != "/" {
		// The URL may hold a password: it is not repeated.
		return smarthost{}, errors.New("write smtp://host:25, smtp://user:password@host:587 or smtps://user:password@host:465")
	}
	h := smarthost{host: u.Hostname(), tls: u.Scheme == "smtps", user: u.User.Username()}
	h.password, _ = u.User.Password()
	port := u.Port()
	switch {
	case port != "":
	case h.tls:
		port = "465"
	case h.user != "":
		port = "587"
	default:
		port = "25"
	}
	h.address = net.JoinHostPort(h.host, port)
	return h, nil
}

// helloName is a name for EHLO that leads back to us: the domain of the sender.
func (s settings) helloName() string {
	_, domain, _ := strings.Cut(path(s.from.Address), "@")
	return domain
}

// loopback tells that what is sent to the host does not leave this machine.
func (h smarthost) loopback() bool {
	ip := net.ParseIP(h.host)
	return h.host == "localhost" || ip != nil && ip.IsLoopback()
}

// connect opens a connection that is ready for mails.
func (h smarthost) connect(ctx context.Context) (*smtp.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	dialer := net.Dialer{Timeout: connectTimeout}
	raw, err := dialer.DialContext(ctx, "tcp", h.address)
	if err != nil {
		return nil, err
	}
	// Until the connection is ready it ends with ctx.
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	defer stop()
	client, err := h.secure(ctx, &patientConn{raw})
	if err == nil {
		err = h.logIn(client)
	}
	if err != nil {
		_ = raw.Close() // the error that counts is the first one
		return nil, err
	}
	return client, nil
}

func (h smarthost) secure(ctx context.Context, conn net.Conn) (*smtp.Client, error) {
	var err error
	if h.tls {
		if conn, err = h.handshake(ctx, conn, true); err != nil {
			return nil, err
		}
	} else if conn, err = h.startTLS(ctx, conn); err != nil {
		return nil, err
	}
	client := smtp.NewClient(conn)
	client.CommandTimeout, client.SubmissionTimeout = commandTimeout, finalTimeout
	return client, client.Hello(h.helloName)
}

func (h smarthost) handshake(ctx context.Context, conn net.Conn, verify bool) (net.Conn, error) {
	config := &tls.Config{}
	if h.roots != nil {
		config = h.roots.Clone()
	}
	config.ServerName, config.InsecureSkipVerify = h.host, !verify
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("TLS with %s: %w", h.host, err)
	}
	return secured, nil
}

// startTLS speaks with the server up to the point where it is known if it offers STARTTLS (RFC 3207), and starts it
// then. The certificate is verified and there is no way back to plain text, except on loopback, where nobody is in
// between and mail servers have certificates of no known issuer.
//
// go-smtp's own STARTTLS calls us "localhost" and needs to know beforehand that it is offered.
func (h smarthost) startTLS(ctx context.Context, conn net.Conn) (net.Conn, error) {
	if err := conn.SetDeadline(time.Now().Add(commandTimeout)); err != nil {
		return nil, err
	}
	text := textproto.NewConn(conn)
	greeting, offered, err := h.greet(text)
	if err != nil {
		return nil, err
	}
	if offered {
		if err := command(text, 220, "STARTTLS"); err != nil {
			return nil, fmt.Errorf("STARTTLS with %s: %w", h.host, err)
		}
	}
	if text.R.Buffered() > 0 { // what was said before the handshake must not count after it (CVE-2011-0411)
		return nil, fmt.Errorf("%s spoke out of turn", h.host)
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	switch {
	case offered:
		conn, err = h.handshake(ctx, conn, !h.loopback())
	case h.user != "" && !h.loopback():
		err = fmt.Errorf("%s offers no STARTTLS, and the password must not be sent in the clear; use smtps:// or another port", h.host)
	}
	if err != nil {
		return nil, err
	}
	return greeted(conn, greeting), nil
}

// greet reads the server's greeting and asks if it offers STARTTLS.
func (h smarthost) greet(text *textproto.Conn) (greeting string, offered bool, err error) {
	_, greeting, err = text.ReadResponse(220)
	if err != nil {
		return "", false, fmt.Errorf("greeting of %s: %w", h.host, err)
	}
	if err := text.PrintfLine("EHLO %s", h.helloName); err != nil {
		return "", false, err
	}
	_, offers, err := text.ReadResponse(250)
	var answer *textproto.Error
	if errors.As(err, &answer) { // an old server that knows no EHLO; go-smtp's client says HELO then
		return greeting, false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("EHLO to %s: %w", h.host, err)
	}
	return greeting, offersStartTLS(offers), nil
}

func command(text *textproto.Conn, expected int, line string) error {
	if err := text.PrintfLine("%s", line); err != nil {
		return err
	}
	_, _, err := text.ReadResponse(expected)
	return err
}

func offersStartTLS(offers string) bool {
	for _, line := range strings.Split(offers, "\n") {
		if strings.EqualFold(strings.TrimSpace(line), "STARTTLS") {
			return true
		}
	}
	return false
}

func (h smarthost) logIn(client *smtp.Client) error {
	if h.user == "" {
		return nil
	}
	method := sasl.NewPlainClient("", h.user, h.password)
	if !client.SupportsAuth(sasl.Plain) && client.SupportsAuth(sasl.Login) {
		method = sasl.NewLoginClient(h.user, h.password)
	}
	err := client.Auth(method)
	var answer *smtp.SMTPError
	if errors.As(err, &answer) && answer.Code >= 500 {
		err = fmt.Errorf("%w: %w", errRefusesUs, err)
	}
	if err != nil {
		return fmt.Errorf("log in to %s as %s: %w", h.host, h.user, err)
	}
	return nil
}

// greeted is a connection on which the greeting, already read, is read once more by go-smtp's client.
func greeted(conn net.Conn, greeting string) net.Conn {
	first, _, _ := strings.Cut(greeting, "\n")
	line := []byte("220 " + first + "\r\n")
	return &greetedConn{conn, io.MultiReader(bytes.NewReader(line), conn)}
}

type greetedConn struct {
	net.Conn
	reader io.Reader
}

func (c *greetedConn) Read(b []byte) (int, error) { return c.reader.Read(b) }

// patientConn gives each piece of data its own time, which go-smtp's client does not limit.
type patientConn struct{ net.Conn }

func (c *patientConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(blockTimeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}
