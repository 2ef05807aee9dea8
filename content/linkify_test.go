package content

import (
	"html"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// shown puts [address] for each link, which is easier to read than HTML.
func shown(text string) string {
	return regexp.MustCompile(`<a href="([^"]*)"[^>]*>([^<]*)</a>`).ReplaceAllString(Linkify(text), "[$2]")
}

func TestLinkify(t *testing.T) {
	require.Equal(t, `<a href="https://a.test/?x=1&amp;y=%22" rel="noopener nofollow noreferrer" target="_blank">https://a.test/?x=1&amp;y=%22</a>`,
		Linkify(`https://a.test/?x=1&y=%22`))
	for in, want := range map[string]string{
		"a <b>\n'c'":                         "a &lt;b&gt;<br>&#39;c&#39;",
		"see https://a.test.":                "see [https://a.test].",
		"(https://a.test/x)":                 "([https://a.test/x])",
		"https://a.test/x_(y)":               "[https://a.test/x_(y)]",
		"(see https://a.test/x_(y)), ok":     "(see [https://a.test/x_(y)]), ok",
		"<https://a.test>":                   "&lt;[https://a.test]&gt;",
		"\"https://a.test\"":                 "&#34;[https://a.test]&#34;",
		"**https://a.test**":                 "**[https://a.test]**",
		"HTTPS://A.test/":                    "[HTTPS://A.test/]",
		"mailto:a@b.test xmpp:r@x.test?join": "[mailto:a@b.test] [xmpp:r@x.test?join]",
		"matrix:r/room:a.test!":              "[matrix:r/room:a.test]!",
		"https://ä.test/ö日本":                 "[https://ä.test/ö日本]",
		"见https://a.test/x。":                 "见https://a.test/x。",
		"见 https://a.test/x。":                "见 [https://a.test/x]。",
		"javascript:alert(1) data:x":         "javascript:alert(1) data:x",
		"xhttps://a.test":                    "xhttps://a.test",
		"https:// http://":                   "https:// http://",
		"https://":                           "https://",
		"http:///x":                          "http:///x",
		"https://a.test\\@evil.test":         "[https://a.test]\\@evil.test",
		"https://a\u202e.test":               "[https://a]\u202e.test",
		"https://[::1/":                      "https://[::1/",
		"":                                   "",
	} {
		require.Equal(t, want, shown(in), "%q", in)
	}
}

func TestTooLongAddressIsNoLink(t *testing.T) {
	in := "https://a.test/" + strings.Repeat("x", maxURL)
	require.Equal(t, in, Linkify(in))
}

func FuzzLinkify(f *testing.F) {
	for _, seed := range []string{"see https://a.test/x_(y)).", "<a href='x'>", "http://http://", "\u202ehttps://a.test\n", "mailto:\xff@"} {
		f.Add(seed)
	}
	tags := regexp.MustCompile(`<a href="([^"<>]*)" rel="noopener nofollow noreferrer" target="_blank">|</a>|<br>`)
	f.Fuzz(func(t *testing.T, in string) {
		text := FromText(in).Text
		out := Linkify(text)
		bare := tags.ReplaceAllStringFunc(out, func(tag string) string {
			if tag == "<br>" {
				return "\n"
			}
			return ""
		})
		require.NotContains(t, bare, "<")
		require.Equal(t, text, html.UnescapeString(bare), "nothing of the text is lost")
		require.Equal(t, out, FromHTML("<hr>" + out).HTML[len("<hr>"):], "what Linkify writes is itself safe HTML")
	})
}

func BenchmarkLinkify(b *testing.B) {
	for name, in := range map[string]string{
		"words":   strings.Repeat("some words and https://example.org/a/link, ", 1500),
		"schemes": strings.Repeat("http://", MaxText/7),
		"long":    strings.Repeat(" http://a.test/"+strings.Repeat("(", 3000), 20),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(in)))
			for b.Loop() {
				Linkify(in)
			}
		})
	}
}
