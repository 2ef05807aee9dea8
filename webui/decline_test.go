package webui

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mailroom/bridge"
)

func TestNoThankYouGivesTheInvitationBack(t *testing.T) {
	c := newHouse(t)
	id := c.start("Plan", bridge.Options{}, bridge.Invitee{Address: bobMail}, bridge.Invitee{Address: carolMail})
	v, link := newVisitor(t, c.handler), c.link(id, bobMail)
	require.Contains(t, body(t, v.get(link)), "No, thank you")
	answer := v.post(link, url.Values{"do": {"decline"}})
	require.Equal(t, "/no-thanks", answer.Header.Get("Location"))
	require.Empty(t, answer.Cookies())
	require.Equal(t, bridge.Declined, c.member(id, bobMail).State)
	require.Equal(t, http.StatusNotFound, v.get(link).StatusCode)
	require.Equal(t, http.StatusNotFound, v.post(link, nil).StatusCode)

	v, link = newVisitor(t, c.handler), c.link(id, carolMail)
	answer = v.post(link, url.Values{"do": {"report"}, "report": {"Sells watches."}})
	require.Equal(t, "/no-thanks-reported", answer.Header.Get("Location"))
	require.Equal(t, bridge.Declined, c.member(id, carolMail).State)
	audit, err := c.service.Audit(t.Context(), bridge.Identity{Admin: true}, 10)
	require.NoError(t, err)
	require.Equal(t, "Sells watches.", audit[0].About)
	require.Equal(t, carolMail.ID, audit[0].Who)
}

func TestWhoIsInsideDeclinesInTheirOwnBrowserOnly(t *testing.T) {
	c := newHouse(t)
	id := c.start("Plan", bridge.Options{}, bridge.Invitee{Address: bobMail})
	v := c.joins(id, bobMail)
	require.NoError(t, c.service.Leave(t.Context(), id, bridge.Identity{Via: bridge.Web, Address: bobMail}))
	require.NotContains(t, body(t, newVisitor(t, c.handler).get(c.link(id, bobMail))), "No, thank you")
	require.Contains(t, body(t, v.get(c.link(id, bobMail))), "No, thank you")
	require.Equal(t, "/no-thanks", v.post(c.link(id, bobMail), url.Values{"do": {"decline"}}).Header.Get("Location"))
	require.NotContains(t, body(t, newVisitor(t, c.handler).get(c.link(id, aliceMail))), "No, thank you", "who started it closes it instead")
}

func TestWhoLeftComesBackByTheLink(t *testing.T) {
	c := newHouse(t)
	id := c.start("Plan", bridge.Options{}, bridge.Invitee{Address: bobMail})
	v := c.joins(id, bobMail)
	require.NoError(t, c.service.Leave(t.Context(), id, bridge.Identity{Via: bridge.Web, Address: bobMail}))
	require.Equal(t, sessionPath(id), v.post(c.link(id, bobMail), nil).Header.Get("Location"))
	require.Equal(t, bridge.Joined, c.member(id, bobMail).State)
}

func TestTheInvitationSaysWhatItsReaderMustKnow(t *testing.T) {
	c := newHouse(t)
	page := func(path string) string { return body(t, newVisitor(t, c.handler).get(path)) }
	id := c.start("Plan", bridge.Options{MembersInvite: true}, bridge.Invitee{Address: bobMail, Name: "Bob"}, bridge.Invitee{Address: carolMail, Blind: true})
	require.Contains(t, page(c.link(id, carolMail)), "You got a blind copy")
	require.Contains(t, page(c.link(id, carolMail)), "Only the 3 people")
	require.Contains(t, page(c.link(id, bobMail)), "Only the 2 people", "a blind copy is not counted for who does not see it")
	require.NotContains(t, page(c.link(id, bobMail)), "blind copy")
	require.Contains(t, page(c.link(id, aliceMail)), "You started this session")
	c.joins(id, bobMail)
	dora := bridge.EmailAddress("dora@client.test")
	_, err := c.service.Invite(t.Context(), id, bridge.Identity{Via: bridge.Web, Address: bobMail}, []bridge.Invitee{{Address: dora}})
	require.NoError(t, err)
	require.Contains(t, page(c.link(id, dora)), "Bob invites you")

	require.NoError(t, c.service.Close(t.Context(), id, bridge.Identity{Via: bridge.Web, Address: aliceMail}))
	require.Contains(t, page(c.link(id, dora)), "This session is closed.")
	require.Contains(t, page(c.link(id, dora)), "Read the session")
}

func TestAnInvitationOffTheRecordSaysSoAndNothingElse(t *testing.T) {
	c := newHouse(t)
	id := c.start("Secretword", bridge.Options{OffRecord: true}, bridge.Invitee{Address: bobMail})
	page := body(t, newVisitor(t, c.handler).get(c.link(id, bobMail)))
	require.Contains(t, page, "off the record")
	require.Contains(t, page, "Nothing that is said here is kept")
	require.NotContains(t, page, "Secretword", "scanners keep what they read")
	require.NotContains(t, page, "A record is kept")
	require.NotContains(t, page, "just answer the email")
	c.joins(id, bobMail)
	path := "/b/" + c.letter(id, bobMail, bridge.LetterBound).Tokens.Browsers
	require.NotContains(t, body(t, newVisitor(t, c.handler).get(path)), "Secretword")
	require.NoError(t, c.service.Close(t.Context(), id, bridge.Identity{Via: bridge.Web, Address: aliceMail}))
	require.Contains(t, body(t, newVisitor(t, c.handler).get(c.link(id, bobMail))), "Nothing of it was kept")
}

func TestWhoseInvitationHasRunOutCanStillRead(t *testing.T) {
	c := newHouse(t)
	id := c.start("Plan", bridge.Options{}, bridge.Invitee{Address: bobMail, ExpiresAt: time.Now().Add(50 * time.Millisecond)})
	v, link := newVisitor(t, c.handler), c.link(id, bobMail)
	page := v.until(link, "Your invitation has run out")
	require.Contains(t, page, "Read the session")
	require.Equal(t, sessionPath(id), v.post(link, nil).Header.Get("Location"))
	require.Contains(t, body(t, v.get(sessionPath(id))), "first words of Plan")
	require.Equal(t, bridge.Invited, c.member(id, bobMail).State, "to read is no answer")
	require.Equal(t, sessionPath(id), v.get(link).Header.Get("Location"), "who is known goes straight in")
	require.Equal(t, sessionPath(id), v.post(link, nil).Header.Get("Location"))
}
