package webui

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mailroom/bridge"
)

// Mail scanners open every link, some with HEAD first.
func TestOpeningAnInvitationChangesNothing(t *testing.T) {
	fake := newFake()
	room, _, bob, _, _ := plan(fake)
	v := newVisitor(t, handler(t, fake))
	before := len(fake.records(room.Session.ID))
	for _, method := range []string{"GET", "HEAD"} {
		answer := v.send(method, "/j/join-bob", "", "")
		require.Equal(t, http.StatusOK, answer.StatusCode)
		require.Empty(t, answer.Cookies())
	}
	require.Len(t, fake.records(room.Session.ID), before)
	m, _ := fake.rooms[room.Session.ID].Member(bob.ID)
	require.Equal(t, bridge.Invited, m.State)
}

func TestInvitationSaysWhoInvitesWhomToWhat(t *testing.T) {
	fake := newFake()
	plan(fake)
	page := body(t, newVisitor(t, handler(t, fake)).get("/j/join-bob"))
	for _, part := range []string{"Alice invites you", "Friday plan", "b**@c**.test", "Only the 4 people"} {
		require.Contains(t, page, part)
	}
	require.NotContains(t, page, "bob@client.test", "whoever got the link by mistake must not learn the address")
}

func TestButtonJoinsAndBindsTheBrowser(t *testing.T) {
	fake := newFake()
	room, _, bob, _, _ := plan(fake)
	v := newVisitor(t, handler(t, fake))
	answer := v.post("/j/join-bob", nil)
	require.Equal(t, http.StatusSeeOther, answer.StatusCode)
	require.Equal(t, sessionPath(room.Session.ID), answer.Header.Get("Location"))
	cookie := answer.Header.Get("Set-Cookie")
	require.True(t, strings.HasPrefix(cookie, "__Host-mailroom="), cookie)
	for _, part := range []string{"Path=/", "Secure", "HttpOnly", "SameSite=Lax"} {
		require.Contains(t, cookie, part)
	}
	m, _ := fake.rooms[room.Session.ID].Member(bob.ID)
	require.Equal(t, bridge.Joined, m.State)
	require.Equal(t, http.StatusOK, v.get(sessionPath(room.Session.ID)).StatusCode)
}

func TestReturningPersonGoesStraightIn(t *testing.T) {
	fake := newFake()
	room, _, _, _, _ := plan(fake)
	v := newVisitor(t, handler(t, fake)).join("bob")
	answer := v.get("/j/join-bob")
	require.Equal(t, http.StatusSeeOther, answer.StatusCode)
	require.Equal(t, sessionPath(room.Session.ID), answer.Header.Get("Location"))
	require.Equal(t, http.StatusOK, v.get("/j/join-carol").StatusCode, "another person's link asks first")
}

func TestCookieOnPlainHTTPHasItsPlainName(t *testing.T) {
	fake := newFake()
	plan(fake)
	v := newVisitor(t, handler(t, fake, func(c *Config) { c.PublicURL = "http://127.0.0.1:8080" }))
	cookie := v.post("/j/join-bob", nil).Header.Get("Set-Cookie")
	require.True(t, strings.HasPrefix(cookie, "mailroom="), cookie)
	require.NotContains(t, cookie, "Secure")
}

func TestOneCookieServesManySessions(t *testing.T) {
	fake := newFake()
	first, second := fake.open("One", someone("Ann", "ann@example.org"), someone("Bea", "bea@client.test")),
		fake.open("Two", someone("Cid", "cid@example.org"), someone("Dora", "dora@client.test"))
	v := newVisitor(t, handler(t, fake)).join("bea").join("dora")
	require.Len(t, v.cookies, 1)
	require.Equal(t, http.StatusOK, v.get(sessionPath(first.Session.ID)).StatusCode)
	require.Equal(t, http.StatusOK, v.get(sessionPath(second.Session.ID)).StatusCode)
}

func TestCookieHasABound(t *testing.T) {
	var ring keyring
	for range 200 {
		room := newFake().open("x", someone("Ann", "ann@example.org"))
		ring = ring.with(room.Session.ID, strings.Repeat("s", 26))
		require.LessOrEqual(t, len(strings.Join(ring, ".")), MaxCookie)
	}
	require.Greater(t, len(ring), 90)
}

func TestMaskedAddresses(t *testing.T) {
	for address, want := range map[string]string{
		"bob@client.test": "b**@c**.test", "x@y": "x**@y**", "łukasz@mail.example.org": "ł**@m**.org", "@dan:example.org": "d**@e**.org",
	} {
		require.Equal(t, want, masked(someone("", address)), address)
	}
}

func TestHeldReplyIsShownAndDecided(t *testing.T) {
	fake := newFake()
	room, _, bob, _, _ := plan(fake)
	held := bridge.Held{Session: room.Session.ID, Member: bob.ID, Sender: bridge.EmailAddress("bob@phone.test"),
		Body: text("From <b>elsewhere</b>"), State: bridge.HeldWaiting}
	fake.held["confirm-1"], fake.held["confirm-2"] = held, held
	v := newVisitor(t, handler(t, fake))
	page := body(t, v.get("/c/confirm-1"))
	require.Contains(t, page, "bob@phone.test")
	require.Contains(t, page, "From &lt;b&gt;elsewhere")
	require.Equal(t, bridge.HeldWaiting, fake.held["confirm-1"].State, "reading changes nothing")
	require.Contains(t, body(t, v.post("/c/confirm-1", url.Values{"do": {"post"}})), "It is posted")
	require.Equal(t, bridge.HeldPosted, fake.held["confirm-1"].State)
	require.Contains(t, body(t, v.post("/c/confirm-2", url.Values{"do": {"refuse"}})), "thrown away")
	require.Equal(t, bridge.HeldRefused, fake.held["confirm-2"].State)
}

func TestHeldReplyIsNotThrownAwayWithoutTheButton(t *testing.T) {
	fake := newFake()
	room, _, bob, _, _ := plan(fake)
	fake.held["confirm"] = bridge.Held{Session: room.Session.ID, Member: bob.ID, Sender: bob.Address, State: bridge.HeldWaiting}
	v := newVisitor(t, handler(t, fake))
	for _, form := range []url.Values{nil, {"do": {""}}, {"do": {"delete"}}, {"List-Unsubscribe": {"One-Click"}}} {
		answer := v.post("/c/confirm", form)
		require.Equal(t, http.StatusUnprocessableEntity, answer.StatusCode)
		require.Contains(t, body(t, answer), "press one of the two buttons")
		require.Equal(t, bridge.HeldWaiting, fake.held["confirm"].State)
	}
}

func TestUnsubscribeNeedsThePost(t *testing.T) {
	fake := newFake()
	room, _, bob, _, _ := plan(fake)
	v := newVisitor(t, handler(t, fake))
	mailed := func() bool { m, _ := fake.rooms[room.Session.ID].Member(bob.ID); return !m.NoMail }
	require.Equal(t, http.StatusOK, v.get("/u/unsubscribe-bob").StatusCode)
	require.True(t, mailed())
	// RFC 8058: a provider posts from another site's machine, without cookies, and follows no redirect.
	v.header = http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://mail.test"}}
	require.Equal(t, http.StatusOK, v.post("/u/unsubscribe-bob", url.Values{"List-Unsubscribe": {"One-Click"}}).StatusCode)
	require.False(t, mailed())
}
