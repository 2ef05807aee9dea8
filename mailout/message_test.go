package mailout

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"testing"

	"mailroom/bridge"

	"github.com/stretchr/testify/require"
)

// readMail parses a rendered mail by the standard library, and checks what holds for every mail.
func readMail(t *testing.T, raw []byte) (header mail.Header, text, html string) {
	t.Helper()
	requireWireFormat(t, raw)
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	require.NoError(t, err)
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	require.NoError(t, err)
	require.Equal(t, "multipart/alternative", kind)
	parts := multipart.NewReader(m.Body, params["boundary"])
	text = readPart(t, parts, "text/plain; charset=utf-8")
	html = readPart(t, parts, "text/html; charset=utf-8")
	_, err = parts.NextRawPart()
	require.ErrorIs(t, err, io.EOF)
	return m.Header, text, html
}

func readPart(t *testing.T, parts *multipart.Reader, kind string) string {
	t.Helper()
	p, err := parts.NextRawPart()
	require.NoError(t, err)
	require.Equal(t, kind, p.Header.Get("Content-Type"))
	words, err := io.ReadAll(quotedprintable.NewReader(p))
	require.NoError(t, err)
	return string(words)
}

// requireWireFormat: CR LF line ends only, no line over 998 bytes (RFC 5322 §2.1.1), nothing but ASCII.
func requireWireFormat(t *testing.T, raw []byte) {
	t.Helper()
	text := string(raw)
	require.NotContains(t, strings.ReplaceAll(text, "\r\n", ""), "\n")
	require.NotContains(t, strings.ReplaceAll(text, "\r\n", ""), "\r")
	for _, line := range strings.Split(text, "\r\n") {
		require.LessOrEqual(t, len(line), 998, line)
	}
	require.True(t, isASCII(text))
}

func render(t *testing.T, l bridge.Letter) Mail {
	t.Helper()
	m, err := newSender(t, testConfig("smtp://127.0.0.1:25")).Render(l)
	require.NoError(t, err)
	return m
}

func TestInvitation(t *testing.T) {
	m := render(t, letter(bridge.LetterInvitation, bob))
	require.Equal(t, "b-bbtoken@in.example.org", m.From)
	require.Equal(t, "bob@customer.test", m.To)
	h, text, html := readMail(t, m.Raw)
	for name, want := range map[string]string{
		"From":                     `"Alice (via Mailroom)" <invite@chat.example.org>`,
		"Reply-To":                 `"Alice and 1 other" <r-rrtoken@in.example.org>`,
		"To":                       `"Bob" <bob@customer.test>`,
		"Subject":                  "Contract",
		"Message-Id":               "<m.two@chat.example.org>",
		"In-Reply-To":              "<first@example.org>",
		"References":               "<first@example.org>",
		"Auto-Submitted":           "auto-generated",
		"X-Auto-Response-Suppress": "All",
		"List-Unsubscribe":         "<https://chat.example.org/u/uutoken>, <mailto:u-uutoken@in.example.org>",
		"List-Unsubscribe-Post":    "List-Unsubscribe=One-Click",
		"Mime-Version":             "1.0",
	} {
		require.Equal(t, []string{want}, h[name], name)
	}
	_, err := h.Date()
	require.NoError(t, err)
	for _, words := range []string{text, html} {
		require.Contains(t, words, "-=- Answer above this line -=-")
		require.Contains(t, words, "can we sign on Friday?")
		require.Contains(t, words, "https://chat.example.org/j/jjtoken")
		require.Contains(t, words, "alice@example.org")
	}
	require.Less(t, strings.Index(html, "can we sign"), strings.Index(html, "invites you"), "the sender's words come first")
}

func TestMissedMessagesContinueTheThread(t *testing.T) {
	h, text, _ := readMail(t, render(t, letter(bridge.LetterMissed, bob)).Raw)
	require.Equal(t, "Re: Contract", h.Get("Subject"))
	require.Equal(t, `"Alice and 1 other (via Mailroom)" <invite@chat.example.org>`, h.Get("From"))
	require.Equal(t, "<m.one@chat.example.org>", h.Get("In-Reply-To"))
	require.Equal(t, "<first@example.org> <m.one@chat.example.org>", h.Get("References"))
	require.Less(t, strings.Index(text, "Friday is fine."), strings.Index(text, "- sign"), "in order")
}

func TestStartedGoesToTheInitiator(t *testing.T) {
	m := render(t, letter(bridge.LetterStarted, alice))
	h, text, _ := readMail(t, m.Raw)
	require.Equal(t, "alice@example.org", m.To)
	require.Equal(t, `"Mailroom" <invite@chat.example.org>`, h.Get("From"))
	require.Contains(t, text, "Bob <bob@customer.test>")
	require.Contains(t, text, "carol <carol@example.org>")
}

func TestQuestionAboutAHeldReplyTakesNoAnswer(t *testing.T) {
	h, text, html := readMail(t, render(t, letter(bridge.LetterConfirm, bob)).Raw)
	require.Empty(t, h.Get("Reply-To"), "an answer would be said in the session")
	require.Equal(t, "Was this you? Contract", h.Get("Subject"))
	for _, words := range []string{text, html} {
		require.NotContains(t, words, "-=-")
		require.Contains(t, words, "https://chat.example.org/c/cctoken")
		require.NotContains(t, words, "jjtoken")
		require.Contains(t, words, "stranger@else.test")
	}
}

func TestNobodyAddsHeaders(t *testing.T) {
	evil := "x\r\nBcc: victim@else.test\r\n\r\n<b>body</b>\x00\u2028\u0085y"
	for _, kind := range allKinds {
		l := letter(kind, bob)
		l.Room.Session.Subject = evil
		l.Room.Members = []bridge.Member{alice, bob, carol}
		for i := range l.Room.Members {
			l.Room.Members[i].Name = evil
		}
		l.To.Name, l.To.Lang, l.Browser.Label, l.Code = evil, evil, evil, evil
		l.MessageID = "ok@chat.example.org"
		l.References = []string{"a@b.test>\r\nBcc: victim@else.test", "good@b.test", strings.Repeat("x", 5000)}
		h, _, _ := readMail(t, render(t, l).Raw)
		require.Empty(t, h.Get("Bcc"))
		if h.Get("References") != "" || kind == bridge.LetterMissed {
			require.Equal(t, "<good@b.test>", h.Get("References"))
		}
		for name := range h {
			require.NotContains(t, name, "victim")
		}
		_, err := h.AddressList("To")
		require.NoError(t, err)
	}
}

func TestNamesAndSubjectsSurvive(t *testing.T) {
	decoder := mime.WordDecoder{}
	for _, name := range []string{"Jürgen Müller", "山田太郎", `O'Neil, "Jim" (IT)`, "مريم", strings.Repeat("é", 79), "a; b <c>"} {
		for _, subject := range []string{"Vertrag über Äpfel", "契約について", strings.Repeat("long ", 50), strings.Repeat("長", 255), "plain", `"quoted" <x>`} {
			l := letter(bridge.LetterInvitation, bob)
			l.Room.Session.Subject, l.To.Name = subject, name
			h, _, _ := readMail(t, render(t, l).Raw)
			to, err := h.AddressList("To")
			require.NoError(t, err)
			require.Equal(t, name, to[0].Name)
			got, err := decoder.DecodeHeader(h.Get("Subject"))
			require.NoError(t, err)
			require.Equal(t, strings.TrimSpace(subject), got)
		}
	}
}

func TestHeaderLinesAreFolded(t *testing.T) {
	l := letter(bridge.LetterMissed, bob)
	l.Room.Session.Subject = strings.Repeat("word ", 50)
	for range 9 {
		l.References = append(l.References, strings.Repeat("r", 60)+"@chat.example.org")
	}
	head, _, _ := strings.Cut(string(render(t, l).Raw), "\r\n\r\n")
	for _, line := range strings.Split(head, "\r\n") {
		require.LessOrEqual(t, len(line), 100, line)
	}
}

func TestNamesThatPoseAsAddresses(t *testing.T) {
	for _, name := range []string{"ceo@bank.test", "ceo＠bank.test", "=?utf-8?q?ceo=40bank.test?="} {
		l := letter(bridge.LetterInvitation, bob)
		l.Room.Members = []bridge.Member{alice, bob}
		l.Room.Members[0].Name = name
		from, err := mail.ParseAddress(firstHeader(t, render(t, l).Raw, "From"))
		require.NoError(t, err)
		require.NotContains(t, from.Name, "@", name)
		require.Equal(t, "invite@chat.example.org", from.Address)
	}
}

func firstHeader(t *testing.T, raw []byte, name string) string {
	t.Helper()
	h, _, _ := readMail(t, raw)
	return h.Get(name)
}

func TestAddressesOfOtherLetters(t *testing.T) {
	l := letter(bridge.LetterInvitation, member(2, "", "bob@bücher.test", bridge.Participant, bridge.Invited))
	m := render(t, l)
	require.Equal(t, "bob@xn--bcher-kva.test", m.To)
	l = letter(bridge.LetterInvitation, member(2, "", "bob,smith@customer.test", bridge.Participant, bridge.Invited))
	require.Equal(t, `"bob,smith"@customer.test`, render(t, l).To)
}

func TestWithoutSubject(t *testing.T) {
	l := letter(bridge.LetterInvitation, bob)
	l.Room.Session.Subject = " \r\n"
	require.Equal(t, "Session with Alice", firstHeader(t, render(t, l).Raw, "Subject"))
}

func BenchmarkRender(b *testing.B) {
	s, err := New(testConfig("smtp://127.0.0.1:25"), nil)
	if err != nil {
		b.Fatal(err)
	}
	l := letter(bridge.LetterInvitation, bob)
	for b.Loop() {
		if _, err := s.Render(l); err != nil {
			b.Fatal(err)
		}
	}
}
