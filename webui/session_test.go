package webui

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mailroom/bridge"
	"mailroom/content"
)

func message(m bridge.Member, text, client string) url.Values {
	return url.Values{"text": {text}, "client": {client}, "me": {m.ID.String()}}
}

func TestSessionPageShowsWhoIsHereAndWhatWasSaid(t *testing.T) {
	fake := newFake()
	room, alice, _, _, _ := plan(fake)
	fake.say(room, alice, bridge.Mail, text("At <ten>\nsharp"))
	v := newVisitor(t, handler(t, fake)).join("bob")
	page := body(t, v.get(sessionPath(room.Session.ID)))
	for _, part := range []string{"Friday plan", "Alice invited you.", "At &lt;ten&gt;<br>sharp", "alice@example.org", "@dan:example.org",
		"Bob joined", "Invited", "Only people who were invited"} {
		require.Contains(t, page, part)
	}
	require.NotContains(t, page, "Alice invited Bob", "the people of the start are no news")
}

func TestPageSpeaksTheLanguageOfTheBrowser(t *testing.T) {
	fake := newFake()
	room, _, _, _, _ := plan(fake)
	v := newVisitor(t, handler(t, fake)).join("bob")
	v.header.Set("Accept-Language", "de-AT, en;q=0.5")
	page := body(t, v.get(sessionPath(room.Session.ID)))
	require.Contains(t, page, `<html lang="de" dir="ltr">`)
	require.Contains(t, page, "Alice hat Sie eingeladen.")
}

func TestFormPostsAndComesBack(t *testing.T) {
	fake := newFake()
	room, _, bob, _, _ := plan(fake)
	v := newVisitor(t, handler(t, fake)).join("bob")
	path := sessionPath(room.Session.ID)
	form := message(bob, "Hello\r\nall", "aaaaaaaa")
	form.Set("seen", "4")
	answer := v.post(path+"/messages", form)
	require.Equal(t, http.StatusSeeOther, answer.StatusCode)
	require.Equal(t, path, answer.Header.Get("Location"))
	log := fake.records(room.Session.ID)
	require.Equal(t, "Hello\nall", log[len(log)-1].Body.Text)
	require.EqualValues(t, 4, fake.readSeq(room.Session.ID, bob.ID))
}

func TestSameFormTwiceIsOneMessage(t *testing.T) {
	fake := newFake()
	room, _, bob, _, _ := plan(fake)
	v := newVisitor(t, handler(t, fake)).join("bob")
	path := sessionPath(room.Session.ID) + "/messages"
	before := len(fake.records(room.Session.ID))
	v.post(path, message(bob, "once", "aaaaaaaa"))
	v.post(path, message(bob, "once", "aaaaaaaa"))
	require.Len(t, fake.records(room.Session.ID), before+1)
	v.post(path, message(bob, "other words after going back", "aaaaaaaa"))
	require.Len(t, fake.records(room.Session.ID), before+2)
}

// The box counts UTF-16 code units, the server bytes: whatever fits the box must fit the server.
func TestWhatTheBoxTakesTheServerTakes(t *testing.T) {
	fake := newFake()
	room, _, bob, _, _ := plan(fake)
	v := newVisitor(t, handler(t, fake)).join("bob")
	path := sessionPath(room.Session.ID)
	_, attribute, _ := strings.Cut(body(t, v.get(path)), `required maxlength="`)
	attribute, _, _ = strings.Cut(attribute, `"`)
	units, err := strconv.Atoi(attribute)
	require.NoError(t, err)
	require.Greater(t, units, 20_000)
	for name, text := range map[string]string{
		"Chinese": strings.Repeat("語", units), "pictures": strings.Repeat("🎈", units/2), "lines of a form": strings.Repeat("x\r\n", units/2),
		"as many bytes as there may be": strings.Repeat("xxx\r\n", content.MaxText/4),
	} {
		answer := v.post(path+"/messages", message(bob, text, newClient()))
		require.Equal(t, http.StatusSeeOther, answer.StatusCode, name)
		log := fake.records(room.Session.ID)
		require.Equal(t, strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n")), strings.TrimSpace(log[len(log)-1].Body.Text), name)
	}
}

func TestWhatCannotBePosted(t *testing.T) {
	fake := newFake()
	room, alice, bob, carol, _ := plan(fake)
	v := newVisitor(t, handler(t, fake)).join("bob")
	path := sessionPath(room.Session.ID) + "/messages"
	for name, c := range map[string]struct {
		form   url.Values
		status int
	}{
		"nothing":               {message(bob, " \n ", "aaaaaaaa"), http.StatusUnprocessableEntity},
		"no client id":          {message(bob, "x", ""), http.StatusUnprocessableEntity},
		"a strange client id":   {message(bob, "x", "a/b/c/d/e/f"), http.StatusUnprocessableEntity},
		"too long":              {message(bob, strings.Repeat("x", 65<<10), "aaaaaaaa"), http.StatusRequestEntityTooLarge},
		"more than a request":   {message(bob, strings.Repeat("x", MaxRequest), "aaaaaaaa"), http.StatusRequestEntityTooLarge},
		"as somebody else":      {message(carol, "x", "aaaaaaaa"), http.StatusConflict},
		"from a page unknown":   {url.Values{"text": {"x"}, "client": {"aaaaaaaa"}}, http.StatusConflict},
		"while we are at fault": {message(bob, "x", "bbbbbbbb"), http.StatusServiceUnavailable},
	} {
		if c.status == http.StatusServiceUnavailable {
			fake.fail(errDatabase)
		}
		answer := v.post(path, c.form)
		require.Equal(t, c.status, answer.StatusCode, name)
		page := body(t, answer)
		require.Contains(t, page, "Back to the session", name)
		require.NotContains(t, page, errDatabase.Error(), name)
		fake.fail(nil)
	}
	require.NoError(t, fake.Close(t.Context(), room.Session.ID, bridge.Identity{Grant: alice.Grant.ID}))
	require.Equal(t, http.StatusConflict, v.post(path, message(bob, "late", "cccccccc")).StatusCode)
	page := body(t, v.get(sessionPath(room.Session.ID)))
	require.Contains(t, page, "This session is closed.")
	require.NotContains(t, page, `id="composer"`)
}

func TestScriptGetsJSON(t *testing.T) {
	fake := newFake()
	room, _, bob, _, _ := plan(fake)
	v := newVisitor(t, handler(t, fake)).join("bob")
	v.header.Set("Accept", "application/json")
	path := sessionPath(room.Session.ID)
	answer := v.post(path+"/messages", message(bob, "see https://example.org/", "aaaaaaaa"))
	require.Equal(t, http.StatusCreated, answer.StatusCode)
	require.JSONEq(t, `["see ",["a",{"href":"https://example.org/","target":"_blank","rel":"noopener nofollow noreferrer"},"https://example.org/"]]`,
		field(t, answer, "said"))
	fake.fail(errDatabase)
	answer = v.post(path+"/messages", message(bob, "x", "bbbbbbbb"))
	require.Equal(t, http.StatusServiceUnavailable, answer.StatusCode)
	require.Contains(t, field(t, answer, "error"), "temporary")
	fake.fail(nil)
	require.Equal(t, http.StatusNoContent, v.post(path+"/read", url.Values{"seq": {"3"}, "me": {bob.ID.String()}}).StatusCode)
	require.EqualValues(t, 3, fake.readSeq(room.Session.ID, bob.ID))
}

func TestLeavingIsGoodbye(t *testing.T) {
	fake := newFake()
	room, _, bob, _, _ := plan(fake)
	v := newVisitor(t, handler(t, fake)).join("bob")
	answer := v.post(sessionPath(room.Session.ID)+"/leave", url.Values{"me": {bob.ID.String()}})
	require.Equal(t, "/left", answer.Header.Get("Location"))
	m, _ := fake.rooms[room.Session.ID].Member(bob.ID)
	require.Equal(t, bridge.Left, m.State)
	require.Contains(t, body(t, v.get("/left")), "You left")
	require.Contains(t, body(t, v.get(sessionPath(room.Session.ID))), "Write something to come back")
}

func TestMessagesOfOnePersonStandTogether(t *testing.T) {
	fake := newFake()
	room, alice, bob, _, _ := plan(fake)
	fake.now = time.Date(2026, 11, 23, 23, 50, 0, 0, time.UTC)
	var records []bridge.Record
	for _, step := range []struct {
		who   bridge.Member
		after time.Duration
	}{{alice, 0}, {alice, time.Minute}, {bob, time.Second}, {alice, time.Second}, {alice, 6 * time.Minute}, {alice, 4 * time.Minute}} {
		fake.now = fake.now.Add(step.after)
		records = append(records, fake.say(room, step.who, bridge.Mail, text("x")))
	}
	var follows, days []bool
	for _, e := range (teller{printer: (&Server{sentences: catalogue()}).sentences.For("en"), room: room}).tellAll(records) {
		follows, days = append(follows, e.Follows), append(days, e.Day != "")
	}
	require.Equal(t, []bool{false, true, false, false, false, false}, follows)
	require.Equal(t, []bool{true, false, false, false, false, true}, days, "a new day begins a new group")
}
