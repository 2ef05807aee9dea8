package webui

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"mailroom/bridge"
)

var alice, bob, dora = aliceMail, bobMail, bridge.EmailAddress("dora@shop.test")

func as(a bridge.Address) bridge.Identity { return bridge.Identity{Via: bridge.Web, Address: a} }

// core is the real core with all that it can do, for tests of what goes on in a session: see house.
type core struct {
	*bridge.Service
	house *house
	t     *testing.T
}

func newCore(t *testing.T) *core {
	t.Helper()
	h := newHouse(t, func(c *bridge.Config) {
		c.Allow = bridge.AllowList{"*@example.org"}
		c.Networks = []bridge.Network{bridge.Web, bridge.Mail, bridge.Matrix, bridge.XMPP}
	})
	return &core{h.service, h, t}
}

// guest invites somebody without more.
func guest(a bridge.Address, name string) bridge.Invitee {
	return bridge.Invitee{Address: a, Name: name}
}

// plan starts a session of Alice's.
func (c *core) plan(o bridge.Options, invitees ...bridge.Invitee) uuid.UUID {
	c.t.Helper()
	return c.house.start("Friday plan", o, invitees...)
}

func (c *core) member(session uuid.UUID, a bridge.Address) bridge.Member {
	c.t.Helper()
	return c.house.member(session, a)
}

// say posts as an address, from the web.
func (c *core) say(session uuid.UUID, a bridge.Address, words string) bridge.Record {
	c.t.Helper()
	r, err := c.Post(context.Background(), bridge.PostRequest{
		Session: session, By: as(a), Body: text(words), Origin: bridge.Origin{Network: bridge.Web, ID: uuid.NewString()},
	})
	require.NoError(c.t, err)
	return r
}

// sees lets everybody see an address as reachable.
func (c *core) sees(setting bridge.PresenceSetting, a bridge.Address) {
	c.t.Helper()
	require.NoError(c.t, c.SetPresence(context.Background(), as(a), setting, nil))
}

func (c *core) link(session uuid.UUID, a bridge.Address) string {
	c.t.Helper()
	return c.house.link(session, a)
}

func (c *core) handler() http.Handler { return c.house.handler }

// visitor is a browser that joined as somebody.
func (c *core) visitor(h http.Handler, session uuid.UUID, a bridge.Address) *visitor {
	c.t.Helper()
	v := newVisitor(c.t, h)
	require.Equal(c.t, http.StatusSeeOther, v.post(c.link(session, a), nil).StatusCode)
	return v
}

// form is the fields of a form on somebody's page.
func (c *core) form(session uuid.UUID, a bridge.Address, fields ...string) url.Values {
	c.t.Helper()
	form := url.Values{"me": {c.member(session, a).ID.String()}}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return form
}

// serve runs a site on loopback and returns its address.
func (c *core) serve() string { c.t.Helper(); return c.serveWith(c) }

// serveWith serves something that stands before the core.
func (c *core) serveWith(service Service) string {
	c.t.Helper()
	server, err := New(Config{Listen: "127.0.0.1:0", PublicURL: "http://127.0.0.1"}, service, slog.New(slog.NewTextHandler(io.Discard, nil)))
	require.NoError(c.t, err)
	require.NoError(c.t, server.Listen())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	c.t.Cleanup(func() { cancel(); require.NoError(c.t, <-done) })
	return "http://" + server.Addr().String()
}

// cookie joins at a running site and returns the header that the browser sends.
func (c *core) cookie(site string, session uuid.UUID, a bridge.Address) http.Header {
	c.t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Post(site+c.link(session, a), "", nil)
	require.NoError(c.t, err)
	require.NoError(c.t, answer.Body.Close())
	require.NotEmpty(c.t, answer.Cookies(), answer.Status)
	return http.Header{"Cookie": {answer.Cookies()[0].String()}}
}

// browser is a Chromium that joined as somebody.
func (c *core) browser(site string, session uuid.UUID, a bridge.Address) *profile {
	c.t.Helper()
	p := newProfile(c.t)
	p.visit(site + c.link(session, a))
	p.click("form .button")
	p.shows("#composer")
	return p
}

// client is an API client whose token acts as an address.
func (c *core) client(h http.Handler, a bridge.Address, admin bool) *visitor {
	c.t.Helper()
	token, err := c.NewAPIToken(context.Background(), a, admin)
	require.NoError(c.t, err)
	v := newVisitor(c.t, h)
	v.header = http.Header{"Authorization": {"Bearer " + token}}
	return v
}

func apiPath(session uuid.UUID, tail string, args ...any) string {
	return "/sessions/" + session.String() + fmt.Sprintf(tail, args...)
}
