package content

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Random mutation of bytes seldom makes tags that belong together. These pieces do, in every order there is.
func pieces() []string {
	pieces := []string{" ", "\n", "x", "&amp;", "\u2067", "\u202a", "\u2069", `<a href="https://a.test/">`, `<a href="https://b.test/">`,
		`<img src="mxc://a.test/b" alt="c">`, `<img alt="d">`, `<ol start="2">`, `<code class="language-go">`, `<span data-mx-spoiler="e">`,
		"<mx-reply>", "</mx-reply>", "<div hidden>", "<script>", "</script>", "<svg>", "<math>", "<select>", "<template>", "<form>", "<tfoot>", "<colgroup>", "<body>", "<!--", "-->"}
	for _, tag := range slices.Sorted(maps.Keys(allowed)) {
		pieces = append(pieces, "<"+tag.String()+">", "</"+tag.String()+">")
	}
	return pieces
}

// notPlain makes sure that there is HTML to check.
const notPlain = "<i>x</i>"

func TestAnyOrderOfTagsBecomesSafe(t *testing.T) {
	all := pieces()
	rapid.Check(t, func(r *rapid.T) {
		in := notPlain + strings.Join(rapid.SliceOfN(rapid.SampledFrom(all), 5, 60).Draw(r, "pieces"), "")
		requireSafe(r, FromHTML(in))
	})
}

// Tables and lists are where parsers differ most: fewer pieces, so that they meet more often.
func TestAnyOrderOfTableAndListTagsBecomesSafe(t *testing.T) {
	var few []string
	for _, name := range []string{"table", "caption", "tbody", "tr", "td", "p", "b", "li", "ul", "h1", "div", "pre", "details"} {
		few = append(few, "<"+name+">", "</"+name+">")
	}
	few = append(few, "x", "\n", `<a href="https://a.test/">`, "</a>", "<hr>")
	rapid.Check(t, func(r *rapid.T) {
		in := notPlain + strings.Join(rapid.SliceOfN(rapid.SampledFrom(few), 5, 40).Draw(r, "pieces"), "")
		requireSafe(r, FromHTML(in))
	})
}
