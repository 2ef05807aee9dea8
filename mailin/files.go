package mailin

import (
	"html"
	"strings"

	"mailroom/bridge"
	"mailroom/content"
	"mailroom/locales"
)

// maxNamed is how many files are named one by one.
const maxNamed = 20

// withFiles adds a line for each file of a mail. Files by mail are not carried
// yet: who reads must know that there was one, and who wrote must not believe
// that it arrived. HTML that the lines make too long is left out: the text says it.
func withFiles(b content.Body, files []file, lang string) bridge.Body {
	var notes []string
	p := locales.Default().For(lang)
	for i, f := range files {
		if i == maxNamed {
			notes = append(notes, p.T("mailin.more_files", "Count", len(files)-maxNamed))
			break
		}
		name := content.OneLine(f.Name, 100)
		if name == "" {
			name = f.Type
		}
		notes = append(notes, p.T("mailin.file_left_out", "Name", name, "Size", (f.Size+1023)>>10))
	}
	if len(notes) == 0 {
		return bridge.Body{Text: b.Text, HTML: b.HTML}
	}
	text := strings.Join(notes, "\n")
	if b.HTML != "" {
		b.HTML += "<p>" + strings.ReplaceAll(html.EscapeString(text), "\n", "<br>") + "</p>"
	}
	if len(b.HTML) > bridge.MaxBody {
		b.HTML = ""
	}
	return bridge.Body{Text: strings.TrimSpace(b.Text + "\n\n" + text), HTML: b.HTML}
}
