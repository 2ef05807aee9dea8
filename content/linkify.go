package content

import (
	"html"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// linkAttributes stand in every link: the page and the mailbox stay where they are, and the other site does not learn from where
// somebody came.
const linkAttributes = ` rel="noopener nofollow noreferrer" target="_blank"`

// maxURL is the most bytes that an address in a link has. Browsers take more, but nobody reads it.
const maxURL = 4096

// linkSchemes are the kinds of addresses that a link may have.
var linkSchemes = []string{"https://", "http://", "mailto:", "xmpp:", "matrix:"}

// safeURL returns the address of a link as it is written out, and false if a link to it must not be made.
func safeURL(s string) (string, bool) {
	s = strings.TrimSpace(s)
	if len(s) > maxURL || linkScheme(s) == "" || strings.ContainsFunc(s, unfitForURL) {
		return "", false
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" && u.Opaque == "" {
		return "", false
	}
	return s, true
}

// linkScheme returns the entry of linkSchemes with which s begins, or "".
func linkScheme(s string) string {
	for _, scheme := range linkSchemes {
		if len(s) > len(scheme) && strings.EqualFold(s[:len(scheme)], scheme) {
			return scheme
		}
	}
	return ""
}

// unfitForURL tells of runes that hide what an address is: browsers drop some of them and take "\" for "/".
func unfitForURL(r rune) bool {
	return r == '\\' || r == utf8.RuneError || unicode.IsSpace(r) || unicode.IsControl(r) || isInvisible(r) || isBlank(r)
}

// Linkify turns plain text into HTML for page and mail: escaped, with addresses made into links and "\n" into <br>.
func Linkify(text string) string {
	var b strings.Builder
	b.Grow(len(text) + len(text)/8)
	written := 0
	for i := 0; i < len(text); {
		end, ok := linkAt(text, i)
		if ok {
			writeEscapedLines(&b, text[written:i])
			b.WriteString(link(text[i:end]))
			written = end
		}
		i = end
	}
	writeEscapedLines(&b, text[written:])
	return b.String()
}

func writeEscapedLines(b *strings.Builder, s string) {
	b.WriteString(strings.ReplaceAll(html.EscapeString(s), "\n", "<br>"))
}

func link(address string) string {
	escaped := html.EscapeString(address)
	return `<a href="` + escaped + `"` + linkAttributes + `>` + escaped + `</a>`
}

// linkAt tells if an address begins at text[i], and from where to look on.
func linkAt(text string, i int) (end int, ok bool) {
	if !maybeScheme(text[i]) || linkScheme(text[i:]) == "" || !wordBegins(text, i) {
		return i + 1, false
	}
	// Each byte is looked at once: what turns out to be no address is passed over as a whole.
	word := cutBytes(text[i:], maxURL+utf8.UTFMax)
	if end := strings.IndexFunc(word, endsAddress); end >= 0 {
		word = word[:end]
	}
	word = trimPunctuation(word)
	_, ok = safeURL(word)
	return i + max(len(word), 1), ok
}

func maybeScheme(c byte) bool { return strings.IndexByte("hHmMxX", c) >= 0 }

func wordBegins(text string, i int) bool {
	r, size := utf8.DecodeLastRuneInString(text[:i])
	return size == 0 || !unicode.IsLetter(r) && !unicode.IsDigit(r)
}

func endsAddress(r rune) bool {
	return r == '<' || r == '>' || r == '"' || r == '`' || unfitForURL(r) || isBidiControl(r)
}

// trimPunctuation takes off what belongs to the sentence and not to the address: a final dot or comma, and a closing
// bracket that was not opened within the address.
func trimPunctuation(address string) string {
	round := strings.Count(address, "(") - strings.Count(address, ")")
	square := strings.Count(address, "[") - strings.Count(address, "]")
	for address != "" {
		r, size := utf8.DecodeLastRuneInString(address)
		switch {
		case strings.ContainsRune(`.,;:!?'*_~}»”’。，、！？；：）」』】`, r):
		case r == ')' && round < 0:
			round++
		case r == ']' && square < 0:
			square++
		default:
			return address
		}
		address = address[:len(address)-size]
	}
	return address
}
