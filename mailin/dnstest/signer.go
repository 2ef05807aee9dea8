package dnstest

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"

	"github.com/emersion/go-msgauth/dkim"
)

// Signer signs mails as a domain's server does (DKIM, Ed25519).
type Signer struct {
	Domain   string
	Selector string
	key      ed25519.PrivateKey
}

// NewSigner makes a key for a domain.
func NewSigner(t T, domain, selector string) *Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatalf("make a DKIM key: %v", err)
	}
	return &Signer{Domain: domain, Selector: selector, key: key}
}

// Name is where the key stands in the DNS, and Record what stands there.
func (s *Signer) Name() string { return s.Selector + "._domainkey." + s.Domain }
func (s *Signer) Record() string {
	public := s.key.Public().(ed25519.PublicKey)
	return "TXT v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(public)
}

// Sign returns the mail with a signature on top. It covers the fields, or if none
// are given those that a careful signer covers. Lines must end in CRLF.
func (s *Signer) Sign(t T, mail string, fields ...string) string {
	t.Helper()
	if len(fields) == 0 {
		fields = []string{"From", "To", "Cc", "Subject", "Date", "Message-ID", "In-Reply-To", "MIME-Version", "Content-Type"}
	}
	var signed bytes.Buffer
	err := dkim.Sign(&signed, bytes.NewReader([]byte(mail)), &dkim.SignOptions{
		Domain: s.Domain, Selector: s.Selector, Signer: s.key, HeaderKeys: fields,
		HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed,
	})
	if err != nil {
		t.Fatalf("%v", fmt.Errorf("sign a mail for %s: %w", s.Domain, err))
	}
	return signed.String()
}
