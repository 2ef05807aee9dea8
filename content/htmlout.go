package content

import (
	"html"
	"slices"
	"strings"

	"golang.org/x/net/html/atom"
)

// html writes the tree.
func (t *tree) html() string {
	var b strings.Builder
	t.root.writeChildren(&b)
	return strings.TrimSpace(b.String())
}

func (n *node) writeChildren(b *strings.Builder) {
	for _, child := range n.children {
		child.write(b)
	}
}

func (n *node) write(b *strings.Builder) {
	if n.tag == 0 {
		b.WriteString(html.EscapeString(n.words))
		return
	}
	name := n.tag.String()
	b.WriteString("<" + name)
	for _, a := range n.attributes {
		b.WriteString(" " + a.name + `="` + html.EscapeString(a.value) + `"`)
	}
	if n.tag == atom.A {
		b.WriteString(linkAttributes)
	}
	b.WriteByte('>')
	if n.kind == void {
		return
	}
	if n.tag == atom.Pre && len(n.children) > 0 && strings.HasPrefix(n.children[0].words, "\n") {
		b.WriteByte('\n') // readers drop the first one
	}
	n.writeChildren(b)
	b.WriteString("</" + name + ">")
}

// plain tells that the text of the tree, with links made clickable, says all that its HTML says.
func (t *tree) plain() bool { return childrenPlain(t.root.children) }

func (n *node) plain() bool {
	switch n.tag {
	case 0:
		return true
	case atom.A:
		label := n.label()
		return label == n.attributes[0].value && Linkify(label) == link(label)
	case atom.P, atom.Div, atom.Br, atom.Span:
		return len(n.attributes) == 0 && childrenPlain(n.children)
	}
	return false
}

func childrenPlain(children []*node) bool {
	return !slices.ContainsFunc(children, func(n *node) bool { return !n.plain() })
}

// label is the text of a link as it is shown, or "" if it is more than one piece.
func (n *node) label() string {
	if len(n.children) != 1 {
		return ""
	}
	return strings.Join(strings.Fields(n.children[0].words), " ")
}
