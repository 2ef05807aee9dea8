package webui

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"mailroom/bridge"
)

func TestAskingToSignInIsAnsweredAlikeForEveryAddress(t *testing.T) {
	c := newHouse(t)
	id := c.start("Plan", bridge.Options{}, bridge.Invitee{Address: bobMail})
	ask := func(address string) whole {
		return see(t, newVisitor(t, c.handler).post("/me", url.Values{"address": {address}}))
	}
	known, unknown := ask(bobMail.ID), ask("nobody@nowhere.test")
	c.service.Wait()
	require.Equal(t, http.StatusOK, known.Status)
	require.Empty(t, cmp.Diff(known, unknown))
	require.Empty(t, cmp.Diff(known, ask(bobMail.ID)), "also if a link is on its way already")
	require.NotEmpty(t, c.letter(id, bobMail, bridge.LetterSignIn).Tokens.SignIn)
	for _, wrong := range []string{"", "bob", "@bob:client.test", "bob@client.test\r\nBcc: eve@evil.test"} {
		require.Equal(t, http.StatusUnprocessableEntity, ask(wrong).Status, wrong)
	}
}

func TestAskingToSignInIsSlowedDown(t *testing.T) {
	c := newHouse(t)
	v := newVisitor(t, c.handler)
	for range MaxAsks {
		require.Equal(t, http.StatusOK, v.post("/me", url.Values{"address": {"a@b.test"}}).StatusCode)
	}
	answer := v.post("/me", url.Values{"address": {"a@b.test"}})
	require.Equal(t, http.StatusTooManyRequests, answer.StatusCode)
	require.Equal(t, "600", answer.Header.Get("Retry-After"))
	require.Equal(t, http.StatusOK, v.get("/me").StatusCode)
}

func TestSigningInNeedsTheButtonAndServesOnce(t *testing.T) {
	c := newHouse(t)
	id := c.start("Plan", bridge.Options{}, bridge.Invitee{Address: bobMail})
	path := "/p/" + c.asks(id, bobMail)
	v := newVisitor(t, c.handler)
	require.Contains(t, body(t, v.get(path)), "b**@c**.test")
	require.Contains(t, body(t, v.get("/me")), "Your email address", "reading it signs nobody in")
	answer := v.post(path, nil)
	require.Equal(t, "/me", answer.Header.Get("Location"))
	require.Regexp(t, `^__Host-mailroom-me=[a-z2-7]{32}; Path=/; Max-Age=\d+; HttpOnly; Secure; SameSite=Lax$`, answer.Header.Get("Set-Cookie"))
	require.Contains(t, body(t, v.get("/me")), "You are signed in as bob@client.test")
	other := newVisitor(t, c.handler)
	used, unknown := see(t, other.post(path, nil)), see(t, other.post("/p/aaaaaaaaaaaaaaaaaaaaaaaaaaaa", nil))
	require.Equal(t, http.StatusNotFound, used.Status)
	require.Empty(t, cmp.Diff(unknown, used))
	require.Empty(t, cmp.Diff(see(t, other.get("/p/x")), see(t, other.get(path))))
	require.Empty(t, other.cookies)
	require.Equal(t, http.StatusNotFound, v.get(sessionPath(id)).StatusCode, "it opens no session")
}

func TestAPersonSeesWhoReachesThemAndEndsIt(t *testing.T) {
	c := newHouse(t)
	over := c.start("Gone", bridge.Options{OffRecord: true}, bridge.Invitee{Address: bobMail})
	require.NoError(t, c.service.Close(t.Context(), over, bridge.Identity{Via: bridge.Web, Address: aliceMail}))
	first := c.start("Plan <b>", bridge.Options{}, bridge.Invitee{Address: bobMail}, bridge.Invitee{Address: carolMail, Name: "Carol"})
	second := c.start("Party", bridge.Options{HideAddresses: true}, bridge.Invitee{Address: bobMail}, bridge.Invitee{Address: carolMail, Blind: true})
	v := c.signsIn(second, bobMail)
	page := body(t, v.get("/me"))
	for _, part := range []string{"Plan &lt;b&gt;", "Party", "Alice invited you", "<bdi>Alice</bdi>, <bdi>Carol</bdi>", "Block Alice"} {
		require.Contains(t, page, part)
	}
	require.NotContains(t, page, `href="`+sessionPath(first), "this browser cannot open it")
	answer := v.post("/me/end", url.Values{"session": {first.String()}})
	require.Equal(t, "/me?done=ended", answer.Header.Get("Location"))
	page = body(t, v.get("/me?done=ended"))
	require.Contains(t, page, "Nothing more of that session reaches you")
	require.NotContains(t, page, "Plan")
	require.Equal(t, bridge.Declined, c.member(first, bobMail).State)
	require.Equal(t, bridge.Invited, c.member(first, carolMail).State)
	require.Equal(t, "/me", v.post("/me/end", url.Values{"session": {first.String()}}).Header.Get("Location"), "it is gone already")
}

func TestWhoStartedASessionClosesItFromThePage(t *testing.T) {
	c := newHouse(t)
	id := c.start("Plan", bridge.Options{}, bridge.Invitee{Address: bobMail})
	v := c.joins(id, aliceMail)
	for name, value := range c.signsIn(id, aliceMail).cookies {
		v.cookies[name] = value
	}
	page := body(t, v.get("/me"))
	require.Contains(t, page, "/me/close")
	require.Contains(t, page, `href="`+sessionPath(id), "this browser can open it")
	require.NotContains(t, page, "/me/end")
	require.NotContains(t, page, "/me/block")
	bobs := c.signsIn(id, bobMail)
	require.Equal(t, http.StatusForbidden, bobs.post("/me/close", url.Values{"session": {id.String()}}).StatusCode)
	require.Equal(t, http.StatusForbidden, v.post("/me/end", url.Values{"session": {id.String()}}).StatusCode)
	require.Equal(t, "/me?done=closed", v.post("/me/close", url.Values{"session": {id.String()}}).Header.Get("Location"))
	room, err := c.service.Room(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, bridge.Ended, room.Session.State)
	require.NotContains(t, body(t, v.get("/me")), "/me/close")
}

func TestBlockingEndsWhatSomebodyStartedAndCanBeUndone(t *testing.T) {
	c := newHouse(t)
	first := c.start("Plan", bridge.Options{}, bridge.Invitee{Address: bobMail})
	c.start("Party", bridge.Options{}, bridge.Invitee{Address: bobMail})
	v := c.signsIn(c.start("Third", bridge.Options{}, bridge.Invitee{Address: bobMail}), bobMail)
	require.Equal(t, "/me?done=blocked", v.post("/me/block", url.Values{"session": {first.String()}}).Header.Get("Location"))
	page := body(t, v.get("/me"))
	require.Contains(t, page, "Nobody can reach you here")
	require.Contains(t, page, `value="alice@example.org"`)
	c.start("Fourth", bridge.Options{}, bridge.Invitee{Address: bobMail})
	require.NotContains(t, body(t, v.get("/me")), "Fourth")
	require.Equal(t, "/me?done=unblocked", v.post("/me/unblock", url.Values{"address": {aliceMail.ID}}).Header.Get("Location"))
	c.start("Fifth", bridge.Options{}, bridge.Invitee{Address: bobMail})
	page = body(t, v.get("/me"))
	require.Contains(t, page, "Fifth")
	require.NotContains(t, page, "Blocked")
}

func TestAPersonChoosesWhoSeesThem(t *testing.T) {
	c := newHouse(t)
	id := c.start("Plan", bridge.Options{}, bridge.Invitee{Address: bobMail})
	v := c.signsIn(id, bobMail)
	require.Contains(t, body(t, v.get("/me")), `value="nobody" checked`)
	form := url.Values{"setting": {"chosen"}, "chosen": {" Alice@example.org \r\n\r\n@dan:example.org\r\nxmpp:eve@example.org\r\nalice@example.org"}}
	require.Equal(t, "/me?done=saved", v.post("/me/presence", form).Header.Get("Location"))
	page := body(t, v.get("/me"))
	require.Contains(t, page, `value="chosen" checked`)
	require.Contains(t, page, "alice@example.org\n@dan:example.org\nxmpp:eve@example.org</textarea>")
	setting, chosen, err := c.service.Presence(t.Context(), bridge.Identity{Via: bridge.Web, Address: bobMail})
	require.NoError(t, err)
	require.Equal(t, bridge.SeenByChosen, setting)
	require.Len(t, chosen, 3)

	answer := v.post("/me/presence", url.Values{"setting": {"everyone"}, "chosen": {"alice@example.org\nnobody </textarea>"}})
	require.Equal(t, http.StatusUnprocessableEntity, answer.StatusCode)
	page = body(t, answer)
	require.Contains(t, page, "One of the lines is not an address")
	require.Contains(t, page, "nobody &lt;/textarea&gt;</textarea>", "what was written is not lost")
	require.Contains(t, page, `value="everyone" checked`)
	require.Equal(t, http.StatusUnprocessableEntity, v.post("/me/presence", url.Values{"setting": {"all"}}).StatusCode)
	setting, _, err = c.service.Presence(t.Context(), bridge.Identity{Via: bridge.Web, Address: bobMail})
	require.NoError(t, err)
	require.Equal(t, bridge.SeenByChosen, setting)
}

func TestSigningOutAsAPerson(t *testing.T) {
	c := newHouse(t)
	id := c.start("Plan", bridge.Options{}, bridge.Invitee{Address: bobMail})
	v := c.signsIn(id, bobMail)
	stolen := v.cookies["__Host-"+personCookie]
	require.Equal(t, "/me?done=signed-out", v.post("/me/signout", nil).Header.Get("Location"))
	thief := newVisitor(t, c.handler)
	thief.cookies["__Host-"+personCookie] = stolen
	require.Contains(t, body(t, thief.get("/me")), "Your email address")
	require.Equal(t, "/me", thief.post("/me/end", url.Values{"session": {id.String()}}).Header.Get("Location"))
	require.Equal(t, bridge.Invited, c.member(id, bobMail).State)
}

func TestSigningOutEverywhereEndsTheBrowsersInSessionsToo(t *testing.T) {
	c := newHouse(t)
	id := c.start("Plan", bridge.Options{}, bridge.Invitee{Address: bobMail}, bridge.Invitee{Address: carolMail})
	inside, bystander := c.joins(id, bobMail), c.joins(id, carolMail)
	events := c.stream(id, inside)
	v, second := c.signsIn(id, bobMail), c.signsIn(id, bobMail)
	require.Contains(t, body(t, v.get("/me")), "This browser")
	require.Equal(t, "/me?done=signed-out-everywhere", v.post("/me/signout-everywhere", nil).Header.Get("Location"))
	events.gone()
	require.Equal(t, http.StatusNotFound, inside.get(sessionPath(id)).StatusCode)
	require.Contains(t, body(t, second.get("/me")), "Your email address")
	require.Equal(t, http.StatusOK, bystander.get(sessionPath(id)).StatusCode)
}

func TestOtherSitesDoNothingInAPersonsName(t *testing.T) {
	c := newHouse(t)
	id := c.start("Plan", bridge.Options{}, bridge.Invitee{Address: bobMail})
	v := c.joins(id, bobMail)
	for name, value := range c.signsIn(id, bobMail).cookies {
		v.cookies[name] = value
	}
	v.header = http.Header{"Sec-Fetch-Site": {"cross-site"}}
	for _, path := range []string{
		"/me", "/me/end", "/me/close", "/me/block", "/me/unblock", "/me/presence", "/me/signout", "/me/signout-everywhere",
		sessionPath(id) + "/signout", c.link(id, bobMail), "/b/" + c.letter(id, bobMail, bridge.LetterBound).Tokens.Browsers,
	} {
		form := url.Values{"session": {id.String()}, "do": {"decline"}, "address": {bobMail.ID}, "setting": {"everyone"}}
		require.Equal(t, http.StatusForbidden, v.post(path, form).StatusCode, path)
	}
	require.Equal(t, bridge.Joined, c.member(id, bobMail).State)
	require.Contains(t, body(t, v.get("/me")), "signed in as")
}
