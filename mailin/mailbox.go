package mailin

import (
	"io"
	"mime"
	"net/mail"
	"strings"

	"golang.org/x/net/html/charset"
	"golang.org/x/net/idna"

	"mailroom/bridge"
	"mailroom/content"
)

// mailbox is one address of a header field, with the name beside it made safe.
type mailbox struct {
	Address bridge.Address
	Name    string
}

// words decodes RFC 2047 words of any charset; a charset that nobody knows is
// read as UTF-8 or else windows-1252, so that no mail is lost for a name.
var words = &mime.WordDecoder{CharsetReader: func(label string, input io.Reader) (io.Reader, error) {
	if encoding, _ := charset.Lookup(label); encoding != nil {
		return encoding.NewDecoder().Reader(input), nil
	}
	raw, err := io.ReadAll(input)
	return strings.NewReader(decodeText(raw, "")), err
}}

// decodeWords decodes a header text; what cannot be decoded stays as it is.
func decodeWords(s string) string {
	s = decodeText([]byte(s), "") // raw 8-bit is no valid header, but it is sent
	if decoded, err := words.DecodeHeader(s); err == nil {
		return decoded
	}
	return s
}

// errAddress is for a field with addresses that cannot be understood: to leave
// one out would leave a person out.
func errAddress(field, value string) *refusal {
	return refuse(550, "5.1.3", "bad address", "An address in the %s line of this mail cannot be understood. Please correct it and send the mail again: %s", field, content.OneLine(value, 120))
}

// mailboxes reads an address field (RFC 5322 §3.4). Groups give their members.
func mailboxes(name, value string) ([]mailbox, *refusal) {
	if strings.TrimSpace(value) == "" {
		return nil, nil
	}
	parser := mail.AddressParser{WordDecoder: words}
	list, err := parser.ParseList(decodeText([]byte(value), ""))
	if err != nil { // its text may hold the address, which may hold a token: it must not reach the log
		return nil, errAddress(name, value)
	}
	found := make([]mailbox, 0, len(list))
	for _, a := range list {
		address, ok := emailAddress(a.Address)
		if !ok {
			return nil, errAddress(name, a.Address)
		}
		found = append(found, mailbox{Address: address, Name: displayName(a.Name)})
	}
	return found, nil
}

// emailAddress brings an address into the form that is compared: lower case,
// the domain in its A-label form (RFC 5891), so that each has one spelling.
func emailAddress(s string) (bridge.Address, bool) {
	local, domain := splitAddress(strings.TrimSpace(s))
	ascii, err := idna.Lookup.ToASCII(domain)
	if err != nil {
		return bridge.Address{}, false
	}
	a, err := bridge.ParseAddress("mailto:" + local + "@" + ascii)
	return a, err == nil
}

// displayName is the name that a mail program put beside an address. Many put the
// address itself there, and another address would pose as its holder: neither is
// a name.
func displayName(name string) string {
	name = content.Name(strings.Trim(name, `'" `))
	if strings.Contains(name, "@") {
		return ""
	}
	return name
}

var (
	errNoFrom   = refuse(550, "5.7.1", "no single From", "This mail must have exactly one From line with exactly one address, so that everybody can see who wrote it.")
	errFromForm = refuse(550, "5.1.7", "bad From", "The address in the From line of this mail cannot be understood. Please correct the address in your mail program.")
)

// author reads the one mailbox of the one From field. RFC 5322 §3.6.2 allows
// several; then nobody could say who speaks. Sender and Reply-To never count.
func author(h header) (mailbox, *refusal) {
	values := h.all("From")
	if len(values) != 1 {
		return mailbox{}, errNoFrom
	}
	list, err := mailboxes("From", values[0])
	switch {
	case err != nil:
		return mailbox{}, errFromForm
	case len(list) != 1 || isGroup(values[0]):
		return mailbox{}, errNoFrom
	}
	return list[0], nil
}

// isGroup tells of the group syntax ("name: mailboxes;", RFC 5322 §3.4): a colon
// outside of quotes, comments and angle brackets.
func isGroup(value string) bool {
	quoted, depth := false, 0
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == '\\':
			i++
		case c == '"' && depth == 0:
			quoted = !quoted
		case quoted:
		case c == '(' || c == '<':
			depth++
		case c == ')' || c == '>':
			depth--
		case c == ':' && depth == 0:
			return true
		}
	}
	return false
}
