package mailin

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/emersion/go-msgauth/dkim"
)

// maxSignatures is how many DKIM signatures of one mail are checked: each costs
// a look-up and a public-key operation.
const maxSignatures = 5

// coverage is how often a DKIM signature lists each header field, by lower-case
// name: so many fields are signed, counted from the bottom (RFC 6376 §5.4.2).
type coverage map[string]int

func newCoverage(fields []string) coverage {
	c := coverage{}
	for _, name := range fields {
		c[strings.ToLower(strings.TrimSpace(name))]++
	}
	return c
}

func (c coverage) of(name string) int { return c[strings.ToLower(name)] }

// needed are the fields that say to whom a mail goes and which one it is.
var needed = []string{"To", "Cc", "Message-ID"}

func (c coverage) gaps(h header) int {
	gaps := 0
	for _, name := range needed {
		if h.count(name) > c.of(name) {
			gaps++
		}
	}
	return gaps
}

func (c coverage) enough(h header) bool { return c.gaps(h) == 0 }

// dkim returns what the best valid signature covers that speaks for the author's
// domain, or nil. The error is for DNS that does not answer.
func (c *check) dkim() (coverage, error) {
	verifications, err := dkim.VerifyWithOptions(bytes.NewReader(c.message.Raw), &dkim.VerifyOptions{
		LookupTXT:        func(name string) ([]string, error) { return c.dns.LookupTXT(c.ctx, name) },
		MaxVerifications: maxSignatures,
	})
	if err != nil && !errors.Is(err, dkim.ErrTooManySignatures) {
		return nil, nil // what cannot be read proves nothing
	}
	var best coverage
	var trouble error
	for _, v := range verifications {
		if dkim.IsTempFail(v.Err) {
			trouble = fmt.Errorf("look up the DKIM key of %s: %w", v.Domain, v.Err)
		}
		if v.Err != nil {
			continue
		}
		aligned, err := c.walk.aligned(domainOf(v.Domain), c.domain(), c.strictDKIM())
		if err != nil {
			trouble = err
		}
		if !aligned {
			continue
		}
		if signed := newCoverage(v.HeaderKeys); best == nil || signed.gaps(c.message.Header) < best.gaps(c.message.Header) {
			best = signed
		}
	}
	if best != nil {
		return best, nil
	}
	return nil, trouble
}

// claimedCoverage is what the DKIM signatures of the author's organization say
// that they cover, without checking them: a front MTA did that, but does not say
// what they cover. Of several the least counts, so a forged one can only take
// away. Nil if there is none: then the front's proof was another one.
func (c *check) claimedCoverage() (coverage, error) {
	organization, err := c.walk.organization(c.domain())
	if err != nil {
		return nil, err
	}
	var least coverage
	for _, value := range c.message.Header.all("DKIM-Signature") {
		tags := signatureTags(value)
		if d := domainOf(tags["d"]); d != organization && !strings.HasSuffix(d, "."+organization) {
			continue
		}
		claimed := newCoverage(strings.Split(tags["h"], ":"))
		if least == nil {
			least = claimed
		}
		for name, n := range least {
			least[name] = min(n, claimed[name])
		}
	}
	return least, nil
}

// signatureTags reads the tag list of a signature (RFC 6376 §3.2).
func signatureTags(value string) map[string]string {
	tags := map[string]string{}
	for _, tag := range strings.Split(value, ";") {
		name, text, _ := strings.Cut(tag, "=")
		tags[strings.TrimSpace(name)] = strings.Join(strings.Fields(text), "")
	}
	return tags
}
