package content

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

const linked = ` rel="noopener nofollow noreferrer" target="_blank"`

func TestFromHTML(t *testing.T) {
	for _, tt := range []struct{ name, in, text, html string }{
		{"words", "hello", "hello", ""},
		{"entities", "a &lt;b&gt; &amp; c&nbsp;d", "a <b> & c\u00a0d", ""},
		{"white space", " a \n\t b  <b> c</b>", "a b c", "a \n\t b  <b> c</b>"},
		{"Gmail lines", "<div dir=ltr>a<div><br></div><div>b<br></div></div>", "a\n\nb", ""},
		{"paragraphs", "<p>a</p><p>b<br>c</p>", "a\n\nb\nc", ""},
		{"many breaks", "a<br><br><br><br>b", "a\n\nb", ""},
		{"formatting", "<b>a</b> <i>b</i>", "a b", "<b>a</b> <i>b</i>"},
		{"unclosed", "<b>a <i>b", "a b", "<b>a <i>b</i></b>"},
		{"misnested", "<b>a<i>b</b>c</i>", "abc", "<b>a<i>b</i></b>c"},
		{"stray end", "a</b></div></table></p>b<b>c</b>", "abc", "ab<b>c</b>"},
		{"break as end", "a</br><b>b</b>", "a\nb", "a<br><b>b</b>"},
		{"synonyms", "<strike>a</strike><ins>b</ins><tt>c</tt>", "abc", "<s>a</s><u>b</u><code>c</code>"},
		{"unknown elements", "<x-y>a <font color=red>b</font></x-y> <em>c</em>", "a b c", "a b <em>c</em>"},
		{"quote", "<blockquote>a<br>b<blockquote>c</blockquote></blockquote>d", "> a\n> b\n>\n> > c\n\nd",
			"<blockquote>a<br>b<blockquote>c</blockquote></blockquote>d"},
		{"list", "<ul><li>a<li>b<ul><li>c</ul><li>d</ul>e", "- a\n- b\n  - c\n- d\n\ne",
			"<ul><li>a</li><li>b<ul><li>c</li></ul></li><li>d</li></ul>e"},
		{"numbers", `<ol start="3"><li>a<p>b</p></li><li>c</li></ol>`, "3. a\n\n   b\n\n4. c", `<ol start="3"><li>a<p>b</p></li><li>c</li></ol>`},
		{"code", "<pre><code class=\"x language-go y\">\nif a {\n\n\n  b &lt; c\n}</code></pre>", "if a {\n\n\n  b < c\n}",
			"<pre><code class=\"language-go\">\nif a {\n\n\n  b &lt; c\n}</code></pre>"},
		{"line end after pre", "<pre>\n\na</pre>", "a", "<pre>\n\na</pre>"},
		{"heading", "<h1>a</h1>b", "a\n\nb", "<h1>a</h1>b"},
		{"rule", "a<hr>b", "a\n---\nb", "a<hr>b"},
		{"table", "<table><tr><th>a<th>b<tr><td>1<td>2</table>", "a | b\n1 | 2",
			"<table><tbody><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></tbody></table>"},
		{"table for layout", "<table><tr><td><p>a</p><p>b</p></td><td>c</td></tr></table>", "a\n\nb\nc",
			"<table><tbody><tr><td><p>a</p><p>b</p></td><td>c</td></tr></tbody></table>"},
		{"words between cells", "<table>a<tr>b<td>c</table>", "a\nb | c",
			"<table><tbody><tr><td>a</td></tr><tr><td>b</td><td>c</td></tr></tbody></table>"},
		{"cells without table", "<tr><td>a</td><td>b</td></tr><b>c</b>", "abc", "ab<b>c</b>"},
		{"table in cell", "<table><tr><td><table><tr><td>a</table><b>b</table>c", "a\n\nb\n\nc",
			"<table><tbody><tr><td><table><tbody><tr><td>a</td></tr></tbody></table><b>b</b></td></tr></tbody></table>c"},
		{"link", `<a href="https://a.test/?x=1&amp;y=2" onclick="x()">there</a>`, "there <https://a.test/?x=1&y=2>",
			`<a href="https://a.test/?x=1&amp;y=2"` + linked + `>there</a>`},
		{"link that says its address", `see <a href="https://a.test/b">https://a.test/b</a>.`, "see https://a.test/b.", ""},
		{"link that says its host", `<a href="https://a.test/">a.test</a>`, "a.test", `<a href="https://a.test/"` + linked + `>a.test</a>`},
		{"mail link", `<a href="mailto:a@b.test?subject=x">a@b.test</a>`, "a@b.test", `<a href="mailto:a@b.test?subject=x"` + linked + `>a@b.test</a>`},
		{"link in link", `<a href="https://a.test/">a<a href="https://b.test/">b</a>c</a>`, "a <https://a.test/>b <https://b.test/>c",
			`<a href="https://a.test/"` + linked + `>a</a><a href="https://b.test/"` + linked + `>b</a>c`},
		{"forbidden link", `<a href="javascript:alert(1)">x</a><b>y</b>`, "xy", "x<b>y</b>"},
		{"relative link", `<a href="/a">x</a> <a>y</a>`, "x y", ""},
		{"remote picture", `<img src="https://spy.test/1.gif"><img src="x" alt="a  cat" onerror=x><b>y</b>`, "a caty", "a cat<b>y</b>"},
		{"spoiler", `<span data-mx-spoiler="the &quot;end&quot;" style="x">he dies</span>`, "he dies", `<span data-mx-spoiler="the &#34;end&#34;">he dies</span>`},
		{"colour", `<span data-mx-color="#ff0000" data-mx-bg-color="red">x</span>`, "x", `<span data-mx-color="#ff0000">x</span>`},
		{"scripts and styles", "a<script>b</script><style>c</style><title>d</title><textarea>e</textarea><iframe>f</iframe><b>g</b>", "ag", "a<b>g</b>"},
		{"preview line of a mail", `<div style="color:red; DISPLAY : none">a<div>b</div></div><b>c</b>`, "c", "<b>c</b>"},
		{"whole document", "<!DOCTYPE html><html><head><title>x</title><meta charset=utf-8><body><p>a</p><!-- b --></body></html>", "a", ""},
		{"override in text", "<b>a\u202eb</b>", "ab", "<b>ab</b>"},
		{"isolates end with their piece", "<b>\u2067a</b> b", "\u2067a\u2069 b", "<b>\u2067a\u2069</b> b"},
		{"NUL", "<b>a\x00b</b><scr\x00ipt>x", "abx", "<b>ab</b>x"},
		{"details", "<details><summary>a</summary>b</details>", "a\nb", "<details><summary>a</summary>b</details>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := FromHTML(tt.in)
			require.Equal(t, Body{Text: tt.text, HTML: tt.html}, got)
			requireSafe(t, got)
		})
	}
}

// Payloads as collected by those who attack sanitisers, and what x/net/html itself finds hard.
var hostile = []string{
	`<script>alert(1)</script>`, `<scr<script>ipt>alert(1)</script>`, `<svg onload=alert(1)>`, `<svg><script>alert(1)</script></svg>`,
	`<svg><style><img src=x onerror=alert(1)></style></svg>`, `<math><mi//xlink:href="data:x,<script>alert(4)</script>">`,
	`<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>`, `<noscript><p title="</noscript><img src=x onerror=alert(1)>">`,
	`<a href="java&#10;script:alert(1)">x</a>`, `<a href=" javascript:alert(1)">x</a>`, `<a href="data:text/html,<script>x</script>">x</a>`,
	`<a href="vbscript:x">x</a>`, `<a href="https:\\evil.test">x</a>`, `<a href="//evil.test">x</a>`, `<a href="https://a.test/` + "\u202e" + `x">x</a>`,
	`<img src=x:x onerror=alert(1)>`, `<img src="mxc://a/b" onerror=alert(1)>`, `<img src="mxc://a/b&quot; onerror=&quot;x">`,
	`<iframe src=https://evil.test>`, `<object data=x><embed src=x>`, `<link rel=stylesheet href=x>`, `<meta http-equiv=refresh content=0>`, `<base href=x>`,
	`<div style="background:url(x)">x</div>`, `<p><table><p><b></table>x`, `<table><b>x<tr><td></b>y`, `<table><td><a href="https://a.test/">x<td><a href="https://b.test/">y`,
	`<a href="https://a.test/"><table><tr><td><a href="https://b.test/">x</a></table>y</a>`, `<li><div><li><p><ul><li>x`, `<h1><h2><b><h3>x</h1>`,
	`<p><blockquote><p>x</p></p></blockquote>`, `<b><p><i></b>x</p>y</i>`, `<template><b>x</template>`, `<select><option><b>x`, `<plaintext><b>x`,
	`<details><p><summary>x</details>`, `<caption>x</caption><table><caption><table><caption>x`, "<pre>\n\n\n<b>\nx</pre>", `<![CDATA[<b>x]]>`, `<b/x=1//>x`,
	`<!--><img src=x onerror=alert(1)>-->`, `<?php <b>x ?>`, `<b` + "\x00" + `>x`, "<b>\xff\xfe</b>", `<mx-reply><b>x`, `</mx-reply><b>x`, `<u>` + "\u2067\u202a" + `<i>x`,
	`<ol start="999999999999">x<li>y`, `<code class="language-x&quot;onclick=y">z</code>`, `<a name=x id=y class=z href=https://a.test/ download>x</a>`,
	`<tr><td>x<hr><table><thead><hr><tfoot>x`, `<p>x<hr>y<b>z`, `<span data-mx-spoiler>x</span>`, `<span hidden>a</span>b<i>c</i>`,
}

func TestHostileHTMLBecomesSafe(t *testing.T) {
	for _, in := range hostile {
		requireSafe(t, FromHTML(in))
	}
}

func FuzzFromHTML(f *testing.F) {
	for _, in := range hostile {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in string) { requireSafe(t, FromHTML(in)) })
}

// check is a test, or one of the many tries of a property.
type check interface {
	require.TestingT
	Helper()
}

// requireSafe checks a Body by means that have nothing in common with how it was made: the parser of x/net/html, which
// follows the HTML standard as browsers do.
func requireSafe(t check, b Body) {
	t.Helper()
	requireCleanText(t, b.Text)
	if b.HTML == "" {
		return
	}
	require.LessOrEqual(t, len(b.HTML), MaxSafeHTML)
	again := FromHTML(b.HTML)
	require.Equal(t, b.HTML, again.HTML, "making it safe twice changes nothing")
	require.Equal(t, b.Text, again.Text)

	div := &html.Node{Type: html.ElementNode, Data: "div", DataAtom: atom.Div}
	nodes, err := html.ParseFragment(strings.NewReader(b.HTML), div)
	require.NoError(t, err)
	var out strings.Builder
	for _, n := range nodes {
		requireAllowed(t, n, 1)
		require.NoError(t, html.Render(&out, n))
	}
	browser := strings.ReplaceAll(out.String(), "/>", ">")
	require.Equal(t, b.HTML, browser, "a browser builds another tree of it")
}

func requireCleanText(t check, s string) {
	t.Helper()
	require.LessOrEqual(t, len(s), MaxText)
	require.Equal(t, XMLSafe(s), s)
	require.Equal(t, s, FromText(s).Text, "cleaning twice changes nothing")
}

var allowedInTest = map[string][]string{
	"a": {"href", "target", "rel"}, "img": {"src", "alt", "title", "width", "height"}, "ol": {"start"}, "code": {"class"},
	"span": {"data-mx-color", "data-mx-bg-color", "data-mx-spoiler"},
	"b":    {}, "strong": {}, "i": {}, "em": {}, "u": {}, "s": {}, "del": {}, "sup": {}, "sub": {}, "p": {}, "div": {}, "blockquote": {}, "pre": {},
	"ul": {}, "li": {}, "h1": {}, "h2": {}, "h3": {}, "h4": {}, "h5": {}, "h6": {}, "details": {}, "summary": {}, "br": {}, "hr": {},
	"table": {}, "caption": {}, "thead": {}, "tbody": {}, "tr": {}, "th": {}, "td": {},
}

var addressInTest = regexp.MustCompile(`(?i)^(https?://[^\s\\]|mailto:.|xmpp:.|matrix:.)`)

func requireAllowed(t check, n *html.Node, depth int) {
	t.Helper()
	switch n.Type {
	case html.TextNode:
		return
	case html.ElementNode:
		require.LessOrEqual(t, depth, 100)
		names, ok := allowedInTest[n.Data]
		require.True(t, ok, "element %s", n.Data)
		for _, a := range n.Attr {
			require.True(t, slices.Contains(names, a.Key), "attribute %s of %s", a.Key, n.Data)
			switch a.Key {
			case "href":
				require.Regexp(t, addressInTest, a.Val)
			case "src":
				require.True(t, strings.HasPrefix(a.Val, "mxc://"), a.Val)
			case "rel":
				require.Equal(t, "noopener nofollow noreferrer", a.Val)
			}
		}
	default:
		require.Failf(t, "neither text nor element", "%v", n)
	}
	for child := range n.ChildNodes() {
		requireAllowed(t, child, depth+1)
	}
}

func TestDepth(t *testing.T) {
	nest := func(tag string, n int) string { return strings.Repeat("<"+tag+">", n) + "x" }
	deep := FromHTML(nest("blockquote", maxDepth))
	require.Contains(t, deep.HTML, strings.Repeat("<blockquote>", maxDepth)+"x")
	requireSafe(t, deep)

	deeper := FromHTML(nest("blockquote", maxDepth+50) + strings.Repeat("</blockquote>", 50) + "y")
	require.Contains(t, deeper.HTML, strings.Repeat("<blockquote>", maxDepth)+"xy<")
	requireSafe(t, deeper)

	for _, tag := range []string{"table", "table><tr><td", "table><tbody", "ul><li", "b", "div><p", "details><summary"} {
		requireSafe(t, FromHTML(nest(tag, 90)))
	}
	absurd := FromHTML(nest("b", absurdDepth+1))
	require.Equal(t, Body{Text: "x"}, absurd)
}

func TestTooMuchHTMLBecomesText(t *testing.T) {
	got := FromHTML("<b>a</b>" + strings.Repeat(" ", MaxHTML) + "lost")
	require.Equal(t, Body{Text: "a"}, got)
	got = FromHTML("<b>" + strings.Repeat("word ", MaxText/4) + "</b>")
	require.Empty(t, got.HTML, "text and HTML say the same, both cut")
	require.True(t, strings.HasSuffix(got.Text, "[message truncated]"))

	got = FromHTML("<b>a</b>" + strings.Repeat("<i></i>", MaxSafeHTML/len("<i></i>")))
	require.Equal(t, Body{Text: "a"}, got, "tags alone can be too much, too")
}

// Each of these makes some parser take quadratic time, which is 1024 times as long for 32 times as much. Ours gets six times
// of what is due, for the noise of a busy machine; the least of a few runs counts.
func TestHostileHTMLTakesLinearTime(t *testing.T) {
	const large, small = MaxHTML / 8, MaxHTML / 8 / 32
	for _, piece := range bombs {
		fast := timeOf(func() { FromHTML(strings.Repeat(piece, small/len(piece))) })
		slow := timeOf(func() { FromHTML(strings.Repeat(piece, large/len(piece))) })
		require.Less(t, slow, 6*32*max(fast, time.Millisecond), "%q: %v for %d bytes, %v for %d", piece, fast, small, slow, large)
	}
}

var bombs = []string{
	"<b>", "<b><i>", "<p><b>", "<font size=1><p>", "<a href=https://a.test/>", "<table>", "<table><tr><td>", "<li>", "<ul><li>", "<blockquote>", "<br>",
	"<blockquote><br>x", "</b>", "<", "<!", "<!--", "&", "&#", "<b x=", "<b x ", "<div style=display:none>", "<mx-reply>", "<pre>\n", "\u2067", "\u202a\u2069", "http://", "<h1>",
	"<td>x", "<dt>x\n", "<img src=mxc://a/b>", "<x>a",
}

// timeOf is the least time of three runs.
func timeOf(f func()) time.Duration {
	least := time.Hour
	for range 3 {
		start := time.Now()
		f()
		least = min(least, time.Since(start))
	}
	return least
}

func BenchmarkFromHTMLBombs(b *testing.B) {
	for _, piece := range bombs {
		in := strings.Repeat(piece, MaxHTML/len(piece))
		b.Run(piece, func(b *testing.B) {
			b.SetBytes(int64(len(in)))
			for b.Loop() {
				FromHTML(in)
			}
		})
	}
}

func BenchmarkFromHTMLMail(b *testing.B) {
	in := `<div dir="ltr">Hello all,<div><br></div><div>can we meet <b>tomorrow</b> at ten? See <a href="https://example.org/plan?x=1">the plan</a>.</div><ul><li>one</li><li>two</li></ul></div>`
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		FromHTML(in)
	}
}
