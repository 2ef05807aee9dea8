package mailin

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"mailroom/content"
)

// maxHTML is how much HTML is looked at, in bytes.
const maxHTML = content.MaxHTML

// NewHTML is the HTML of a mail that answers another one, without what known
// mail programs quote below it. If nothing readable is left, or the HTML cannot
// be parsed, it comes back as it was.
func NewHTML(source string) string {
	if len(source) > maxHTML {
		return source
	}
	root, err := html.Parse(strings.NewReader(source))
	if err != nil { // x/net/html refuses absurdly deep trees
		return source
	}
	(&htmlCutter{}).cut(root)
	var b strings.Builder
	if err := html.Render(&b, root); err != nil {
		return source
	}
	if trimmed := b.String(); !content.FromHTML(trimmed).Empty() {
		return trimmed
	}
	return source
}

// htmlCutter walks the tree in document order, without recursion.
type htmlCutter struct{ words bool }

// cut removes quotes, and everything from the place on where a program begins to
// quote for the rest of the mail.
func (c *htmlCutter) cut(root *html.Node) {
	for n := root; n != nil; {
		switch quoteKind(n) {
		case quotesRest:
			if c.words {
				removeFrom(n)
				return
			}
		case quotesItself:
			next := skip(n)
			n.Parent.RemoveChild(n)
			n = next
			continue
		}
		if n.Type == html.TextNode && strings.TrimSpace(n.Data) != "" && n.Parent.DataAtom != atom.Style && n.Parent.DataAtom != atom.Title {
			c.words = true
		}
		n = following(n)
	}
}

// following is the next node in document order.
func following(n *html.Node) *html.Node {
	if n.FirstChild != nil {
		return n.FirstChild
	}
	return skip(n)
}

// skip is the next node in document order that is not below n.
func skip(n *html.Node) *html.Node {
	for ; n != nil; n = n.Parent {
		if n.NextSibling != nil {
			return n.NextSibling
		}
	}
	return nil
}

// removeFrom removes n and everything after it in document order.
func removeFrom(n *html.Node) {
	for up := n; up.Parent != nil; up = up.Parent {
		for up.NextSibling != nil {
			up.Parent.RemoveChild(up.NextSibling)
		}
	}
	n.Parent.RemoveChild(n)
}

type htmlQuote int

const (
	noQuote htmlQuote = iota
	quotesItself
	quotesRest
)

// quoteKind tells what known mail programs mark as quoted.
func quoteKind(n *html.Node) htmlQuote {
	if n.Type != html.ElementNode || n.Parent == nil {
		return noQuote
	}
	id, class, style := attribute(n, "id"), attribute(n, "class"), ""
	if n.DataAtom == atom.Div {
		style = strings.ToLower(strings.Join(strings.Fields(attribute(n, "style")), ""))
	}
	switch {
	case hasWord(id, restIDs):
		return quotesRest
	case strings.Contains(style, "border:none;border-top:solid#e1e1e1"), strings.Contains(style, "border:none;border-top:solid#b5c4df"):
		return quotesRest // Outlook on Windows
	case hasWord(id, quoteIDs), hasWord(class, quoteClasses):
		return quotesItself
	case n.DataAtom == atom.Blockquote && attribute(n, "type") == "cite":
		return quotesItself // Thunderbird, Apple Mail
	case attribute(n, "name") == "messageReplySection":
		return quotesItself // Spark
	}
	return noQuote
}

var (
	restIDs      = wordSet("divRplyFwdMsg", "appendonsend", "OLK_SRC_BODY_SECTION", "reply-intro")
	quoteIDs     = wordSet("mailroom-quote", "Signature", "AppleMailSignature", "protonmail_signature")
	quoteClasses = wordSet("gmail_quote", "gmail_quote_container", "gmail_attr", "gmail_signature", "moz-cite-prefix", "moz-signature",
		"yahoo_quoted", "protonmail_quote", "protonmail_signature_block", "zmail_extra", "tutanota_quote", "front-signature")
)

func wordSet(words ...string) map[string]bool {
	set := map[string]bool{}
	for _, w := range words {
		set[strings.ToLower(w)] = true
		set["x_"+strings.ToLower(w)] = true // Outlook on the web renames what it quotes
	}
	return set
}

func hasWord(value string, set map[string]bool) bool {
	for _, w := range strings.Fields(strings.ToLower(value)) {
		if set[w] {
			return true
		}
	}
	return false
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}
