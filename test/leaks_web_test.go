package test

import (
	"context"
	"crypto/rand"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// request asks over connections that are kept, as somebody who comes from elsewhere each time: who guesses from one place is
// stopped soon. THING in the address, the header and the body is the thing.
func request(ctx context.Context, method, address string, header http.Header, body, thing string) (any, error) {
	put := strings.NewReplacer("THING", thing, "THTAG", thing[:min(8, len(thing))])
	r, err := http.NewRequestWithContext(ctx, method, put.Replace(address), strings.NewReader(put.Replace(body)))
	if err != nil {
		return nil, err
	}
	r.Header.Set("X-Forwarded-For", elsewhere())
	for name, values := range header {
		for _, value := range values {
			r.Header.Set(name, put.Replace(value))
		}
	}
	response, err := visitors.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	response.Header.Del("Date")
	return answer{response.StatusCode, response.Header, strings.ReplaceAll(string(text), thing, "THING")}, err
}

// visitors follow no redirect.
var visitors = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// httpProbe is a probe by HTTP. The time of those whose name begins with ! is measured.
func httpProbe(name, method, address string, header http.Header, body, exists, missing string) probe {
	name, timed := strings.CutPrefix(name, "!")
	return probe{name: name, exists: exists, missing: missing, timed: timed, ask: func(ctx context.Context, thing string) (any, error) {
		return request(ctx, method, address, header, body, thing)
	}}
}

func webLeaks(t *testing.T, l *leaksOf) {
	base := l.site.Nodes[0].WebURL
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	_, secret, _ := strings.Cut(l.mallory.cookie, "="+l.session[:8])
	for who, cookie := range map[string]string{
		"stranger":             "",
		"stranger who guesses": "mailroom=THTAG" + strings.ToLower(rand.Text()),
		"revoked member":       "mailroom=THTAG" + secret,
	} {
		header := maps.Clone(form)
		header.Set("Cookie", cookie)
		for _, r := range []struct{ name, method, path, body string }{
			{"!session page", http.MethodGet, "", ""},
			{"earlier part of the page", http.MethodGet, "?before=2", ""},
			{"!stream", http.MethodGet, "/events", ""},
			{"long poll", http.MethodGet, "/events?wait=1", ""},
			{"picture that tells what was read", http.MethodGet, "/seen.png?seq=1", ""},
			{"!say something", http.MethodPost, "/messages", "text=eve-1&client=1&me=" + uuid.NewString()},
			{"read mark", http.MethodPost, "/read", "seq=1"},
			{"leave", http.MethodPost, "/leave", ""},
		} {
			httpProbe(r.name+", "+who, r.method, base+"/s/THING"+r.path, header, r.body, l.session, uuid.NewString()).try(t)
		}
	}
	tokenLeaks(t, l)
}

// tokenLeaks: a token that died with its grant, and one that never was.
func tokenLeaks(t *testing.T, l *leaksOf) {
	base := l.site.Nodes[0].WebURL
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	dead := l.dead.Link[strings.LastIndexByte(l.dead.Link, '/')+1:]
	stop := l.dead.LinkTo("u")
	stop = stop[strings.LastIndexByte(stop, '/')+1:]
	for _, r := range []struct{ name, method, path, body, token string }{
		{"!link", http.MethodGet, "/j/THING", "", dead},
		{"!button behind the link", http.MethodPost, "/j/THING", "", dead},
		{"code behind the link", http.MethodPost, "/j/THING", "code=123456", dead},
		{"!unsubscribe page", http.MethodGet, "/u/THING", "", stop},
		{"unsubscribe in one click", http.MethodPost, "/u/THING", "List-Unsubscribe=One-Click", stop},
		{"held answer", http.MethodGet, "/c/THING", "", dead},
		{"!browsers", http.MethodGet, "/b/THING", "", dead},
		{"end browsers", http.MethodPost, "/b/THING", "", dead},
		{"!sign-in link", http.MethodGet, "/p/THING", "", dead},
		{"sign-in button", http.MethodPost, "/p/THING", "", dead},
		// Mail with AMP is another issue's: until then these are unknown pages.
		{"AMP transcript", http.MethodGet, "/a/THING", "", dead},
		{"AMP answer", http.MethodPost, "/a/THING", "text=eve-1", dead},
		{"file", http.MethodGet, "/f/THING", "", dead},
	} {
		httpProbe(r.name+", dead token", r.method, base+r.path, form, r.body, r.token, guess(r.token)).try(t)
	}
}

func apiLeaks(t *testing.T, l *leaksOf) {
	base := l.site.Nodes[0].WebURL
	for who, token := range map[string]string{"no token": rand.Text(), "stranger": l.eve.token, "revoked member": l.mallory.token} {
		header := http.Header{"Authorization": {"Bearer " + token}}
		for _, r := range []struct{ name, method, path, body string }{
			{"!session", http.MethodGet, "", ""},
			{"messages", http.MethodGet, "/messages", ""},
			{"events", http.MethodGet, "/events", ""},
			{"!transcript", http.MethodGet, "/transcript.txt", ""},
			{"transcript as data", http.MethodGet, "/transcript.json", ""},
			{"read marks", http.MethodGet, "/read", ""},
			{"presence", http.MethodGet, "/presence", ""},
			{"!say something", http.MethodPost, "/messages", `{"text":"eve-1"}`},
			{"invite", http.MethodPost, "/recipients", `{"recipients":["eve@example.org"]}`},
			{"revoke", http.MethodDelete, "/recipients/" + uuid.NewString(), ""},
			{"close", http.MethodPost, "/close", ""},
			{"reopen", http.MethodPost, "/reopen", ""},
		} {
			httpProbe(r.name+", "+who, r.method, base+"/api/v1/sessions/THING"+r.path, header, r.body, l.session, uuid.NewString()).try(t)
		}
	}
}
