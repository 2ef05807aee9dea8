package content

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

const (
	// maxDepth is how deep elements of a Body nest. Matrix recommends that clients take no more than 100.
	maxDepth = 100
	// absurdDepth is from how deep nesting on HTML is taken for an attack, and only its text is kept.
	absurdDepth = 256
	// tableDepth is what a table needs for itself: table, section, row, cell.
	tableDepth = 4
	// pictureWithoutWords stands in the text for a picture that has no description.
	pictureWithoutWords = "[image]"
)

// node is an element, or text if it has no tag.
type node struct {
	tag        atom.Atom
	kind       kind
	attributes []attribute
	words      string // of text
	children   []*node
}

// tree is HTML of which only what is allowed is left. A browser that reads what html() writes builds the same tree, so
// that nothing in it is moved to where it was not checked.
type tree struct {
	root   *node
	absurd bool // was too big or too deep to keep more than its text
}

// parseHTML builds the tree from the tokens in one pass, with a stack of bounded depth. The full algorithm of the HTML standard
// is not used because it reopens formatting elements after each misplaced tag, which makes quadratic trees of
// hostile input.
func parseHTML(s string) *tree {
	b := builder{tree: &tree{root: &node{}}, ignored: map[atom.Atom]int{}}
	if len(s) > MaxHTML {
		s, b.tree.absurd = cutBytes(s, MaxHTML), true
	}
	b.stack = []*node{b.tree.root}
	tokens := html.NewTokenizer(strings.NewReader(s))
	for {
		switch tokens.Next() {
		case html.ErrorToken: // the end: a string has no other error
			return b.tree
		case html.TextToken:
			b.text(string(tokens.Text()))
		case html.StartTagToken, html.SelfClosingTagToken:
			b.start(tagAndAttributes(tokens))
		case html.EndTagToken:
			name, _ := tokens.TagName()
			b.end(string(name))
		}
	}
}

// maxAttributes is how many attributes of one element are looked at.
const maxAttributes = 64

func tagAndAttributes(tokens *html.Tokenizer) (name string, given map[string]string) {
	tag, more := tokens.TagName()
	name = string(tag)
	for i := 0; more && i < maxAttributes; i++ {
		var key, value []byte
		key, value, more = tokens.TagAttr()
		if given == nil {
			given = map[string]string{}
		}
		if _, twice := given[string(key)]; !twice { // the first one counts, as in browsers
			given[string(key)] = string(value)
		}
	}
	return name, given
}

type builder struct {
	tree    *tree
	stack   []*node // open elements, the root first
	ignored map[atom.Atom]int
	deeper  int // how many elements are open that were ignored because they were too deep

	skipped   string // the name of the element that is being left out with its content
	skipDepth int
}

func (b *builder) top() *node { return b.stack[len(b.stack)-1] }

// depth is how deep a new element would be.
func (b *builder) depth() int { return len(b.stack) }

func (b *builder) text(s string) {
	if b.skipped != "" {
		return
	}
	s = balanceBidi(cleanLines(s))
	if inTable(b.top()) {
		if strings.TrimSpace(s) == "" {
			return
		}
		b.openCell()
	}
	if b.top().tag == atom.Pre && len(b.top().children) == 0 {
		s = strings.TrimPrefix(s, "\n") // not shown, HTML standard 13.2.6.4.7
	}
	if s != "" {
		b.add(&node{words: s})
	}
}

func (b *builder) add(n *node) { b.top().children = append(b.top().children, n) }

func (b *builder) open(tag atom.Atom, attributes []attribute) {
	n := &node{tag: tag, kind: allowed[tag], attributes: attributes}
	b.add(n)
	b.stack = append(b.stack, n)
}

func (b *builder) start(name string, given map[string]string) {
	tag := atom.Lookup([]byte(name))
	if b.skipped != "" {
		if name == b.skipped {
			b.skipDepth++
		}
		return
	}
	if name == "mx-reply" || rawText[tag] || hidden(tag, given) {
		b.skipped, b.skipDepth = name, 1
		return
	}
	if other, ok := synonyms[tag]; ok {
		tag = other
	}
	kind, ok := allowed[tag]
	if !ok {
		return
	}
	attributes, ok := attributesOf(tag, given)
	if !ok {
		b.degrade(tag, given)
		return
	}
	b.place(tag, kind, attributes)
}

// degrade keeps of an element that must not stay what can be read.
func (b *builder) degrade(tag atom.Atom, given map[string]string) {
	if tag == atom.Img {
		if alt := words(given["alt"]); alt != "" {
			b.text(alt)
		}
	}
}

// place puts an element where a browser would put it.
func (b *builder) place(tag atom.Atom, kind kind, attributes []attribute) {
	switch kind {
	case tableSection, tableRow, tableCell:
		b.placeInTable(tag, kind)
		return
	case void:
		b.placeVoid(tag, attributes)
		return
	}
	if inTable(b.top()) {
		b.openCell()
	}
	b.closeBefore(tag, kind)
	room := maxDepth
	if kind == tableKind {
		room -= tableDepth - 1
	}
	if b.depth() > room {
		b.ignore(tag)
		return
	}
	b.open(tag, attributes)
}

func (b *builder) placeVoid(tag atom.Atom, attributes []attribute) {
	if inTable(b.top()) {
		b.openCell()
	}
	if tag == atom.Hr {
		b.closeParagraph()
	}
	b.add(&node{tag: tag, kind: void, attributes: attributes})
}

// closeBefore closes what a browser closes when it meets the start of tag.
func (b *builder) closeBefore(tag atom.Atom, kind kind) {
	if tag == atom.Li {
		b.closeItem()
	}
	if kind == block || kind == tableKind {
		b.closeParagraph()
	}
	if isHeading(tag) && isHeading(b.top().tag) {
		b.pop()
	}
	if tag == atom.A {
		if i := b.find(atom.A); i > 0 {
			b.closeTo(i)
		}
	}
}

func (b *builder) closeParagraph() {
	if i := b.find(atom.P); i > 0 {
		b.closeTo(i)
	}
}

// closeItem ends the list item that a new one follows, unless the new one is in a list or another block inside it.
func (b *builder) closeItem() {
	for i := len(b.stack) - 1; i > 0; i-- {
		n := b.stack[i]
		if n.tag == atom.Li {
			b.closeTo(i)
			return
		}
		if n.kind != phrasing && n.tag != atom.Div && n.tag != atom.P {
			return
		}
	}
}

// find returns where tag is open within the same table cell, or 0.
func (b *builder) find(tag atom.Atom) int {
	for i := len(b.stack) - 1; i > 0; i-- {
		if b.stack[i].tag == tag {
			return i
		}
		if b.stack[i].kind == tableCell || b.stack[i].kind == tableKind {
			return 0
		}
	}
	return 0
}

func (b *builder) pop()          { b.stack = b.stack[:len(b.stack)-1] }
func (b *builder) closeTo(i int) { b.stack = b.stack[:i] }

func (b *builder) ignore(tag atom.Atom) {
	b.ignored[tag]++
	b.deeper++
	if b.depth()+b.deeper > absurdDepth {
		b.tree.absurd = true
	}
}

func (b *builder) end(name string) {
	if b.skipped != "" {
		if name == b.skipped {
			b.skipDepth--
			if b.skipDepth == 0 {
				b.skipped = ""
			}
		}
		return
	}
	tag := atom.Lookup([]byte(name))
	if other, ok := synonyms[tag]; ok {
		tag = other
	}
	kind, ok := allowed[tag]
	switch {
	case !ok:
	case tag == atom.Br: // browsers take </br> for <br>
		b.placeVoid(tag, nil)
	case b.ignored[tag] > 0:
		b.ignored[tag]--
		b.deeper--
	case kind == tableKind, kind == tableSection, kind == tableRow, kind == tableCell:
		b.endInTable(tag)
	default:
		if i := b.find(tag); i > 0 {
			b.closeTo(i)
		}
	}
}

func isHeading(tag atom.Atom) bool {
	switch tag {
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		return true
	}
	return false
}
