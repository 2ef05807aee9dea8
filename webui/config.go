package webui

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// Config is what the web gateway needs to know.
type Config struct {
	// Listen is the address to bind, as 127.0.0.1:8080; port 0 takes a free one.
	Listen string
	// PublicURL is where browsers reach us, as https://chat.example.org. Its scheme decides if cookies are Secure.
	PublicURL string
	// TrustedProxies are the addresses or prefixes whose X-Forwarded-For is believed. Who listens on loopback only has a
	// proxy there: without any named here, loopback is trusted then.
	TrustedProxies []string
	// TLS serves HTTPS; nil serves plain HTTP, for loopback or behind a proxy.
	TLS *tls.Config
	// Ready says if the database and the listeners are well, for /readyz; nil: always.
	Ready func(ctx context.Context) error
	// Outbox is served under /dev/outbox; nil everywhere but on somebody's own machine.
	Outbox http.Handler
	// Peers serves what the other nodes ask; whoever it does not know gets what is passed to it: the page that an unknown link
	// gets. nil: there are no other nodes.
	Peers func(unknown http.Handler) http.Handler
	// Registerer takes the metrics; nil: they are counted and shown nowhere.
	Registerer prometheus.Registerer
}

// settings is a Config that was checked.
type settings struct {
	Config
	origin  string // scheme and host of PublicURL
	host    string // its host without a port
	secure  bool
	proxies []netip.Prefix
}

func (c Config) check() (settings, error) {
	s := settings{Config: c}
	u, err := url.Parse(c.PublicURL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return s, fmt.Errorf("public_url: %q is not a web address; write one like https://chat.example.org", c.PublicURL)
	}
	if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return s, fmt.Errorf("public_url: %q has more than a host; Mailroom needs a host name of its own, like https://chat.example.org", c.PublicURL)
	}
	s.origin, s.host, s.secure = u.Scheme+"://"+u.Host, u.Hostname(), u.Scheme == "https"
	if len(c.TrustedProxies) == 0 && onLoopback(c.Listen) {
		c.TrustedProxies = []string{"127.0.0.0/8", "::1"}
	}
	for _, text := range c.TrustedProxies {
		prefix, err := parsePrefix(text)
		if err != nil {
			return s, fmt.Errorf("web.trusted_proxies: %q is neither an address nor a prefix; write 127.0.0.1 or 10.0.0.0/8", text)
		}
		s.proxies = append(s.proxies, prefix)
	}
	return s, nil
}

func onLoopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	return err == nil && isLoopback(host)
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.Unmap().IsLoopback()
}

func parsePrefix(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	return prefix.Masked(), err
}
