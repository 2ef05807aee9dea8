package mailin

import (
	"context"
	"fmt"
	"net"

	"mailroom/bridge"
)

// level says how well a sender is proved.
type level string

const (
	levelA level = "A" // SMTP AUTH, or a trusted front MTA says so
	levelB level = "B" // DMARC, checked by us
	levelC level = "C" // aligned SPF or DKIM of a domain that publishes no DMARC record
	levelD level = "D" // not proved
)

// verdict is who wrote a mail and what proves it.
type verdict struct {
	From   mailbox
	Level  level
	Basis  string // "account", "front", "dkim" or "spf"; "" for level D
	Policy policy // what the author's domain wants with mail that is not proved
	Own    bool   // the author's domain is the operator's own
	// signed says how many fields of each name are proved, counted from the
	// bottom; nil if the basis proves the whole header.
	signed coverage
}

func (v verdict) proved() bool { return v.Level != levelD }

// covers says if every field of that name is proved. A DKIM signature stays
// valid when a field is put on top that it does not count (RFC 6376 §8.15).
func (v verdict) covers(h header, name string) bool {
	return v.signed == nil || h.count(name) <= v.signed.of(name)
}

// peer is who talks to us.
type peer struct {
	IP      net.IP // nil on a unix socket
	Name    string // for the log
	Helo    string
	Local   bool   // loopback or a unix socket
	LMTP    bool   // an MTA of ours delivers
	Account string // authenticated by AUTH, lower case; "" if not
}

// envelope is one mail transaction (RFC 5321 §3.3). It never outlives it.
type envelope struct {
	From       string // reverse path; "" for the null sender
	Recipients []recipient
	Foreign    []bridge.Address // of other domains; only from who has signed in
}

var errDNS = refuse(451, "4.7.24", "DNS trouble", "The DNS of the sender's domain does not answer, so the sender cannot be checked. Your mail server will try again.")

func dnsTrouble(err error) *refusal {
	return &refusal{errDNS.Code, errDNS.Enhanced, errDNS.Reason, errDNS.Sentence, err}
}

// verify finds out who really sent a mail. Refusals are for mails that nobody
// may have sent so, and for DNS that does not answer; a sender who is merely not
// proved has level D.
func (s *Server) verify(ctx context.Context, p peer, env envelope, m *message) (verdict, *refusal) {
	from, refused := author(m.Header)
	if refused != nil {
		return verdict{}, refused
	}
	if p.Account != "" {
		return byAccount(p, from)
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.Limits.DNSTime)
	defer cancel()
	c := &check{ctx: ctx, dns: s.resolver, walk: newTreeWalk(ctx, s.resolver), peer: p, env: env, message: m, from: from}
	v, err := c.run(s.config.TrustedAuthservID)
	if err != nil {
		return verdict{From: from, Level: levelD}, dnsTrouble(err)
	}
	if v.Own = s.isOwn(from.Address.Domain()); v.Own && !v.proved() {
		v.Policy = policyReject // nobody outside may use our own domains
	}
	return v, nil
}

func (s *Server) isOwn(domain string) bool {
	if domain == s.config.Domain {
		return true
	}
	for _, own := range s.config.OwnDomains {
		if domain == own {
			return true
		}
	}
	return false
}

func byAccount(p peer, from mailbox) (verdict, *refusal) {
	if from.Address.ID != p.Account {
		return verdict{From: from, Level: levelD}, refuse(550, "5.7.1", "From is not the account", "You are signed in as %s, so the From line must be that address. Please choose it in your mail program.", p.Account)
	}
	return verdict{From: from, Level: levelA, Basis: "account"}, nil
}

// errNotProved is the answer to a sender of level D; policy and domain say why.
func errNotProved(v verdict) *refusal {
	domain := v.From.Address.Domain()
	if v.Own {
		return refuse(550, "5.7.26", "own domain", "The people who run this service take mail from %s only if it proves its sender, by a DKIM signature of %s or an account here, and this mail does not. Please send it through the mail server of %s, and if you did, tell its administrator.", domain, domain, domain)
	}
	if v.Policy == policyNone {
		return refuse(550, "5.7.26", "not authenticated", "Nobody can tell whether %s sent this mail: it has no DKIM signature of %s, and its server is not one that %s names by SPF. Please send it through the mail server of %s.", v.From.Address.ID, domain, domain, domain)
	}
	return refuse(550, "5.7.26", "DMARC "+string(v.Policy), "The domain %s forbids mail in its name that it did not sign or send (DMARC), and this mail is such. Please send it through the mail server of %s.", domain, domain)
}

// errNotCovered is the answer to a signed mail whose line may have been added by
// somebody else afterwards.
func errNotCovered(v verdict, field string) *refusal {
	return refuse(550, "5.7.7", "unsigned "+field, "The DKIM signature of %s does not cover the %s line of this mail, so anybody may have written it. Please send the mail again, directly and not through a forwarder.", v.From.Address.Domain(), field)
}

// check is the work of verifying one mail.
type check struct {
	ctx     context.Context
	dns     resolver
	walk    *treeWalk
	peer    peer
	env     envelope
	message *message
	from    mailbox
	record  *dmarcRecord
}

func (c *check) domain() string { return c.from.Address.Domain() }

func (c *check) run(trusted string) (verdict, error) {
	var err error
	if c.record, err = c.walk.policyOf(c.domain()); err != nil {
		return verdict{}, err
	}
	behindFront := c.peer.LMTP || c.peer.Local && trusted != ""
	if behindFront && trusted != "" {
		if results := resultsOf(c.message.Header, trusted); len(results) > 0 {
			return c.byFront(results)
		}
	}
	return c.byDMARC(!behindFront)
}

// byDMARC asks for an aligned DKIM signature or an aligned SPF pass. SPF is left
// out behind a front: the address of the peer is the front's.
func (c *check) byDMARC(useSPF bool) (verdict, error) {
	signed, dkimErr := c.dkim()
	if signed != nil && signed.enough(c.message.Header) {
		return c.proved("dkim", signed), nil
	}
	var spfErr error
	if useSPF {
		var pass bool
		if pass, spfErr = c.spf(); pass {
			return c.proved("spf", nil), nil
		}
	}
	switch {
	case signed != nil:
		return c.proved("dkim", signed), nil
	case dkimErr != nil:
		return verdict{}, dkimErr
	case spfErr != nil:
		return verdict{}, spfErr
	}
	return c.unproved(), nil
}

func (c *check) proved(basis string, signed coverage) verdict {
	l := levelB
	if c.record == nil {
		l = levelC
	}
	return verdict{From: c.from, Level: l, Basis: basis, signed: signed}
}

func (c *check) unproved() verdict {
	return verdict{From: c.from, Level: levelD, Policy: c.record.wants(c.exists)}
}

// exists says if the author's domain exists, as far as mail is concerned
// (compare RFC 9989 §3.2.14). In doubt it does.
func (c *check) exists() bool {
	if _, err := c.dns.LookupMX(c.ctx, c.domain()); !isNotFound(err) {
		return true
	}
	_, err := c.dns.LookupIPAddr(c.ctx, c.domain())
	return !isNotFound(err)
}

// byFront believes the front MTA, as far as nothing that it says contradicts.
func (c *check) byFront(results []authResult) (verdict, error) {
	var pass, other bool
	for _, r := range results {
		switch {
		case r.Method != "dmarc" || r.Value == "none":
		case r.Value == "temperror":
			return verdict{}, fmt.Errorf("the front MTA reports dmarc=temperror")
		case r.Value == "pass" && (r.Props["header.from"] == "" || domainOf(r.Props["header.from"]) == c.domain()):
			pass = true
		default:
			other = true
		}
	}
	spf, dkim, err := c.frontAlignment(results)
	if err != nil {
		return verdict{}, err
	}
	if other || !pass && !spf && !dkim {
		return c.unproved(), nil
	}
	v := verdict{From: c.from, Level: levelA, Basis: "front"}
	if !spf {
		v.signed, err = c.claimedCoverage()
	}
	return v, err
}

// frontAlignment says which passes of the front are aligned with the author.
func (c *check) frontAlignment(results []authResult) (spf, dkim bool, err error) {
	for _, r := range results {
		if r.Value != "pass" {
			continue
		}
		var aligned bool
		switch r.Method {
		case "spf":
			aligned, err = c.walk.aligned(domainOf(r.Props["smtp.mailfrom"]), c.domain(), c.strictSPF())
			spf = spf || aligned
		case "dkim":
			aligned, err = c.walk.aligned(domainOf(r.Props["header.d"]), c.domain(), c.strictDKIM())
			dkim = dkim || aligned
		}
		if err != nil {
			return false, false, err
		}
	}
	return spf, dkim, nil
}

func (c *check) strictSPF() bool  { return c.record != nil && c.record.strictSPF }
func (c *check) strictDKIM() bool { return c.record != nil && c.record.strictDKIM }

// domainOf is the domain of an address, or of what is a domain already.
func domainOf(s string) string {
	local, domain := splitAddress(s)
	if domain == "" {
		return local
	}
	return domain
}

// codeOf is the code for the log: 250 if there is no refusal.
func codeOf(r *refusal) int {
	if r == nil {
		return 250
	}
	return r.Code
}
