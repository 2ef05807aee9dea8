package webui

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mailroom/bridge"
)

// Mail scanners open every link with GET or HEAD, from where the reader's cookies are not, or are.
func TestReadingALinkWritesNothingAndMailsNothing(t *testing.T) {
	c := newHouse(t)
	id := c.start("Plan", bridge.Options{}, bridge.Invitee{Address: bobMail}, bridge.Invitee{Address: carolMail})
	known := c.joins(id, carolMail)
	signedIn := c.signsIn(id, carolMail)
	c.joins(id, bobMail)
	paths := []string{
		c.link(id, bobMail), c.link(id, carolMail), "/b/" + c.letter(id, bobMail, bridge.LetterBound).Tokens.Browsers,
		"/p/" + c.asks(id, bobMail), "/me", "/no-thanks", "/no-thanks-reported", "/signed-out",
	}
	records, bobs, carols := c.log(id), c.mails(id, c.member(id, bobMail).ID), c.mails(id, c.member(id, carolMail).ID)
	for _, v := range []*visitor{newVisitor(t, c.handler), known, signedIn} {
		for _, path := range paths {
			for _, method := range []string{"GET", "HEAD"} {
				answer := v.send(method, path, "", "")
				require.Contains(t, []int{http.StatusOK, http.StatusSeeOther}, answer.StatusCode, path)
				require.Empty(t, answer.Cookies())
			}
		}
	}
	require.Equal(t, records, c.log(id))
	require.Equal(t, bobs, c.mails(id, c.member(id, bobMail).ID))
	require.Equal(t, carols, c.mails(id, c.member(id, carolMail).ID))
	_, browsers, err := c.service.Browsers(t.Context(), c.letter(id, bobMail, bridge.LetterBound).Tokens.Browsers)
	require.NoError(t, err)
	require.Len(t, browsers, 1)
}

// asks asks for a sign-in link and returns its token.
func (c *house) asks(session [16]byte, a bridge.Address) string {
	c.t.Helper()
	require.Equal(c.t, http.StatusOK, newVisitor(c.t, c.handler).post("/me", url.Values{"address": {a.ID}}).StatusCode)
	c.service.Wait()
	return c.letter(session, a, bridge.LetterSignIn).Tokens.SignIn
}

func TestWhoGotAForwardedMailNeedsTheCode(t *testing.T) {
	c := newHouse(t)
	id := c.start("Plan", bridge.Options{}, bridge.Invitee{Address: bobMail})
	c.joins(id, bobMail)
	records := c.log(id)
	stranger := newVisitor(t, c.handler)
	answer := stranger.post(c.link(id, bobMail), nil)
	require.Equal(t, http.StatusOK, answer.StatusCode)
	require.Empty(t, answer.Cookies())
	page := body(t, answer)
	for _, part := range []string{`name="code"`, `inputmode="numeric"`, `autocomplete="one-time-code"`, "b**@c**.test"} {
		require.Contains(t, page, part)
	}
	require.NotContains(t, page, "Plan")
	require.Equal(t, http.StatusNotFound, stranger.get(sessionPath(id)).StatusCode)
	stranger.post(c.link(id, bobMail), url.Values{"do": {"decline"}})
	require.Equal(t, bridge.Joined, c.member(id, bobMail).State, "nor does the link take the invitation away from who has it")
	require.Equal(t, records, c.log(id))

	second := newVisitor(t, c.handler)
	code := c.letter(id, bobMail, bridge.LetterCode).Code
	answer = second.post(c.link(id, bobMail), url.Values{"code": {" " + code[:3] + " " + code[3:]}})
	require.Equal(t, http.StatusSeeOther, answer.StatusCode)
	require.Equal(t, http.StatusOK, second.get(sessionPath(id)).StatusCode)
	again := newVisitor(t, c.handler).post(c.link(id, bobMail), url.Values{"code": {code}})
	require.Equal(t, http.StatusUnprocessableEntity, again.StatusCode, "a code serves once")
}

func TestWrongCodesAreBounded(t *testing.T) {
	c := newHouse(t)
	id := c.start("Plan", bridge.Options{}, bridge.Invitee{Address: bobMail})
	c.joins(id, bobMail)
	v, link := newVisitor(t, c.handler), c.link(id, bobMail)
	v.post(link, nil)
	code := c.letter(id, bobMail, bridge.LetterCode).Code
	wrong := url.Values{"code": {"000000"}}
	if code == "000000" {
		wrong.Set("code", "000001")
	}
	for range bridge.CodeTries {
		answer := v.post(link, wrong)
		require.Equal(t, http.StatusUnprocessableEntity, answer.StatusCode)
		require.Contains(t, body(t, answer), "not the code in our newest email")
	}
	answer := v.post(link, url.Values{"code": {code}})
	require.Equal(t, http.StatusTooManyRequests, answer.StatusCode, "also for the right one")
	page := body(t, answer)
	require.Contains(t, page, "Send a new code")
	require.NotContains(t, page, `name="code"`)
	for range bridge.CodesInHour - 1 {
		require.Equal(t, http.StatusOK, v.post(link, nil).StatusCode)
		for range bridge.CodeTries {
			v.post(link, url.Values{"code": {"x"}})
		}
	}
	answer = v.post(link, nil)
	require.Equal(t, http.StatusTooManyRequests, answer.StatusCode)
	require.Contains(t, body(t, answer), "wait an hour")
}

func TestTheOwnerSeesTheBrowsersAndEndsThem(t *testing.T) {
	c := newHouse(t)
	id := c.start("Plan", bridge.Options{}, bridge.Invitee{Address: bobMail})
	stranger := newVisitor(t, c.handler)
	stranger.header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	require.Equal(t, http.StatusSeeOther, stranger.post(c.link(id, bobMail), nil).StatusCode)
	letter := c.letter(id, bobMail, bridge.LetterBound)
	require.Equal(t, "Firefox on Linux", letter.Browser.Label)
	events := c.stream(id, stranger)
	owner, path := newVisitor(t, c.handler), "/b/"+letter.Tokens.Browsers
	page := body(t, owner.get(path))
	require.Contains(t, page, "Firefox on Linux")
	require.Contains(t, page, "b**@c**.test")
	require.Contains(t, body(t, owner.post(path, nil)), "No browser speaks for you any more")
	require.Equal(t, http.StatusNotFound, stranger.get(sessionPath(id)).StatusCode)
	events.gone()
	require.Contains(t, body(t, owner.get(path)), "No browser speaks for you.")
	require.Equal(t, http.StatusOK, stranger.post(c.link(id, bobMail), nil).StatusCode, "the stranger still has the link, and is asked for the code")
	require.Equal(t, http.StatusNotFound, stranger.get(sessionPath(id)).StatusCode)
}

func TestAStolenCookieIsDeadAfterSigningOut(t *testing.T) {
	c := newHouse(t)
	id := c.start("Plan", bridge.Options{}, bridge.Invitee{Address: bobMail}, bridge.Invitee{Address: carolMail})
	other := c.start("Other", bridge.Options{}, bridge.Invitee{Address: bobMail})
	v, bystander := c.joins(id, bobMail), c.joins(id, carolMail)
	require.Equal(t, http.StatusSeeOther, v.post(c.link(other, bobMail), nil).StatusCode)
	thief := newVisitor(t, c.handler)
	for name, value := range v.cookies {
		thief.cookies[name] = value
	}
	require.Equal(t, http.StatusOK, thief.get(sessionPath(id)).StatusCode)
	events, bystanders := c.stream(id, thief), c.stream(id, bystander)
	answer := v.post(sessionPath(id)+"/signout", nil)
	require.Equal(t, http.StatusSeeOther, answer.StatusCode)
	require.Equal(t, "/signed-out", answer.Header.Get("Location"))
	events.gone()
	for name, browser := range map[string]*visitor{"its owner": v, "the thief": thief} {
		require.Equal(t, http.StatusNotFound, browser.get(sessionPath(id)).StatusCode, name)
		require.Equal(t, http.StatusNotFound, browser.get(sessionPath(id)+"/events?after=0&wait=0").StatusCode, name)
		form := url.Values{"text": {"x"}, "client": {newClient()}, "me": {c.member(id, bobMail).ID.String()}}
		require.Equal(t, http.StatusNotFound, browser.post(sessionPath(id)+"/messages", form).StatusCode, name)
		require.Equal(t, http.StatusNotFound, browser.post(sessionPath(id)+"/signout", nil).StatusCode, name)
		require.Equal(t, http.StatusOK, browser.get(sessionPath(other)).StatusCode, name+" in another session")
	}
	require.Equal(t, http.StatusOK, bystander.get(sessionPath(id)).StatusCode)
	_, err := c.service.Post(t.Context(), bridge.PostRequest{
		Session: id, By: bridge.Identity{Via: bridge.Mail, Address: bobMail}, Body: text("still one of them"), Origin: bridge.Origin{Network: bridge.Mail, ID: "1"},
	})
	require.NoError(t, err, "the person stays in the session")
	for e := bystanders.next(); e.name != "entry" || !strings.Contains(e.data, "still one of them"); e = bystanders.next() {
		require.NotEmpty(t, e.name)
	}
}

func TestTheLastKeyTakesItsCookieAlong(t *testing.T) {
	c := newHouse(t)
	id := c.start("Plan", bridge.Options{}, bridge.Invitee{Address: bobMail})
	v := c.joins(id, bobMail)
	cookies := v.post(sessionPath(id)+"/signout", nil).Cookies()
	require.Len(t, cookies, 1)
	require.Empty(t, cookies[0].Value)
	require.Negative(t, cookies[0].MaxAge)
}

func TestAStaleStreamEndsWhenItsReaderIsRemoved(t *testing.T) {
	c := newHouse(t)
	id := c.start("Plan", bridge.Options{}, bridge.Invitee{Address: bobMail})
	events := c.stream(id, c.joins(id, bobMail))
	began := time.Now()
	require.NoError(t, c.service.Revoke(t.Context(), id, bridge.Identity{Via: bridge.Web, Address: aliceMail}, c.member(id, bobMail).ID, false))
	events.gone()
	require.Less(t, time.Since(began), 5*time.Second)
}

func TestEverybodyIsAskedForACodeWhereTheOperatorWantsIt(t *testing.T) {
	c := newHouse(t, func(config *bridge.Config) { config.CodeAlways = true })
	id := c.start("Plan", bridge.Options{}, bridge.Invitee{Address: bobMail})
	v := newVisitor(t, c.handler)
	require.Equal(t, http.StatusOK, v.post(c.link(id, bobMail), nil).StatusCode)
	require.Equal(t, bridge.Invited, c.member(id, bobMail).State)
	code := url.Values{"code": {c.letter(id, bobMail, bridge.LetterCode).Code}}
	require.Equal(t, http.StatusSeeOther, v.post(c.link(id, bobMail), code).StatusCode)
	require.Equal(t, bridge.Joined, c.member(id, bobMail).State)
}
