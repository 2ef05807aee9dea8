package bridge

import "strings"

// Mapping is one line of the directory: how an email address leads to its
// owner's Matrix ID and JID. Email is an address, or *@domain for a whole
// domain; in the others {localpart} stands for what is before the @.
type Mapping struct {
	Email  string
	Matrix string
	XMPP   string
}

// Directory maps between the addresses of one person. The first line that
// matches counts for each network.
type Directory []Mapping

// Addresses lists all addresses of the person who has a, a first.
func (d Directory) Addresses(a Address) []Address {
	found := []Address{a}
	add := func(b Address) {
		if b.valid() && !contains(found, b.Network) {
			found = append(found, b)
		}
	}
	email := a
	if a.Network != Mail {
		email = d.emailOf(a)
		add(email)
	}
	if email.IsZero() {
		return found
	}
	for _, line := range d {
		if !matches(fold(line.Email), email.ID) {
			continue
		}
		if line.Matrix != "" {
			add(MatrixAddress(fill(line.Matrix, email)))
		}
		if line.XMPP != "" {
			add(JID(fill(line.XMPP, email)))
		}
	}
	return found
}

// emailOf finds the email address that maps to a native address.
func (d Directory) emailOf(a Address) Address {
	for _, line := range d {
		pattern := line.Matrix
		if a.Network == XMPP {
			pattern = line.XMPP
		}
		if pattern == "" {
			continue
		}
		local, ok := unfill(fold(pattern), a.ID)
		if !ok {
			continue
		}
		email := EmailAddress(line.Email)
		if strings.HasPrefix(line.Email, "*@") {
			email = EmailAddress(local + line.Email[1:])
		}
		// A line for a whole domain does not count for an address that has a line
		// of its own, which leads elsewhere.
		if d.native(email, a.Network) == a {
			return email
		}
	}
	return Address{}
}

// native is where an email address leads on a network.
func (d Directory) native(email Address, n Network) Address {
	for _, line := range d {
		pattern, address := line.Matrix, MatrixAddress
		if n == XMPP {
			pattern, address = line.XMPP, JID
		}
		if pattern != "" && matches(fold(line.Email), email.ID) {
			return address(fill(pattern, email))
		}
	}
	return Address{}
}

func contains(list []Address, n Network) bool {
	for _, a := range list {
		if a.Network == n {
			return true
		}
	}
	return false
}

const placeholder = "{localpart}"

func fill(pattern string, email Address) string {
	return strings.ReplaceAll(pattern, placeholder, email.Localpart())
}

// unfill finds what {localpart} stood for, if id fits the pattern.
func unfill(pattern, id string) (local string, ok bool) {
	before, after, hole := strings.Cut(pattern, placeholder)
	if !hole {
		return "", pattern == id
	}
	if len(id) <= len(before)+len(after) || !strings.HasPrefix(id, before) || !strings.HasSuffix(id, after) {
		return "", false
	}
	return id[len(before) : len(id)-len(after)], true
}

// matches compares an address with a pattern in which one * stands for
// anything: *@example.org, @*:example.org, or a whole address.
func matches(pattern, id string) bool {
	before, after, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == id
	}
	return len(id) > len(before)+len(after) && strings.HasPrefix(id, before) && strings.HasSuffix(id, after)
}

// AllowList says who may start sessions: patterns as *@example.org for email,
// @*:example.org for Matrix and xmpp:*@example.org for XMPP.
type AllowList []string

// Allows says if the address may start a session.
func (l AllowList) Allows(a Address) bool {
	for _, pattern := range l {
		if network, id := splitPattern(fold(pattern)); network == a.Network && matches(id, a.ID) {
			return true
		}
	}
	return false
}

// splitPattern tells of which network's addresses a pattern is.
func splitPattern(pattern string) (Network, string) {
	if jid, ok := strings.CutPrefix(pattern, "xmpp:"); ok {
		return XMPP, jid
	}
	if strings.HasPrefix(pattern, "@") {
		return Matrix, pattern
	}
	return Mail, pattern
}
