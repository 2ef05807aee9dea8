package mailin

import (
	"fmt"

	"blitiri.com.ar/go/spf"
)

// spf says if the peer may send for the domain of the envelope sender, and if
// that domain speaks for the author's. With the null sender it is the name that
// the peer gave itself (RFC 7208 §2.4). The error is for DNS that does not answer.
func (c *check) spf() (bool, error) {
	if c.peer.IP == nil {
		return false, nil
	}
	sender := c.env.From
	if sender == "" {
		sender = "postmaster@" + c.peer.Helo
	}
	aligned, err := c.walk.aligned(domainOf(sender), c.domain(), c.strictSPF())
	if err != nil || !aligned {
		return false, err // what is not aligned proves nothing: spare its look-ups
	}
	result, err := spf.CheckHostWithSender(c.peer.IP, c.peer.Helo, sender, spf.WithContext(c.ctx), spf.WithResolver(c.dns))
	if result == spf.TempError {
		return false, fmt.Errorf("check SPF of %s: %w", domainOf(sender), err)
	}
	return result == spf.Pass, nil
}
