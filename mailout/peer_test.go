package mailout

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"
)

// received is one mail as the peer got it.
type received struct {
	from, to string
	utf8     bool
	raw      []byte
	hello    string
	tls      bool
	user     string
}

// peer is a real SMTP server that records what it gets and answers as it is told.
type peer struct {
	server  *smtp.Server
	address string

	mu          sync.Mutex
	mails       []received
	connections []*smtp.Conn
	answer      func(at step) error // what to say at a step; nil: 250
}

func newPeer(t testing.TB, adjust func(*smtp.Server)) *peer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return newPeerOn(t, listener, adjust)
}

func newPeerOn(t testing.TB, listener net.Listener, adjust func(*smtp.Server)) *peer {
	t.Helper()
	p := &peer{answer: func(step) error { return nil }}
	p.server = smtp.NewServer(p)
	p.server.Domain = "peer.test"
	p.server.AllowInsecureAuth = true
	p.server.ErrorLog = silent{}
	if adjust != nil {
		adjust(p.server)
	}
	p.address = listener.Addr().String()
	done := make(chan error, 1)
	go func() { done <- p.server.Serve(listener) }()
	t.Cleanup(func() {
		require.NoError(t, p.server.Close())
		require.NoError(t, <-done)
	})
	return p
}

type silent struct{}

func (silent) Printf(string, ...any) {}
func (silent) Println(...any)        {}

func (p *peer) answers(f func(at step) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = f
}

func (p *peer) say(at step) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.answer(at)
}

func (p *peer) got() []received {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]received(nil), p.mails...)
}

// hangUp closes all connections without a word.
func (p *peer) hangUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.connections {
		_ = c.Conn().Close() // some are closed already
	}
}

// NewSession implements smtp.Backend.
func (p *peer) NewSession(c *smtp.Conn) (smtp.Session, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.connections = append(p.connections, c)
	return &peerSession{peer: p, conn: c}, nil
}

type peerSession struct {
	peer *peer
	conn *smtp.Conn
	mail received
	user string
}

func (s *peerSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *peerSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if password != "secret" {
			return smtp.ErrAuthFailed
		}
		s.user = user
		return nil
	}), nil
}

func (s *peerSession) Mail(from string, options *smtp.MailOptions) error {
	_, encrypted := s.conn.TLSConnectionState()
	s.mail = received{from: from, utf8: options.UTF8, hello: s.conn.Hostname(), tls: encrypted, user: s.user}
	return s.peer.say(stepMail)
}

func (s *peerSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.mail.to = to
	return s.peer.say(stepRcpt)
}

func (s *peerSession) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	switch err := s.peer.say(stepDot); {
	case errors.Is(err, errHangUp):
		return s.conn.Conn().Close()
	case err != nil:
		return err
	}
	s.mail.raw = raw
	s.peer.mu.Lock()
	defer s.peer.mu.Unlock()
	s.peer.mails = append(s.peer.mails, s.mail)
	return nil
}

func (s *peerSession) Reset()        {}
func (s *peerSession) Logout() error { return nil }

func smtpError(code int, enhanced smtp.EnhancedCode, text string) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: enhanced, Message: text}
}

// errHangUp makes the peer close the connection instead of answering the final dot.
var errHangUp = errors.New("hang up")

// certificate makes a certificate for localhost, and the roots that trust it.
func certificate(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	root, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(root)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, &tls.Config{RootCAs: roots}
}
