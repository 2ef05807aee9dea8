package mailout

import (
	"flag"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mailroom/bridge"
	"mailroom/content"
	"mailroom/locales"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestLettersReadAsBefore(t *testing.T) {
	s := newSender(t, testConfig("smtp://127.0.0.1:25"))
	for _, lang := range locales.Default().Languages() {
		for name, l := range goldenLetters() {
			l.To.Lang = lang
			text, html, err := s.view(l).render(l.Mail.Kind)
			require.NoError(t, err)
			requireGolden(t, name+"."+lang+".txt", text)
			requireGolden(t, name+"."+lang+".html", html)
		}
	}
}

// goldenLetters are the letters whose words are in testdata.
func goldenLetters() map[string]bridge.Letter {
	letters := map[string]bridge.Letter{
		"private-invitation": offRecord(bridge.LetterInvitation, bob),
		"private-missed":     offRecord(bridge.LetterMissed, bob),
		"private-started":    offRecord(bridge.LetterStarted, alice),
		"private-code":       offRecord(bridge.LetterCode, bob),
		"blind-invitation":   blindCopy(bridge.LetterInvitation, bob),
		"blind-started":      blindCopy(bridge.LetterStarted, alice),
		"terms-invitation":   letter(bridge.LetterInvitation, bob),
	}
	for _, kind := range allKinds {
		to := bob
		if kind == bridge.LetterStarted {
			to = alice
		}
		letters[string(kind)] = letter(kind, to)
	}
	letters["private-invitation"].Room.Session.Options.MatrixKeeps = true
	letters["terms-invitation"].Room.Session.Options = bridge.Options{KeepFor: 30 * day, ExpiresAt: at.AddDate(70, 0, 0)}
	return letters
}

func requireGolden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err, "write it with: go test ./mailout -update")
	require.Equal(t, string(want), got, file)
}

// No mail tells us that it was read: nothing is loaded but the one picture of the session, and each link leads to where it says.
func TestLettersDoNotTrack(t *testing.T) {
	s := newSender(t, testConfig("smtp://127.0.0.1:25"))
	for _, kind := range allKinds {
		for _, to := range []bridge.Member{bob, carol} {
			l := letter(kind, to)
			l.Records = append(l.Records, said(carol, 9, "", `<b>look</b> <img src="mxc://example.org/cat" alt="a cat">`))
			_, html, err := s.view(l).render(kind)
			require.NoError(t, err)
			for _, m := range regexp.MustCompile(`<img[^>]* src="([^"]*)"`).FindAllStringSubmatch(html, -1) {
				require.Equal(t, "https://chat.example.org/i/iitoken.png", m[1], "one picture for the session, the same for everybody")
			}
			require.NotRegexp(t, `(?i)<(script|link|iframe|object|form|video|audio)|url\(|@import|srcset|background=`, html)
			for _, m := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(html, -1) {
				u, err := url.Parse(m[1])
				require.NoError(t, err)
				require.Contains(t, []string{"/j/jjtoken", "/u/uutoken", "/c/cctoken", "/b/wwtoken", "/p/sstoken", "/draft"}, u.Path)
			}
		}
	}
}

// SpamAssassin takes HTML of up to 3200 bytes that has a picture for a mail that is but a picture (HTML_IMAGE_ONLY_32 and
// its like give 2 points and more).
func TestShortMailsAreNoPictureMails(t *testing.T) {
	s := newSender(t, testConfig("smtp://127.0.0.1:25"))
	for name, l := range goldenLetters() {
		token := strings.Repeat("t", bridge.TokenLength)
		l.Tokens = bridge.Tokens{Join: token, Reply: token, Unsubscribe: token, Icon: token, Confirm: token, Browsers: token, SignIn: token}
		if len(l.Records) > 0 {
			l.Records = []bridge.Record{said(alice, 0, "Hi", "")}
		}
		_, html, err := s.view(l).render(l.Mail.Kind)
		require.NoError(t, err)
		require.True(t, len(html) > 3200 || !strings.Contains(html, "<img"), "%s has %d bytes", name, len(html))
	}
}

func TestWhatPeopleWriteStaysText(t *testing.T) {
	s := newSender(t, testConfig("smtp://127.0.0.1:25"))
	l := letter(bridge.LetterInvitation, bob)
	l.Room.Session.Subject = `<script>"&`
	l.Room.Members = []bridge.Member{alice, bob}
	l.Room.Members[0].Name = `<img src=x>`
	l.Records[0].Body = bridge.Body{Text: `<script>alert(1)</script>`}
	_, html, err := s.view(l).render(l.Mail.Kind)
	require.NoError(t, err)
	require.NotContains(t, html, "<script")
	require.NotContains(t, html, "<img src=x")
	require.Contains(t, html, "&lt;script&gt;alert(1)&lt;/script&gt;")
}

func TestLongSessionsAreCut(t *testing.T) {
	s := newSender(t, testConfig("smtp://127.0.0.1:25"))
	l := letter(bridge.LetterInvitation, bob)
	for i := range 90 {
		l.Records = append(l.Records, said(carol, i+1, strings.Repeat("word ", 400), ""))
	}
	v := s.view(l)
	require.Equal(t, l.Records[0].Body.Text, v.Messages[0].Text, "what it is about comes first")
	require.Equal(t, len(l.Records), len(v.Messages)+v.Earlier)
	_, html, err := v.render(l.Mail.Kind)
	require.NoError(t, err)
	require.Less(t, len(html), 100_000, "Gmail hides the rest of longer mails")
	require.Contains(t, html, "earlier messages are on the page")

	l = letter(bridge.LetterMissed, bob)
	l.Records = []bridge.Record{said(carol, 1, strings.Repeat("<&>\n", 16_000), "")}
	v = s.view(l)
	require.Len(t, v.Messages, 1, "at least one is shown")
	require.Less(t, len(v.Messages[0].HTML), maxShown)
}

func TestMessagesAreShownInTheReadersLanguage(t *testing.T) {
	s := newSender(t, testConfig("smtp://127.0.0.1:25"))
	l := letter(bridge.LetterInvitation, bob)
	l.To.Lang = "de"
	l.Records[0].Texts = map[string]bridge.Body{"de": {Text: "Hallo Bob"}}
	require.Equal(t, "Hallo Bob", s.view(l).Messages[0].Text)
}

func TestWhatContentMakesFitsTheLog(t *testing.T) {
	require.LessOrEqual(t, max(content.MaxText, content.MaxSafeHTML), bridge.MaxBody)
}

func TestLanguageOfTheSessionStandsIn(t *testing.T) {
	s := newSender(t, testConfig("smtp://127.0.0.1:25"))
	l := letter(bridge.LetterInvitation, bob)
	l.Room.Session.Lang = "fr"
	require.Equal(t, "fr", s.view(l).Printer.Lang())
}
