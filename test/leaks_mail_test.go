package test

import (
	"context"
	"encoding/base64"
	"net/textproto"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"mailroom/test/harness"
)

// dialogue is somebody who talks SMTP by hand, over one connection for as long as the server lets them.
type dialogue struct {
	address string
	conn    *textproto.Conn
	left    int // commands until the server hangs up on whoever guesses
}

// How many guesses the server takes from one connection, without the last one, at which it hangs up.
const (
	guessedRecipients = 4
	guessedPasswords  = 2
)

// open connects anew when the server would not take more guesses.
func (d *dialogue) open(guesses int) error {
	if d.left > 0 {
		return nil
	}
	if err := d.close(); err != nil {
		return err
	}
	conn, err := textproto.Dial("tcp", d.address)
	if err != nil {
		return err
	}
	d.conn, d.left = conn, guesses
	if _, _, err := conn.ReadResponse(220); err != nil {
		return err
	}
	_, _, err = d.command("EHLO mx.elsewhere.test")
	return err
}

func (d *dialogue) close() error {
	if d.conn == nil {
		return nil
	}
	conn := d.conn
	d.conn = nil
	return conn.Close()
}

func (d *dialogue) command(line string) (code int, text string, err error) {
	if err := d.conn.PrintfLine("%s", line); err != nil {
		return 0, "", err
	}
	return d.conn.ReadResponse(0)
}

// reply is an answer of SMTP without the thing that was asked for.
type reply struct {
	Code int
	Text string
}

// smtpProbe asks a question on a connection on which these commands went before it.
func smtpProbe(name, address string, guesses int, before []string, question, exists, missing string) probe {
	d := &dialogue{address: address}
	prepare := func() error {
		err := d.open(guesses)
		for _, line := range before {
			if err == nil {
				_, _, err = d.command(line)
			}
		}
		return err
	}
	return probe{name: name, exists: exists, missing: missing, prepare: prepare, timed: true, ask: func(_ context.Context, thing string) (any, error) {
		d.left--
		code, text, err := d.command(strings.ReplaceAll(question, "THING", thing))
		return reply{code, strings.ReplaceAll(text, thing, "THING")}, err
	}}
}

func smtpLeaks(t *testing.T, l *leaksOf, submission string) {
	address, in := l.site.SMTP(), "@"+harness.MailDomain
	reply, _, _ := strings.Cut(l.dead.ReplyTo, "@")
	bounce, _, _ := strings.Cut(l.dead.From, "@")
	stop := l.dead.LinkTo("u")
	stop = "u-" + stop[strings.LastIndexByte(stop, '/')+1:]
	for _, r := range []struct{ name, exists, missing string }{
		{"RCPT of a session", "s-" + l.session, "s-" + uuid.NewString()},
		{"RCPT of a session's bare id", l.session, uuid.NewString()},
		{"RCPT of a member's name", "bob", "nobody"},
		{"RCPT of an initiator's name", "alice", "nobody"},
		{"RCPT of an address in an address", "bob=mailbox.test", "nobody=mailbox.test"},
		{"RCPT of a dead reply address", reply, "r-" + guess(reply)},
		{"RCPT of a dead bounce address", bounce, "b-" + guess(bounce)},
		{"RCPT of a dead unsubscribe address", stop, "u-" + guess(stop)},
	} {
		before := []string{"RSET", "MAIL FROM:<eve@elsewhere.test>"}
		smtpProbe(r.name, address, guessedRecipients, before, "RCPT TO:<THING"+in+">", r.exists, r.missing).try(t)
	}
	for _, r := range []struct{ name, question, exists, missing string }{
		{"MAIL FROM of a member", "MAIL FROM:<THING>", harness.Bob, "nob@mailbox.test"},
		{"VRFY", "VRFY THING", harness.Bob, "nob@mailbox.test"},
		{"VRFY of an address here", "VRFY THING" + in, reply, "r-" + guess(reply)},
		{"EXPN", "EXPN THING" + in, "s-" + l.session, "s-" + uuid.NewString()},
	} {
		smtpProbe(r.name, address, pairs, []string{"RSET"}, r.question, r.exists, r.missing).try(t)
	}
	accountLeaks(t, l, submission)
}

// accountLeaks: who may submit mail here.
func accountLeaks(t *testing.T, l *leaksOf, submission string) {
	l.site.Nodes[0].Run(t, "account", "add", harness.Alice)
	d := &dialogue{address: submission}
	t.Cleanup(func() { require.NoError(t, d.close()) })
	probe{
		name: "AUTH", exists: harness.Alice, missing: "alina@company.test",
		prepare: func() error { return d.open(guessedPasswords) }, timed: true,
		ask: func(_ context.Context, thing string) (any, error) {
			d.left--
			secret := base64.StdEncoding.EncodeToString([]byte("\x00" + thing + "\x00" + "wrong"))
			code, text, err := d.command("AUTH PLAIN " + secret)
			return reply{code, text}, err
		},
	}.try(t)
}
