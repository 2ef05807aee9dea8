package mailin

import (
	"bytes"
	"strings"
)

// field is one header field: its name as written, without the spaces that some
// programs put before the colon, and its value as received, folds included.
type field struct {
	Name  string
	Value string
}

// header is a header block in the order of the mail.
type header []field

// all returns the unfolded values of a field, from the top down.
func (h header) all(name string) []string {
	var values []string
	for _, f := range h {
		if sameName(f.Name, name) {
			values = append(values, unfold(f.Value))
		}
	}
	return values
}

// get returns the unfolded value of the last field of that name: the one that
// was there first, which signatures cover (RFC 6376 §5.4.2), or "".
func (h header) get(name string) string {
	values := h.all(name)
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

func (h header) count(name string) int {
	n := 0
	for _, f := range h {
		if sameName(f.Name, name) {
			n++
		}
	}
	return n
}

// sameName compares names without regard to ASCII case, and only that: in Unicode
// "ſ" folds to "s" and "K" (the Kelvin sign) to "k", so that a front MTA, which
// removes what poses as its own, would not see what we read. name is ASCII, and
// what folds to it from beyond ASCII is longer.
func sameName(s, name string) bool { return len(s) == len(name) && strings.EqualFold(s, name) }

func (h header) has(name string) bool { return h.count(name) > 0 }

// unfold removes the line breaks of a folded field (RFC 5322 §2.2.3).
func unfold(value string) string {
	value = strings.NewReplacer("\r\n", "", "\n", "").Replace(value)
	return strings.TrimSpace(value)
}

// message is one mail as received and split at its empty line.
type message struct {
	Raw    []byte // with CRLF line ends, header, empty line and body
	Header header
	Body   []byte // the end of Raw
}

// without is the message without the fields of a name.
func (m *message) without(name string) *message {
	if !m.Header.has(name) {
		return m
	}
	var kept header
	var raw []byte
	for _, f := range m.Header {
		if !sameName(f.Name, name) {
			kept = append(kept, f)
			raw = append(raw, f.Name+":"+f.Value+"\r\n"...)
		}
	}
	raw = append(append(raw, "\r\n"...), m.Body...)
	return &message{Raw: raw, Header: kept, Body: raw[len(raw)-len(m.Body):]}
}

// splitField parts the first line of a field; ok is false for a line that is
// none. A name is printable ASCII without a colon (ftext, RFC 5322 §3.6.8). Spaces
// may stand before the colon (§4.5), and nothing else: verifiers of signatures
// trim more from a name, and would sign for a field that we do not see.
func splitField(line []byte) (f field, ok bool) {
	name, value, found := bytes.Cut(line, []byte(":"))
	name = bytes.TrimRight(name, " \t")
	if !found || len(name) == 0 || bytes.ContainsFunc(name, notFtext) {
		return field{}, false
	}
	return field{Name: string(name), Value: string(value)}, true
}

func notFtext(r rune) bool { return r <= ' ' || r > '~' }
