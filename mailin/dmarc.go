package mailin

import (
	"context"
	"fmt"
	"strings"
)

// maxWalk is how many names a tree walk asks at most (RFC 9989 §4.10).
const maxWalk = 8

// policy is what a domain wants done with mail that only claims to be from it.
type policy string

const (
	policyNone       policy = "none"
	policyQuarantine policy = "quarantine"
	policyReject     policy = "reject"
)

// dmarcRecord is a DMARC policy record (RFC 9989 §4.7).
type dmarcRecord struct {
	domain           string // where it stands, without _dmarc
	p, sp, np        policy
	psd              string // y, n or u
	strictDKIM       bool
	strictSPF        bool
	testing          bool // t=y
	subdomainOfOwner bool // the author's domain is below the record's
}

// parseDMARC reads a record; ok is false for one that is not a DMARC record of
// this version or has a tag that cannot be read.
func parseDMARC(text string) (r dmarcRecord, ok bool) {
	tags := strings.Split(text, ";")
	if version := strings.ReplaceAll(tags[0], " ", ""); version != "v=DMARC1" {
		return r, false
	}
	r.psd = "u"
	for _, tag := range tags[1:] {
		name, value, _ := strings.Cut(tag, "=")
		r.setTag(strings.ToLower(strings.TrimSpace(name)), strings.ToLower(strings.TrimSpace(value)))
	}
	if r.p == "" { // RFC 9989 §4.7: an absent or unknown p is none
		r.p = policyNone
	}
	return r, true
}

func (r *dmarcRecord) setTag(name, value string) {
	switch name {
	case "p":
		r.p = parsePolicy(value)
	case "sp":
		r.sp = parsePolicy(value)
	case "np":
		r.np = parsePolicy(value)
	case "psd":
		r.psd = value
	case "adkim":
		r.strictDKIM = value == "s"
	case "aspf":
		r.strictSPF = value == "s"
	case "t":
		r.testing = value == "y"
	}
}

func parsePolicy(value string) policy {
	switch p := policy(value); p {
	case policyNone, policyQuarantine, policyReject:
		return p
	}
	return ""
}

// treeWalk asks for the records of one mail and remembers them: several
// identifiers of a mail share the upper part of the tree.
type treeWalk struct {
	ctx   context.Context
	dns   resolver
	known map[string]*dmarcRecord
}

func newTreeWalk(ctx context.Context, dns resolver) *treeWalk {
	return &treeWalk{ctx: ctx, dns: dns, known: map[string]*dmarcRecord{}}
}

// record is the one valid record at a name, or nil. Several are none
// (RFC 9989 §4.10 step 2). The error is for DNS that does not answer.
func (w *treeWalk) record(domain string) (*dmarcRecord, error) {
	if r, ok := w.known[domain]; ok {
		return r, nil
	}
	texts, err := w.dns.LookupTXT(w.ctx, "_dmarc."+domain)
	if err != nil && !isNotFound(err) {
		return nil, fmt.Errorf("look up the DMARC record of %s: %w", domain, err)
	}
	var found *dmarcRecord
	for _, text := range texts {
		r, ok := parseDMARC(text)
		if !ok {
			continue
		}
		if found != nil {
			found = nil
			break
		}
		r.domain = domain
		found = &r
	}
	w.known[domain] = found
	return found, nil
}

// records walks up from a domain and returns the records on the way, the
// longest name first (RFC 9989 §4.10).
func (w *treeWalk) records(domain string) ([]*dmarcRecord, error) {
	var found []*dmarcRecord
	for _, name := range walkNames(domain) {
		r, err := w.record(name)
		if err != nil {
			return nil, err
		}
		if r == nil {
			continue
		}
		found = append(found, r)
		if r.psd == "n" || r.psd == "y" {
			break
		}
	}
	return found, nil
}

// walkNames are the names that a walk asks: the domain itself, then its parents;
// from a domain of 8 labels or more the first parent is the one with 7.
func walkNames(domain string) []string {
	names := []string{domain}
	labels := strings.Split(domain, ".")
	if len(labels) >= maxWalk {
		labels = labels[len(labels)-maxWalk:]
	}
	for i := 1; i < len(labels); i++ {
		names = append(names, strings.Join(labels[i:], "."))
	}
	return names
}

// organization is the organizational domain of a domain (RFC 9989 §4.10.2).
func (w *treeWalk) organization(domain string) (string, error) {
	records, err := w.records(domain)
	if err != nil {
		return "", err
	}
	for _, r := range records {
		switch {
		case r.psd == "n":
			return r.domain, nil
		case r.psd == "y" && r.domain != domain:
			return childOf(r.domain, domain), nil
		}
	}
	if len(records) == 0 {
		return domain, nil
	}
	return records[len(records)-1].domain, nil
}

// childOf is the name one label below parent on the way to domain.
func childOf(parent, domain string) string {
	below := strings.TrimSuffix(domain, "."+parent)
	return below[strings.LastIndexByte(below, '.')+1:] + "." + parent
}

// policyOf finds the record that speaks for the author's domain: its own, that of
// its organizational domain, or that of the public suffix (RFC 9989 §4.10.1).
// Nil if there is none.
func (w *treeWalk) policyOf(domain string) (*dmarcRecord, error) {
	records, err := w.records(domain)
	if err != nil || len(records) == 0 {
		return nil, err
	}
	if records[0].domain == domain {
		return records[0], nil
	}
	organization, err := w.organization(domain)
	if err != nil {
		return nil, err
	}
	r := *records[len(records)-1] // that of the public suffix, if there is no better one
	for _, candidate := range records {
		if candidate.domain == organization {
			r = *candidate
			break
		}
	}
	r.subdomainOfOwner = true
	return &r, nil
}

// wants is the policy of a record for a mail that fails. exists says if the
// author's domain does; it is asked only if the record makes a difference.
func (r *dmarcRecord) wants(exists func() bool) policy {
	if r == nil {
		return policyNone
	}
	p := r.p
	if r.subdomainOfOwner && r.sp != "" {
		p = r.sp
	}
	if r.subdomainOfOwner && r.np != "" && !exists() {
		p = r.np
	}
	if r.testing {
		return lower(p)
	}
	return p
}

// lower is the policy one step down, for a domain that is still testing (t=y).
func lower(p policy) policy {
	if p == policyReject {
		return policyQuarantine
	}
	return policyNone
}

// aligned says if an authenticated domain speaks for the author's domain: the
// same one, or in relaxed mode one of the same organization (RFC 9989 §4.4).
func (w *treeWalk) aligned(authenticated, author string, strict bool) (bool, error) {
	if authenticated == author {
		return true, nil
	}
	if strict || authenticated == "" {
		return false, nil
	}
	a, err := w.organization(authenticated)
	if err != nil {
		return false, err
	}
	b, err := w.organization(author)
	return a == b, err
}
