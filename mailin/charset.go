package mailin

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding/charmap"
)

// decodeText turns bytes into text: as declared if that gives only characters,
// else as UTF-8 if it is valid, else as windows-1252, which reads everything.
// It does not guess: guessing is slow and wrong for short texts.
func decodeText(raw []byte, label string) string {
	if text, ok := decodeDeclared(raw, label); ok {
		return text
	}
	if utf8.Valid(raw) {
		return string(raw)
	}
	text, err := charmap.Windows1252.NewDecoder().Bytes(raw)
	if err != nil { // it maps every byte
		return strings.ToValidUTF8(string(raw), "\uFFFD")
	}
	return string(text)
}

func decodeDeclared(raw []byte, label string) (string, bool) {
	label = strings.ToLower(strings.TrimSpace(label))
	switch label {
	case "", "us-ascii", "ascii", "utf-8", "utf8": // 8-bit bytes that claim to be ASCII are UTF-8 more often than not
		return string(raw), utf8.Valid(raw)
	}
	encoding, _ := charset.Lookup(label)
	if encoding == nil {
		return "", false
	}
	text, err := encoding.NewDecoder().Bytes(raw)
	if err != nil || strings.ContainsRune(string(text), utf8.RuneError) {
		return "", false
	}
	return string(text), true
}
