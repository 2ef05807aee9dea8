package content

import (
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/net/html/atom"
)

// How elements look in plain text: quotes begin their lines with "> ", list items with "- " or a number, cells of a table row
// stand between bars, links have their address behind them, and paragraphs have an empty line between them.

const (
	// maxRendered is from how many bytes on nothing more is written: enough that cleanText sees that it was cut.
	maxRendered = 2 * MaxText
	// maxPrefixes is how deep quotes and lists are shown.
	maxPrefixes = 16
)

// text renders the tree as plain text.
func (t *tree) text() string { return rendered(t.root.children) }

func rendered(nodes []*node) string {
	var w textWriter
	w.all(nodes)
	return w.out.String()
}

type textWriter struct {
	out      strings.Builder
	prefixes []prefix
	breaks   int  // line ends to write before the next word
	shallow  int  // how few prefixes were there since the last word: those that an empty line gets
	space    bool // a space to write before the next word
	raw      int  // open elements that keep spaces and line ends as they are
	lists    int  // open lists
}

// prefix begins the lines of a quote or a list item.
type prefix struct{ next, others string }

func (w *textWriter) all(nodes []*node) {
	for _, n := range nodes {
		if w.out.Len() > maxRendered {
			return
		}
		w.node(n)
	}
}

func (w *textWriter) node(n *node) {
	switch n.tag {
	case 0:
		w.words(n.words)
	case atom.Br:
		w.lineBreak()
	case atom.Hr:
		w.block(1, func() { w.words("---") })
	case atom.Img:
		w.words(pictureWords(n))
	case atom.A:
		w.link(n)
	case atom.P, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		w.block(2, func() { w.all(n.children) })
	case atom.Pre:
		w.block(2, func() { w.raw++; w.all(n.children); w.raw-- })
	case atom.Blockquote:
		w.block(2, func() { w.prefixed(prefix{"> ", "> "}, n.children) })
	case atom.Ul, atom.Ol:
		w.list(n)
	case atom.Table:
		w.block(2, func() { w.all(n.children) })
	case atom.Tr:
		w.row(n)
	case atom.Li:
		w.item(n, "- ")
	case atom.Div, atom.Details, atom.Summary, atom.Caption:
		w.block(1, func() { w.all(n.children) })
	default:
		w.all(n.children)
	}
}

// words writes text, with its spaces collapsed as a browser shows it, or as it is inside <pre>.
func (w *textWriter) words(s string) {
	if w.raw > 0 {
		w.rawWords(s)
		return
	}
	for s != "" {
		i := strings.IndexFunc(s, isHTMLSpace)
		if i < 0 {
			i = len(s)
		}
		if i > 0 {
			w.word(s[:i])
		}
		if s = s[i:]; s != "" {
			w.space = true
			s = strings.TrimLeftFunc(s, isHTMLSpace)
		}
	}
}

func isHTMLSpace(r rune) bool { return r == ' ' || r == '\n' || r == '\t' }

func (w *textWriter) rawWords(s string) {
	for i, line := range strings.Split(s, "\n") {
		if i > 0 {
			w.breaks++
		}
		if line != "" {
			w.word(line)
		}
	}
}

// word writes what is due before a word, and the word.
func (w *textWriter) word(s string) {
	if w.out.Len() > maxRendered {
		return
	}
	if w.out.Len() > 0 && w.breaks == 0 && w.space {
		w.out.WriteByte(' ')
	}
	if w.out.Len() > 0 {
		for ; w.breaks > 1; w.breaks-- {
			w.out.WriteByte('\n')
			w.out.WriteString(strings.TrimRightFunc(w.begin(min(w.shallow, len(w.prefixes)), false), unicode.IsSpace))
		}
		if w.breaks == 1 {
			w.out.WriteByte('\n')
		}
	}
	if w.out.Len() == 0 || w.breaks == 1 {
		w.out.WriteString(w.begin(len(w.prefixes), true))
	}
	w.breaks, w.space, w.shallow = 0, false, len(w.prefixes)
	w.out.WriteString(s)
}

// begin returns the beginning of a line inside the first n prefixes. A list item's mark is used up by its first words.
func (w *textWriter) begin(n int, words bool) string {
	var b strings.Builder
	for i := range w.prefixes[:n] {
		p := &w.prefixes[i]
		if !words {
			b.WriteString(p.others)
			continue
		}
		b.WriteString(p.next)
		p.next = p.others
	}
	return b.String()
}

// lineBreak ends a line; at most one empty line is kept.
func (w *textWriter) lineBreak() {
	w.space = false
	if w.raw > 0 || w.breaks < 2 {
		w.breaks++
	}
}

// block writes something that stands on lines of its own, with so many line ends before and after it.
func (w *textWriter) block(breaks int, inside func()) {
	w.breaks, w.space = max(w.breaks, breaks), false
	inside()
	w.breaks, w.space = max(w.breaks, breaks), false
}

func (w *textWriter) prefixed(p prefix, children []*node) {
	if len(w.prefixes) >= maxPrefixes {
		w.all(children)
		return
	}
	w.prefixes = append(w.prefixes, p)
	w.all(children)
	w.prefixes = w.prefixes[:len(w.prefixes)-1]
	w.shallow = min(w.shallow, len(w.prefixes))
}

func (w *textWriter) list(n *node) {
	breaks := 2
	if w.lists > 0 {
		breaks = 1
	}
	w.lists++
	number := startOf(n.attributes)
	w.block(breaks, func() {
		for _, child := range n.children {
			switch {
			case child.tag != atom.Li:
				w.node(child)
			case n.tag == atom.Ol:
				w.item(child, strconv.Itoa(number)+". ")
				number++
			default:
				w.item(child, "- ")
			}
		}
	})
	w.lists--
}

func (w *textWriter) item(n *node, mark string) {
	w.block(1, func() { w.prefixed(prefix{mark, strings.Repeat(" ", len(mark))}, n.children) })
}

// row writes the cells of a table's row between bars if each is one line. Else the table is there for its layout, and
// the cells follow each other. Each cell is rendered once, so that tables in tables cost no more than their depth.
func (w *textWriter) row(n *node) {
	var cells []string
	layout := false
	for _, cell := range n.children {
		if text := strings.TrimSpace(rendered(cell.children)); text != "" {
			cells = append(cells, text)
			layout = layout || strings.Contains(text, "\n")
		}
	}
	if !layout {
		cells = []string{strings.Join(cells, " | ")}
	}
	for _, text := range cells {
		w.block(1, func() { w.rawWords(text) })
	}
}

// link writes the words of a link and, unless they are the address, the address behind them (as in RFC 3986, appendix C).
// Addresses of Matrix people and rooms say less than the words and stay away.
func (w *textWriter) link(n *node) {
	w.all(n.children)
	address := n.attributes[0].value
	if sameAddress(n.label(), address) || strings.HasPrefix(address, "https://matrix.to/") || strings.HasPrefix(address, "matrix:") {
		return
	}
	w.space = true
	w.word("<" + address + ">")
}

func sameAddress(label, address string) bool {
	bare := address
	if scheme := linkScheme(address); scheme != "" {
		bare = address[len(scheme):]
	}
	bare, _, _ = strings.Cut(bare, "?")
	label = strings.TrimSuffix(label, "/")
	return label == strings.TrimSuffix(address, "/") || label == strings.TrimSuffix(bare, "/")
}

func pictureWords(n *node) string {
	for _, a := range n.attributes {
		if a.name == "alt" {
			return a.value
		}
	}
	return pictureWithoutWords
}
