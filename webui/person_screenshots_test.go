package webui

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"mailroom/bridge"
)

// live serves the core over plain HTTP and returns its address.
func (c *house) live() string {
	c.t.Helper()
	site := httptest.NewServer(c.plain)
	c.t.Cleanup(site.CloseClientConnections)
	return site.URL
}

// neighbours is a person in several sessions, one of each kind.
func (c *house) neighbours() (fair uuid.UUID) {
	c.t.Helper()
	c.start("Which colour for the hall?", bridge.Options{}, bridge.Invitee{Address: bobMail, ExpiresAt: time.Now().Add(time.Millisecond)})
	c.start("Before the meeting on Monday", bridge.Options{OffRecord: true}, bridge.Invitee{Address: bobMail}, bridge.Invitee{Address: carolMail, Name: "Carol Ng"})
	chidi := bridge.Identity{Via: bridge.Web, Address: bridge.EmailAddress("chidi@example.org"), Name: "Chidi Okafor"}
	_, err := c.service.Start(c.t.Context(), bridge.StartRequest{
		By: chidi, Subject: "اجتماع الجيران", Body: text("مرحبا"), Invitees: []bridge.Invitee{{Address: bobMail}, {Address: carolMail, Name: "Carol Ng"}},
		Origin: bridge.Origin{Network: bridge.Web, ID: "chidi"},
	})
	require.NoError(c.t, err)
	fair = c.start("Summer fair: who brings what?", bridge.Options{}, bridge.Invitee{Address: bobMail, Name: "Bob"}, bridge.Invitee{Address: carolMail, Name: "Carol Ng"})
	_, err = c.service.Start(c.t.Context(), bridge.StartRequest{
		By: bridge.Identity{Via: bridge.Web, Address: bobMail, Name: "Bob"}, Subject: "Cake without nuts", Body: text("?"), Invitees: []bridge.Invitee{{Address: carolMail, Name: "Carol Ng"}},
		Origin: bridge.Origin{Network: bridge.Web, ID: "bob"},
	})
	require.NoError(c.t, err)
	require.NoError(c.t, c.service.Block(c.t.Context(), bridge.Identity{Via: bridge.Web, Address: bobMail}, bridge.EmailAddress("offers@watches.test")))
	return fair
}

// The newest session is that of which the sign-in mail is.
func (c *house) signInOf(a bridge.Address) string {
	c.t.Helper()
	c.service.AskSignIn(c.t.Context(), a)
	c.service.Wait()
	sessions, err := c.service.Sessions(c.t.Context(), bridge.Identity{Via: bridge.Web, Address: a}, 1)
	require.NoError(c.t, err)
	return "/p/" + c.letter(sessions[0].ID, a, bridge.LetterSignIn).Tokens.SignIn
}

// Every page must fit the window that it is shown in, at the size of a desk and of a phone, in the light and in the dark.
func TestPagesOfAPersonFitEveryWindow(t *testing.T) {
	c := newHouse(t)
	id := c.neighbours()
	off := c.start("Hush", bridge.Options{OffRecord: true}, bridge.Invitee{Address: bobMail}, bridge.Invitee{Address: carolMail, Blind: true})
	c.joins(id, carolMail)
	url := c.live()
	for name, show := range map[string]func(*profile){
		"decline": func(p *profile) {
			p.visit(url + c.link(id, bobMail))
			p.click(".more > summary")
			p.click(".more .more > summary")
		},
		"join-off-record": func(p *profile) { p.visit(url + c.link(off, carolMail)) },
		"code": func(p *profile) {
			p.visit(url + c.link(id, carolMail))
			p.click("form .button")
			p.shows("input.code")
			p.fill("input.code", "123456")
			p.click("form .button")
			p.shows(".fault")
		},
		"browsers": func(p *profile) { p.visit(url + "/b/" + c.letter(id, carolMail, bridge.LetterBound).Tokens.Browsers) },
		"ask":      func(p *profile) { p.visit(url + "/me") },
	} {
		t.Run(name, func(t *testing.T) { fits(t, name, show) })
	}
	bobs := newProfile(t)
	bobs.visit(url + c.signInOf(bobMail))
	bobs.click("form .button")
	bobs.shows(".wide")
	t.Run("me", func(t *testing.T) { fitsIn(t, bobs, "me", func(p *profile) { p.visit(url + "/me?done=saved") }) })
}

// fits shows a page in a fresh browser.
func fits(t *testing.T, name string, show func(*profile)) {
	t.Helper()
	p := newProfile(t)
	fitsIn(t, &profile{t, p.ctx}, name, show)
}

func fitsIn(t *testing.T, p *profile, name string, show func(*profile)) {
	t.Helper()
	show(p)
	for _, window := range []struct {
		tail          string
		width, height int64
		dark          bool
	}{{"", 1100, 900, false}, {"-phone", 360, 780, false}, {"-dark", 1100, 900, true}} {
		p.do(chromedp.EmulateViewport(window.width, window.height))
		if window.dark {
			dark(p)
		}
		require.LessOrEqual(t, eval[int](p, "document.documentElement.scrollWidth"), int(window.width))
		keep(t, p, name+window.tail)
	}
}

func TestAFurtherBrowserComesInByTheCodeWithoutScript(t *testing.T) {
	c := newHouse(t)
	id := c.start("Plan", bridge.Options{}, bridge.Invitee{Address: bobMail})
	c.joins(id, bobMail)
	url := c.live()
	p := newProfile(t).withoutScript()
	p.visit(url + c.link(id, bobMail))
	p.click("form .button")
	p.shows("input.code")
	p.fill("input.code", c.letter(id, bobMail, bridge.LetterCode).Code)
	p.click("form .button")
	p.shows("#composer")
	require.True(t, strings.HasSuffix(eval[string](p, "location.href"), sessionPath(id)))
}
