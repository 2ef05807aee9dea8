package mailin

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mailroom/bridge"
)

// signedInMail begins a mail of Alice's at the submission listener.
func (b *bench) signedInMail(t *testing.T) *talk {
	t.Helper()
	k, _ := b.submit(t)
	k.say("AUTH PLAIN "+b64("\x00alice@example.org\x00app password"), "235")
	k.say("MAIL FROM:<alice@example.org>", "250")
	return k
}

func TestMailProgramsNameEverybodyToTheSubmissionServer(t *testing.T) {
	for name, order := range map[string][]string{
		"new@ first":     {"new@in.example.org", "bob@customer.test", "carol@example.org", "alice@example.org"},
		"new@ last":      {"BOB@Customer.test", "carol@example.org", "new@in.example.org"},
		"new@ in middle": {"bob@customer.test", "new@in.example.org", "carol@example.org", "carol@example.org"},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t)
			k := b.signedInMail(t)
			for _, rcpt := range order {
				k.say("RCPT TO:<"+rcpt+">", "250")
			}
			k.data(crlf(strings.Replace(invitation, "Cc: ", "Cc: alice@example.org, ", 1)), "250")
			require.Equal(t, []string{"bob@customer.test", "carol@example.org"}, addresses(b.service.onlyStart(t).Invitees))
		})
	}
}

func TestAsManyPeopleAsASessionTakesCanBeNamed(t *testing.T) {
	b := start(t)
	k := b.signedInMail(t)
	var people []string
	for i := range bridge.MaxRecipients {
		people = append(people, "p"+itoa(i)+"@customer.test")
		k.say("RCPT TO:<"+people[i]+">", "250")
	}
	k.say("RCPT TO:<new@in.example.org>", "250")
	k.data(crlf(strings.Replace(invitation, "Bob <bob@customer.test>", strings.Join(people, ",\n "), 1)), "550 5.5.3")
	require.Empty(t, b.service.starts, "Carol is one too many, and that is said by us")
}

func TestForeignRecipientsWithoutNewAreRefusedWithTheMail(t *testing.T) {
	for name, own := range map[string]string{"alone": "", "beside an answer": "r-" + replyToken + "@in.example.org"} {
		t.Run(name, func(t *testing.T) {
			b := start(t)
			k := b.signedInMail(t)
			if own != "" {
				k.say("RCPT TO:<"+own+">", "250")
			}
			k.say("RCPT TO:<bob@customer.test>", "250")
			k.data(crlf(invitation), "550 5.7.1 This server carries no ordinary mail. To start a conversation with these people, put new@in.example.org")
			require.Empty(t, b.service.starts)
			require.Empty(t, b.service.replies)
			require.Contains(t, b.log.String(), "reason=relaying")
		})
	}
}

func TestForeignRecipientsAreNoGuesses(t *testing.T) {
	b := start(t)
	k := b.signedInMail(t)
	for i := range 3 * b.config.Limits.UnknownRecipients {
		k.say("RCPT TO:<p"+itoa(i)+"@customer.test>", "250")
	}
	for range 2 * b.config.Limits.UnknownRecipients {
		k.say("RCPT TO:<p@xn--a.test>", "550 5.1.3")
	}
	k.say("RCPT TO:<nobody@in.example.org>", "550 5.1.1")
	k.say("NOOP", "250")
}

func TestOtherServersMayNotNameForeignRecipients(t *testing.T) {
	b := start(t)
	k := b.smtp(t)
	k.say("MAIL FROM:<alice@example.org>", "250")
	k.say("RCPT TO:<bob@customer.test>", "550 5.7.1 This server takes mail for its own domain only")
}

func TestForeignRecipientsOfOneMailDoNotReachTheNext(t *testing.T) {
	b := start(t)
	k := b.signedInMail(t)
	k.say("RCPT TO:<boss@secret.test>", "250")
	k.say("RSET", "250")
	k.say("MAIL FROM:<alice@example.org>", "250")
	k.say("RCPT TO:<new@in.example.org>", "250")
	k.data(crlf(invitation), "250")
	require.Equal(t, []string{"bob@customer.test", "carol@example.org"}, addresses(b.service.onlyStart(t).Invitees))
}
