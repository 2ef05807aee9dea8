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

func containsText(page, part string) bool { return strings.Contains(page, part) }

func TestNoThankYouGivesTheInvitationBack(t *testing.T) {
	c := newCore(t)
	id := c.start("Plan", bridge.Options{}, bridge.Invitee{Address: bob}, bridge.Invitee{Address: carol})
	v, link := newVisitor(t, c.handler), c.link(id, bob)
	require.Contains(t, body(t, v.get(link)), "No, thank you")
	answer := v.post(link, url.Values{"do": {"decline"}})
	require.Equal(t, "/declined", answer.Header.Get("Location"))
	require.Empty(t, answer.Cookies())
	require.Equal(t, bridge.Declined, c.member(id, bob).State)
	require.Equal(t, http.StatusNotFound, v.get(link).StatusCode)
	require.Equal(t, http.StatusNotFound, v.post(link, nil).StatusCode)

	v, link = newVisitor(t, c.handler), c.link(id, carol)
	answer = v.post(link, url.Values{"do": {"report"}, "report": {"Sells watches."}})
	require.Equal(t, "/reported", answer.Header.Get("Location"))
	require.Equal(t, bridge.Declined, c.member(id, carol).State)
	audit, err := c.service.Audit(t.Context(), bridge.Identity{Admin: true}, 10)
	require.NoError(t, err)
	require.Equal(t, "Sells watches.", audit[0].About)
	require.Equal(t, carol.ID, audit[0].Who)
}

func TestWhoIsInsideDeclinesInTheirOwnBrowserOnly(t *testing.T) {
	c := newCore(t)
	id := c.start("Plan", bridge.Options{}, bridge.Invitee{Address: bob})
	v := c.joins(id, bob)
	require.NoError(t, c.service.Leave(t.Context(), id, bridge.Identity{Via: bridge.Web, Address: bob}))
	require.NotContains(t, body(t, newVisitor(t, c.handler).get(c.link(id, bob))), "No, thank you")
	require.Contains(t, body(t, v.get(c.link(id, bob))), "No, thank you")
	require.Equal(t, "/declined", v.post(c.link(id, bob), url.Values{"do": {"decline"}}).Header.Get("Location"))
	require.NotContains(t, body(t, newVisitor(t, c.handler).get(c.link(id, alice))), "No, thank you", "who started it closes it instead")
}

func TestWhoLeftComesBackByTheLink(t *testing.T) {
	c := newCore(t)
	id := c.start("Plan", bridge.Options{}, bridge.Invitee{Address: bob})
	v := c.joins(id, bob)
	require.NoError(t, c.service.Leave(t.Context(), id, bridge.Identity{Via: bridge.Web, Address: bob}))
	require.Equal(t, sessionPath(id), v.post(c.link(id, bob), nil).Header.Get("Location"))
	require.Equal(t, bridge.Joined, c.member(id, bob).State)
}

func TestTheInvitationSaysWhatItsReaderMustKnow(t *testing.T) {
	c := newCore(t)
	page := func(path string) string { return body(t, newVisitor(t, c.handler).get(path)) }
	id := c.start("Plan", bridge.Options{MembersInvite: true}, bridge.Invitee{Address: bob, Name: "Bob"}, bridge.Invitee{Address: carol, Blind: true})
	require.Contains(t, page(c.link(id, carol)), "You got a blind copy")
	require.Contains(t, page(c.link(id, carol)), "Only the 3 people")
	require.Contains(t, page(c.link(id, bob)), "Only the 2 people", "a blind copy is not counted for who does not see it")
	require.NotContains(t, page(c.link(id, bob)), "blind copy")
	require.Contains(t, page(c.link(id, alice)), "You started this session")
	c.joins(id, bob)
	dora := bridge.EmailAddress("dora@client.test")
	_, err := c.service.Invite(t.Context(), id, bridge.Identity{Via: bridge.Web, Address: bob}, []bridge.Invitee{{Address: dora}})
	require.NoError(t, err)
	require.Contains(t, page(c.link(id, dora)), "Bob invites you")

	require.NoError(t, c.service.Close(t.Context(), id, bridge.Identity{Via: bridge.Web, Address: alice}))
	require.Contains(t, page(c.link(id, dora)), "This session is closed.")
	require.Contains(t, page(c.link(id, dora)), "Read the session")
}

func TestAnInvitationOffTheRecordSaysSoAndNothingElse(t *testing.T) {
	c := newCore(t)
	id := c.start("Secretword", bridge.Options{OffRecord: true}, bridge.Invitee{Address: bob})
	page := body(t, newVisitor(t, c.handler).get(c.link(id, bob)))
	require.Contains(t, page, "off the record")
	require.Contains(t, page, "Nothing that is said here is kept")
	require.NotContains(t, page, "Secretword", "scanners keep what they read")
	require.NotContains(t, page, "A record is kept")
	require.NotContains(t, page, "just answer the email")
	c.joins(id, bob)
	path := "/b/" + c.letter(id, bob, bridge.LetterBound).Tokens.Browsers
	require.NotContains(t, body(t, newVisitor(t, c.handler).get(path)), "Secretword")
	require.NoError(t, c.service.Close(t.Context(), id, bridge.Identity{Via: bridge.Web, Address: alice}))
	require.Contains(t, body(t, newVisitor(t, c.handler).get(c.link(id, bob))), "Nothing of it was kept")
}

func TestWhoseInvitationHasRunOutCanStillRead(t *testing.T) {
	c := newCore(t)
	soon := time.Now().Add(50 * time.Millisecond)
	id := c.start("Plan", bridge.Options{}, bridge.Invitee{Address: bob, ExpiresAt: soon})
	time.Sleep(time.Until(soon) + time.Millisecond)
	v, link := newVisitor(t, c.handler), c.link(id, bob)
	page := body(t, v.get(link))
	require.Contains(t, page, "Your invitation has run out")
	require.Contains(t, page, "Read the session")
	require.Equal(t, sessionPath(id), v.post(link, nil).Header.Get("Location"))
	require.Contains(t, body(t, v.get(sessionPath(id))), "first words of Plan")
	require.Equal(t, bridge.Invited, c.member(id, bob).State, "to read is no answer")
	require.Equal(t, sessionPath(id), v.get(link).Header.Get("Location"), "who is known goes straight in")
	require.Equal(t, sessionPath(id), v.post(link, nil).Header.Get("Location"))
}

func TestABrowserIsKnownByWhatItSaysItIs(t *testing.T) {
	p := newLabelPrinter(t)
	for agent, want := range map[string]string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0":                                                        "Firefox on Windows",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0":           "Edge on Windows",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15":                   "Safari on macOS",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1": "Safari on iPhone",
		"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36":                         "Chrome on Android",
		"Mozilla/5.0 (Linux; Android 14; SM-S911B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/5":   "Samsung Internet on Android",
		"Mozilla/5.0 (iPad; CPU OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/130.0 Mobile/15E148 Safari/605.1.15":        "Firefox on iPad",
		"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36":                          "Chrome on ChromeOS",
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 OPR/122.0.0.0":                     "Opera on Linux",
		"curl/8.5.0": "An unknown browser", "": "An unknown browser", "Something (Windows)": "Windows", "Your account is locked, go to evil.test": "An unknown browser",
	} {
		require.Equal(t, want, label(p, agent), agent)
		require.LessOrEqual(t, len(label(p, agent)), bridge.MaxLabel)
	}
}
