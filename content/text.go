package content

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// truncationNote ends a text of which the rest was cut.
const truncationNote = "\n[message truncated]"

// maxBidiNesting is how deep directional embeddings and isolates may nest. UAX #9 allows 125, text that people write needs two.
const maxBidiNesting = 8

// truncationRoom is what a cut text may grow by: the note, and three bytes to close each open isolate.
const truncationRoom = len(truncationNote) + 3*maxBidiNesting

// XMLSafe returns s with only the runes that XML 1.0 allows (section 2.2, production Char); others are dropped, and bytes
// that are not UTF-8 become U+FFFD.
func XMLSafe(s string) string {
	return strings.Map(func(r rune) rune {
		if xmlAllows(r) {
			return r
		}
		return -1
	}, s)
}

func xmlAllows(r rune) bool {
	switch {
	case r == '\t', r == '\n', r == '\r':
		return true
	case r < 0x20, r == 0xFFFE, r == 0xFFFF:
		return false
	}
	return r <= unicode.MaxRune // strings.Map never hands out surrogates
}

// cleanText makes text of many lines safe and no longer than MaxText.
func cleanText(s string) string {
	s = balanceBidi(cleanLines(s))
	s = strings.TrimRightFunc(strings.TrimLeft(s, "\n"), unicode.IsSpace)
	if len(s) <= MaxText {
		return s
	}
	s = balanceBidi(cutBytes(s, MaxText-truncationRoom))
	return strings.TrimRightFunc(s, unicode.IsSpace) + truncationNote
}

// cleanLines makes every line end "\n" and drops control characters and the byte order mark.
func cleanLines(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\r', r == 0x85, r == '\u2028', r == '\u2029':
			return '\n'
		case r == '\n', r == '\t':
			return r
		case !xmlAllows(r), unicode.IsControl(r), r == '\ufeff':
			return -1
		}
		return r
	}, s)
}

// cutBytes returns the longest beginning of s that has at most limit bytes and ends between two runes.
func cutBytes(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

const (
	embedLeft    = '\u202a'
	embedRight   = '\u202b'
	popEmbedding = '\u202c'
	forceLeft    = '\u202d'
	forceRight   = '\u202e'
	isolateLeft  = '\u2066'
	isolateRight = '\u2067'
	isolateFirst = '\u2068'
	popIsolate   = '\u2069'
)

// balanceBidi closes in each line what the line opened (UAX #9), so that nobody's text turns round what stands beside it.
// Overrides, which make text read otherwise than it is written, are dropped.
func balanceBidi(s string) string {
	if !strings.ContainsFunc(s, isBidiControl) {
		return s
	}
	var b bidiBalancer
	b.out.Grow(len(s))
	for _, r := range s {
		b.add(r)
	}
	b.closeTo(0)
	return b.out.String()
}

func isBidiControl(r rune) bool {
	return r >= embedLeft && r <= forceRight || r >= isolateLeft && r <= popIsolate
}

type bidiBalancer struct {
	out      strings.Builder
	open     []bidiRun
	written  int // how many of open were written
	isolates int // how many of open are isolates
}

// bidiRun is an embedding or isolate that is still open.
type bidiRun struct {
	closer  rune
	written bool
}

func (b *bidiBalancer) add(r rune) {
	switch r {
	case '\n':
		b.closeTo(0)
		b.out.WriteRune(r)
	case embedLeft, embedRight:
		b.push(r, popEmbedding, true)
	case forceLeft, forceRight:
		b.push(r, popEmbedding, false)
	case isolateLeft, isolateRight, isolateFirst:
		b.push(r, popIsolate, true)
	case popEmbedding:
		if n := len(b.open); n > 0 && b.open[n-1].closer == popEmbedding {
			b.closeTo(n - 1)
		}
	case popIsolate:
		b.closeIsolate()
	default:
		b.out.WriteRune(r)
	}
}

func (b *bidiBalancer) push(r, closer rune, allowed bool) {
	written := allowed && b.written < maxBidiNesting
	if written {
		b.written++
		b.out.WriteRune(r)
	}
	if closer == popIsolate {
		b.isolates++
	}
	b.open = append(b.open, bidiRun{closer, written})
}

// closeIsolate closes the innermost isolate and the embeddings inside it. All that is looked at is closed too, so that
// the search is paid for once; the count of isolates spares the search that would find none.
func (b *bidiBalancer) closeIsolate() {
	if b.isolates == 0 {
		return
	}
	i := len(b.open) - 1
	for b.open[i].closer != popIsolate {
		i--
	}
	b.closeTo(i)
}

func (b *bidiBalancer) closeTo(n int) {
	for i := len(b.open) - 1; i >= n; i-- {
		run := b.open[i]
		if run.written {
			b.written--
			b.out.WriteRune(run.closer)
		}
		if run.closer == popIsolate {
			b.isolates--
		}
	}
	b.open = b.open[:n]
}
