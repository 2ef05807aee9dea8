package content

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestFromTextCleans(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"line ends", "a\r\nb\rc\u2028d\u0085e", "a\nb\nc\nd\ne"},
		{"controls", "a\x00b\x07c\x1b[31md\x7fe\u009bf", "abc[31mdef"},
		{"tab stays", "a\tb", "a\tb"},
		{"not UTF-8", "a\xffb", "a\ufffdb"},
		{"not XML", "a\ufffeb\uffffc", "abc"},
		{"byte order mark", "\ufeffhello", "hello"},
		{"trailing space", "a  \n\n \t", "a"},
		{"leading empty lines", "\r\n\n  a", "  a"},
		{"joiners and emoji stay", "👩\u200d👧 نمی\u200cخواهم", "👩\u200d👧 نمی\u200cخواهم"},
		{"markup is only text", "<b>&amp;</b>", "<b>&amp;</b>"},
		{"override dropped", "pay \u202egnp.exe\u202c now", "pay gnp.exe now"},
		{"embedding closed in its line", "a \u202bb\nc", "a \u202bb\u202c\nc"},
		{"isolate closed with what is inside", "\u2067a \u202ab\u2069 c", "\u2067a \u202ab\u202c\u2069 c"},
		{"stray closers dropped", "a\u202cb\u2069c", "abc"},
		{"balanced stays", "\u2068a\u2069 \u202bb\u202c", "\u2068a\u2069 \u202bb\u202c"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, Body{Text: tt.want}, FromText(tt.in))
			require.Equal(t, tt.want, FromText(tt.want).Text, "cleaning twice changes nothing")
		})
	}
}

func TestLongTextIsCutWithANote(t *testing.T) {
	for _, piece := range []string{"a", "ä", "😀", "a\n", "\u2067\n", "\u2067\u2069"} {
		got := FromText(strings.Repeat(piece, 2*MaxText/len(piece)+7)).Text
		require.LessOrEqual(t, len(got), MaxText, "%q", piece)
		require.True(t, utf8.ValidString(got))
		require.True(t, strings.HasSuffix(got, "[message truncated]"), "%q", piece)
		require.Equal(t, got, FromText(got).Text)
	}
	whole := strings.Repeat("a", MaxText)
	require.Equal(t, whole, FromText(whole).Text)
}

func TestDeepBidiIsFlattened(t *testing.T) {
	got := FromText(strings.Repeat("\u2067", 1000) + "x").Text
	require.Equal(t, strings.Repeat("\u2067", maxBidiNesting)+"x"+strings.Repeat("\u2069", maxBidiNesting), got)
}

func TestFromMatrix(t *testing.T) {
	for _, tt := range []struct {
		name, body, formatted string
		want                  Body
	}{
		{"plain", "hello\nyou", "", Body{Text: "hello\nyou"}},
		{"formatted", "**hello**", "<b>hello</b>", Body{Text: "hello", HTML: "<b>hello</b>"}},
		{"same words", "hello", "<p>hello</p>", Body{Text: "hello"}},
		{"reply", "> <@a:x> old\n\nnew", "<mx-reply><blockquote><a href=\"https://matrix.to/#/!r:x/$e\">In reply to</a>old</blockquote></mx-reply><em>new</em>",
			Body{Text: "new", HTML: "<em>new</em>"}},
		{"reply that never ends", "new", "<mx-reply>old <em>new</em>", Body{Text: "new"}},
		{"mention", "Alice: hi", `<a href="https://matrix.to/#/@alice:x">Alice</a>: hi`,
			Body{Text: "Alice: hi", HTML: `<a href="https://matrix.to/#/@alice:x" rel="noopener nofollow noreferrer" target="_blank">Alice</a>: hi`}},
		{"formatted says nothing", "hello", "<script>x</script>", Body{Text: "hello"}},
		{"other words in the body", "I agree", "<b>I refuse</b>", Body{Text: "I refuse", HTML: "<b>I refuse</b>"}},
	} {
		t.Run(tt.name, func(t *testing.T) { require.Equal(t, tt.want, FromMatrix(tt.body, tt.formatted)) })
	}
}

func TestMatrixHTML(t *testing.T) {
	formatted, ok := FromHTML(`<b>x</b> <a href="https://a.test/">there</a>`).MatrixHTML()
	require.True(t, ok)
	require.Equal(t, `<b>x</b> <a href="https://a.test/">there</a>`, formatted)

	_, ok = FromText("x").MatrixHTML()
	require.False(t, ok)
	_, ok = FromHTML("<b>" + strings.Repeat("x", 40_000) + "</b>").MatrixHTML()
	require.False(t, ok, "would not fit an event")
}

func TestPageHTML(t *testing.T) {
	require.Equal(t, `a &lt;b&gt;<br>c`, FromText("a <b>\nc").PageHTML())
	emoji := FromHTML(`<b>hi</b> <img data-mx-emoticon src="mxc://x.test/abc" alt=":wave:" height="32"> <img src="mxc://x.test/d">`)
	require.Equal(t, `<b>hi</b> <img src="mxc://x.test/abc" alt=":wave:" height="32"> <img src="mxc://x.test/d">`, emoji.HTML)
	require.Equal(t, `<b>hi</b> :wave: [image]`, emoji.PageHTML())
	require.Equal(t, `hi :wave: [image]`, emoji.Text)
}

func TestEmpty(t *testing.T) {
	require.True(t, Body{}.Empty())
	require.True(t, FromText(" \n\t\u200b"[:3]).Empty())
	require.True(t, FromHTML("<div><br></div>").Empty())
	require.False(t, FromText("0").Empty())
}

func TestXMLSafe(t *testing.T) {
	require.Equal(t, "a\tb\r\n\ufffdc\U0010ffff", XMLSafe("a\x00\tb\r\n\xffc\x0b\ufffe\U0010ffff"))
	require.Equal(t, "\ufffd\ufffd\ufffd", XMLSafe("\xed\xa0\x80"), "a surrogate in UTF-8 is no UTF-8")
}
