package content

import (
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/net/html/atom"
)

// kind groups elements that behave alike when a browser builds the tree (HTML standard, 13.2.6).
type kind int

const (
	phrasing kind = iota // may stand anywhere, keeps open paragraphs open
	block                // ends an open paragraph
	void                 // has no content
	tableKind
	tableSection // thead, tbody
	tableRow
	tableCell // td, th
)

// allowed are the elements that a Body may have: those that Matrix lists for formatted_body, without font.
var allowed = map[atom.Atom]kind{
	atom.A: phrasing, atom.B: phrasing, atom.Strong: phrasing, atom.I: phrasing, atom.Em: phrasing, atom.U: phrasing,
	atom.S: phrasing, atom.Del: phrasing, atom.Code: phrasing, atom.Sup: phrasing, atom.Sub: phrasing, atom.Span: phrasing,
	atom.P: block, atom.Div: block, atom.Blockquote: block, atom.Pre: block, atom.Ul: block, atom.Ol: block, atom.Li: block,
	atom.H1: block, atom.H2: block, atom.H3: block, atom.H4: block, atom.H5: block, atom.H6: block,
	atom.Details: block, atom.Summary: block,
	atom.Br: void, atom.Hr: void, atom.Img: void,
	atom.Table: tableKind, atom.Caption: tableCell, atom.Thead: tableSection, atom.Tbody: tableSection,
	atom.Tr: tableRow, atom.Th: tableCell, atom.Td: tableCell,
}

// synonyms are elements that become an allowed one, so that their meaning stays, or at least the line break around them.
var synonyms = map[atom.Atom]atom.Atom{
	atom.Strike: atom.S, atom.Ins: atom.U, atom.Tt: atom.Code, atom.Kbd: atom.Code, atom.Samp: atom.Code, atom.Var: atom.I,
	atom.Cite: atom.I, atom.Dfn: atom.I, atom.Listing: atom.Pre, atom.Tfoot: atom.Tbody,
	atom.Center: atom.Div, atom.Section: atom.Div, atom.Article: atom.Div, atom.Header: atom.Div, atom.Footer: atom.Div,
	atom.Main: atom.Div, atom.Nav: atom.Div, atom.Aside: atom.Div, atom.Address: atom.Div, atom.Figure: atom.Div,
	atom.Figcaption: atom.Div, atom.Form: atom.Div, atom.Fieldset: atom.Div, atom.Legend: atom.Div, atom.Dl: atom.Div,
	atom.Dt: atom.Div, atom.Dd: atom.Div, atom.Dir: atom.Ul, atom.Menu: atom.Ul, atom.Option: atom.Div,
}

// rawText are the elements whose content the tokenizer hands over unparsed. None of it is meant to be read as a message.
var rawText = map[atom.Atom]bool{
	atom.Script: true, atom.Style: true, atom.Title: true, atom.Textarea: true, atom.Iframe: true, atom.Noembed: true,
	atom.Noframes: true, atom.Noscript: true, atom.Xmp: true, atom.Plaintext: true,
}

// mayHide are the elements that are left out with their content if they are not shown, as mails begin with a preview
// line that is for the list of mails only.
var mayHide = map[atom.Atom]bool{atom.Div: true, atom.Span: true}

// attribute is one that is written out.
type attribute struct{ name, value string }

// maxWords is the most runes of an attribute that holds words.
const maxWords = 250

var (
	wholeNumber   = regexp.MustCompile(`^-?\d{1,9}$`)
	pixels        = regexp.MustCompile(`^\d{1,4}$`)
	colour        = regexp.MustCompile(`^#[0-9A-Fa-f]{6}$`)
	languageClass = regexp.MustCompile(`\blanguage-[A-Za-z0-9_+#.-]{1,40}`)
	contentURI    = regexp.MustCompile(`^mxc://[A-Za-z0-9.:\[\]-]{1,255}/[A-Za-z0-9_-]{1,255}$`) // Matrix, "Content repository"
)

// attributesOf returns what may stay of an element's attributes, in a fixed order. ok is false for an element that means
// nothing without an attribute that it lacks.
func attributesOf(tag atom.Atom, given map[string]string) (kept []attribute, ok bool) {
	keep := func(name, value string, ok bool) {
		if ok {
			kept = append(kept, attribute{name, value})
		}
	}
	switch tag {
	case atom.A:
		href, ok := safeURL(given["href"])
		return []attribute{{"href", href}}, ok
	case atom.Img:
		return pictureAttributes(given)
	case atom.Ol:
		start := given["start"]
		keep("start", start, wholeNumber.MatchString(start))
	case atom.Code:
		class := languageClass.FindString(given["class"])
		keep("class", class, class != "")
	case atom.Span:
		keep("data-mx-color", given["data-mx-color"], colour.MatchString(given["data-mx-color"]))
		keep("data-mx-bg-color", given["data-mx-bg-color"], colour.MatchString(given["data-mx-bg-color"]))
		reason, spoiler := given["data-mx-spoiler"]
		keep("data-mx-spoiler", words(reason), spoiler)
	}
	return kept, true
}

// pictureAttributes lets only pictures stay that a Matrix server holds: any other address tells somebody who reads what.
func pictureAttributes(given map[string]string) (kept []attribute, ok bool) {
	if !contentURI.MatchString(given["src"]) {
		return nil, false
	}
	kept = []attribute{{"src", given["src"]}}
	for _, name := range []string{"alt", "title"} {
		if text := words(given[name]); text != "" {
			kept = append(kept, attribute{name, text})
		}
	}
	for _, name := range []string{"width", "height"} {
		if pixels.MatchString(given[name]) {
			kept = append(kept, attribute{name, given[name]})
		}
	}
	return kept, true
}

func words(s string) string { return OneLine(s, maxWords) }

// startOf returns the number of an ordered list's first item.
func startOf(attributes []attribute) int {
	for _, a := range attributes {
		if a.name == "start" {
			if n, err := strconv.Atoi(a.value); err == nil {
				return n
			}
		}
	}
	return 1
}

// hidden tells that an element is not shown, by its own attributes alone.
func hidden(tag atom.Atom, given map[string]string) bool {
	if !mayHide[tag] {
		return false
	}
	if _, ok := given["hidden"]; ok {
		return true
	}
	style := strings.ToLower(strings.Join(strings.Fields(given["style"]), ""))
	return strings.Contains(style, "display:none")
}
