package mailin

import (
	"bytes"
	"strings"
)

// readFields are those that Mailroom reads itself: they are bounded after
// unfolding, too. Others may be long, as the spam verdicts of big providers are.
var readFields = map[string]bool{
	"from": true, "to": true, "cc": true, "bcc": true, "subject": true, "message-id": true, "sender": true,
	"content-type": true, "content-transfer-encoding": true, "content-disposition": true, "content-language": true,
	"authentication-results": true, "dkim-signature": true, "auto-submitted": true, "precedence": true, "list-id": true,
}

var (
	errBareLineEnd = refuse(550, "5.6.0", "bare line end", "Lines of a mail end in CR LF (RFC 5321 2.3.8), and a line of this mail does not. Please send it with another mail program.")
	errNullHeader  = refuse(550, "5.6.0", "NUL in header", "The header of this mail holds a NUL byte. Please send it with another mail program.")
	errNoHeader    = refuse(550, "5.6.0", "no header", "This mail has no header. Please send it with another mail program.")
	errNoField     = refuse(550, "5.6.0", "no header field", "A line in the header of this mail is no header field (RFC 5322 2.2), so that servers do not agree about what the mail says. Please send it with another mail program.")
)

// prescan checks the bounds of a mail before any library sees it, in one pass
// and in linear time, and splits it. What it lets through cannot make a MIME
// parser slow: they need quadratic time for deep trees and many parts.
func prescan(raw []byte, l Limits) (*message, *refusal) {
	if int64(len(raw)) > l.MessageBytes {
		return nil, errTooBig(l)
	}
	if !bytes.HasSuffix(raw, []byte("\r\n")) {
		raw = append(raw[:len(raw):len(raw)], "\r\n"...) // BDAT does not end in a line end
	}
	if err := checkLines(raw, l); err != nil {
		return nil, err
	}
	m, err := splitHeader(raw, l)
	if err != nil {
		return nil, err
	}
	if hops := m.Header.count("Received"); hops > l.Hops {
		return nil, refuse(554, "5.4.6", "loop", "This mail has passed %d servers, more than %d: it seems to run in a circle. Please ask your administrators to look for a forwarding loop.", hops, l.Hops)
	}
	return m, checkTree(m, l)
}

func errTooBig(l Limits) *refusal {
	return refuse(552, "5.3.4", "too big", "This mail is larger than the %d MiB that are taken here. Please put big files elsewhere and send a link.", l.MessageBytes>>20)
}

func errLongLine(l Limits) *refusal {
	return refuse(554, "5.6.0", "line too long", "A line of this mail is longer than %d KiB. Please send it with another mail program.", l.LineBytes>>10)
}

// checkLines finds line ends that another server could read in another way
// (SMTP smuggling), and lines that are too long.
func checkLines(raw []byte, l Limits) *refusal {
	for len(raw) > 0 {
		end := bytes.IndexByte(raw, '\n')
		line := raw[:end+1] // raw ends in a line end
		if len(line) > l.LineBytes {
			return errLongLine(l)
		}
		if len(line) < 2 || bytes.IndexByte(line, '\r') != len(line)-2 {
			return errBareLineEnd
		}
		raw = raw[end+1:]
	}
	return nil
}

// splitHeader reads the header block. A mail without an empty line has no body,
// and gets the line, which verifiers of signatures insist on.
func splitHeader(raw []byte, l Limits) (*message, *refusal) {
	b := headerBlock{strict: true}
	rest := raw
	for len(rest) > 0 {
		line, after := cutLine(rest)
		if len(line) == 0 {
			break
		}
		if err := b.add(line, l); err != nil {
			return nil, err
		}
		rest = after
	}
	if len(b.fields) == 0 {
		return nil, errNoHeader
	}
	if len(rest) == 0 {
		raw = append(raw[:len(raw):len(raw)], "\r\n"...)
		rest = raw[len(raw)-2:]
	}
	return &message{Raw: raw, Header: b.fields, Body: rest[2:]}, b.checkRead(l)
}

// cutLine takes the first line, without its CRLF.
func cutLine(b []byte) (line, rest []byte) {
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		return b, nil
	}
	return bytes.TrimSuffix(b[:end], []byte("\r")), b[end+1:]
}

// headerBlock collects the fields of a header within their bounds.
type headerBlock struct {
	fields header
	bytes  int
	strict bool // refuses a line that is no field; in the header of a part it is only counted
}

func (b *headerBlock) add(line []byte, l Limits) *refusal {
	b.bytes += len(line) + 2
	fold := line[0] == ' ' || line[0] == '\t'
	switch {
	case b.bytes > l.HeaderBytes:
		return refuse(552, "5.3.4", "header too big", "The header of this mail is larger than %d KiB. Please send it afresh and to fewer people.", l.HeaderBytes>>10)
	case len(line) > l.HeaderLineBytes:
		return errLongHeaderLine(l)
	case bytes.IndexByte(line, 0) >= 0:
		return errNullHeader
	case fold && len(b.fields) == 0:
		return errNoHeader
	case fold:
		b.fields[len(b.fields)-1].Value += "\r\n" + string(line)
		return nil
	case len(b.fields) >= l.HeaderFields:
		return refuse(552, "5.6.0", "too many header fields", "The header of this mail has more than %d fields. Please send it afresh instead of forwarding it.", l.HeaderFields)
	}
	f, ok := splitField(line)
	switch {
	case !ok && b.strict:
		return errNoField
	case !ok:
		f = field{Value: string(line)} // no field, but it counts, and folds belong to it
	}
	b.fields = append(b.fields, f)
	return nil
}

func errLongHeaderLine(l Limits) *refusal {
	return refuse(554, "5.6.0", "header line too long", "A line in the header of this mail is longer than %d KiB. Please write to fewer people, or with a shorter subject.", l.HeaderLineBytes>>10)
}

func (b *headerBlock) checkRead(l Limits) *refusal {
	for _, f := range b.fields {
		if len(f.Value) > l.HeaderLineBytes && readFields[strings.ToLower(f.Name)] {
			return errLongHeaderLine(l)
		}
	}
	return nil
}
