package mailin

import (
	"slices"
	"strings"
	"sync"

	"mailroom/locales"
)

// NewText finds the new words in the text of a mail that answers another one.
// kept is what the person wrote, elided the quotes, headers and signature that
// were left out. Nothing is lost: if nothing new is found, everything is kept.
//
// The order is from certain to likely: our own delimiter, the header block that
// Outlook puts before what it quotes, lines marked as quotes with the line that
// says who wrote them, the signature. It takes linear time: each line is looked
// at a fixed number of times, with RE2 alone.
func NewText(text string) (kept, elided string) {
	t := newTrimmer(text)
	t.cutAtDelimiter()
	t.cutAtHeaderBlock()
	t.cutAtUnmarkedQuote()
	t.dropSignature() // so that it does not pass for an answer below a quote
	t.dropQuotes()
	t.dropSignature()
	t.dropRuler()
	kept, elided = t.result()
	if kept == "" {
		return strings.TrimSpace(text), ""
	}
	return kept, elided
}

// WithoutSignature is the text of a mail that answers none: quotes are what the
// person wants to show, so only the signature goes.
func WithoutSignature(text string) string {
	t := newTrimmer(text)
	t.dropSignature()
	if kept, _ := t.result(); kept != "" {
		return kept
	}
	return strings.TrimSpace(text)
}

// maxTrimmed is how much of a text is looked at; the rest of a longer one is
// kept as it is, to be cut where content cuts.
const maxTrimmed = 1 << 20

// trimmer marks the lines of a text that go.
type trimmer struct {
	lines    []string
	gone     []bool
	rest     string // what is not looked at: a forwarded mail, or what is beyond maxTrimmed
	restGone bool
}

func newTrimmer(text string) *trimmer {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	rest := ""
	if len(text) > maxTrimmed {
		end := strings.LastIndexByte(text[:maxTrimmed], '\n') + 1
		text, rest = text[:end], text[end:]
	}
	lines := strings.Split(strings.ReplaceAll(text, "\u00a0", " "), "\n")
	if i := slices.IndexFunc(lines, forwarded.MatchString); i >= 0 {
		lines, rest = lines[:i], strings.Join(lines[i:], "\n")+rest
	}
	return &trimmer{lines: lines, gone: make([]bool, len(lines)), rest: rest}
}

func (t *trimmer) result() (kept, elided string) {
	var k, e strings.Builder
	for i, line := range t.lines {
		b := &k
		if t.gone[i] {
			b = &e
		}
		b.WriteString(strings.TrimRight(line, " \t"))
		b.WriteByte('\n')
	}
	if t.restGone {
		e.WriteString(t.rest)
	} else {
		k.WriteString(t.rest)
	}
	return strings.Trim(k.String(), "\n\t "), strings.Trim(e.String(), "\n")
}

// dropRest drops everything from a line on.
func (t *trimmer) dropRest(start int) {
	t.drop(start, len(t.lines))
	t.restGone = true
}

// drop marks lines from start up to but without end.
func (t *trimmer) drop(start, end int) {
	for i := start; i < end; i++ {
		t.gone[i] = true
	}
}

// blank says that a line is gone or has nothing in it.
func (t *trimmer) blank(i int) bool { return t.gone[i] || strings.TrimSpace(t.lines[i]) == "" }

// anyText says if there are words that a person may have written, between start and end.
func (t *trimmer) anyText(start, end int) bool {
	for i := start; i < end; i++ {
		if !t.blank(i) && !isQuoted(t.lines[i]) {
			return true
		}
	}
	return false
}

// delimiters are the lines under which mailout quotes, in every language.
var delimiters = sync.OnceValue(func() []string {
	var lines []string
	c := locales.Default()
	for _, lang := range c.Languages() {
		lines = append(lines, c.For(lang).T("mail.reply_above"))
	}
	return lines
})

// cutAtDelimiter cuts from our own delimiter on, and the attribution above it.
// A delimiter within marked quotes only shows that they are ours: what stands
// below them may be the answer.
func (t *trimmer) cutAtDelimiter() {
	for i, line := range t.lines {
		if isQuoted(line) || !containsAny(line, delimiters()) {
			continue
		}
		start := t.attributionBefore(i)
		if t.anyText(0, start) {
			t.dropRest(start)
		}
		return
	}
}

func containsAny(line string, words []string) bool {
	for _, w := range words {
		if strings.Contains(line, w) {
			return true
		}
	}
	return false
}

func isQuoted(line string) bool {
	return strings.HasPrefix(strings.TrimLeft(line, " \t"), ">")
}

// maxAttribution is how many lines "On … wrote:" takes at most, wrapped.
const maxAttribution = 4

// attributionBefore is the line at which an attribution begins that ends right
// above line end, blank lines between them left out; end itself if there is none.
func (t *trimmer) attributionBefore(end int) int {
	last := end - 1
	for last >= 0 && t.blank(last) {
		last--
	}
	joined := ""
	for i := last; i >= 0 && i > last-maxAttribution && !t.blank(i) && !isQuoted(t.lines[i]); i-- {
		joined = strings.TrimSpace(t.lines[i]) + " " + joined
		if isAttribution(joined) && (i == last || dateOrAddress.MatchString(joined)) {
			return t.aboveOpener(i, last)
		}
	}
	return end
}

// aboveOpener moves the beginning of a wrapped attribution up to the line that
// opens it ("On Monday 3 May," … "Bob wrote:"), if there is one near.
func (t *trimmer) aboveOpener(start, last int) int {
	for i := start; i >= 0 && i > last-maxAttribution && !t.blank(i) && !isQuoted(t.lines[i]); i-- {
		line := strings.TrimSpace(t.lines[i])
		if opener.MatchString(line) && dateOrAddress.MatchString(line) {
			return i
		}
		if yearOrAddress.MatchString(line) && !strings.ContainsAny(line[len(line)-1:], ".!?") {
			start = i
		}
	}
	return start
}

// dropQuotes drops the marked quotes with their attributions: those at the end
// (the answer stands above), and a single one at the beginning (it stands below).
// Of a quote with an answer right below, and words above, the last lines stay,
// since they are what is answered. It goes from the bottom up, so that the
// attribution of a quote that went does not pass for an answer to the one above.
func (t *trimmer) dropQuotes() {
	quotes := t.quotes()
	if len(quotes) == 0 {
		return
	}
	between := t.anyText(quotes[0].end, quotes[len(quotes)-1].start)
	first := t.firstWords(quotes[0])
	last := len(t.lines) - 1
	for _, q := range slices.Backward(quotes) {
		for last >= 0 && !t.anyText(last, last+1) {
			last--
		}
		start, keep := t.attributionBefore(q.start), 0
		answered := q.end < len(t.lines) && !t.blank(q.end) && first < start
		if last >= q.end && (between || answered) {
			keep = maxContext
		}
		t.drop(start, max(q.start, q.end-keep))
	}
}

// firstWords is the first line with words that are not the attribution of the
// first quote.
func (t *trimmer) firstWords(q quote) int {
	start := t.attributionBefore(q.start)
	for i := range t.lines {
		if (i < start || i >= q.end) && t.anyText(i, i+1) {
			return i
		}
	}
	return len(t.lines)
}

// maxContext is how many lines of a quote are kept above an answer within it.
const maxContext = 5

type quote struct{ start, end int }

// quotes finds the runs of marked lines; blank lines within a run belong to it.
func (t *trimmer) quotes() []quote {
	var found []quote
	for i := 0; i < len(t.lines); i++ {
		if t.gone[i] || !isQuoted(t.lines[i]) {
			continue
		}
		q := quote{i, i + 1}
		for j := i + 1; j < len(t.lines) && (t.blank(j) || isQuoted(t.lines[j])); j++ {
			if isQuoted(t.lines[j]) {
				q.end = j + 1
			}
		}
		i = q.end - 1
		found = append(found, q)
	}
	return found
}

// dropRuler drops a line of dashes that parted what was kept from what was cut.
func (t *trimmer) dropRuler() {
	end := len(t.lines)
	for end > 0 && t.blank(end-1) {
		end--
	}
	cut := end > 0 && slices.Contains(t.gone[end:], true)
	if cut && ruler.MatchString(t.lines[end-1]) && t.anyText(0, end-1) {
		t.gone[end-1] = true
	}
}
