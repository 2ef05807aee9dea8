// Package dnstest is a DNS server for tests: it answers from a map over UDP and
// TCP on loopback, so that SPF, DKIM and DMARC can be tested without a network.
package dnstest

import (
	"fmt"
	"net"
	"strings"
	"sync"

	"github.com/miekg/dns"
)

// Zones holds records by name, without the dot at the end. Each record is its
// type and its content: "TXT v=spf1 -all", "A 127.0.0.1", "AAAA ::1",
// "MX 10 mail.example.org". The record "SERVFAIL" makes every question about the
// name fail, as a broken name server does.
type Zones map[string][]string

// Server is a DNS server that runs. It is safe for concurrent use.
type Server struct {
	Addr string // host:port, the same for UDP and TCP

	mu    sync.Mutex
	zones Zones
	udp   *dns.Server
	tcp   *dns.Server
	done  sync.WaitGroup
}

// T is what a test offers; *testing.T does.
type T interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// Start runs a server until the test ends.
func Start(t T, zones Zones) *Server {
	t.Helper()
	s, err := Listen(zones)
	if err != nil {
		t.Fatalf("start the fake DNS: %v", err)
	}
	t.Cleanup(s.Close)
	return s
}

// Listen runs a server at a free port of 127.0.0.1 until Close.
func Listen(zones Zones) (*Server, error) {
	s := &Server{zones: Zones{}}
	for name, records := range zones {
		s.Set(name, records...)
	}
	udp, tcp, err := samePort()
	if err != nil {
		return nil, err
	}
	s.Addr = tcp.Addr().String()
	handler := dns.HandlerFunc(s.answer)
	s.udp = &dns.Server{PacketConn: udp, Handler: handler}
	s.tcp = &dns.Server{Listener: tcp, Handler: handler}
	for _, server := range []*dns.Server{s.udp, s.tcp} {
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		s.done.Go(func() {
			_ = server.ActivateAndServe() // ends with Close
		})
		<-started
	}
	return s, nil
}

// samePort finds a port that is free for both protocols.
func samePort() (net.PacketConn, net.Listener, error) {
	const tries = 20
	var last error
	for range tries {
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, nil, err
		}
		udp, err := net.ListenPacket("udp", tcp.Addr().String())
		if err == nil {
			return udp, tcp, nil
		}
		last = err
		if err := tcp.Close(); err != nil {
			return nil, nil, err
		}
	}
	return nil, nil, fmt.Errorf("no port is free for UDP and TCP: %w", last)
}

// Close stops the server.
func (s *Server) Close() {
	_ = s.udp.Shutdown() // an error says that it has stopped
	_ = s.tcp.Shutdown()
	s.done.Wait()
}

// Set replaces all records of a name; none makes it unknown.
func (s *Server) Set(name string, records ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if len(records) == 0 {
		delete(s.zones, name)
		return
	}
	s.zones[name] = records
}

func (s *Server) records(name string) (records []string, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if records, known = s.zones[name]; known {
		return records, true
	}
	for other := range s.zones { // an empty non-terminal exists (RFC 8020)
		if strings.HasSuffix(other, "."+name) {
			return nil, true
		}
	}
	return nil, false
}

func (s *Server) answer(w dns.ResponseWriter, query *dns.Msg) {
	reply := new(dns.Msg)
	reply.SetReply(query)
	for _, q := range query.Question {
		records, known := s.records(q.Name)
		if !known {
			reply.Rcode = dns.RcodeNameError
		}
		for _, r := range records {
			if r == "SERVFAIL" {
				reply.Rcode = dns.RcodeServerFailure
				continue
			}
			if rr := resource(q.Name, r); rr != nil && (rr.Header().Rrtype == q.Qtype || q.Qtype == dns.TypeANY) {
				reply.Answer = append(reply.Answer, rr)
			}
		}
	}
	if _, udp := w.RemoteAddr().(*net.UDPAddr); udp {
		size := dns.MinMsgSize
		if opt := query.IsEdns0(); opt != nil {
			size = int(opt.UDPSize())
		}
		reply.Truncate(size)
	}
	_ = w.WriteMsg(reply) // who asked and went away asks again
}

// resource makes the record of a line; nil if the line cannot be read.
func resource(name, line string) dns.RR {
	kind, text, _ := strings.Cut(line, " ")
	if strings.EqualFold(kind, "TXT") {
		return &dns.TXT{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeTXT, Class: dns.ClassINET}, Txt: pieces(text)}
	}
	if strings.EqualFold(kind, "MX") {
		text = dns.Fqdn(text)
	}
	rr, err := dns.NewRR(dns.Fqdn(name) + " 0 IN " + kind + " " + text)
	if err != nil {
		return nil
	}
	return rr
}

// pieces cuts a text into the character-strings of a TXT record, of 255 bytes at
// most (RFC 1035 §3.3).
func pieces(text string) []string {
	const longest = 255
	var all []string
	for len(text) > longest {
		all = append(all, text[:longest])
		text = text[longest:]
	}
	return append(all, text)
}
