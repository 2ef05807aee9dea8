package mailin

import (
	"context"
	"errors"
	"net"
	"strings"
)

// resolver asks the DNS for what mail needs. Every name is made absolute, so that
// no search list of the machine leads to another one.
type resolver struct{ dns *net.Resolver }

// newResolver asks the DNS server at address, or the system's if that is "".
func newResolver(address string) resolver {
	if address == "" {
		return resolver{net.DefaultResolver}
	}
	var dialer net.Dialer
	return resolver{&net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, network, address)
	}}}
}

func absolute(name string) string { return strings.TrimSuffix(name, ".") + "." }

func (r resolver) LookupTXT(ctx context.Context, name string) ([]string, error) {
	return r.dns.LookupTXT(ctx, absolute(name))
}

func (r resolver) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	return r.dns.LookupMX(ctx, absolute(name))
}

func (r resolver) LookupIPAddr(ctx context.Context, name string) ([]net.IPAddr, error) {
	return r.dns.LookupIPAddr(ctx, absolute(name))
}

func (r resolver) LookupAddr(ctx context.Context, address string) ([]string, error) {
	return r.dns.LookupAddr(ctx, address)
}

// isNotFound tells that a name or record does not exist, which is an answer.
func isNotFound(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns) && dns.IsNotFound
}
