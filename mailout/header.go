package mailout

import (
	"mime"
	"net/mail"
	"strings"

	"mailroom/content"

	"golang.org/x/net/idna"
)

const (
	// foldAt is the preferred length of a header line in bytes (RFC 5322 §2.1.1).
	foldAt = 76
	// maxSubject is the most runes of a subject.
	maxSubject = 255
)

// header is a mail's header in the order in which it is written.
type header struct{ out strings.Builder }

// add writes a field, folded at spaces. The value is made of parts that are safe by their making; that no line can be slipped in
// is made sure here once more for all of them.
func (h *header) add(name, value string) {
	value = strings.Map(dropControl, value)
	line := name + ":"
	for _, word := range strings.Split(value, " ") {
		if len(line)+1+len(word) > foldAt && len(line) > len(name)+1 {
			h.out.WriteString(line + "\r\n")
			line = ""
		}
		line += " " + word
	}
	h.out.WriteString(line + "\r\n")
}

func dropControl(r rune) rune {
	if r < ' ' || r == 0x7f {
		return -1
	}
	return r
}

// encodedSubject is a subject by RFC 2047. Mostly foreign letters are shorter in base64 than as quoted ones.
func encodedSubject(s string) string {
	s = strings.ReplaceAll(content.OneLine(s, maxSubject), "=?", "= ?")
	foreign := 0
	for _, r := range s {
		if r > '~' {
			foreign++
		}
	}
	if foreign*3 > len([]rune(s)) {
		return mime.BEncoding.Encode("utf-8", s)
	}
	return mime.QEncoding.Encode("utf-8", s)
}

// mailbox is a name with an address by RFC 5322 §3.4.
func mailbox(name, address string) string {
	return (&mail.Address{Name: name, Address: address}).String()
}

// path is an address for the SMTP envelope: its domain in ASCII (RFC 5890), its local part quoted if it must be.
func path(address string) string {
	at := strings.LastIndexByte(address, '@')
	if domain, err := idna.Lookup.ToASCII(address[at+1:]); err == nil {
		address = address[:at+1] + domain
	}
	return strings.Trim((&mail.Address{Address: address}).String(), "<>")
}

// maxMessageID is the most bytes of an id in References. Others' ids may be anything; a header line has at most 998
// bytes (RFC 5322 §2.1.1).
const maxMessageID = 250

// messageIDs are ids in brackets, as for References. What is no id is left out.
func messageIDs(ids []string) string {
	var bracketed []string
	for _, id := range ids {
		id = strings.Trim(id, "<> ")
		if id != "" && len(id) <= maxMessageID && !strings.ContainsFunc(id, unfitForID) {
			bracketed = append(bracketed, "<"+id+">")
		}
	}
	return strings.Join(bracketed, " ")
}

func unfitForID(r rune) bool { return r <= ' ' || r > '~' || r == '<' || r == '>' }
