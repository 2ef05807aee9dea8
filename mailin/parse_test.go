package mailin

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// parseMail scans and parses a mail with LF line ends.
func parseMail(t *testing.T, s *Server, mail string) *parsed {
	t.Helper()
	m, refused := prescan([]byte(crlf(mail)), s.config.Limits)
	require.Nil(t, refused)
	p, refused := s.parse(t.Context(), m)
	require.Nil(t, refused)
	return p
}

func testServer(t testing.TB) *Server {
	t.Helper()
	s, err := New(Config{Domain: "in.example.org", SMTPListen: "127.0.0.1:0"}, newService(), quiet)
	require.NoError(t, err)
	return s
}

func TestCharsets(t *testing.T) {
	for name, c := range map[string]struct{ label, raw, want string }{
		"as declared":                   {"iso-8859-15", "Preis: 5 \xa4", "Preis: 5 €"},
		"UTF-8":                         {"utf-8", "Grüße", "Grüße"},
		"UTF-8 that is windows-1252":    {"utf-8", "Gr\xfc\xdfe \x80", "Grüße €"},
		"nothing declared, UTF-8":       {"", "Grüße", "Grüße"},
		"nothing declared, 8 bit":       {"", "Gr\xfc\xdfe", "Grüße"},
		"ASCII that is UTF-8":           {"us-ascii", "Grüße", "Grüße"},
		"a charset that nobody knows":   {"x-klingon", "Grüße", "Grüße"},
		"Japanese":                      {"iso-2022-jp", "\x1b$B$O$$\x1b(B", "はい"},
		"Chinese":                       {"gb18030", "\xc4\xe3\xba\xc3", "你好"},
		"declared wrongly, so as UTF-8": {"shift_jis", "é\xff", "Ã©ÿ"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, decodeText([]byte(c.raw), c.label))
		})
	}
}

func TestHeaderWords(t *testing.T) {
	for raw, want := range map[string]string{
		"=?utf-8?q?Gr=C3=BC=C3=9Fe?=":      "Grüße",
		"=?ISO-8859-1?Q?Gr=FC=DFe?=":       "Grüße",
		"=?x-klingon?B?R3LDvMOfZQ==?=":     "Grüße",
		"=?utf-8?b?8J+Ygg==?= =?utf-8?q?!": "😂 =?utf-8?q?!",
		"Gr\xfc\xdfe":                      "Grüße",
		"Grüße":                            "Grüße",
	} {
		require.Equal(t, want, decodeWords(raw))
	}
}

func TestWhichPartIsTheText(t *testing.T) {
	s := testServer(t)
	head := "From: a@example.org\nMIME-Version: 1.0\n"
	for name, c := range map[string]struct {
		mail  string
		text  string
		html  string
		files []string
	}{
		"plain":                        {head + "\nHi\n", "Hi\n", "", nil},
		"no header but From":           {"From: a@example.org\n\nHi\n", "Hi\n", "", nil},
		"HTML only":                    {head + "Content-Type: text/html\n\n<p>Hi\n", "", "<p>Hi", nil},
		"alternative":                  {head + "Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\nHi\n--b\nContent-Type: text/html\n\n<p>Hi\n--b--\n", "Hi", "", nil},
		"alternative, richest last":    {head + "Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\n \n--b\nContent-Type: text/html\n\n<p>Hi\n--b\nContent-Type: text/html\n\n<p><b>Hi\n--b--\n", "", "<p><b>Hi", nil},
		"calendar beside it":           {head + "Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\nHi\n--b\nContent-Type: text/calendar\n\nBEGIN\n--b--\n", "Hi", "", nil},
		"text, picture, text":          {head + "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nHi\n--b\nContent-Type: image/png; name=\"=?utf-8?q?=C3=A4?=.png\"\nContent-Disposition: inline\n\nx\n--b\n\nBye\n--b--\n", "Hi\nBye", "", []string{"ä.png"}},
		"text as a file":               {head + "Content-Type: text/plain; name=a.txt\nContent-Disposition: attachment\n\nHi\n", "", "", []string{"a.txt"}},
		"forwarded mail":               {head + "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nSee\n--b\nContent-Type: message/rfc822\n\nFrom: c@example.org\n\nsecret\n--b--\n", "See", "", []string{""}},
		"signed":                       {head + "Content-Type: multipart/signed; boundary=b\n\n--b\n\nHi\n--b\nContent-Type: application/pgp-signature; name=s.asc\n\nx\n--b--\n", "Hi", "", nil},
		"type in disorder":             {head + "Content-Type: ;;;\n\nHi\n", "Hi\n", "", nil},
		"multipart without a boundary": {head + "Content-Type: multipart/mixed\n\nHi\n", "Hi", "", nil},
		"one within another":           {head + "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nHi\n--b\nContent-Type: multipart/related\n\nBye\n--b--\n", "Hi\nBye", "", nil},
		"never closed":                 {head + "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nHi\n", "Hi\n", "", nil},
		"broken base64":                {head + "Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\nSGk=!!!%\n", "Hi", "", nil},
		"unknown encoding":             {head + "Content-Transfer-Encoding: x-rot13\n\nUv\n", "Uv\n", "", nil},
		"format=flowed":                {head + "Content-Type: text/plain; format=flowed; delsp=yes\n\n> a \n> b\nlong \nline\n-- \nBob\n", "> ab\nlongline\n-- \nBob\n", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			p := parseMail(t, s, c.mail)
			shown := map[bool]string{}
			for _, s := range p.Pieces {
				shown[s.HTML] += s.Text + "\n"
			}
			require.Equal(t, strings.TrimSpace(c.text), strings.TrimSpace(strings.ReplaceAll(shown[false], "\r", "")))
			require.Equal(t, c.html, strings.TrimSpace(shown[true]))
			var names []string
			for _, f := range p.Files {
				names = append(names, f.Name)
			}
			require.Equal(t, c.files, names)
		})
	}
}

func TestParserThatPanicsOrHangsIsSurvived(t *testing.T) {
	_, err := recovered(func() (int, error) { panic("bad mail") })
	require.ErrorContains(t, err, "bad mail")

	s := testServer(t)
	s.config.Limits.ParseTime = 1
	m, refused := prescan([]byte(crlf("From: a@example.org\n\nHi\n")), s.config.Limits)
	require.Nil(t, refused)
	_, refused = s.parse(t.Context(), m)
	require.NotNil(t, refused)
}

func TestOurOwnSlownessIsNotTheMailsFault(t *testing.T) {
	m := &message{Header: header{{"From", "a@example.org"}}, Body: []byte("Hi\r\n")}

	alone := testServer(t)
	alone.config.Limits.ParseTime = 1
	_, refused := alone.parse(t.Context(), m)
	require.Equal(t, errParseTime, refused)

	beside := testServer(t)
	beside.config.Limits.ParseTime = 1
	beside.parsers <- struct{}{} // another mail is being parsed
	_, refused = beside.parse(t.Context(), m)
	require.Equal(t, 451, refused.Code)
}

func TestTheWaitForAParserDoesNotCount(t *testing.T) {
	s := testServer(t)
	s.config.Limits.ParseTime = 250 * time.Millisecond
	for range cap(s.parsers) {
		s.parsers <- struct{}{}
	}
	m := &message{Header: header{{"From", "a@example.org"}}, Body: []byte("Hi\r\n")}
	answered := make(chan *refusal)
	parse := func(ctx context.Context) { _, r := s.parse(ctx, m); answered <- r }

	ctx, cancel := context.WithCancel(t.Context())
	go parse(ctx)
	cancel()
	require.Equal(t, 451, (<-answered).Code)

	go parse(t.Context())
	select {
	case r := <-answered:
		t.Fatalf("the wait counted: %v", r)
	case <-time.After(2 * s.config.Limits.ParseTime):
	}
	for range cap(s.parsers) {
		<-s.parsers
	}
	require.Nil(t, <-answered)
}

func TestGroupsInFrom(t *testing.T) {
	for value, want := range map[string]bool{
		"a@example.org": false, `"x: y" <a@example.org>`: false, "(a: b) a@example.org": false,
		"us: a@example.org;": true, "us:;": true, `"\": " <a@example.org>`: false,
	} {
		require.Equal(t, want, isGroup(value), value)
	}
}
