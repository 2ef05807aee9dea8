package mailin

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"mailroom/bridge"
	"mailroom/mailin/dnstest"
)

// service is bridge in memory: it notes what it is asked to do.
type service struct {
	mu           sync.Mutex
	starts       []bridge.StartRequest
	started      map[string]bridge.Address
	posts        []bridge.PostRequest
	replies      []bridge.MailReply
	unsubscribed []string
	bounced      map[string]string // token -> reason
	tokens       map[string]bridge.Right
	accounts     map[string]string
	lookups      atomic.Int64
	fail         error // what every writing call returns
	allow        func(bridge.Identity) error
}

const (
	replyToken       = "aaabcdefghijklmnopqrstuvwxyz"
	otherReplyToken  = "aazyxwvutsrqponmlkjihgfedcba"
	bounceToken      = "aabbcdefghijklmnopqrstuvwxyz"
	unsubscribeToken = "aaubcdefghijklmnopqrstuvwxyz"
)

func newService() *service {
	return &service{
		bounced: map[string]string{},
		tokens: map[string]bridge.Right{
			replyToken: bridge.RightReply, otherReplyToken: bridge.RightReply,
			bounceToken: bridge.RightBounce, unsubscribeToken: bridge.RightUnsubscribe,
		},
		accounts: map[string]string{"alice@example.org": "app password"},
		allow:    func(bridge.Identity) error { return nil },
	}
}

func (s *service) MayStart(by bridge.Identity) error { return s.allow(by) }

func (s *service) Start(_ context.Context, r bridge.StartRequest) (*bridge.Room, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return nil, s.fail
	}
	s.starts = append(s.starts, r)
	return &bridge.Room{Session: bridge.Session{ID: uuid.New()}}, nil
}

// Answered knows the session that each Message-ID started, with its one member.
func (s *service) Answered(_ context.Context, by bridge.Identity, ids []string) (uuid.UUID, bool, error) {
	for _, id := range ids {
		if s.started[id] == by.Address && !by.Address.IsZero() {
			return uuid.NewSHA1(uuid.Nil, []byte(id)), true, nil
		}
	}
	return uuid.Nil, false, nil
}

func (s *service) Post(_ context.Context, p bridge.PostRequest) (bridge.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return bridge.Record{}, s.fail
	}
	s.posts = append(s.posts, p)
	return bridge.Record{}, nil
}

func (s *service) Holder(_ context.Context, right bridge.Right, token string) (bridge.Holder, error) {
	s.lookups.Add(1)
	if s.tokens[token] != right {
		return bridge.Holder{}, &bridge.Error{Code: bridge.NotFound, Message: "There is no such session."}
	}
	return bridge.Holder{Right: right}, nil
}

func (s *service) ReplyByMail(_ context.Context, r bridge.MailReply) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return false, s.fail
	}
	s.replies = append(s.replies, r)
	return r.Authenticated, nil
}

func (s *service) Unsubscribe(_ context.Context, token string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unsubscribed = append(s.unsubscribed, token)
	return s.fail
}

func (s *service) Bounced(_ context.Context, token, reason string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bounced[token] = reason
	return s.fail
}

func (s *service) CheckAccount(_ context.Context, address, password string) (bool, error) {
	return password != "" && s.accounts[address] == password, nil
}

// onlyStart is the one session that was started.
func (s *service) onlyStart(t *testing.T) bridge.StartRequest {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	require.Len(t, s.starts, 1)
	return s.starts[0]
}

func (s *service) onlyReply(t *testing.T) bridge.MailReply {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	require.Len(t, s.replies, 1)
	return s.replies[0]
}

// syncBuffer is a log that may be read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// bench is a server with everything around it.
type bench struct {
	*Server
	service *service
	dns     *dnstest.Server
	signer  *dnstest.Signer // of example.org
	log     *syncBuffer
	stop    context.CancelFunc
}

// start runs a server with all three listeners. example.org signs its mail and
// publishes p=none unless a test says otherwise.
func start(t *testing.T, change ...func(*Config)) *bench {
	t.Helper()
	signer := dnstest.NewSigner(t, "example.org", "s1")
	dns := dnstest.Start(t, dnstest.Zones{
		"example.org":        {"MX 10 mail.example.org", "A 192.0.2.1"},
		"_dmarc.example.org": {"TXT v=DMARC1; p=none"},
		signer.Name():        {signer.Record()},
	})
	b := &bench{service: newService(), dns: dns, signer: signer, log: &syncBuffer{}}
	dir, err := os.MkdirTemp("", "m") // t.TempDir is too long for a socket, which has about 100 bytes
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	cfg := Config{
		Domain: "in.example.org", SMTPListen: "127.0.0.1:0", SubmissionListen: "127.0.0.1:0",
		LMTPListen: "unix:" + filepath.Join(dir, "lmtp.sock"), Resolver: dns.Addr,
	}
	for _, c := range change {
		c(&cfg)
	}
	b.Server, err = New(cfg, b.service, slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	require.NoError(t, err)
	require.NoError(t, b.Listen())
	ctx, cancel := context.WithCancel(context.Background())
	b.stop = cancel
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		for _, d := range b.doors {
			d.guard.closeAll()
		}
		require.NoError(t, <-done)
	})
	return b
}

// talk is a conversation over the wire.
type talk struct {
	t    *testing.T
	conn net.Conn
	text *textproto.Conn
}

// dial opens a conversation and reads the greeting.
func dial(t *testing.T, a net.Addr) *talk {
	t.Helper()
	k := dialRaw(t, a)
	k.hear("220")
	return k
}

// dialRaw opens a connection and reads nothing yet.
func dialRaw(t *testing.T, a net.Addr) *talk {
	t.Helper()
	c, err := net.Dial(a.Network(), a.String())
	require.NoError(t, err)
	return talkOn(t, c)
}

func talkOn(t *testing.T, c net.Conn) *talk {
	t.Helper()
	k := &talk{t: t, conn: c, text: textproto.NewConn(c)}
	t.Cleanup(func() { _ = k.text.Close() })
	return k
}

// smtp opens a conversation at the SMTP listener, up to EHLO.
func (b *bench) smtp(t *testing.T) *talk {
	t.Helper()
	k := dial(t, b.Addr())
	k.say("EHLO mail.example.org", "250")
	return k
}

// say sends a line and reads a reply that must begin so; it returns the reply.
func (k *talk) say(line, want string) string {
	k.t.Helper()
	require.NoError(k.t, k.text.PrintfLine("%s", line))
	return k.hear(want)
}

func (k *talk) hear(want string) string {
	k.t.Helper()
	require.NoError(k.t, k.conn.SetReadDeadline(time.Now().Add(20*time.Second)))
	var all []string
	for {
		line, err := k.text.ReadLine()
		require.NoError(k.t, err, "waiting for %s", want)
		all = append(all, line)
		if len(line) < 4 || line[3] != '-' {
			require.True(k.t, strings.HasPrefix(line, want), "want %s, got %q", want, all)
			return strings.Join(all, "\n")
		}
	}
}

// raw sends bytes as they are.
func (k *talk) raw(s string) {
	k.t.Helper()
	_, err := k.conn.Write([]byte(s))
	require.NoError(k.t, err)
}

// data sends a mail that ends in a line end after DATA, dots stuffed, and
// reads the answer.
func (k *talk) data(mail, want string) string {
	k.t.Helper()
	k.say("DATA", "354")
	k.raw(strings.ReplaceAll(mail, "\r\n.", "\r\n..") + ".\r\n")
	return k.hear(want)
}

// closed waits for the server to hang up.
func (k *talk) closed() {
	k.t.Helper()
	require.NoError(k.t, k.conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	_, err := k.text.ReadLine()
	var timeout net.Error
	require.Error(k.t, err)
	require.False(k.t, errors.As(err, &timeout) && timeout.Timeout(), "still open")
}

// send sends one mail to some recipients and returns the answer to the dot.
func (b *bench) send(t *testing.T, mail, want string, to ...string) string {
	t.Helper()
	k := b.smtp(t)
	k.say("MAIL FROM:<alice@example.org>", "250")
	for _, rcpt := range to {
		k.say("RCPT TO:<"+rcpt+">", "250")
	}
	return k.data(mail, want)
}

// crlf makes the line ends of a mail.
func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

// invitation is a mail that starts a session.
const invitation = `From: Alice <alice@example.org>
To: Bob <bob@customer.test>, new@in.example.org
Cc: carol@example.org
Subject: Re: Tomorrow
Message-ID: <1@example.org>
Date: Mon, 23 Nov 2026 10:00:00 +0000

Shall we meet?
`

func (b *bench) signed(t *testing.T, mail string, fields ...string) string {
	return b.signer.Sign(t, crlf(mail), fields...)
}

// answerTo is a signed answer to a reply address.
func answerTo(token, text string) string {
	return "From: Bob <bob@example.org>\nTo: r-" + token + "@in.example.org\nSubject: Re: Tomorrow\nMessage-ID: <2@example.org>\n\n" + text
}

func addresses(list []bridge.Invitee) []string {
	var all []string
	for _, i := range list {
		all = append(all, i.Address.String())
	}
	return all
}

// clientTLS trusts everything: the certificate is the test's own.
var clientTLS = &tls.Config{InsecureSkipVerify: true}
