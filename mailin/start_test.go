package mailin

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"mailroom/bridge"
)

func TestSignedMailStartsASession(t *testing.T) {
	b := start(t)
	mail := b.signed(t, invitation)
	b.send(t, mail, "250", "new@in.example.org")
	r := b.service.onlyStart(t)
	require.Equal(t, bridge.Identity{Via: bridge.Mail, Address: bridge.EmailAddress("alice@example.org"), Name: "Alice"}, r.By)
	require.Equal(t, "Tomorrow", r.Subject)
	require.Equal(t, bridge.Body{Text: "Shall we meet?"}, r.Body)
	require.Equal(t, []string{"bob@customer.test", "carol@example.org"}, addresses(r.Invitees))
	require.Equal(t, "Bob", r.Invitees[0].Name)
	require.Equal(t, "1@example.org", r.MessageID)
	require.Equal(t, mail, string(r.Received))
	require.Contains(t, b.log.String(), "class=session")
	require.Contains(t, b.log.String(), "level=B basis=dkim")
}

func TestSameMailHasTheSameOriginWhicheverWayItComes(t *testing.T) {
	b := start(t)
	mail := b.signed(t, invitation)
	b.send(t, mail, "250", "new@in.example.org")
	b.send(t, "Received: from elsewhere by here; Mon, 23 Nov 2026 10:00:00 +0000\r\n"+mail, "250", "NEW@in.Example.org")
	b.send(t, b.signed(t, strings.Replace(invitation, "<1@", "<other@", 1)), "250", "new@in.example.org")
	require.Len(t, b.service.starts, 3)
	require.Equal(t, b.service.starts[0].Origin, b.service.starts[1].Origin)
	require.NotEqual(t, b.service.starts[0].Origin, b.service.starts[2].Origin)
}

func TestMessageIDThatIsNotSignedDoesNotMakeAReplayNew(t *testing.T) {
	b := start(t)
	mail := b.signed(t, invitation, "From", "To", "Cc", "Subject", "Date")
	b.send(t, mail, "250", "new@in.example.org")
	b.send(t, strings.Replace(mail, "<1@", "<other@", 1), "250", "new@in.example.org")
	require.Len(t, b.service.starts, 2)
	require.Equal(t, b.service.starts[0].Origin, b.service.starts[1].Origin)
	require.Empty(t, b.service.starts[0].MessageID)
}

func TestInviteesAreEverybodyElseOnce(t *testing.T) {
	b := start(t)
	mail := strings.NewReplacer(
		"To: Bob", "To: BOB@Customer.Test, alice@example.org, \"x\" <r-"+replyToken+"@in.example.org>, friends: Dan <dan@bücher.example>, eve@example.net;, Bob",
	).Replace(invitation)
	b.send(t, b.signed(t, mail), "250", "new@in.example.org")
	require.Equal(t, []string{"bob@customer.test", "dan@xn--bcher-kva.example", "eve@example.net", "carol@example.org"}, addresses(b.service.onlyStart(t).Invitees))
}

func TestMailThatCannotStartASessionSaysWhy(t *testing.T) {
	replace := func(old, new string) string { return strings.Replace(invitation, old, new, 1) }
	crowd := "To: new@in.example.org"
	for i := range bridge.MaxRecipients + 1 {
		crowd += fmt.Sprintf(",\n p%d@example.net", i)
	}
	for name, c := range map[string]struct{ mail, want string }{
		"nobody but us":          {replace("To: Bob <bob@customer.test>, new@in.example.org\nCc: carol@example.org", "To: new@in.example.org, alice@example.org"), "550 5.1.3 There is nobody"},
		"new@ only in Bcc":       {replace(", new@in.example.org", ""), "550 5.7.1 To start a conversation"},
		"an address in disorder": {replace("carol@example.org", "carol at example.org"), "550 5.1.3 An address in the Cc line"},
		"two To lines":           {replace("Cc:", "To: mallory@example.net\nCc:"), "550 5.6.0 This mail has more than one To line"},
		"a mailing list":         {replace("Subject:", "List-Id: <l.example.org>\nSubject:"), "550 5.7.1 This mail was sent by a program"},
		"bulk":                   {replace("Subject:", "Precedence: bulk\nSubject:"), "550 5.7.1 This mail was sent by a program"},
		"a machine":              {replace("Subject:", "Auto-Submitted: auto-generated\nSubject:"), "550 5.7.1 This mail was sent by a program"},
		"a weak sign":            {replace("Subject: Re: Tomorrow", "Subject: Vacation plans"), "550 5.7.1 This mail looks as if a program had sent it (because of: Subject)"},
		"too many people":        {replace("To: Bob <bob@customer.test>, new@in.example.org", crowd), "550 5.5.3 A conversation can have at most 50 people"},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t)
			b.send(t, b.signed(t, c.mail), c.want, "new@in.example.org")
			require.Empty(t, b.service.starts)
			require.Contains(t, b.log.String(), "class=refused")
		})
	}
}

func TestPersonalMailThatSaysNotAutoSubmittedIsTaken(t *testing.T) {
	b := start(t)
	b.send(t, b.signed(t, strings.Replace(invitation, "Subject:", "Auto-Submitted: no\nSubject:", 1)), "250", "new@in.example.org")
	b.service.onlyStart(t)
}

func TestInitiatorsThatAreNotAllowedAreToldSo(t *testing.T) {
	b := start(t)
	b.service.allow = func(bridge.Identity) error {
		return &bridge.Error{Code: bridge.Forbidden, Message: "You may not start sessions here – ask.\r\nEvil: 100%d"}
	}
	b.send(t, b.signed(t, invitation), "550 5.7.1 You may not start sessions here ? ask.  Evil: 100%d", "new@in.example.org")
}

func TestErrorsOfBridgeBecomeAnswersOfSMTP(t *testing.T) {
	for want, err := range map[string]error{
		"452 4.5.3 Slow down.": &bridge.Error{Code: bridge.TooMany, Message: "Slow down."},
		"550 5.6.0 What?":      &bridge.Error{Code: bridge.Invalid, Message: "What?"},
		"550 5.7.1 Over.":      &bridge.Error{Code: bridge.Closed, Message: "Over."},
		"451 4.3.0 Again.":     &bridge.Error{Code: bridge.Conflict, Message: "Again."},
		"451 4.3.0 Something":  errors.New("disk full at /secret"),
	} {
		b := start(t)
		b.service.fail = err
		answer := b.send(t, b.signed(t, invitation), want, "new@in.example.org")
		require.NotContains(t, answer, "secret")
	}
}

func TestFilesAreNamedInTheFirstMessage(t *testing.T) {
	b := start(t)
	mail := strings.Replace(invitation, "\n\nShall we meet?\n", `
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Sch=F6n.
--b
Content-Type: application/pdf
Content-Disposition: attachment; filename*=utf-8''%C3%A4rger%0A.pdf
Content-Transfer-Encoding: base64

`+strings.Repeat("AAAA", 700)+`
--b--
`, 1)
	b.send(t, b.signed(t, mail), "250", "new@in.example.org")
	require.Equal(t, "Schön.\n\n[File: ärger .pdf, 3 KB. Files by mail are not carried yet; ask the sender for it.]", b.service.onlyStart(t).Body.Text)
}

func TestSignatureIsLeftOutOfTheFirstMessageButQuotesStay(t *testing.T) {
	b := start(t)
	mail := strings.Replace(invitation, "Shall we meet?", "See below.\n\nOn Monday 3 May 2026 Dan wrote:\n> Please fix it.\n\n-- \nAlice\nCEO", 1)
	b.send(t, b.signed(t, mail), "250", "new@in.example.org")
	require.Equal(t, "See below.\n\nOn Monday 3 May 2026 Dan wrote:\n> Please fix it.", b.service.onlyStart(t).Body.Text)
}

func TestAnAnswerToAllGoesIntoTheSessionThatItsMailStarted(t *testing.T) {
	b := start(t)
	alice := bridge.EmailAddress("alice@example.org")
	b.service.started = map[string]bridge.Address{"0@example.org": alice}
	answer := strings.Replace(invitation, "Message-ID:", "In-Reply-To: <x@other.test>\nReferences: <0@example.org>\n <x@other.test>\nMessage-ID:", 1) +
		"\nOn Monday, Bob wrote:\n> old words\n"
	b.send(t, b.signed(t, answer), "250", "new@in.example.org")
	require.Empty(t, b.service.starts)
	require.Len(t, b.service.posts, 1)
	post := b.service.posts[0]
	require.Equal(t, uuid.NewSHA1(uuid.Nil, []byte("0@example.org")), post.Session)
	require.Equal(t, alice, post.By.Address)
	require.Equal(t, "Shall we meet?", post.Body.Text)

	b.send(t, b.signed(t, strings.Replace(answer, ", new@in.example.org", "", 1)), "550 5.7.1 To start", "new@in.example.org")
	mallory := strings.Replace(answer, "Alice <alice@", "Mallory <mallory@", 1)
	b.send(t, b.signed(t, mallory), "250", "new@in.example.org")
	require.Len(t, b.service.posts, 1, "who is not a member starts a session of their own, if they may")
}
