package webui

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mailroom/bridge"
	"mailroom/locales"
)

func catalogue() *locales.Catalogue { return locales.Default() }

// field is one field of a JSON answer, as JSON.
func field(t *testing.T, r *http.Response, name string) string {
	t.Helper()
	var fields map[string]json.RawMessage
	require.NoError(t, json.NewDecoder(r.Body).Decode(&fields))
	return string(fields[name])
}

// event is one server-sent event.
type event struct{ name, id, data string }

// listener reads a stream over a real connection.
type listener struct {
	t      *testing.T
	lines  *bufio.Scanner
	answer *http.Response
}

func listen(t *testing.T, url string, header http.Header) *listener {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	require.NoError(t, err)
	r.Header = header
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, answer.Body.Close()) })
	return &listener{t, bufio.NewScanner(answer.Body), answer}
}

// next is the next event, or one without name at the end of the stream.
func (l *listener) next() (e event) {
	l.t.Helper()
	for l.lines.Scan() {
		key, value, _ := strings.Cut(l.lines.Text(), ": ")
		switch key {
		case "event":
			e.name = value
		case "id":
			e.id = value
		case "data":
			e.data = value
		case "":
			return e
		}
	}
	return e
}

// entries reads events until n of them are entries, and returns their ids.
func (l *listener) entries(n int) (ids []string) {
	l.t.Helper()
	for len(ids) < n {
		e := l.next()
		require.NotEmpty(l.t, e.name, "the stream ended early")
		if e.name == "entry" {
			ids = append(ids, e.id)
		}
	}
	return ids
}

// cookieOf joins on a running site and returns the header that its browser sends.
func cookieOf(t *testing.T, s *site, name string) http.Header {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Post(s.url+"/j/join-"+name, "", nil)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	return http.Header{"Cookie": {answer.Cookies()[0].String()}}
}

func TestStreamSaysHelloAndGoesOnFromWhereTheReaderIs(t *testing.T) {
	fake := newFake()
	room, alice, _, _, _ := plan(fake)
	site := newSite(t, fake)
	cookie := cookieOf(t, site, "bob") // started, 3 invited, joined: 5 records
	url := sessionURL(site, room.Session.ID) + "/events?after=3"
	l := listen(t, url, cookie)
	require.Equal(t, "text/event-stream", l.answer.Header.Get("Content-Type"))
	require.Equal(t, "no-store, no-transform", l.answer.Header.Get("Cache-Control"))
	require.Equal(t, "hello", l.next().name)
	require.Equal(t, []string{"4", "5"}, l.entries(2))
	fake.say(room, alice, bridge.Mail, text("live"))
	require.Equal(t, []string{"6"}, l.entries(1))
	cookie.Set("Last-Event-ID", "5")
	require.Equal(t, []string{"6"}, listen(t, url, cookie).entries(1), "the header is newer than the address")
}

func TestStreamEndsWithTheServerAndWithThePermission(t *testing.T) {
	fake := newFake()
	room, alice, bob, _, _ := plan(fake)
	site := newSite(t, fake)
	bobs := listen(t, sessionURL(site, room.Session.ID)+"/events?after=0", cookieOf(t, site, "bob"))
	carols := listen(t, sessionURL(site, room.Session.ID)+"/events?after=0", cookieOf(t, site, "carol"))
	bobs.entries(5)
	require.NoError(t, fake.Revoke(t.Context(), room.Session.ID, bridge.Identity{Grant: alice.Grant.ID}, bob.ID, false))
	for e := bobs.next(); e.name != "gone"; e = bobs.next() {
		require.NotEmpty(t, e.name)
		require.NotContains(t, e.data, "removed", "the revocation itself is not for the revoked")
	}
	require.Empty(t, bobs.next().name)
	carols.entries(5)
	site.stop()
	for carols.next().name != "" {
	}
}

func TestLongPollAnswersWhenSomethingComes(t *testing.T) {
	fake := newFake()
	room, alice, _, _, _ := plan(fake)
	site := newSite(t, fake)
	cookie := cookieOf(t, site, "bob")
	url := sessionURL(site, room.Session.ID) + "/events?after=5&wait="
	answer := listen(t, url+"0", cookie).answer
	require.Equal(t, "null", field(t, answer, "entries"), "without waiting there is nothing")
	answered := make(chan *http.Response, 1)
	go func() { answered <- listen(t, url+"20", cookie).answer }()
	fake.say(room, alice, bridge.Mail, text("at last"))
	require.Contains(t, field(t, <-answered, "entries"), "at last")
}

func TestReaderHasABoundOfStreams(t *testing.T) {
	fake := newFake()
	room, _, _, _, _ := plan(fake)
	site := newSite(t, fake)
	cookie := cookieOf(t, site, "bob")
	url := sessionURL(site, room.Session.ID) + "/events?after=0"
	for range MaxStreams {
		require.Equal(t, http.StatusOK, listen(t, url, cookie).answer.StatusCode)
	}
	require.Equal(t, http.StatusRequestEntityTooLarge, listen(t, url, cookie).answer.StatusCode)
}

func TestStreamRunsOverHTTP2(t *testing.T) {
	fake := newFake()
	room, _, _, _, _ := plan(fake)
	certified := httptest.NewUnstartedServer(nil)
	certified.EnableHTTP2 = true
	certified.StartTLS()
	t.Cleanup(certified.Close)
	site := &site{t: t, fake: fake, config: Config{Listen: "127.0.0.1:0", PublicURL: "https://example.com", TLS: certified.TLS}}
	site.start()
	t.Cleanup(func() { site.stop() })
	client := certified.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	address := "https://" + site.config.Listen
	answer, err := client.Post(address+"/j/join-bob", "", nil)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	r, err := http.NewRequestWithContext(t.Context(), "GET", address+sessionPath(room.Session.ID)+"/events?after=0", nil)
	require.NoError(t, err)
	r.AddCookie(answer.Cookies()[0])
	answer, err = client.Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, answer.Body.Close()) })
	require.Equal(t, 2, answer.ProtoMajor)
	l := &listener{t, bufio.NewScanner(answer.Body), answer}
	require.Equal(t, "hello", l.next().name)
	require.Equal(t, []string{"1", "2", "3", "4", "5"}, l.entries(5))
}
