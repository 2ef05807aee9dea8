package dnstest_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mailroom/mailin/dnstest"
)

func resolverOf(s *dnstest.Server) *net.Resolver {
	var d net.Dialer
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return d.DialContext(ctx, network, s.Addr)
	}}
}

func TestAnswers(t *testing.T) {
	long := strings.Repeat("k", 3000)
	s := dnstest.Start(t, dnstest.Zones{
		"Example.org":     {"TXT v=spf1 -all", "A 192.0.2.1", "MX 10 mail.example.org"},
		"key.example.org": {"TXT " + long},
	})
	r, ctx := resolverOf(s), t.Context()

	texts, err := r.LookupTXT(ctx, "EXAMPLE.org.")
	require.NoError(t, err)
	require.Equal(t, []string{"v=spf1 -all"}, texts)

	texts, err = r.LookupTXT(ctx, "key.example.org.")
	require.NoError(t, err)
	require.Equal(t, []string{long}, texts, "over TCP, since UDP has no room for it")

	hosts, err := r.LookupHost(ctx, "example.org.")
	require.NoError(t, err)
	require.Equal(t, []string{"192.0.2.1"}, hosts)

	mail, err := r.LookupMX(ctx, "example.org.")
	require.NoError(t, err)
	require.Equal(t, "mail.example.org.", mail[0].Host)
}

func TestTroubleAndChange(t *testing.T) {
	s := dnstest.Start(t, dnstest.Zones{"example.org": {"SERVFAIL"}})
	r, ctx := resolverOf(s), t.Context()
	var trouble *net.DNSError

	_, err := r.LookupTXT(ctx, "example.org.")
	require.True(t, errors.As(err, &trouble) && trouble.IsTemporary)
	_, err = r.LookupTXT(ctx, "unknown.example.org.")
	require.True(t, errors.As(err, &trouble) && trouble.IsNotFound)

	s.Set("example.org", "TXT mended")
	texts, err := r.LookupTXT(ctx, "example.org.")
	require.NoError(t, err)
	require.Equal(t, []string{"mended"}, texts)
	s.Set("example.org")
	_, err = r.LookupTXT(ctx, "example.org.")
	require.True(t, errors.As(err, &trouble) && trouble.IsNotFound)
}
