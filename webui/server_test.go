package webui

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

func TestConfigurationErrorsNameTheKey(t *testing.T) {
	for want, config := range map[string]Config{
		"public_url":          {PublicURL: "chat.example.org"},
		"has more than a":     {PublicURL: "https://example.org/chat"},
		"web.trusted_proxies": {PublicURL: "https://example.org", TrustedProxies: []string{"proxy"}},
	} {
		_, err := New(config, newFake(), slog.Default())
		require.ErrorContains(t, err, want)
	}
	server, err := New(Config{PublicURL: "https://example.org", Listen: "192.0.2.1:1"}, newFake(), slog.Default())
	require.NoError(t, err)
	require.ErrorContains(t, server.Listen(), "web.listen")
}

func TestEveryAnswerHasTheSecurityHeaders(t *testing.T) {
	fake := newFake()
	room, _, _, _, _ := plan(fake)
	v := newVisitor(t, handler(t, fake)).join("bob")
	for _, path := range []string{"/", "/j/join-carol", "/nothing", sessionPath(room.Session.ID), "/api/v1/sessions", "/healthz"} {
		h := v.get(path).Header
		require.Contains(t, h.Get("Content-Security-Policy"), "default-src 'none'", path)
		require.Contains(t, h.Get("Content-Security-Policy"), "trusted-types 'none'", path)
		require.Equal(t, "same-origin", h.Get("Referrer-Policy"), path)
		require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"), path)
		require.Equal(t, "same-origin", h.Get("Cross-Origin-Opener-Policy"), path)
		require.Equal(t, "no-store", h.Get("Cache-Control"), path)
	}
}

func TestOnlyTheSessionPageRunsScriptsAndOnlyItsOwn(t *testing.T) {
	fake := newFake()
	room, _, _, _, _ := plan(fake)
	v := newVisitor(t, handler(t, fake)).join("bob")
	require.NotContains(t, v.get("/").Header.Get("Content-Security-Policy"), "script-src")
	first, second := v.get(sessionPath(room.Session.ID)), v.get(sessionPath(room.Session.ID))
	policy := first.Header.Get("Content-Security-Policy")
	_, nonce, _ := strings.Cut(policy, "script-src 'nonce-")
	nonce, _, _ = strings.Cut(nonce, "'")
	require.Contains(t, body(t, first), `nonce="`+nonce+`"`)
	require.NotEqual(t, policy, second.Header.Get("Content-Security-Policy"), "a nonce is used once")
}

func TestTokensReachNeitherTheLogNorTheMetrics(t *testing.T) {
	var log bytes.Buffer
	registry := prometheus.NewRegistry()
	server, err := New(Config{PublicURL: "https://chat.example.org", Registerer: registry}, newFake(),
		slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	require.NoError(t, err)
	v := newVisitor(t, server.Handler())
	for _, path := range []string{"/j/sesame", "/u/sesame", "/c/sesame", "/i/sesame.png", "/unknown/sesame", "/j/sesame/"} {
		v.get(path)
	}
	v.header.Set("Authorization", "Bearer sesame")
	v.get("/api/v1/sessions")
	require.Contains(t, log.String(), "GET /j/{token}")
	require.NotContains(t, log.String(), "sesame")
	families, err := registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		require.NotContains(t, family.String(), "sesame")
	}
}

func TestClientIsBelievedOnlyThroughATrustedProxy(t *testing.T) {
	config, err := Config{PublicURL: "https://x.test", TrustedProxies: []string{"10.0.0.0/8", "::1"}}.check()
	require.NoError(t, err)
	s := &Server{config: config}
	for _, c := range []struct{ peer, forwarded, want string }{
		{"192.0.2.7:1", "198.51.100.1", "192.0.2.7"},
		{"10.1.1.1:1", "198.51.100.1", "198.51.100.1"},
		{"10.1.1.1:1", "203.0.113.9, 198.51.100.1, 10.2.2.2", "198.51.100.1"},
		{"10.1.1.1:1", "nonsense", "10.1.1.1"},
		{"10.1.1.1:1", "", "10.1.1.1"},
		{"[::1]:1", "2001:db8::1", "2001:db8::1"},
		{"[::ffff:10.1.1.1]:1", "198.51.100.1", "198.51.100.1"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.peer
		r.Header.Set("X-Forwarded-For", c.forwarded)
		require.Equal(t, c.want, s.clientAddr(r).String(), c)
	}
}

func TestProxyOnLoopbackIsTrustedByItself(t *testing.T) {
	for _, c := range []struct {
		listen  string
		proxies []string
		want    string
	}{
		{"127.0.0.1:8080", nil, "198.51.100.1"},
		{"localhost:8080", nil, "198.51.100.1"},
		{"[::1]:8080", nil, "198.51.100.1"},
		{":8080", nil, "127.0.0.1"},
		{"0.0.0.0:8080", nil, "127.0.0.1"},
		{"127.0.0.1:8080", []string{"10.0.0.1"}, "127.0.0.1"},
	} {
		config, err := Config{PublicURL: "https://x.test", Listen: c.listen, TrustedProxies: c.proxies}.check()
		require.NoError(t, err)
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = "127.0.0.1:1"
		r.Header.Set("X-Forwarded-For", "198.51.100.1")
		require.Equal(t, c.want, (&Server{config: config}).clientAddr(r).String(), c)
	}
}

func TestTooLongAHeaderIsRefused(t *testing.T) {
	site := newSite(t, newFake())
	r, err := http.NewRequest("GET", site.url, nil)
	require.NoError(t, err)
	r.Header.Set("X-Long", strings.Repeat("x", 2*MaxHeader))
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, answer.StatusCode)
}

func TestGuessersAreCountedByNetworkAndForAMinute(t *testing.T) {
	b, now := newBucket(MaxGuesses, guessWindow), time.Now()
	b.now = func() time.Time { return now }
	addr := netip.MustParseAddr
	for range MaxGuesses {
		require.False(t, b.add(addr("2001:db8::1")))
	}
	require.True(t, b.add(addr("2001:db8::ffff")), "its owner has the whole /64")
	require.False(t, b.add(addr("2001:db8:0:1::1")))
	require.False(t, b.add(addr("192.0.2.1")))
	now = now.Add(guessWindow)
	require.False(t, b.add(addr("2001:db8::1")))
}

func TestHealthAndReadiness(t *testing.T) {
	var fault error
	v := newVisitor(t, handler(t, newFake(), func(c *Config) { c.Ready = func(context.Context) error { return fault } }))
	require.Equal(t, http.StatusOK, v.get("/healthz").StatusCode)
	require.Equal(t, http.StatusOK, v.get("/readyz").StatusCode)
	fault = errors.New("no database")
	require.Equal(t, http.StatusOK, v.get("/healthz").StatusCode)
	answer := v.get("/readyz")
	require.Equal(t, http.StatusServiceUnavailable, answer.StatusCode)
	require.NotContains(t, body(t, answer), "database")
}

func TestHomeSaysWhatThisIs(t *testing.T) {
	page := body(t, newVisitor(t, handler(t, newFake())).get("/"))
	require.Contains(t, page, "An email becomes a room")
	require.Contains(t, page, "open the link in any of the emails")
}

// The first load of a session must stay small: research says what others need.
func TestBudgets(t *testing.T) {
	sizes := map[string]int{}
	requests := 1 // the page
	for name, file := range embeddedStatic().files {
		switch {
		case strings.HasSuffix(name, ".js"):
			sizes["js"] += len(file.packed)
			requests++
		case name == "page.css" || name == "icon.svg":
			sizes[name] = len(file.packed)
			requests++
		}
	}
	t.Log(sizes)
	require.LessOrEqual(t, sizes["js"], 20<<10)
	require.LessOrEqual(t, sizes["page.css"], 8<<10)
	require.LessOrEqual(t, requests, 6)
}

func TestStaticFilesAreKeptForEverAndPacked(t *testing.T) {
	v := newVisitor(t, handler(t, newFake()))
	path := embeddedStatic().prefix + "session.js"
	v.header.Set("Accept-Encoding", "gzip")
	answer := v.get(path)
	require.Equal(t, "gzip", answer.Header.Get("Content-Encoding"))
	require.Contains(t, answer.Header.Get("Cache-Control"), "immutable")
	require.Equal(t, "text/javascript; charset=utf-8", answer.Header.Get("Content-Type"))
	require.Equal(t, http.StatusNotFound, v.get("/static/000000000000/session.js").StatusCode)
}

func TestOutboxShowsCaughtMails(t *testing.T) {
	mails := []DevMail{
		{To: "carol@shop.test", Subject: "Second", Text: "two"},
		{To: "bob@client.test", Subject: "First", Text: "one https://x.test/j/1", HTML: `<p style="color:red">one</p><script>alert(1)</script>`,
			Raw: []byte("Subject: First\r\n"), Links: []string{"https://x.test/j/1"}},
	}
	v := newVisitor(t, handler(t, newFake(), func(c *Config) { c.Outbox = DevOutbox(func() []DevMail { return mails }) }))
	require.Contains(t, body(t, v.get("/dev/outbox")), "bob@client.test")
	page := body(t, v.get("/dev/outbox/1"))
	require.Contains(t, page, `sandbox="allow-popups allow-popups-to-escape-sandbox"`)
	require.Contains(t, page, "&lt;script&gt;")
	require.NotContains(t, page, "<script>")
	require.JSONEq(t, `["https://x.test/j/1"]`, links(t, v.get("/dev/outbox.json")))
	require.Equal(t, http.StatusNotFound, v.get("/dev/outbox/9").StatusCode)
	require.Equal(t, http.StatusNotFound, newVisitor(t, handler(t, newFake())).get("/dev/outbox").StatusCode, "only where it is wanted")
}

// A page on evil.test whose name leads to 127.0.0.1 must not read the mails of who tries Mailroom there.
func TestOutboxIsShownUnderItsOwnNameOnly(t *testing.T) {
	mails := func() []DevMail { return []DevMail{{To: "bob@client.test", Subject: "Secret"}} }
	h := handler(t, newFake(), func(c *Config) { c.Outbox, c.PublicURL = DevOutbox(mails), "http://chat.example.org:8080" })
	for host, shown := range map[string]bool{
		"chat.example.org:8080": true, "Chat.Example.org": true, "localhost:8080": true, "127.0.0.1:8080": true, "[::1]:8080": true,
		"evil.test:8080": false, "evil.test": false, "localhost.evil.test": false, "127.0.0.1.evil.test:8080": false, "192.0.2.1:8080": false, "": false,
	} {
		for _, path := range []string{"/dev/outbox", "/dev/outbox.json", "/dev/outbox/1"} {
			r := httptest.NewRequest("GET", path, nil)
			r.Host = host
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			require.Equal(t, shown, w.Code == http.StatusOK, host+path)
			require.Equal(t, shown, strings.Contains(w.Body.String(), "Secret"), host+path)
		}
	}
}
