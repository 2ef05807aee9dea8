package mailout

import (
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"strings"

	"mailroom/content"
)

// Config is what mail going out needs to know.
type Config struct {
	// PublicURL is where the page is, for example https://chat.example.org.
	PublicURL string
	// Domain is the mail domain of reply, bounce and unsubscribe addresses, for example in.example.org.
	Domain string
	// From is the fixed sender of all mails, for example "Mailroom <invite@chat.example.org>". Its name is the product's.
	From string
	// Smarthost takes the mails: smtp://host:25, smtp://user:password@host:587 or smtps://user:password@host:465.
	Smarthost string
	DKIM      DKIM
}

// DKIM says how mails are signed (RFC 6376); they are not if KeyFile is empty.
type DKIM struct {
	Domain   string // d=, must suit the domain of From (alignment, RFC 9989)
	Selector string // s=
	KeyFile  string // PEM: an RSA key of at least 2048 bits, or an Ed25519 key
}

// settings are a Config that was checked.
type settings struct {
	page   string // PublicURL without a slash at its end
	domain string
	from   mail.Address
}

func (c Config) settings() (settings, error) {
	page, err := url.Parse(c.PublicURL)
	if err != nil || page.Host == "" || page.Scheme != "https" && page.Scheme != "http" {
		return settings{}, fmt.Errorf("public_url: %q is not the address of a page; write https://chat.example.org", c.PublicURL)
	}
	from, err := mail.ParseAddress(c.From)
	if err != nil {
		return settings{}, fmt.Errorf(`mail.from: %q is not a sender; write "Mailroom <invite@chat.example.org>"`, c.From)
	}
	if from.Name = displayName(from.Name); from.Name == "" {
		from.Name = "Mailroom"
	}
	if c.Domain == "" || strings.ContainsAny(c.Domain, "@ /") {
		return settings{}, errors.New("mail.domain: write the domain whose mail comes to this server, for example in.example.org")
	}
	return settings{page: strings.TrimSuffix(c.PublicURL, "/"), domain: c.Domain, from: *from}, nil
}

// displayName makes a name fit for a mail header. A name with an "@" could pose as somebody's address, and "=?" begins an
// encoded word (RFC 2047), which some readers decode even inside quotes.
func displayName(s string) string {
	s = content.Name(s)
	if strings.Contains(s, "@") {
		return ""
	}
	return strings.ReplaceAll(s, "=?", "= ?")
}
