package mailin

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mailroom/bridge"
	"mailroom/locales"
)

const replyAddress = "r-" + replyToken + "@in.example.org"

func TestAnswerPostsOnlyItsNewText(t *testing.T) {
	b := start(t)
	text := "Yes, at ten.\n\nOn Mon, 23 Nov 2026 at 10:00, Alice <alice@example.org> wrote:\n> " +
		locales.Default().For("en").T("mail.reply_above") + "\n> Shall we meet?\n\n-- \nBob\n"
	b.send(t, b.signed(t, answerTo(replyToken, text)), "250", replyAddress)
	r := b.service.onlyReply(t)
	require.Equal(t, replyToken, r.Token)
	require.Equal(t, bridge.EmailAddress("bob@example.org"), r.Sender)
	require.True(t, r.Authenticated)
	require.Equal(t, bridge.Body{Text: "Yes, at ten."}, r.Post.Body)
	require.Equal(t, bridge.Identity{Via: bridge.Mail, Name: "Bob"}, r.Post.By)
	require.NotEmpty(t, r.Post.Origin.ID)
	require.Contains(t, b.log.String(), "class=reply")
	require.NotContains(t, b.log.String(), replyToken, "tokens never reach a log")
	require.NotContains(t, b.log.String(), "at ten")
}

func TestAnswerThatIsNotProvedIsHeld(t *testing.T) {
	b := start(t)
	b.send(t, crlf(answerTo(replyToken, "Hello\n")), "250", replyAddress)
	require.False(t, b.service.onlyReply(t).Authenticated)
	require.Contains(t, b.log.String(), "class=held")
}

func TestAnswerAgainstAQuarantinePolicyIsHeld(t *testing.T) {
	b := start(t)
	b.dns.Set("_dmarc.example.org", "TXT v=DMARC1; p=quarantine")
	b.send(t, crlf(answerTo(replyToken, "Hello\n")), "250", replyAddress)
	require.False(t, b.service.onlyReply(t).Authenticated)
}

func TestAnswerAgainstThePolicyOfItsDomainIsRefused(t *testing.T) {
	b := start(t)
	b.dns.Set("_dmarc.example.org", "TXT v=DMARC1; p=reject")
	b.send(t, crlf(answerTo(replyToken, "Hello\n")), "550 5.7.26", replyAddress)
	require.Empty(t, b.service.replies)
}

func TestSignedMailToSomebodyElseDoesNotCountAsAnAnswer(t *testing.T) {
	b := start(t)
	other := strings.Replace(answerTo(replyToken, "I agree.\n"), "To: "+replyAddress, "To: carol@customer.test", 1)
	b.send(t, b.signed(t, other), "250", replyAddress)
	require.False(t, b.service.onlyReply(t).Authenticated)
}

func TestAddressAddedToASignedMailDoesNotCount(t *testing.T) {
	b := start(t)
	other := strings.Replace(answerTo(replyToken, "I agree.\n"), "To: "+replyAddress, "To: carol@customer.test", 1)
	b.send(t, "Cc: "+replyAddress+"\r\n"+b.signed(t, other, "From", "To", "Subject"), "250", replyAddress)
	require.False(t, b.service.onlyReply(t).Authenticated)
}

func TestMachinesNeverPost(t *testing.T) {
	for name, c := range map[string]struct{ field, want string }{
		"vacation":       {"Auto-Submitted: auto-replied", "250"},
		"auto-responder": {"X-Autoreply: yes\nAuto-Submitted: auto-replied", "250"},
		"machine's list": {"List-Id: <l.example.org>\nAuto-Submitted: auto-generated", "250"},
		"report":         {"Content-Type: multipart/report; boundary=x", "250"},
		"mailing list":   {"List-Id: <l.example.org>", "550 5.7.1 This mail came through a mailing list"},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t)
			mail := strings.Replace(answerTo(replyToken, "I am away.\n"), "Subject: Re: Tomorrow", c.field, 1)
			b.send(t, b.signed(t, mail), c.want, replyAddress)
			require.Empty(t, b.service.replies)
			if c.want == "250" {
				require.Contains(t, b.log.String(), "dropped: ")
			}
		})
	}
}

// A person may have written a mail with one of these, so nothing is dropped unsaid.
func TestWeakSignsOfAMachineAreTold(t *testing.T) {
	for field, sign := range map[string]string{
		"Subject: Automatic reply: Tomorrow": "Subject",
		"Subject: Auto: neue Reifen":         "Subject",
		"Subject: Vacation plans":            "Subject",
		"X-Autoreply: yes":                   "X-Autoreply",
		"X-Loop: bob@example.org":            "X-Loop",
		"X-Mailroom-Loop: abc":               "X-Mailroom-Loop",
		"Precedence: auto_reply":             "Precedence: auto_reply",
		"X-Failed-Recipients: x@y.test":      "X-Failed-Recipients",
	} {
		t.Run(field, func(t *testing.T) {
			b := start(t)
			mail := strings.Replace(answerTo(replyToken, "See you.\n"), "Subject: Re: Tomorrow", field, 1)
			b.send(t, b.signed(t, mail), "550 5.7.1 This mail looks as if a program had sent it (because of: "+sign+")", replyAddress)
			require.Empty(t, b.service.replies)
		})
	}
}

func TestSignsThatDenyAreNone(t *testing.T) {
	for _, field := range []string{"X-Autoreply: no", "X-Auto-Reply: No", "Auto-Submitted: no; owner=\"x\""} {
		b := start(t)
		mail := strings.Replace(answerTo(replyToken, "See you.\n"), "Subject: Re: Tomorrow", field, 1)
		b.send(t, b.signed(t, mail), "250", replyAddress)
		require.Equal(t, "See you.", b.service.onlyReply(t).Post.Body.Text)
	}
}

func TestNullSenderNeverPosts(t *testing.T) {
	b := start(t)
	k := b.smtp(t)
	k.say("MAIL FROM:<>", "250")
	k.say("RCPT TO:<"+replyAddress+">", "250")
	k.data(b.signed(t, answerTo(replyToken, "I am away.\n")), "250")
	require.Empty(t, b.service.replies)
}

func TestEmptyAnswerIsRefused(t *testing.T) {
	b := start(t)
	b.send(t, b.signed(t, answerTo(replyToken, " \n\n")), "550 5.6.0 There is no text", replyAddress)
}

func TestAnswerOfOnlyAFileNamesIt(t *testing.T) {
	b := start(t)
	mail := strings.Replace(answerTo(replyToken, "AAAA\n"), "\n\n", "\nContent-Type: image/png; name=cat.png\nContent-Transfer-Encoding: base64\nContent-Language: de\n\n", 1)
	b.send(t, b.signed(t, mail), "250", replyAddress)
	require.Equal(t, "[Datei: cat.png, 1 KB. Dateien per Mail werden noch nicht übertragen; bitte beim Absender danach fragen.]", b.service.onlyReply(t).Post.Body.Text)
	require.Equal(t, "de", b.service.onlyReply(t).Post.Lang)
}

func TestHTMLAnswerIsCutByItsStructure(t *testing.T) {
	for name, c := range map[string]struct{ html, want string }{
		"Gmail":                 {`<div dir="ltr">Yes.</div><br><div class="gmail_quote"><div class="gmail_attr">On Mon wrote:<br></div><blockquote>Shall we?</blockquote></div>`, "Yes."},
		"Thunderbird, below":    {`<div class="moz-cite-prefix">On 1 May Alice wrote:<br></div><blockquote type="cite" cite="mid:1">Shall we?</blockquote><p>Yes.</p>`, "Yes."},
		"Outlook on the web":    {`<div>Yes.</div><div id="appendonsend"></div><hr><div id="divRplyFwdMsg"><b>From:</b> Alice</div><div>Shall we?</div>`, "Yes."},
		"Outlook for Windows":   {`<div class=WordSection1><p>Yes.</p><div><div style='border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm'><p><b>From:</b> Alice</p></div></div><p>Shall we?</p></div>`, "Yes."},
		"our own mark":          {`<p>Yes.</p><div id="x_mailroom-quote">Shall we?</div>`, "Yes."},
		"unknown, with a quote": {`<p>Yes.</p><p>On 1 May 2026, Alice wrote:</p><blockquote>Shall we?</blockquote>`, "Yes."},
		"nothing but a quote":   {`<div class="gmail_quote">Shall we?</div>`, "Shall we?"},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t)
			mail := strings.Replace(answerTo(replyToken, c.html+"\n"), "\n\n", "\nMIME-Version: 1.0\nContent-Type: text/html; charset=utf-8\n\n", 1)
			b.send(t, b.signed(t, mail), "250", replyAddress)
			require.Equal(t, c.want, b.service.onlyReply(t).Post.Body.Text)
		})
	}
}

func TestSeveralRecipientsAreAllOrNothingOverSMTP(t *testing.T) {
	b := start(t)
	mail := b.signed(t, strings.Replace(answerTo(replyToken, "Hi\n"), "To: ", "To: r-"+otherReplyToken+"@in.example.org, ", 1))
	b.send(t, mail, "250", replyAddress, "r-"+otherReplyToken+"@in.example.org")
	require.Len(t, b.service.replies, 2)
	b.send(t, mail, "550 5.7.1 To start", replyAddress, "new@in.example.org")
	require.Len(t, b.service.replies, 2)
	require.Empty(t, b.service.starts)
}

func TestLMTPAnswersForEachRecipient(t *testing.T) {
	b := start(t)
	k := dial(t, b.LMTPAddr())
	k.say("LHLO front.example.org", "250")
	k.say("MAIL FROM:<bob@example.org>", "250")
	k.say("RCPT TO:<"+replyAddress+">", "250")
	k.say("RCPT TO:<new@in.example.org>", "250")
	k.say("RCPT TO:<"+replyAddress+">", "250")
	k.data(b.signed(t, answerTo(replyToken, "Hi\n")), "250")
	require.Contains(t, k.hear("550 5.7.1"), "To start a conversation")
	k.hear("250")
}

func TestTransactionInChunks(t *testing.T) {
	b := start(t)
	k := b.smtp(t)
	mail := b.signed(t, answerTo(replyToken, "Hi\n"))
	k.say("MAIL FROM:<bob@example.org>", "250")
	k.say("RCPT TO:<"+replyAddress+">", "250")
	k.raw("BDAT 10\r\n" + mail[:10])
	k.hear("250")
	k.raw("BDAT " + itoa(len(mail)-10) + " LAST\r\n" + mail[10:])
	k.hear("250")
	require.Equal(t, "Hi", b.service.onlyReply(t).Post.Body.Text)
}
