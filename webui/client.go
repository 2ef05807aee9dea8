package webui

import (
	"net/http"
	"net/netip"
	"strings"
)

// clientAddr is who sent the request: the peer, or, while the peer is a trusted proxy, the address that it names last in
// X-Forwarded-For. What stands further left was written by somebody else.
func (s *Server) clientAddr(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := peer.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && s.trusted(addr); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = hop.Unmap()
	}
	return addr
}

func (s *Server) trusted(addr netip.Addr) bool {
	for _, prefix := range s.config.proxies {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}
