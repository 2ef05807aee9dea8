package mailin

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mailroom/content"
)

// mixed is a mail of parts, each of which is a type and a text.
func mixed(parts ...[2]string) string {
	var b strings.Builder
	b.WriteString("From: a@example.org\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n")
	for _, p := range parts {
		b.WriteString("--b\nContent-Type: " + p[0] + "\n\n" + p[1] + "\n")
	}
	return b.String() + "--b--\n"
}

func TestEveryPieceThatIsShownIsSaid(t *testing.T) {
	s := testServer(t)
	pdf := [2]string{"application/pdf; name=a.pdf", "x"}
	for name, c := range map[string]struct {
		mail string
		want content.Body
	}{
		"HTML above the footer of a gateway": {mixed([2]string{"text/html", "<p>Yes, at <b>ten</b>.</p>"}, [2]string{"text/plain", "Scanned for viruses."}),
			content.Body{Text: "Yes, at ten.\nScanned for viruses."}},
		"HTML around a file": {mixed([2]string{"text/html", "<p>See:</p>"}, pdf, [2]string{"text/html", "<p>Is it good?</p>"}),
			content.Body{Text: "See:\nIs it good?"}},
		"HTML before a file, nothing after it": {mixed([2]string{"text/html", "<p>See <b>this</b></p>"}, pdf, [2]string{"text/html", "<br>"}),
			content.Body{Text: "See this", HTML: "<p>See <b>this</b></p>"}},
		"HTML before a file, a quote after it": {mixed([2]string{"text/html", "<p>Yes.</p>"}, pdf, [2]string{"text/html", "<blockquote type=cite>Shall we?</blockquote>"}),
			content.Body{Text: "Yes."}},
		"alternative above a footer": {mixed([2]string{"multipart/alternative; boundary=c", "--c\n\nYes.\n--c\nContent-Type: text/html\n\n<p>Yes.\n--c--"}, [2]string{"text/plain", "Scanned."}),
			content.Body{Text: "Yes.\nScanned."}},
		"HTML in related, in alternative": {mixed([2]string{"multipart/alternative; boundary=c", "--c\nContent-Type: multipart/related; boundary=d\n\n--d\nContent-Type: text/html\n\n<p>Yes.\n--d--\n--c--"}, [2]string{"text/plain", "Scanned."}),
			content.Body{Text: "Yes.\nScanned."}},
	} {
		t.Run(name, func(t *testing.T) {
			p := parseMail(t, s, c.mail)
			require.Equal(t, c.want, saidBy(p.Pieces, newText, NewHTML))
		})
	}
}
