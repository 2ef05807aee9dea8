package mailin

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"net"
	"net/smtp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func serverTLS(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"in.example.org"}}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: key}}}
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// submit opens a conversation at the submission listener, up to EHLO.
func (b *bench) submit(t *testing.T) (*talk, string) {
	t.Helper()
	k := dial(t, b.SubmissionAddr())
	return k, k.say("EHLO laptop.example.org", "250")
}

func TestAccountStartsASessionWithoutDKIM(t *testing.T) {
	b := start(t, func(c *Config) { c.TLS = serverTLS(t) })
	c, err := smtp.Dial(b.SubmissionAddr().String())
	require.NoError(t, err)
	require.NoError(t, c.StartTLS(clientTLS))
	require.NoError(t, c.Auth(smtp.PlainAuth("", "Alice@Example.org", "app password", "127.0.0.1")))
	require.NoError(t, c.Mail("alice@example.org"))
	require.NoError(t, c.Rcpt("new@in.example.org"))
	w, err := c.Data()
	require.NoError(t, err)
	_, err = w.Write([]byte(crlf(invitation)))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, c.Quit())
	b.service.onlyStart(t)
	require.Contains(t, b.log.String(), "level=A basis=account")
}

func TestLoginFromThisMachine(t *testing.T) {
	b := start(t)
	k, offers := b.submit(t)
	require.Contains(t, offers, "AUTH PLAIN LOGIN")
	k.say("AUTH LOGIN", "334 "+b64("Username:"))
	k.say(b64("alice@example.org"), "334 "+b64("Password:"))
	k.say(b64("app password"), "235")
	k.say("MAIL FROM:<alice@example.org>", "250")
	k.say("RSET", "250")
	k.say("MAIL FROM:<alice@example.org>", "250")
	k.say("RCPT TO:<new@in.example.org>", "250")
	k.data(crlf(invitation), "250")
	require.NotContains(t, b.log.String(), "app password")
}

func TestSubmissionNeedsAnAccount(t *testing.T) {
	b := start(t)
	k, _ := b.submit(t)
	k.say("MAIL FROM:<alice@example.org>", "530 5.7.0")
}

func TestFromMustBeTheAccount(t *testing.T) {
	b := start(t)
	k, _ := b.submit(t)
	k.say("AUTH PLAIN "+b64("\x00alice@example.org\x00app password"), "235")
	k.say("MAIL FROM:<alice@example.org>", "250")
	k.say("RCPT TO:<r-"+replyToken+"@in.example.org>", "250")
	k.data(crlf(answerTo(replyToken, "I am Bob\n")), "550 5.7.1 You are signed in as alice@example.org")
	require.Empty(t, b.service.replies)
}

func TestGuessedPasswordsEndTheConnection(t *testing.T) {
	b := start(t)
	k, _ := b.submit(t)
	k.say("AUTH PLAIN "+b64("\x00alice@example.org\x00wrong"), "535 5.7.8")
	k.say("AUTH PLAIN "+b64("boss@example.org\x00alice@example.org\x00app password"), "535 5.7.8")
	k.say("AUTH PLAIN "+b64("\x00not an address\x00x"), "535 5.7.8")
	k.say("AUTH PLAIN "+b64("\x00alice@example.org\x00app passwore"), "421 4.7.0")
	k.closed()
}

func TestOtherMailServersAreNotOfferedAUTH(t *testing.T) {
	b := start(t)
	k := dial(t, b.Addr())
	require.NotContains(t, k.say("EHLO x.example.org", "250"), "AUTH")
	k.say("AUTH PLAIN "+b64("\x00alice@example.org\x00app password"), "502 5.7.0")
}

func TestPasswordsNeedTLSFromElsewhere(t *testing.T) {
	b := start(t)
	k := b.fromElsewhere(t, b.doors[2])
	require.NotContains(t, k.say("EHLO laptop", "250"), "AUTH")
	k.say("AUTH PLAIN "+b64("\x00alice@example.org\x00app password"), "538 5.7.11")
}

// fromElsewhere opens a conversation at a door, as if from far away.
func (b *bench) fromElsewhere(t *testing.T, d *door) *talk {
	t.Helper()
	server, client := net.Pipe()
	t.Cleanup(func() { _ = client.Close() })
	listener := &oneConn{conn: elsewhere{server}, accepted: make(chan struct{})}
	go func() { _ = d.smtp.Serve(newGuard(listener, b.config.Limits)) }()
	t.Cleanup(func() { close(listener.accepted) })
	k := talkOn(t, client)
	k.hear("220")
	return k
}

// elsewhere is a connection that seems to come from far away.
type elsewhere struct{ net.Conn }

func (elsewhere) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 25} }

// oneConn is a listener with one connection.
type oneConn struct {
	conn     net.Conn
	accepted chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	<-l.accepted
	return nil, net.ErrClosed
}
func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

func TestConnectionsFromOneAddressAreBounded(t *testing.T) {
	g := newGuard(&oneConn{}, Limits{Connections: 10, ConnectionsIP: 2})
	server, client := net.Pipe()
	defer client.Close()
	first := g.admit(elsewhere{server})
	require.NotNil(t, first)
	require.NotNil(t, g.admit(elsewhere{server}))
	require.Nil(t, g.admit(elsewhere{server}))
	require.NotNil(t, g.admit(server), "another address")
	require.NoError(t, first.Close())
	require.NoError(t, first.Close(), "closing twice gives one place back")
	require.NotNil(t, g.admit(elsewhere{server}))
	require.Nil(t, g.admit(elsewhere{server}))
}
