package harness

import (
	"crypto/rand"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mailroom/mailin/dnstest"
)

// MailDomain is that of the addresses at which mail comes in.
const MailDomain = "in." + Domain

// NewSession is the address that makes a session of a mail.
const NewSession = "new@" + MailDomain

// Times of the test configuration: as short as a busy machine allows. A browser that shows a message must have told so before
// missedAfter is over.
const (
	missedAfter = 3 * time.Second
	nativeWait  = 3 * time.Second
)

// Engine is a database.
type Engine string

const (
	SQLite     Engine = "sqlite"
	PostgreSQL Engine = "postgres"
)

// Request is what a test needs.
type Request struct {
	Engine Engine
	Nodes  int // 0 is one
	// Without leaves blocks of the configuration out: mail, matrix or xmpp.
	Without []string
	// Accounts exist on Dendrite and on both XMPP servers beside those that always do.
	Accounts []string
	// Settings change the configuration of every node, by block and key.
	Settings map[string]map[string]any
	// Debug has the nodes log everything that they can.
	Debug bool
}

// Site is one installation, with its peers.
type Site struct {
	Stack *Stack
	Sink  *Sink
	Nodes []*Node
	// URL is the page's: of the only node, or of a balancer in front of all.
	URL string

	request  Request
	dns      *dnstest.Server
	web      *balancer
	smtp     *balancer
	matrix   *balancer
	registry string // the registration file
	secret   string // of the component and of the nodes
	codes    codes
	database string
}

// NewSite makes an installation. Its peers run; its nodes do not yet: see Start.
func NewSite(t *testing.T, r Request) *Site {
	t.Helper()
	s := &Site{
		request: r, Sink: startSink(t), dns: dnstest.Start(t, dnstest.Zones{}), secret: rand.Text() + rand.Text(),
		web: startBalancer(t), smtp: startBalancer(t), matrix: startBalancer(t),
		registry: filepath.Join(t.TempDir(), "registration.yaml"),
	}
	s.URL = "http://" + s.web.Address
	request := stackRequest{secret: s.secret, postgres: r.Engine == PostgreSQL, accounts: r.Accounts}
	if !s.without("matrix") {
		s.register(t)
		request.registration = s.registry
	}
	s.Stack = startStack(t, request)
	s.database = "sqlite:" + filepath.Join(t.TempDir(), "mailroom.db")
	if r.Engine == PostgreSQL {
		s.database = s.Stack.CreateDatabase(t, "mailroom")
	}
	for i := range max(1, r.Nodes) {
		s.addNode(t, "node "+string(rune('A'+i)))
	}
	return s
}

// register makes the registration file, with the balancer as the address that the homeserver is to push to.
func (s *Site) register(t *testing.T) {
	t.Helper()
	newNode(t, "registration", "", map[string]any{
		"public_url": s.URL,
		"initiators": s.initiators(),
		"matrix":     s.matrixBlock("http://127.0.0.1:1", s.matrix.Address),
	}).Run(t, "registration")
}

func (s *Site) addNode(t *testing.T, name string) {
	t.Helper()
	web, smtp, matrix := freeAddress(t), freeAddress(t), freeAddress(t)
	s.web.add(web)
	s.smtp.add(smtp)
	s.matrix.add(matrix)
	settings := map[string]any{
		"public_url": s.URL, "database": s.database, "web": map[string]any{"listen": web, "trusted_proxies": []string{"127.0.0.1"}},
		"dns": map[string]any{"resolver": s.dns.Addr}, "node": s.nodeBlock("http://" + web),
		"initiators": s.initiators(), "limits": unlimited,
		"directory": []map[string]string{
			{"email": "carol@" + Domain, "matrix": "@{localpart}:" + Domain},
			{"email": "dave@" + Domain, "xmpp": "{localpart}@" + Domain},
		},
	}
	maps.Copy(settings, s.gateways(smtp, matrix))
	s.configure(settings)
	n := newNode(t, name, "http://"+web, settings)
	n.debug = s.request.Debug
	s.Nodes = append(s.Nodes, n)
}

// configure writes what the test wants differently over the settings.
func (s *Site) configure(settings map[string]any) {
	for name, wanted := range s.request.Settings {
		block, ok := settings[name].(map[string]any)
		if !ok {
			block = make(map[string]any)
			settings[name] = block
		}
		maps.Copy(block, wanted)
	}
}

// FreeAddress is a loopback address for a listener that a test configures.
func FreeAddress(t *testing.T) string {
	t.Helper()
	return freeAddress(t)
}

// Database is the folder of the SQLite file, "" on PostgreSQL.
func (s *Site) Database() string {
	file, sqlite := strings.CutPrefix(s.database, "sqlite:")
	if !sqlite {
		return ""
	}
	return filepath.Dir(file)
}

// SMTP is where mail comes in.
func (s *Site) SMTP() string { return s.smtp.Address }

// Appservice is where the homeserver brings news.
func (s *Site) Appservice() string { return s.matrix.Address }

func (s *Site) initiators() map[string]any {
	return map[string]any{"allow": []string{"*@company.test", "@*:" + Domain, "xmpp:*@" + Domain}}
}

// unlimited lets tests talk in bursts.
var unlimited = map[string]int{
	"initiator_sessions": 0, "initiator_invitations": 0, "network_sessions": 0,
	"pair_invitations": 0, "recipient_invitations": 0, "member_messages": 0,
}

// nodeBlock lets the nodes of one PostgreSQL reach each other.
func (s *Site) nodeBlock(url string) map[string]any {
	block := map[string]any{"secret": s.secret}
	if s.request.Engine == PostgreSQL {
		block["url"] = url
	}
	return block
}

func (s *Site) gateways(smtp, matrix string) map[string]any {
	blocks := map[string]any{
		"mail": map[string]any{
			"domain": MailDomain, "from": "Mailroom <invite@chat." + Domain + ">", "smtp_listen": smtp,
			"smarthost": "smtp://" + s.Sink.Address, "missed_after": missedAfter.String(), "native_wait": nativeWait.String(),
		},
		"matrix": s.matrixBlock(s.Stack.Dendrite.URL, matrix),
		"xmpp": map[string]any{
			"component": componentHost, "server": s.Stack.Prosody.Component, "secret": s.secret, "domains": []string{Domain},
		},
	}
	for _, name := range s.request.Without {
		delete(blocks, name)
	}
	return blocks
}

func (s *Site) matrixBlock(homeserver, listen string) map[string]any {
	return map[string]any{"homeserver": homeserver, "domain": Domain, "registration": s.registry, "listen": listen}
}

func (s *Site) without(block string) bool {
	for _, name := range s.request.Without {
		if name == block {
			return true
		}
	}
	return false
}

// Start starts every node and waits until all are ready.
func (s *Site) Start(t *testing.T) {
	t.Helper()
	for _, n := range s.Nodes {
		n.Start(t)
	}
	for _, n := range s.Nodes {
		n.AwaitReady(t)
	}
}
