package mailin

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func itoa(n int) string { return strconv.Itoa(n) }

// dsn is a delivery report as Postfix writes it.
const dsn = `From: MAILER-DAEMON@customer.test (Mail Delivery System)
To: b-` + bounceToken + `@in.example.org
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="x"

--x
Content-Type: text/plain

I'm sorry to have to inform you that your message could not be delivered.
--x
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.customer.test
Arrival-Date: Mon, 23 Nov 2026 10:00:00 +0000

Final-Recipient: rfc822; bob@customer.test
Original-Recipient: rfc822;bob@customer.test
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 <bob@customer.test>: Recipient address
    rejected: User unknown
--x
Content-Type: text/rfc822-headers

Subject: Tomorrow
--x--
`

func (b *bench) bounce(t *testing.T, mail, want string) {
	t.Helper()
	k := b.smtp(t)
	k.say("MAIL FROM:<>", "250")
	k.say("RCPT TO:<b-"+bounceToken+"@in.example.org>", "250")
	k.data(crlf(mail), want)
}

func TestBounceIsTold(t *testing.T) {
	b := start(t)
	b.bounce(t, dsn, "250")
	require.Equal(t, map[string]string{
		bounceToken: "there is no such mailbox. Please look at how the address is written.",
	}, b.service.bounced)
	require.Contains(t, b.log.String(), `class="bounce 5.1.1"`)
}

func TestBounceThatCannotBeNotedComesAgain(t *testing.T) {
	b := start(t)
	b.service.fail = errors.New("the disk is full")
	b.bounce(t, dsn, "451")
}

func TestOtherMailToTheEnvelopeSenderIsDroppedOnPurpose(t *testing.T) {
	for name, mail := range map[string]string{
		"delayed":        strings.NewReplacer("Action: failed", "Action: delayed", "5.1.1", "4.4.1").Replace(dsn),
		"delivered":      strings.NewReplacer("Action: failed", "Action: delivered", "Status: 5.1.1", "Status: 2.0.0").Replace(dsn),
		"vacation":       "From: bob@customer.test\nSubject: Away\nAuto-Submitted: auto-replied\n\nI am back in May. Call 550 1234.\n",
		"complaint":      "From: fbl@customer.test\nSubject: Complaint\nContent-Type: multipart/report; report-type=feedback-report; boundary=x\n\n--x\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\n--x--\n",
		"null sender":    "From: bob@customer.test\nSubject: Hello\n\nHi\n",
		"nothing in it ": "From: bob@customer.test\nAuto-Submitted: auto-replied\n\n",
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t)
			b.bounce(t, mail, "250")
			require.Empty(t, b.service.bounced)
			require.Contains(t, b.log.String(), `class="dropped: `)
		})
	}
}

func TestPeopleWhoWriteToTheEnvelopeSenderAreToldWhere(t *testing.T) {
	b := start(t)
	b.send(t, crlf("From: bob@example.org\nSubject: Hi\n\nHi\n"), "550 5.7.1 This address takes reports", "b-"+bounceToken+"@in.example.org")
}

func TestReportsOfManyShapes(t *testing.T) {
	withStatus := func(kind, text string) []part {
		return []part{{Type: "text/plain", Text: "Sorry."}, {Type: kind, Text: text}}
	}
	robot := header{{"From", " Mail Delivery Subsystem <mailer-daemon@x.test>"}, {"Subject", " Undeliverable: hello"}}
	for name, c := range map[string]struct {
		parts []part
		h     header
		want  deliveryReport
	}{
		"no status, only a diagnostic": {withStatus("message/delivery-status", "Final-Recipient: rfc822;b@x.test\nAction: failed\nDiagnostic-Code: smtp;550 5.7.1 No"), nil,
			deliveryReport{"b@x.test", "failed", "5.7.1", "550 5.7.1 No"}},
		"the gravest of several": {withStatus("message/delivery-status", "Reporting-MTA: dns; x\n\nAction: delayed\nStatus: 4.0.0\n\nAction: failed\nStatus: 5.2.2 (full)\n\nAction: relayed\nStatus: 2.0.0"), nil,
			deliveryReport{"", "failed", "5.2.2", ""}},
		"no blank line before the group": {withStatus("message/delivery-status", "Reporting-MTA: dns;x\nFinal-Recipient: rfc822;b@x.test\nStatus: 5.0.0"), nil,
			deliveryReport{"b@x.test", "failed", "5.0.0", ""}},
		"internationalized": {withStatus("message/global-delivery-status", "Final-Recipient: utf-8; bøb@x.test\nAction: Failed\nStatus: 5.1.1"), nil,
			deliveryReport{"bøb@x.test", "failed", "5.1.1", ""}},
		"words only": {[]part{{"text/plain", "Hi.\nbob@x.test\nSMTP error: 550-5.1.1 The account does not exist\n"}}, robot,
			deliveryReport{"", "failed", "5.1.1", "550-5.1.1 The account does not exist"}},
		"words with a code only": {[]part{{"text/plain", "Remote host said: 552 Mailbox full\n"}}, robot,
			deliveryReport{"", "failed", "5.0.0", "552 Mailbox full"}},
		"a temporary one in words": {[]part{{"text/plain", "421 4.4.2 try later\n"}}, robot,
			deliveryReport{"", "delayed", "4.4.2", "421 4.4.2 try later"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := parseReport(c.parts, envelope{}, c.h)
			require.True(t, ok)
			require.Equal(t, c.want, got)
		})
	}
}

func TestUnsubscribeByMail(t *testing.T) {
	b := start(t)
	b.send(t, crlf("From: bob@customer.test\nSubject: unsubscribe\n\n"), "250", "u-"+unsubscribeToken+"@in.example.org")
	require.Equal(t, []string{unsubscribeToken}, b.service.unsubscribed)
	require.Contains(t, b.log.String(), "class=unsubscribed")
}
