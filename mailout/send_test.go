package mailout

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mailroom/bridge"

	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"
)

func TestSmarthostGetsTheMailAsRendered(t *testing.T) {
	p := newPeer(t, nil)
	s := newSender(t, testConfig("smtp://"+p.address))
	require.NoError(t, s.Send(t.Context(), letter(bridge.LetterInvitation, bob)))

	got := p.got()
	require.Len(t, got, 1)
	require.Equal(t, "b-bbtoken@in.example.org", got[0].from)
	require.Equal(t, "bob@customer.test", got[0].to)
	require.Equal(t, "chat.example.org", got[0].hello)
	h, text, html := readMail(t, got[0].raw)
	require.Equal(t, "Contract", h.Get("Subject"))
	require.Contains(t, text, "can we sign on Friday?")
	require.Contains(t, html, "can we sign on Friday?")
}

func TestDotsAndLongLinesArriveWhole(t *testing.T) {
	p := newPeer(t, nil)
	s := newSender(t, testConfig("smtp://"+p.address))
	l := letter(bridge.LetterInvitation, bob)
	words := ".\n..\n.QUIT\nFrom here\n" + strings.Repeat("長い", 3000) + "\n" + strings.Repeat("x", 5000) + "\n."
	l.Records[0].Body.Text = words
	require.NoError(t, s.Send(t.Context(), l))
	_, text, _ := readMail(t, p.got()[0].raw)
	require.Contains(t, strings.ReplaceAll(text, "\r\n", "\n"), words)
}

// The reply to each step decides, and the one to the final dot above all.
func TestAnswerDecides(t *testing.T) {
	for _, tt := range []struct {
		name    string
		at      step
		answer  error
		refused string // part of the sentence; "": it is tried again
	}{
		{"no such user", stepRcpt, smtpError(550, smtp.EnhancedCode{5, 1, 1}, "no such user"), "no such address"},
		{"no such user, no enhanced code", stepRcpt, smtpError(550, smtp.NoEnhancedCode, "no such user"), "no such address"},
		{"mailbox full", stepRcpt, smtpError(552, smtp.EnhancedCode{5, 2, 2}, "full"), "full"},
		{"policy", stepDot, smtpError(550, smtp.EnhancedCode{5, 7, 1}, "spam"), "does not take mail"},
		{"too big", stepDot, smtpError(552, smtp.EnhancedCode{5, 3, 4}, "big"), "too big"},
		{"anything for good", stepDot, smtpError(554, smtp.EnhancedCode{5, 6, 0}, "no"), "refused"},
		{"too big by its SIZE", stepMail, smtpError(552, smtp.NoEnhancedCode, "big"), "too big"},
		{"policy, no relaying", stepDot, smtpError(554, smtp.EnhancedCode{5, 7, 1}, "relay access denied"), "does not take mail"},
		{"busy at MAIL", stepMail, smtpError(451, smtp.EnhancedCode{4, 3, 0}, "busy"), ""},
		{"greylisted", stepRcpt, smtpError(450, smtp.EnhancedCode{4, 2, 0}, "later"), ""},
		{"busy at the final dot", stepDot, smtpError(451, smtp.EnhancedCode{4, 3, 0}, "busy"), ""},
		{"closing", stepRcpt, smtpError(421, smtp.EnhancedCode{4, 3, 2}, "bye"), ""},
		{"wants a login", stepMail, smtpError(530, smtp.EnhancedCode{5, 7, 0}, "log in first"), ""},
		{"wants a login at RCPT", stepRcpt, smtpError(530, smtp.NoEnhancedCode, "log in first"), ""},
		{"sender refused", stepMail, smtpError(553, smtp.EnhancedCode{5, 1, 8}, "no"), ""},
		{"sender not permitted", stepMail, smtpError(550, smtp.EnhancedCode{5, 7, 1}, "not you"), ""},
		{"no relaying for us (Postfix)", stepRcpt, smtpError(554, smtp.EnhancedCode{5, 7, 1}, "Relay access denied"), ""},
		{"no relaying for us (Exim)", stepRcpt, smtpError(550, smtp.NoEnhancedCode, "relay not permitted"), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPeer(t, nil)
			s := newSender(t, testConfig("smtp://"+p.address))
			p.answers(func(at step) error {
				if at == tt.at {
					return tt.answer
				}
				return nil
			})
			err := s.Send(t.Context(), letter(bridge.LetterInvitation, bob))
			var refused *bridge.RefusedError
			if tt.refused == "" {
				require.Error(t, err)
				require.NotErrorAs(t, err, &refused)
			} else {
				require.ErrorAs(t, err, &refused)
				require.Contains(t, refused.Reason, tt.refused)
				require.NotContains(t, refused.Reason, "5.", "codes are for the log")
			}
			require.Empty(t, p.got())

			p.answers(func(step) error { return nil })
			require.NoError(t, s.Send(t.Context(), letter(bridge.LetterInvitation, bob)), "the next mail is not harmed")
			require.Len(t, p.got(), 1)
		})
	}
}

// A smarthost that lost its configuration for a minute refuses every mail: the admin reads one line that says what to mend.
func TestAdminIsToldOnceThatTheSmarthostRefusesUs(t *testing.T) {
	p := newPeer(t, nil)
	var log bytes.Buffer
	s, err := New(testConfig("smtp://"+p.address), slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelError})))
	require.NoError(t, err)
	defer s.Close()
	send := func() error { return s.Send(t.Context(), letter(bridge.LetterInvitation, bob)) }
	for outage := range 2 {
		p.answers(func(at step) error {
			if at == stepRcpt {
				return smtpError(554, smtp.EnhancedCode{5, 7, 1}, "Relay access denied for b-bbtoken@in.example.org")
			}
			return nil
		})
		require.Error(t, send())
		require.Error(t, send())
		require.Equal(t, outage+1, strings.Count(log.String(), "mynetworks"))
		p.answers(func(step) error { return nil })
		require.NoError(t, send())
	}
	require.Contains(t, log.String(), "Relay access denied")
	require.NotContains(t, log.String(), "bbtoken")
}

func TestBurstUsesOneConnection(t *testing.T) {
	p := newPeer(t, nil)
	s := newSender(t, testConfig("smtp://"+p.address))
	for range maxPerConnection + 10 {
		require.NoError(t, s.Send(t.Context(), letter(bridge.LetterMissed, bob)))
	}
	require.Len(t, p.got(), maxPerConnection+10)
	p.mu.Lock()
	defer p.mu.Unlock()
	require.Len(t, p.connections, 2, "a new one only after so many mails")
}

func TestParallelMails(t *testing.T) {
	p := newPeer(t, nil)
	s := newSender(t, testConfig("smtp://"+p.address))
	var wait sync.WaitGroup
	errs := make([]error, 64)
	for i := range errs {
		wait.Go(func() { errs[i] = s.Send(t.Context(), letter(bridge.LetterMissed, bob)) })
	}
	wait.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	require.Len(t, p.got(), len(errs))
}

func TestConnectionThatWasClosedMeanwhileIsReplaced(t *testing.T) {
	p := newPeer(t, nil)
	s := newSender(t, testConfig("smtp://"+p.address))
	require.NoError(t, s.Send(t.Context(), letter(bridge.LetterMissed, bob)))
	p.hangUp()
	require.NoError(t, s.Send(t.Context(), letter(bridge.LetterMissed, bob)))
	require.Len(t, p.got(), 2)
}

// A connection lost after the final dot leaves open what became of the mail: it is not sent again at once, but tried
// later by the queue with the same Message-ID.
func TestLossAfterTheFinalDotIsNoSuccess(t *testing.T) {
	p := newPeer(t, nil)
	s := newSender(t, testConfig("smtp://"+p.address))
	var dots atomic.Int32
	p.answers(func(at step) error {
		if at == stepDot {
			dots.Add(1)
			return errHangUp
		}
		return nil
	})
	err := s.Send(t.Context(), letter(bridge.LetterMissed, bob))
	require.Error(t, err)
	var refused *bridge.RefusedError
	require.NotErrorAs(t, err, &refused)
	require.EqualValues(t, 1, dots.Load())
}

func TestSmarthostThatIsDownIsTriedLater(t *testing.T) {
	s := newSender(t, testConfig("smtp://127.0.0.1:1"))
	err := s.Send(t.Context(), letter(bridge.LetterMissed, bob))
	require.ErrorContains(t, err, "connect to the smarthost")
	var refused *bridge.RefusedError
	require.NotErrorAs(t, err, &refused)
}

func TestCancelledSendEnds(t *testing.T) {
	// A server that takes the connection and never says a word.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	s := newSender(t, testConfig("smtp://"+listener.Addr().String()))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.Error(t, s.Send(ctx, letter(bridge.LetterMissed, bob)))
}

func TestStartTLSWhenOffered(t *testing.T) {
	serverTLS, clientTLS := certificate(t)
	p := newPeer(t, func(s *smtp.Server) { s.TLSConfig = serverTLS })
	s := newSender(t, testConfig("smtp://"+p.address))
	require.NoError(t, s.Send(t.Context(), letter(bridge.LetterMissed, bob)), "on loopback any certificate will do")
	require.True(t, p.got()[0].tls)
	require.Equal(t, "chat.example.org", p.got()[0].hello)

	host := s.pool.host
	host.host, host.roots = "mail.test", clientTLS // somewhere else by name, here by address
	require.Error(t, newPool(host).send(t.Context(), render(t, letter(bridge.LetterMissed, bob))), "another host's certificate")
	require.Len(t, p.got(), 1, "and no way back to plain text")
}

func TestImplicitTLSIsVerified(t *testing.T) {
	serverTLS, clientTLS := certificate(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := newPeerOn(t, tls.NewListener(listener, serverTLS), nil)
	s := newSender(t, testConfig("smtps://"+p.address))
	require.ErrorContains(t, s.Send(t.Context(), letter(bridge.LetterMissed, bob)), "certificate")
	s.pool.host.roots = clientTLS
	require.NoError(t, s.Send(t.Context(), letter(bridge.LetterMissed, bob)))
	require.True(t, p.got()[0].tls)
}

func TestLogin(t *testing.T) {
	p := newPeer(t, nil)
	s := newSender(t, testConfig("smtp://mailroom:secret@"+p.address))
	require.NoError(t, s.Send(t.Context(), letter(bridge.LetterMissed, bob)))
	require.Equal(t, "mailroom", p.got()[0].user)

	var log bytes.Buffer
	s, err := New(testConfig("smtp://mailroom:wr0ngw0rd@"+p.address), slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelError})))
	require.NoError(t, err)
	defer s.Close()
	err = s.Send(t.Context(), letter(bridge.LetterMissed, bob))
	require.Contains(t, log.String(), "user and password", "the admin is told")
	require.ErrorContains(t, err, "log in to 127.0.0.1 as mailroom")
	require.NotContains(t, err.Error(), "wr0ngw0rd")
	var refused *bridge.RefusedError
	require.NotErrorAs(t, err, &refused, "a wrong password is for the admin to mend; the mail waits")
}

func TestPasswordIsNotSentInTheClear(t *testing.T) {
	p := newPeer(t, nil)
	s := newSender(t, testConfig("smtp://mailroom:secret@"+p.address))
	s.pool.host.host = "mail.test"
	require.ErrorContains(t, s.Send(t.Context(), letter(bridge.LetterMissed, bob)), "smtps://")
	require.Empty(t, p.got())
}

// CVE-2011-0411: what an attacker puts behind the answer to STARTTLS must not count as said under TLS.
func TestWordsBeforeTheHandshakeDoNotCount(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		lines := bufio.NewReader(conn)
		_, _ = fmt.Fprint(conn, "220 x\r\n")
		_, _ = lines.ReadString('\n')
		_, _ = fmt.Fprint(conn, "250-x\r\n250 STARTTLS\r\n")
		_, _ = lines.ReadString('\n')
		_, _ = fmt.Fprint(conn, "220 go\r\n250 injected\r\n")
		_, _ = lines.ReadString('\n')
	}()
	s := newSender(t, testConfig("smtp://"+listener.Addr().String()))
	require.ErrorContains(t, s.Send(t.Context(), letter(bridge.LetterMissed, bob)), "out of turn")
}

func TestAddressWithForeignLetters(t *testing.T) {
	to := member(2, "", "jürgen@customer.test", bridge.Participant, bridge.Invited)
	p := newPeer(t, func(s *smtp.Server) { s.EnableSMTPUTF8 = true })
	require.NoError(t, newSender(t, testConfig("smtp://"+p.address)).Send(t.Context(), letter(bridge.LetterInvitation, to)))
	require.Equal(t, "jürgen@customer.test", p.got()[0].to)
	require.True(t, p.got()[0].utf8)

	p = newPeer(t, nil)
	err := newSender(t, testConfig("smtp://"+p.address)).Send(t.Context(), letter(bridge.LetterInvitation, to))
	var refused *bridge.RefusedError
	require.ErrorAs(t, err, &refused)
	require.Contains(t, refused.Reason, "another address")
}

func TestTokensReachNoLog(t *testing.T) {
	p := newPeer(t, nil)
	p.answers(func(at step) error {
		return smtpError(550, smtp.EnhancedCode{5, 7, 1}, "<B-BBTOKEN@in.example.org>, r-rrtoken@: go away")
	})
	var log bytes.Buffer
	s, err := New(testConfig("smtp://"+p.address), slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	require.NoError(t, err)
	defer s.Close()
	err = s.Send(t.Context(), letter(bridge.LetterInvitation, bob))
	require.Contains(t, err.Error(), "[secret]")
	p.answers(func(step) error { return nil })
	require.NoError(t, s.Send(t.Context(), letter(bridge.LetterInvitation, bob)))
	for _, token := range []string{"jjtoken", "rrtoken", "uutoken", "bbtoken", "iitoken"} {
		require.NotContains(t, strings.ToLower(err.Error()+log.String()), token)
	}
}

func BenchmarkSend(b *testing.B) {
	p := newPeer(b, nil)
	s, err := New(testConfig("smtp://"+p.address), slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	l := letter(bridge.LetterInvitation, bob)
	for b.Loop() {
		if err := s.Send(b.Context(), l); err != nil {
			b.Fatal(err)
		}
	}
}
