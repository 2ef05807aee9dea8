package mailin

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mailroom/bridge"
)

// submitted sends a mail of Alice's through the submission listener.
func (b *bench) submitted(t *testing.T, mail, want string, to ...string) string {
	t.Helper()
	k := b.signedInMail(t)
	for _, rcpt := range to {
		k.say("RCPT TO:<"+rcpt+">", "250")
	}
	return k.data(crlf(mail), want)
}

var boss = bridge.Invitee{Address: bridge.EmailAddress("boss@secret.test"), Blind: true}

func TestWhomOnlyTheEnvelopeNamesIsABlindCopy(t *testing.T) {
	b := start(t)
	b.submitted(t, invitation, "250", "BOSS@secret.test", "new@in.example.org", "bob@customer.test", "carol@example.org", "boss@secret.test", "alice@example.org")
	invitees := b.service.onlyStart(t).Invitees
	require.Equal(t, []string{"bob@customer.test", "carol@example.org", "boss@secret.test"}, addresses(invitees))
	require.Equal(t, []bool{false, false, true}, []bool{invitees[0].Blind, invitees[1].Blind, invitees[2].Blind})
	require.Equal(t, boss, invitees[2])
	require.NotContains(t, b.log.String(), "secret.test")
}

func TestABccLineOfWhoHasSignedIn(t *testing.T) {
	b := start(t)
	mail := strings.Replace(invitation, "Subject:", "bcc: \"The Boss\" <boss@secret.test>, new@in.example.org,\n Bob <bob@customer.test>, alice@example.org\nSubject:", 1)
	b.submitted(t, mail, "250", "new@in.example.org", "boss@secret.test")
	r := b.service.onlyStart(t)
	require.Equal(t, []string{"bob@customer.test", "carol@example.org", "boss@secret.test"}, addresses(r.Invitees))
	require.Equal(t, bridge.Invitee{Address: boss.Address, Name: "The Boss", Blind: true}, r.Invitees[2])
	require.Equal(t, crlf(invitation), string(r.Received), "what is kept does not tell of it (RFC 5322 3.6.3)")
	require.Equal(t, "Shall we meet?", r.Body.Text)
}

func TestABlindCopyAloneIsSomebodyToTalkWith(t *testing.T) {
	b := start(t)
	b.submitted(t, strings.Replace(invitation, "To: Bob <bob@customer.test>, new@in.example.org\nCc: carol@example.org", "To: off@in.example.org", 1), "250", "off@in.example.org", "boss@secret.test")
	r := b.service.onlyStart(t)
	require.Equal(t, []bridge.Invitee{boss}, r.Invitees)
	require.True(t, r.Options.OffRecord)
}

func TestBlindCopiesCountAmongThePeople(t *testing.T) {
	b := start(t)
	to := []string{"new@in.example.org"}
	for i := range bridge.MaxRecipients - 1 {
		to = append(to, "p"+itoa(i)+"@secret.test")
	}
	b.submitted(t, invitation, "550 5.5.3", to...)
	require.Empty(t, b.service.starts)
}

func TestABccLineThatCannotBeReadIsRefused(t *testing.T) {
	b := start(t)
	answer := b.submitted(t, strings.Replace(invitation, "Subject:", "Bcc: boss at secret.test\nSubject:", 1), "550 5.1.3 An address in the Bcc line", "new@in.example.org")
	require.Contains(t, answer, "boss at secret.test", "its author is told")
	require.Empty(t, b.service.starts)
	require.NotContains(t, b.log.String(), "secret.test")
}

func TestNobodyIsABlindCopyOfAnAnswer(t *testing.T) {
	b := start(t)
	b.service.started = map[string]bridge.Address{"0@example.org": bridge.EmailAddress("alice@example.org")}
	mail := strings.Replace(invitation, "Message-ID:", "In-Reply-To: <0@example.org>\nMessage-ID:", 1)
	answer := b.submitted(t, mail, "550 5.7.1 An answer cannot have blind copies (Bcc), and nothing was sent", "new@in.example.org", "bob@customer.test", "boss@secret.test")
	require.True(t, strings.HasSuffix(answer, ": boss@secret.test"), answer)
	require.NotContains(t, b.log.String(), "secret.test")
	require.Empty(t, b.service.posts)
	b.submitted(t, mail, "250", "new@in.example.org", "bob@customer.test")
	require.Len(t, b.service.posts, 1)
}

// From outside, whoever puts a mail on its way again could add people so.
func TestBccFromOutsideInvitesNobody(t *testing.T) {
	b := start(t)
	mail := b.signed(t, strings.Replace(invitation, "Subject:", "Bcc: boss@secret.test\nSubject:", 1), "From", "To", "Cc", "Bcc", "Subject", "Message-ID")
	b.send(t, mail, "250", "new@in.example.org")
	r := b.service.onlyStart(t)
	require.Equal(t, []string{"bob@customer.test", "carol@example.org"}, addresses(r.Invitees))
	require.False(t, r.Invitees[0].Blind)
}
