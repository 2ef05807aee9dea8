package store

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

// What was received is kept in a text column, readable where it is text:
// PostgreSQL takes neither NUL nor broken UTF-8 there, so such bytes go as
// base64 behind a mark.
const base64Mark = "base64:"

func encodeRaw(raw []byte) string {
	s := string(raw)
	if utf8.ValidString(s) && !strings.ContainsRune(s, 0) && !strings.HasPrefix(s, base64Mark) {
		return s
	}
	return base64Mark + base64.StdEncoding.EncodeToString(raw)
}

func decodeRaw(s string) ([]byte, error) {
	if rest, ok := strings.CutPrefix(s, base64Mark); ok {
		return base64.StdEncoding.DecodeString(rest)
	}
	return []byte(s), nil
}
