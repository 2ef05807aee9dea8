package mailout

import (
	"embed"
	"fmt"
	htmltemplate "html/template"
	"strings"
	texttemplate "text/template"

	"mailroom/bridge"
)

//go:embed templates
var templateFiles embed.FS

var (
	asText = texttemplate.Must(texttemplate.ParseFS(templateFiles, "templates/letter.txt"))
	asHTML = htmltemplate.Must(htmltemplate.ParseFS(templateFiles, "templates/letter.html"))
)

// render says the letter as plain text and as HTML.
func (v view) render(kind bridge.LetterKind) (text, html string, err error) {
	var t, h strings.Builder
	if err := asText.ExecuteTemplate(&t, string(kind), v); err != nil {
		return "", "", fmt.Errorf("render the text of a mail: %w", err)
	}
	if err := asHTML.ExecuteTemplate(&h, string(kind), v); err != nil {
		return "", "", fmt.Errorf("render the HTML of a mail: %w", err)
	}
	return t.String(), h.String(), nil
}
