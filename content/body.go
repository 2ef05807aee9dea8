// Package content is the canonical form of what people say: plain text, plus safe HTML where plain text does not say it
// all. Every gateway turns what it receives into a Body and renders a Body in its own way.
//
// Conversion never fails. What is hostile, broken or too big degrades: to fewer elements, to text alone, to the first part of
// the text. All functions take time and memory linear in their input.
package content

import (
	"regexp"
	"strings"
)

// MaxText is the most bytes that the text of a Body has.
const MaxText = 64 << 10

// MaxHTML is the most bytes of HTML that are read. Of more than that only text is kept.
const MaxHTML = 1 << 20

// MaxSafeHTML is the most bytes of HTML that a Body has, as much as a session's log takes. Of more only text is kept.
const MaxSafeHTML = 256 << 10

// maxMatrix is the most bytes of text and HTML together that go into one Matrix event, whose limit is 65,536 bytes with
// everything around them (client-server API, "Size limits").
const maxMatrix = 60_000

// Body is what was said, made safe. The zero Body says nothing.
type Body struct {
	Text string // at most MaxText bytes; valid UTF-8, "\n" between lines, only runes that XML 1.0 allows
	HTML string // balanced and allow-listed, at most MaxSafeHTML bytes; "" when Text says it all
}

// FromText makes a Body of plain text from outside.
func FromText(s string) Body { return Body{Text: cleanText(s)} }

// FromHTML makes a Body of HTML from outside, however hostile. Scripts, styles, remote pictures and unknown elements are
// dropped, their readable text is kept.
func FromHTML(s string) Body {
	tree := parseHTML(s)
	body := Body{Text: cleanText(tree.text())}
	if body.Text == "" || tree.absurd || strings.HasSuffix(body.Text, truncationNote) || tree.plain() {
		return body
	}
	if safe := tree.html(); len(safe) <= MaxSafeHTML {
		body.HTML = safe
	}
	return body
}

// FromMatrix makes a Body of a Matrix message's body and formatted_body. The quote that older clients put before a reply
// (<mx-reply>) is left out. The text is taken from formattedBody if there is one, so that nobody can show different words to
// different readers.
func FromMatrix(body, formattedBody string) Body {
	if formattedBody != "" {
		if b := FromHTML(formattedBody); !b.Empty() {
			return b
		}
	}
	return FromText(body)
}

// Empty tells that nothing readable was said.
func (b Body) Empty() bool { return strings.TrimSpace(b.Text) == "" }

// MatrixHTML returns the formatted_body for the format org.matrix.custom.html, and false if the text alone is to be sent,
// because it says it all or because both do not fit one event.
func (b Body) MatrixHTML() (formatted string, ok bool) {
	if b.HTML == "" || len(b.Text)+len(b.HTML) > maxMatrix {
		return "", false
	}
	return strings.ReplaceAll(b.HTML, linkAttributes, ""), true
}

// PageHTML returns safe HTML for the page and for mail: it loads nothing from anywhere.
func (b Body) PageHTML() string {
	if b.HTML == "" {
		return Linkify(b.Text)
	}
	return picture.ReplaceAllStringFunc(b.HTML, func(tag string) string {
		if alt := pictureAlt.FindStringSubmatch(tag); alt != nil {
			return alt[1]
		}
		return pictureWithoutWords
	})
}

// These read only HTML that this package wrote, in which no attribute holds a bare quote or bracket.
var (
	picture    = regexp.MustCompile(`<img [^>]*>`)
	pictureAlt = regexp.MustCompile(` alt="([^"]+)"`)
)
