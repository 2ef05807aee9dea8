package mailout

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"

	"github.com/emersion/go-msgauth/dkim"
)

// minRSA is the least bits of an RSA key (RFC 8301 §3.2 asks signers for 2048).
const minRSA = 2048

// signedFields are listed once more than a mail has them (RFC 6376 §5.4.2), so that nobody can add another From or
// Subject to a mail of ours and keep its signature.
var signedFields = overSigned("From", "Reply-To", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References",
	"MIME-Version", "Content-Type", "Auto-Submitted", "X-Auto-Response-Suppress", "List-Unsubscribe", "List-Unsubscribe-Post")

func overSigned(present ...string) []string {
	return append(append([]string{"Cc", "Sender"}, present...), present...)
}

// signer signs mails for one domain.
type signer struct{ options dkim.SignOptions }

// newSigner returns nil without error if no key is configured.
func newSigner(cfg DKIM) (*signer, error) {
	if cfg.KeyFile == "" {
		return nil, nil
	}
	if cfg.Domain == "" || cfg.Selector == "" {
		return nil, errors.New("write domain and selector too: they say under which name in the DNS the public key is")
	}
	text, err := os.ReadFile(cfg.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("key_file: %w", err)
	}
	key, err := parseKey(text)
	if err != nil {
		return nil, fmt.Errorf("key_file: %s: %w", cfg.KeyFile, err)
	}
	return &signer{dkim.SignOptions{
		Domain: cfg.Domain, Selector: cfg.Selector, Signer: key, HeaderKeys: signedFields,
		HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed,
	}}, nil
}

func parseKey(text []byte) (crypto.Signer, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("there is no PEM key; make one with: openssl genrsa -out dkim.pem 2048")
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return strongEnough(key)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("read the private key: %w", err)
	}
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return strongEnough(key)
	case ed25519.PrivateKey:
		return key, nil
	}
	return nil, fmt.Errorf("a %T cannot sign mail; use an RSA or an Ed25519 key", key)
}

func strongEnough(key *rsa.PrivateKey) (crypto.Signer, error) {
	if bits := key.N.BitLen(); bits < minRSA {
		return nil, fmt.Errorf("the RSA key has %d bits; receivers want %d", bits, minRSA)
	}
	return key, nil
}

// sign returns the mail with its signature before it.
func (s *signer) sign(raw []byte) ([]byte, error) {
	var signed bytes.Buffer
	options := s.options
	if err := dkim.Sign(&signed, bytes.NewReader(raw), &options); err != nil {
		return nil, err
	}
	return signed.Bytes(), nil
}
