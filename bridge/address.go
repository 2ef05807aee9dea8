package bridge

import (
	"fmt"
	"strings"
)

// Network names a gateway: a way in and out of a session.
type Network string

const (
	Mail   Network = "mail"
	Web    Network = "web"
	Matrix Network = "matrix"
	XMPP   Network = "xmpp"
)

// MaxAddress is the longest address taken, in bytes: a mail path is at most
// 254 (RFC 5321 §4.5.3.1.3), a Matrix user ID 255.
const MaxAddress = 255

// Address is who somebody is: an email address, a Matrix user ID or a bare
// JID. ID is lower case; two addresses are the same when they are equal.
// The zero Address names nobody.
type Address struct {
	Network Network
	ID      string
}

// EmailAddress, MatrixAddress and JID make the address of each network in the
// form that is compared. They do not check it: use ParseAddress for what a
// person typed.
func EmailAddress(s string) Address  { return Address{Mail, fold(s)} }
func MatrixAddress(s string) Address { return Address{Matrix, fold(s)} }

// JID takes a bare or a full JID and names its bare JID.
func JID(s string) Address {
	bare, _, _ := strings.Cut(s, "/")
	return Address{XMPP, fold(bare)}
}

func fold(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// ParseAddress reads what a person typed: bob@example.org, @bob:example.org,
// xmpp:bob@example.org or mailto:bob@example.org. The error is an *Error for
// people, with code Invalid.
func ParseAddress(s string) (Address, error) {
	text := fold(s)
	a := EmailAddress(text)
	switch {
	case strings.HasPrefix(text, "@"):
		a = MatrixAddress(text)
	case strings.HasPrefix(text, "xmpp:"):
		a = JID(strings.TrimPrefix(text, "xmpp:"))
	case strings.HasPrefix(text, "mailto:"):
		a = EmailAddress(strings.TrimPrefix(text, "mailto:"))
	}
	if !a.valid() {
		return Address{}, &Error{Invalid, fmt.Sprintf("%q is not an address. Write bob@example.org, @bob:example.org or xmpp:bob@example.org.", s)}
	}
	return a, nil
}

func (a Address) valid() bool {
	local, domain := a.split()
	return local != "" && domain != "" && len(a.ID) <= MaxAddress &&
		!strings.ContainsAny(domain, "@/") && !strings.ContainsAny(a.ID, " \t\r\n\x00<>\"")
}

// split parts an address into the name before and the domain after its separator.
func (a Address) split() (local, domain string) {
	if a.Network == Matrix {
		local, domain, _ = strings.Cut(strings.TrimPrefix(a.ID, "@"), ":")
		return local, domain
	}
	at := strings.LastIndexByte(a.ID, '@')
	if at < 0 {
		return "", ""
	}
	return a.ID[:at], a.ID[at+1:]
}

// Localpart is what stands before the domain.
func (a Address) Localpart() string { local, _ := a.split(); return local }

// Domain is the domain or server name of the address.
func (a Address) Domain() string { _, domain := a.split(); return domain }

// IsZero says that the address names nobody.
func (a Address) IsZero() bool { return a.ID == "" }

// String is the form that ParseAddress reads: a JID carries the prefix xmpp:,
// since it looks like an email address.
func (a Address) String() string {
	if a.Network == XMPP {
		return "xmpp:" + a.ID
	}
	return a.ID
}
