package webui

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"mailroom/bridge"
	"mailroom/store/storetest"
)

var (
	aliceMail = bridge.EmailAddress("alice@example.org")
	bobMail   = bridge.EmailAddress("bob@client.test")
	carolMail = bridge.EmailAddress("carol@shop.test")
)

// house is a gateway over the real core, on a database of its own.
type house struct {
	t       *testing.T
	service *bridge.Service
	mails   func(session, member uuid.UUID) []bridge.Mailing
	handler http.Handler
	plain   http.Handler // the same on plain HTTP, for streams
}

func newHouse(t *testing.T, change ...func(*bridge.Config)) *house {
	t.Helper()
	db := storetest.Open(t, "sqlite:"+filepath.Join(t.TempDir(), "mailroom.db"))
	config := bridge.Config{
		Key: []byte(strings.Repeat("k", 32)), Allow: bridge.AllowList{"*@example.org", "*@client.test"}, Node: "this", MailHost: "in.example.org",
		Networks: []bridge.Network{bridge.Web, bridge.Mail},
	}
	for _, f := range change {
		f(&config)
	}
	service, err := bridge.NewService(config, db, bridge.NewHub(), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	c := &house{t: t, service: service}
	c.mails = func(session, member uuid.UUID) []bridge.Mailing {
		mails, err := db.ListMails(context.Background(), session, member)
		require.NoError(t, err)
		return mails
	}
	c.handler, c.plain = c.gateway("https://chat.example.org"), c.gateway("http://127.0.0.1")
	t.Cleanup(service.Wait)
	return c
}

func (c *house) gateway(publicURL string) http.Handler {
	server, err := New(Config{PublicURL: publicURL}, c.service, slog.New(slog.DiscardHandler))
	require.NoError(c.t, err)
	return server.Handler()
}

// start has Alice start a session.
func (c *house) start(subject string, o bridge.Options, invitees ...bridge.Invitee) uuid.UUID {
	c.t.Helper()
	room, err := c.service.Start(c.t.Context(), bridge.StartRequest{
		By: bridge.Identity{Via: bridge.Web, Address: aliceMail, Name: "Alice"}, Subject: subject, Body: text("first words of " + subject), Invitees: invitees, Options: o,
		Origin: bridge.Origin{Network: bridge.Web, ID: uuid.NewString()},
	})
	require.NoError(c.t, err)
	return room.Session.ID
}

func (c *house) member(session uuid.UUID, a bridge.Address) bridge.Member {
	c.t.Helper()
	room, err := c.service.Room(c.t.Context(), session)
	require.NoError(c.t, err)
	m, ok := room.ByAddress(a)
	require.True(c.t, ok)
	return m
}

// link is the one in somebody's invitation.
func (c *house) link(session uuid.UUID, a bridge.Address) string {
	c.t.Helper()
	token, err := c.service.Token(c.t.Context(), session, c.member(session, a).ID, bridge.RightJoin)
	require.NoError(c.t, err)
	return "/j/" + token
}

// letter is the newest mail of a kind to a member.
func (c *house) letter(session uuid.UUID, a bridge.Address, kind bridge.LetterKind) bridge.Letter {
	c.t.Helper()
	mails := c.mails(session, c.member(session, a).ID)
	for i := len(mails) - 1; i >= 0; i-- {
		if mails[i].Kind == kind {
			l, ok, err := c.service.Letter(c.t.Context(), mails[i])
			require.NoError(c.t, err)
			require.True(c.t, ok)
			return l
		}
	}
	c.t.Fatalf("no %s was mailed to %s", kind, a)
	return bridge.Letter{}
}

// log is everything that was written of a session.
func (c *house) log(session uuid.UUID) []bridge.Record {
	c.t.Helper()
	records, err := c.service.Log(c.t.Context(), session, 0, 100)
	require.NoError(c.t, err)
	return records
}

// joins presses the button in a new browser.
func (c *house) joins(session uuid.UUID, a bridge.Address) *visitor {
	c.t.Helper()
	v := newVisitor(c.t, c.handler)
	require.Equal(c.t, http.StatusSeeOther, v.post(c.link(session, a), nil).StatusCode)
	return v
}

// signsIn asks for the link and presses its button, in a new browser.
func (c *house) signsIn(session uuid.UUID, a bridge.Address) *visitor {
	c.t.Helper()
	v := newVisitor(c.t, c.handler)
	require.Equal(c.t, http.StatusOK, v.post("/me", url.Values{"address": {a.ID}}).StatusCode)
	c.service.Wait()
	answer := v.post("/p/"+c.letter(session, a, bridge.LetterSignIn).Tokens.SignIn, nil)
	require.Equal(c.t, http.StatusSeeOther, answer.StatusCode)
	require.Equal(c.t, "/me", answer.Header.Get("Location"))
	return v
}

// stream opens the stream of a session with a browser's cookies, as it is sent over plain HTTP.
func (c *house) stream(session uuid.UUID, v *visitor) *listener {
	c.t.Helper()
	site := httptest.NewServer(c.plain)
	c.t.Cleanup(site.CloseClientConnections)
	cookie := http.Header{"Cookie": {cookieName + "=" + v.cookies["__Host-"+cookieName]}}
	l := listen(c.t, site.URL+sessionPath(session)+"/events?after=0", cookie)
	require.Equal(c.t, http.StatusOK, l.answer.StatusCode)
	require.Equal(c.t, "hello", l.next().name)
	return l
}

// gone reads a stream until it says that it is over.
func (l *listener) gone() {
	l.t.Helper()
	for e := l.next(); e.name != "gone"; e = l.next() {
		require.NotEmpty(l.t, e.name, "the stream ended without a word")
	}
	require.Empty(l.t, l.next().name)
}
