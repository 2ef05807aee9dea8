package mailin

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mailroom/bridge"
	"mailroom/locales"
)

const offAddress = "off@in.example.org"

// offInvitation is invitation, written to off@.
var offInvitation = strings.Replace(invitation, "new@in", "off@in", 1)

func TestMailToOffStartsASessionOffTheRecord(t *testing.T) {
	b := start(t)
	b.send(t, b.signed(t, offInvitation), "250", offAddress)
	r := b.service.onlyStart(t)
	require.Equal(t, bridge.Options{OffRecord: true}, r.Options)
	require.Equal(t, "Tomorrow", r.Subject)
	require.Equal(t, []string{"bob@customer.test", "carol@example.org"}, addresses(r.Invitees))
	require.Contains(t, b.log.String(), "class=session")
	for _, words := range []string{"Tomorrow", "Shall we meet"} {
		require.NotContains(t, b.log.String(), words)
	}
}

func TestMailToNewIsOnTheRecord(t *testing.T) {
	b := start(t)
	b.send(t, b.signed(t, invitation), "250", "new@in.example.org")
	require.Equal(t, bridge.Options{}, b.service.onlyStart(t).Options)
}

func TestAMailToBothIsOffTheRecordWhicheverCopyComesFirst(t *testing.T) {
	both := strings.Replace(invitation, "Cc: ", "Cc: off@in.example.org, ", 1)
	for name, to := range map[string][]string{"together": {"new@in.example.org", offAddress}, "new@ alone": {"new@in.example.org"}, "off@ alone": {offAddress}} {
		t.Run(name, func(t *testing.T) {
			b := start(t)
			b.send(t, b.signed(t, both), "250", to...)
			require.Len(t, b.service.starts, len(to))
			for _, r := range b.service.starts {
				require.True(t, r.Options.OffRecord)
				require.Equal(t, b.service.starts[0].Origin, r.Origin, "bridge makes one session of them")
				require.Len(t, r.Invitees, 2)
			}
		})
	}
}

func TestTheAddressThatDecidesMustBeShownAndProved(t *testing.T) {
	for name, c := range map[string]struct{ mail, to, want string }{
		"off@ in Bcc":              {invitation, offAddress, "550 5.7.1 To start a conversation, put the off@ address into To or Cc"},
		"sent on to new@":          {offInvitation, "new@in.example.org", "550 5.7.1 To start a conversation, put the new@ address into To or Cc"},
		"an answer to all, in Bcc": {strings.Replace(invitation, "Message-ID:", "In-Reply-To: <0@example.org>\nMessage-ID:", 1), offAddress, "550 5.7.1 To start a conversation, put the off@"},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t)
			b.service.started = map[string]bridge.Address{"0@example.org": bridge.EmailAddress("alice@example.org")}
			b.send(t, b.signed(t, c.mail), c.want, c.to)
			require.Empty(t, b.service.starts)
			require.Empty(t, b.service.posts)
		})
	}
	b := start(t)
	added := "Cc: " + offAddress + "\r\n" + b.signed(t, strings.Replace(invitation, "\nCc: carol@example.org", "", 1), "From", "To", "Subject")
	b.send(t, added, "550 5.7.7", offAddress)
	require.Empty(t, b.service.starts)
}

func TestTheWordInTheSubject(t *testing.T) {
	for header, want := range map[string]struct {
		subject string
		off     bool
	}{
		"[off the record] Plan":                           {"Plan", true},
		"Re: [OFF-THE-RECORD]   Fwd: Plan":                {"Plan", true},
		"[Off  Record]Plan":                               {"Plan", true},
		"[nicht für die Akten] Plan":                      {"Plan", true},
		"=?utf-8?q?=5Bnicht_f=C3=BCr_die_Akten=5D_Plan?=": {"Plan", true},
		"[nicht fu\u0308r die Akten] Plan":                {"Plan", true},
		"[sans trace] Plan":                               {"Plan", true},
		"[External] [off the record] Plan [b]":            {"[External] Plan [b]", true},
		"[External] Re: [off the record] Plan":            {"[External] Plan", true},
		"[off the record]":                                {"", true},
		"off the record: Plan":                            {"off the record: Plan", false},
		"Plan [off the record]":                           {"Plan [off the record]", false},
		"[was off the record] Plan":                       {"[was off the record] Plan", false},
		"[vertraulich] Plan":                              {"[vertraulich] Plan", false},
		"[a] Plan":                                        {"[a] Plan", false},
		"[off the record Plan":                            {"[off the record Plan", false},
		"":                                                {"", false},
		strings.Repeat("[", 100) + "off the record]":      {strings.Repeat("[", 100) + "off the record]", false},
		strings.Repeat("[x]", 30) + "[off the record] the end of it": {strings.Repeat("[x] ", 30) + "the end of it", true},
	} {
		subject, off := startSubject(header)
		require.Equal(t, want.off, off, header)
		require.Equal(t, want.subject, subject, header)
	}
}

func TestEveryLanguageHasAWord(t *testing.T) {
	for _, lang := range locales.Default().Languages() {
		require.NotEmpty(t, offRecordWords[lang], lang)
		for _, word := range offRecordWords[lang] {
			require.True(t, isOffRecordWord(word), "%q is not written as it is compared", word)
		}
	}
}

func TestTheWordInTheSubjectStartsASessionOffTheRecord(t *testing.T) {
	b := start(t)
	b.send(t, b.signed(t, strings.Replace(invitation, "Re: Tomorrow", "[off the record] Tomorrow", 1)), "250", "new@in.example.org")
	r := b.service.onlyStart(t)
	require.True(t, r.Options.OffRecord)
	require.Equal(t, "Tomorrow", r.Subject)
}

// errOff is what bridge answers to a mail into a session that is off the record.
var errOff = &bridge.Error{Code: bridge.Forbidden, Message: "This conversation is off the record. Open the page."}

func TestAnswersIntoASessionOffTheRecordAreRefused(t *testing.T) {
	b := start(t)
	b.service.fail = errOff
	b.service.started = map[string]bridge.Address{"0@example.org": bridge.EmailAddress("alice@example.org")}
	want := "550 5.7.1 This conversation is off the record. Open the page."
	b.send(t, b.signed(t, answerTo(replyToken, "Meet me at the pier\n")), want, replyAddress)
	b.send(t, crlf(answerTo(replyToken, "Meet me at the pier\n")), want, replyAddress)
	toAll := strings.NewReplacer("Message-ID:", "In-Reply-To: <0@example.org>\nMessage-ID:", "Shall we meet?", "Meet me at the pier").Replace(offInvitation)
	b.send(t, b.signed(t, toAll), want, offAddress)
	require.Empty(t, b.service.starts)
	require.Contains(t, b.log.String(), "reason=forbidden")
	for _, words := range []string{"Meet me", "pier", "Tomorrow", replyToken} {
		require.NotContains(t, b.log.String(), words)
	}
}

func TestAnAnswerToAllThatNamesOffIsOne(t *testing.T) {
	b := start(t)
	b.service.started = map[string]bridge.Address{"0@example.org": bridge.EmailAddress("alice@example.org")}
	b.send(t, b.signed(t, strings.Replace(offInvitation, "Message-ID:", "In-Reply-To: <0@example.org>\nMessage-ID:", 1)), "250", offAddress)
	require.Empty(t, b.service.starts)
	require.Len(t, b.service.posts, 1, "bridge refuses it in a session that is off the record")
}
