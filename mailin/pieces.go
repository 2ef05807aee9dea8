package mailin

import (
	"slices"
	"strings"

	"github.com/jhillyerd/enmime/v2"
	"github.com/jhillyerd/enmime/v2/mediatype"

	"mailroom/bridge"
	"mailroom/content"
)

// piece is a part of a mail that is shown. A mail may have several: Apple Mail
// parts its text around pictures, and gateways put their footer below.
type piece struct {
	HTML bool
	Text string // decoded; of HTML the source
}

// node collects what a part and those within it show. parent is the type of the
// multipart around it, "" for the mail itself.
func (p *parsed) node(n *enmime.Part, parent string) []piece {
	if n.FirstChild == nil {
		return p.leaf(n, parent)
	}
	var forms [][]piece
	for child := n.FirstChild; child != nil; child = child.NextSibling {
		forms = append(forms, p.node(child, n.ContentType))
	}
	if n.ContentType == "multipart/alternative" {
		return bestForm(forms)
	}
	return slices.Concat(forms...)
}

// bestForm chooses among forms that say the same (RFC 2046 §5.1.4): the plain
// one, or else the last, which is the richest.
func bestForm(forms [][]piece) (best []piece) {
	var plain []piece
	for _, form := range forms {
		switch {
		case len(form) == 0:
		case slices.ContainsFunc(form, func(s piece) bool { return s.HTML }):
			best = form
		default:
			plain = append(plain, form...)
		}
	}
	if len(plain) > 0 {
		return plain
	}
	return best
}

func (p *parsed) leaf(n *enmime.Part, parent string) []piece {
	kind := strings.ToLower(n.ContentType)
	if kind == "" || strings.HasPrefix(kind, "multipart/") { // one without a boundary has no parts, but it has words
		kind = "text/plain"
	}
	text := ""
	if strings.HasPrefix(kind, "text/") || strings.HasPrefix(kind, "message/") {
		text = decodeText(n.Content, declaredParam(n, "charset"))
	}
	p.Parts = append(p.Parts, part{Type: kind, Text: text})
	shown := n.Disposition != "attachment" && n.FileName == ""
	switch {
	case kind == "text/plain" && shown:
		return pieceOf(false, flowed(text, declaredParam(n, "format"), declaredParam(n, "delsp")))
	case kind == "text/html" && shown:
		return pieceOf(true, text)
	case boring[kind] || parent == "multipart/alternative" && n.Disposition != "attachment":
	default:
		p.Files = append(p.Files, file{Name: n.FileName, Type: kind, Size: len(n.Content)})
	}
	return nil
}

func pieceOf(isHTML bool, text string) []piece {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	return []piece{{isHTML, text}}
}

// boring are the types of parts that are no files to a person: signatures and
// the machine half of reports.
var boring = map[string]bool{
	"application/pkcs7-signature": true, "application/x-pkcs7-signature": true, "application/pgp-signature": true,
	"message/delivery-status": true, "message/disposition-notification": true, "text/rfc822-headers": true,
}

// declaredParam is a parameter of the part's own Content-Type, in lower case.
func declaredParam(n *enmime.Part, name string) string {
	_, params, _, err := mediatype.Parse(n.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return strings.ToLower(params[name])
}

// body is what the mail says, in canonical form, with what is not carried named.
func (d *delivery) body(p *parsed, trim, trimHTML func(string) string) bridge.Body {
	return withFiles(saidBy(p.Pieces, trim, trimHTML), p.Files, d.lang())
}

// saidBy keeps the form of HTML that says it all by itself. Of several pieces the
// text is joined, so that what one begins to quote can end in another.
func saidBy(pieces []piece, trim, trimHTML func(string) string) content.Body {
	var texts []string
	var rich content.Body
	for _, s := range pieces {
		b := content.Body{Text: s.Text}
		if s.HTML {
			b = content.FromHTML(trimHTML(s.Text))
		}
		if !b.Empty() {
			texts, rich = append(texts, b.Text), b
		}
	}
	text := strings.Join(texts, "\n")
	trimmed := trim(text)
	if len(texts) == 1 && rich.HTML != "" && trimmed == strings.TrimSpace(text) {
		return rich
	}
	return content.FromText(trimmed)
}
