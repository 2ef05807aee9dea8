package mailin

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mailroom/mailin/dnstest"
)

func walkOn(t *testing.T, records map[string]string) *treeWalk {
	zones := dnstest.Zones{}
	for name, text := range records {
		zones["_dmarc."+name] = append(zones["_dmarc."+name], "TXT "+text)
	}
	return newTreeWalk(context.Background(), newResolver(dnstest.Start(t, zones).Addr))
}

func TestWalkAsksEightNamesAtMost(t *testing.T) {
	require.Equal(t, []string{"a.example.org", "example.org", "org"}, walkNames("a.example.org"))
	names := walkNames("a.b.c.d.e.f.g.h.i.j.mail.example.org")
	require.Len(t, names, maxWalk)
	require.Equal(t, 7, strings.Count(names[1], ".")+1)
	require.Len(t, walkNames("1.2.3.4.5.6.example.org"), maxWalk)
	require.Len(t, walkNames("1.2.3.4.5.example.org"), 7)
}

func TestOrganizationalDomain(t *testing.T) {
	for name, c := range map[string]struct {
		records map[string]string
		domain  string
		want    string
	}{
		"no record at all":               {nil, "a.example.org", "a.example.org"},
		"record of the parent":           {map[string]string{"example.org": "v=DMARC1; p=none"}, "a.b.example.org", "example.org"},
		"shortest of several":            {map[string]string{"b.example.org": "v=DMARC1", "example.org": "v=DMARC1"}, "a.b.example.org", "example.org"},
		"psd=n ends the walk":            {map[string]string{"b.example.org": "v=DMARC1; psd=n", "example.org": "v=DMARC1"}, "a.b.example.org", "b.example.org"},
		"psd=y is above":                 {map[string]string{"com.example": "v=DMARC1; psd=y"}, "a.giant.com.example", "giant.com.example"},
		"psd=y at the start itself":      {map[string]string{"com.example": "v=DMARC1; psd=y"}, "com.example", "com.example"},
		"records of others do not count": {map[string]string{"example.org": "v=spf1 -all"}, "a.example.org", "a.example.org"},
	} {
		t.Run(name, func(t *testing.T) {
			organization, err := walkOn(t, c.records).organization(c.domain)
			require.NoError(t, err)
			require.Equal(t, c.want, organization)
		})
	}
}

func TestPolicyOfADomain(t *testing.T) {
	exists, missing := func() bool { return true }, func() bool { return false }
	for name, c := range map[string]struct {
		records map[string]string
		exists  func() bool
		want    policy
	}{
		"own record":                     {map[string]string{"a.example.org": "v=DMARC1; p=reject", "example.org": "v=DMARC1; p=none"}, exists, policyReject},
		"no record":                      {nil, exists, policyNone},
		"of the organization":            {map[string]string{"example.org": "v=DMARC1; p=reject"}, exists, policyReject},
		"sp for subdomains":              {map[string]string{"example.org": "v=DMARC1; p=reject; sp=none"}, exists, policyNone},
		"np for those that do not exist": {map[string]string{"example.org": "v=DMARC1; p=none; sp=none; np=reject"}, missing, policyReject},
		"np not for those that do":       {map[string]string{"example.org": "v=DMARC1; p=none; np=reject"}, exists, policyNone},
		"of the public suffix":           {map[string]string{"org": "v=DMARC1; p=reject; psd=y"}, exists, policyReject},
		"absent p":                       {map[string]string{"a.example.org": "v=DMARC1; rua=mailto:d@example.org"}, exists, policyNone},
		"unknown p":                      {map[string]string{"a.example.org": "v=DMARC1; p=perhaps"}, exists, policyNone},
		"testing":                        {map[string]string{"a.example.org": "v=DMARC1; p=reject; t=y"}, exists, policyQuarantine},
		"testing quarantine":             {map[string]string{"a.example.org": "v=DMARC1; p=quarantine; t=y"}, exists, policyNone},
	} {
		t.Run(name, func(t *testing.T) {
			record, err := walkOn(t, c.records).policyOf("a.example.org")
			require.NoError(t, err)
			require.Equal(t, c.want, record.wants(c.exists))
		})
	}
}

func TestTwoRecordsAreNone(t *testing.T) {
	dns := dnstest.Start(t, dnstest.Zones{"_dmarc.example.org": {"TXT v=DMARC1; p=reject", "TXT v=DMARC1; p=none"}})
	record, err := newTreeWalk(t.Context(), newResolver(dns.Addr)).policyOf("example.org")
	require.NoError(t, err)
	require.Nil(t, record)
}

func TestAlignment(t *testing.T) {
	w := walkOn(t, map[string]string{"example.org": "v=DMARC1", "com": "v=DMARC1; psd=y"})
	for _, c := range []struct {
		authenticated, author string
		strict, want          bool
	}{
		{"example.org", "example.org", true, true},
		{"mail.example.org", "example.org", false, true},
		{"mail.example.org", "example.org", true, false},
		{"a.example.org", "b.example.org", false, true},
		{"mallory.com", "bank.com", false, false},
		{"com", "bank.com", false, false},
		{"", "example.org", false, false},
	} {
		aligned, err := w.aligned(c.authenticated, c.author, c.strict)
		require.NoError(t, err)
		require.Equal(t, c.want, aligned, "%+v", c)
	}
}

func TestDNSThatFailsIsAnErrorNotAnAnswer(t *testing.T) {
	dns := dnstest.Start(t, dnstest.Zones{"_dmarc.org": {"SERVFAIL"}})
	_, err := newTreeWalk(t.Context(), newResolver(dns.Addr)).policyOf("example.org")
	require.Error(t, err)
}
