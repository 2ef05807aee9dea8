package mailout

import (
	"regexp"
	"strings"
	"testing"

	"mailroom/bridge"
	"mailroom/locales"

	"github.com/stretchr/testify/require"
)

var accountKinds = []bridge.LetterKind{bridge.LetterCode, bridge.LetterBound, bridge.LetterSignIn}

func TestACodeIsReadAtAGlance(t *testing.T) {
	h, text, html := readMail(t, render(t, letter(bridge.LetterCode, bob)).Raw)
	require.Equal(t, "Your code: 042137", h.Get("Subject"))
	require.Equal(t, `"Bob" <bob@customer.test>`, h.Get("To"))
	require.Contains(t, html, "font-size:36px")
	for _, words := range []string{text, html} {
		require.Contains(t, words, "042137")
		require.Contains(t, words, "“Contract”")
		require.Contains(t, words, "10 minutes")
		require.NotContains(t, words, "https://", "who teaches people to follow the link beside a code helps forgers")
	}
}

func TestABrowserThatSpeaksForSomebodyIsToldAndCanBeEnded(t *testing.T) {
	h, text, html := readMail(t, render(t, letter(bridge.LetterBound, bob)).Raw)
	require.Equal(t, "A browser now speaks for you in “Contract”", decoded(t, h.Get("Subject")))
	for _, words := range []string{text, html} {
		require.Contains(t, words, "Firefox on Windows")
		require.Contains(t, words, "2026-11-23 22:15 UTC")
		require.Contains(t, words, "https://chat.example.org/b/wwtoken")
	}
	l := letter(bridge.LetterBound, bob)
	l.Browser.Label = "<b>\n"
	_, text, html = readMail(t, render(t, l).Raw)
	require.Contains(t, text, "    <b>\r\n")
	require.Contains(t, html, "<strong>&lt;b&gt;</strong>")
	l.Browser.Label = ""
	_, text, html = readMail(t, render(t, l).Raw)
	require.Contains(t, text, "An unknown browser")
	require.Contains(t, html, "An unknown browser")
}

func TestASignInTellsOfNoSession(t *testing.T) {
	l := letter(bridge.LetterSignIn, bob)
	l.Room.Session.Lang = "en"
	l.To.Name = "Bob of the Contract"
	raw := render(t, l).Raw
	h, text, html := readMail(t, raw)
	require.Equal(t, "Sign in to Mailroom", h.Get("Subject"))
	require.Equal(t, "<bob@customer.test>", h.Get("To"))
	for _, words := range []string{string(raw), text, html} {
		for _, session := range []string{"Contract", "Alice", "alice@", "carol", "jjtoken", "iitoken", "uutoken", "rrtoken"} {
			require.NotContains(t, words, session)
		}
	}
	for _, words := range []string{text, html} {
		require.Contains(t, words, "https://chat.example.org/p/sstoken")
		require.Contains(t, words, "bob@customer.test")
		require.Contains(t, words, "10 minutes")
		require.Contains(t, words, "once")
	}
}

// An answer leads nowhere into a session, and the mail stands in no thread.
func TestLettersAboutAnAccountAreNoPartOfAConversation(t *testing.T) {
	tokens := regexp.MustCompile(`\b[rusb]-[a-z]+token@`)
	for _, kind := range accountKinds {
		for _, l := range []bridge.Letter{letter(kind, bob), offRecord(kind, bob)} {
			l.References = []string{"first@example.org"}
			m := render(t, l)
			h, text, html := readMail(t, m.Raw)
			require.Equal(t, `"Mailroom" <invite@chat.example.org>`, h.Get("From"))
			require.Equal(t, "<m.two@chat.example.org>", h.Get("Message-Id"))
			require.Equal(t, "auto-generated", h.Get("Auto-Submitted"))
			for _, name := range []string{"Reply-To", "In-Reply-To", "References", "List-Unsubscribe", "List-Unsubscribe-Post"} {
				require.Empty(t, h.Get(name), name)
			}
			require.NotRegexp(t, tokens, string(m.Raw))
			require.Equal(t, "b-bbtoken@in.example.org", m.From, "what comes back is known by its token")
			for _, words := range []string{text, html} {
				require.NotContains(t, words, "-=-")
				require.NotContains(t, words, "jjtoken")
				require.NotContains(t, words, "<img")
			}
		}
	}
}

func TestOffTheRecordLettersAboutAnAccountTellNoSubject(t *testing.T) {
	for _, kind := range accountKinds {
		l := offRecord(kind, bob)
		raw := render(t, l).Raw
		_, text, html := readMail(t, raw)
		for _, words := range []string{string(raw), text, html} {
			require.NotContains(t, words, "Contract")
		}
		if kind != bridge.LetterSignIn {
			require.Contains(t, text, "“A private conversation with Alice”")
		}
	}
}

// No two letters begin alike in any language: a reader must not take one for another.
func TestSubjectsOfLettersAboutAnAccountDiffer(t *testing.T) {
	for _, lang := range locales.Default().Languages() {
		subjects := map[string]bool{}
		for _, kind := range accountKinds {
			l := letter(kind, bob)
			l.To.Lang = lang
			subjects[firstHeader(t, render(t, l).Raw, "Subject")] = true
		}
		require.Len(t, subjects, len(accountKinds))
	}
}

func TestSecretsOfALetterStayOutOfErrors(t *testing.T) {
	l := letter(bridge.LetterCode, bob)
	l.Tokens.Confirm, l.Tokens.Browsers, l.Tokens.SignIn = "cctoken", "wwtoken", "sstoken"
	quoted := "jjtoken rrtoken uutoken bbtoken iitoken cctoken WWTOKEN sstoken Your code: 042137"
	require.Equal(t, strings.Repeat("[secret] ", 8)+"Your code: [secret]", cleared(quoted, l))
}
