package webui

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// nodes is safe HTML as JSON: a text is a string, an element is [name, {attributes}, children…]. The script builds the
// message from it with createElement; with Trusted Types there is no innerHTML, and none is missed.
func nodes(safe string) []any {
	parsed, err := html.ParseFragment(strings.NewReader(safe), &html.Node{Type: html.ElementNode, Data: "div", DataAtom: atom.Div})
	if err != nil { // a strings.Reader does not fail
		return []any{safe}
	}
	list := make([]any, 0, len(parsed))
	for _, n := range parsed {
		list = appendNode(list, n)
	}
	return list
}

func appendNode(list []any, n *html.Node) []any {
	switch n.Type {
	case html.TextNode:
		return append(list, n.Data)
	case html.ElementNode:
		attributes := make(map[string]string, len(n.Attr))
		for _, a := range n.Attr {
			attributes[a.Key] = a.Val
		}
		element := []any{n.Data, attributes}
		for child := range n.ChildNodes() {
			element = appendNode(element, child)
		}
		return append(list, any(element))
	}
	return list
}
