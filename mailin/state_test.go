package mailin

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRecipientsOfOneMailDoNotReachTheNext(t *testing.T) {
	b := start(t)
	k := b.smtp(t)
	k.say("MAIL FROM:<alice@example.org>", "250")
	k.say("RCPT TO:<r-"+replyToken+"@in.example.org>", "250")
	k.data(b.signed(t, answerTo(replyToken, "First\n")), "250")

	k.say("MAIL FROM:<alice@example.org>", "250")
	k.say("DATA", "502")
	k.say("RCPT TO:<r-"+otherReplyToken+"@in.example.org>", "250")
	k.data(b.signed(t, answerTo(otherReplyToken, "Second\n")), "250")

	require.Len(t, b.service.replies, 2)
	require.Equal(t, replyToken, b.service.replies[0].Token)
	require.Equal(t, "First", b.service.replies[0].Post.Body.Text)
	require.Equal(t, otherReplyToken, b.service.replies[1].Token)
	require.Equal(t, "Second", b.service.replies[1].Post.Body.Text)
}

func TestMailAndRecipientsAreForgottenBy(t *testing.T) {
	for name, forget := range map[string]func(*bench, *talk){
		"RSET": func(_ *bench, k *talk) { k.say("RSET", "250") },
		"EHLO": func(_ *bench, k *talk) { k.say("EHLO other.example.org", "250") },
		"a mail that was refused": func(b *bench, k *talk) {
			k.data(crlf(answerTo(replyToken, "no line end \r here\n")), "550")
		},
		"a chunked mail that was broken off": func(_ *bench, k *talk) {
			k.raw("BDAT 7\r\nFrom: x")
			k.hear("250")
			k.say("RSET", "250")
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t)
			k := b.smtp(t)
			k.say("MAIL FROM:<>", "250")
			k.say("RCPT TO:<b-"+bounceToken+"@in.example.org>", "250")
			forget(b, k)
			k.say("RCPT TO:<r-"+replyToken+"@in.example.org>", "502")
			k.say("MAIL FROM:<alice@example.org>", "250")
			k.say("DATA", "502")
			k.say("RCPT TO:<r-"+replyToken+"@in.example.org>", "250")
			k.data(b.signed(t, answerTo(replyToken, "Mine\n")), "250")
			require.Equal(t, replyToken, b.service.onlyReply(t).Token)
			require.Empty(t, b.service.bounced)
		})
	}
}

func TestSecondMailCommandForgetsTheFirst(t *testing.T) {
	b := start(t)
	s := b.newSession(b.doors[0], nil)
	s.envelope = envelope{From: "alice@example.org", Recipients: []recipient{{For: toNew}}}
	require.NoError(t, s.Mail("bob@example.org", nil))
	require.Equal(t, envelope{From: "bob@example.org"}, s.envelope)
	s.envelope.Recipients = []recipient{{For: toNew}}
	s.Reset()
	require.Equal(t, envelope{}, s.envelope)
}
