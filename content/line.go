package content

import (
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Limits of lines, in runes.
const (
	maxSubject = 255 // as long as Discourse allows a topic's title
	maxName    = 80
)

// maxMarks is how many combining marks may stand on one letter of a name. No orthography needs more.
const maxMarks = 4

// OneLine makes s fit for a subject, a header or a name: one line of at most max runes, with single spaces, without
// control and invisible characters and without directional controls. What was cut ends in "…".
func OneLine(s string, max int) string {
	var b strings.Builder
	space, runes, before := false, 0, rune(0)
	for _, r := range s {
		switch {
		case unicode.IsSpace(r), isBlank(r):
			space = true
			continue
		case !xmlAllows(r), unicode.IsControl(r), isInvisible(r) && !joins(before, r):
			continue
		}
		need := 1
		if space && runes > 0 {
			need = 2
		}
		if runes+need > max {
			return ellipsis(b.String(), runes, max)
		}
		if need == 2 {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
		runes, space, before = runes+need, false, r
	}
	return strings.TrimRight(b.String(), joiners+" ")
}

const joiners = "\u200c\u200d"

// ellipsis marks line, which has so many runes, as cut.
func ellipsis(line string, runes, max int) string {
	if max <= 0 {
		return ""
	}
	if runes == max {
		all := []rune(line)
		line = string(all[:max-1])
	}
	return strings.TrimRight(line, joiners+" ") + "…"
}

// isBlank tells of runes that show as nothing but take room, which Unicode does not count as spaces.
func isBlank(r rune) bool {
	switch r {
	case '\u115f', '\u1160', '\u3164', '\uffa0', '\u2800': // Hangul fillers, empty Braille pattern
		return true
	}
	return false
}

// isInvisible tells of runes that show nothing: format characters, directional controls among them, and a few marks.
func isInvisible(r rune) bool {
	switch r {
	case '\u034f', '\u17b4', '\u17b5': // combining grapheme joiner, Khmer inherent vowels
		return true
	}
	return unicode.Is(unicode.Cf, r)
}

// joins tells that r is a joiner which the spelling needs after before: within scripts that shape their letters, and in
// emoji of several parts (compare CONTEXTJ of RFC 5892, appendix A).
func joins(before, r rune) bool {
	switch r {
	case '\u200c':
		return shapes(before)
	case '\u200d':
		return shapes(before) || isEmojiPart(before)
	}
	return isTag(r) && (before == '\U0001f3f4' || isTag(before)) // the flags of England, Scotland and Wales
}

func shapes(r rune) bool {
	return unicode.In(r, unicode.Arabic, unicode.Syriac, unicode.Mongolian, unicode.Devanagari, unicode.Bengali, unicode.Gurmukhi,
		unicode.Gujarati, unicode.Oriya, unicode.Tamil, unicode.Telugu, unicode.Kannada, unicode.Malayalam, unicode.Sinhala, unicode.Khmer, unicode.Myanmar)
}

func isEmojiPart(r rune) bool {
	return r == '\ufe0f' || r >= 0x1f3fb && r <= 0x1f3ff || unicode.Is(unicode.So, r)
}

func isTag(r rune) bool { return r >= 0xe0020 && r <= 0xe007f }

// Subject makes the subject of a mail into the title of a session: without the marks of answers and forwards, however many
// and in whatever language, as one line of at most 255 runes.
func Subject(s string) string {
	s = OneLine(s, maxSubject*4) // room for the marks that go
	for {
		rest, ok := cutReplyMark(s)
		if !ok {
			return OneLine(s, maxSubject)
		}
		s = rest
	}
}

// longestMark is how many bytes a mark with its counter and colon has at most.
const longestMark = 40

func cutReplyMark(s string) (rest string, ok bool) {
	head := cutBytes(s, longestMark)
	i := strings.IndexAny(head, ":：")
	if i < 0 {
		return s, false
	}
	if !isReplyMark(head[:i]) {
		return s, false
	}
	rest = strings.TrimPrefix(strings.TrimPrefix(s[i:], ":"), "：")
	return strings.TrimSpace(rest), true
}

// markCounter is what some programs add for a repeated answer: "Re[2]:", "Re (3):", "Re^2:", "Re*4:".
var markCounter = regexp.MustCompile(`\s*(\[\d+\]|\(\d+\)|[\^*]\d+)?\s*$`)

func isReplyMark(s string) bool {
	return replyMarks[strings.ToLower(markCounter.ReplaceAllString(s, ""))]
}

// replyMarks are the marks of answers and forwards that mail programs write, in lower case.
var replyMarks = setOf(
	"re", "fw", "fwd", // most languages
	"aw", "antw", "wg", "antwort", // German
	"sv", "vs", "vb", "vl", "videresendt", // Danish, Norwegian, Swedish, Finnish, Icelandic
	"réf", "rép", "tr", // French
	"rv", "res", "enc", "rif", "r", "i", "inoltra", // Spanish, Portuguese, Italian
	"antwoord", "doorst", // Dutch
	"odp", "pd", "přp", // Polish, Czech
	"vá", "továbbítás", // Hungarian
	"ynt", "ilt", "i̇lt", // Turkish
	"bls", "trs", // Indonesian
	"atb", "yml", // Welsh
	"tl", // Vietnamese
	"σχετ", "απ", "πρθ",
	"ответ", "отв", "пересл", "отг", "відп",
	"תגובה", "השב", "הועבר",
	"رد", "إعادة توجيه", "پاسخ",
	"回复", "回覆", "答复", "答覆", "转发", "轉寄", "轉發",
	"返信", "転送",
	"회신", "답장", "전달",
)

func setOf(words ...string) map[string]bool {
	set := make(map[string]bool, len(words))
	for _, word := range words {
		set[word] = true
	}
	return set
}

// Name makes a display name safe: one line of at most 80 runes without invisible and directional characters and without
// piles of marks, and with look-alikes of "@" spelled out, so that it cannot pose as somebody's address. A true "@" stays:
// the caller knows which address is the person's own.
func Name(s string) string {
	var b strings.Builder
	marks := 0
	for _, r := range norm.NFC.String(OneLine(s, maxName*8)) {
		if unicode.Is(unicode.M, r) {
			marks++
		} else {
			marks = 0
		}
		if marks > maxMarks {
			continue
		}
		if atLookAlike[r] {
			b.WriteString("(at)")
			continue
		}
		b.WriteRune(r)
	}
	return OneLine(b.String(), maxName)
}

// atLookAlike holds the full-width and the small commercial at, and the circled letter that passes for one.
var atLookAlike = map[rune]bool{'＠': true, '﹫': true, 'ⓐ': true}
