package mailin

import (
	"strings"

	"golang.org/x/text/unicode/norm"

	"mailroom/content"
)

// A conversation is off the record if the mail that starts it was written to
// off@ instead of new@, or if its subject begins with one of a few words in
// square brackets.

// offRecordWords are those words, by language, in lower case and without hyphens.
// They are few and say what happens. "Confidential" and its like are none: mail
// systems put such labels on mails by themselves, and nothing of what is said
// would be kept then although nobody had asked for it.
var offRecordWords = map[string][]string{
	"en": {"off the record", "off record"},
	"de": {"nicht für die akten", "ohne aufzeichnung"},
	"fr": {"sans trace", "non enregistré"},
}

// startSubject is the subject of a session without the word that puts it off the
// record, and says if there is one. Other labels may stand before it, since mail
// systems add them: "[External] [off the record] Plan".
func startSubject(header string) (subject string, off bool) {
	subject = content.Subject(decodeWords(header))
	labels, rest := "", subject
	for {
		label, after, ok := cutLabel(rest)
		if !ok {
			return subject, false
		}
		rest = content.Subject(after)
		if isOffRecordWord(label) {
			return strings.TrimSpace(labels + rest), true
		}
		labels += "[" + label + "] "
	}
}

// cutLabel takes what stands in square brackets at the start.
func cutLabel(s string) (label, rest string, ok bool) {
	inside, ok := strings.CutPrefix(s, "[")
	if !ok {
		return "", s, false
	}
	label, rest, ok = strings.Cut(inside, "]")
	return label, rest, ok
}

// isOffRecordWord compares without regard to case, hyphens, the number of spaces
// and the two ways to write an accent.
func isOffRecordWord(label string) bool {
	label = strings.ToLower(norm.NFKC.String(label))
	label = strings.Join(strings.Fields(strings.ReplaceAll(label, "-", " ")), " ")
	for _, words := range offRecordWords {
		for _, word := range words {
			if label == word {
				return true
			}
		}
	}
	return false
}
