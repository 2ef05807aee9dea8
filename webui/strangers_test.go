package webui

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"mailroom/bridge"
)

// whole is all that a client can see of an answer.
type whole struct {
	Status int
	Header http.Header
	Body   string
}

func see(t *testing.T, r *http.Response) whole { return whole{r.StatusCode, r.Header, body(t, r)} }

func TestStrangersCannotTellWhatExists(t *testing.T) {
	fake := newFake()
	room, alice, _, carol, _ := plan(fake)
	h := handler(t, fake)
	revoked := newVisitor(t, h).join("carol")
	require.NoError(t, fake.Revoke(t.Context(), room.Session.ID, bridge.Identity{Grant: alice.Grant.ID}, carol.ID, false))
	other := fake.open("Other", someone("Eve", "eve@example.org"), someone("Mallory", "mallory@client.test"))
	mallory := newVisitor(t, h).join("mallory")
	known, guessed := sessionPath(room.Session.ID), sessionPath(uuid.New())
	unknown := see(t, newVisitor(t, h).get("/no/such/page"))
	require.Equal(t, http.StatusNotFound, unknown.Status)
	for name, answer := range map[string]*http.Response{
		"unknown token":                  newVisitor(t, h).get("/j/aaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
		"pressing with an unknown token": newVisitor(t, h).post("/j/aaaaaaaaaaaaaaaaaaaaaaaaaaaa", nil),
		"revoked token":                  newVisitor(t, h).get("/j/join-carol"),
		"token of another right":         newVisitor(t, h).get("/j/icon-bob"),
		"unknown unsubscribe token":      newVisitor(t, h).get("/u/x"),
		"unknown held reply":             newVisitor(t, h).get("/c/x"),
		"session without a cookie":       newVisitor(t, h).get(known),
		"unknown session":                newVisitor(t, h).get(guessed),
		"no UUID":                        newVisitor(t, h).get("/s/x"),
		"revoked cookie":                 revoked.get(known),
		"cookie of another session":      mallory.get(known),
		"its stream":                     mallory.get(known + "/events?after=0"),
		"its picture":                    mallory.get(known + "/seen.png?seq=1"),
		"posting into it":                mallory.post(known+"/messages", url.Values{"text": {"x"}}),
		"leaving it":                     mallory.post(known+"/leave", nil),
		"posting into an unknown one":    mallory.post(guessed+"/messages", url.Values{"text": {"x"}}),
	} {
		require.Empty(t, cmp.Diff(unknown, see(t, answer)), name)
	}
	require.Equal(t, http.StatusOK, mallory.get(sessionPath(other.Session.ID)).StatusCode)
}

func TestIconTellsStrangersNothing(t *testing.T) {
	fake := newFake()
	room, alice, _, _, _ := plan(fake)
	v := newVisitor(t, handler(t, fake))
	unknown, openIcon := see(t, v.get("/i/guess.png")), see(t, v.get("/i/icon-bob.png"))
	require.Equal(t, http.StatusOK, unknown.Status)
	require.Empty(t, cmp.Diff(unknown.Header, openIcon.Header))
	require.Len(t, openIcon.Body, len(unknown.Body))
	require.NotEqual(t, unknown.Body, openIcon.Body)
	require.NoError(t, fake.Close(t.Context(), room.Session.ID, bridge.Identity{Grant: alice.Grant.ID}))
	require.Empty(t, cmp.Diff(unknown, see(t, v.get("/i/icon-bob.png"))), "an ended session looks like none")
	require.Equal(t, "no-cache", unknown.Header.Get("Cache-Control"))
}

func TestGuessingIsSlowedDown(t *testing.T) {
	fake := newFake()
	room, _, _, _, _ := plan(fake)
	v := newVisitor(t, handler(t, fake)).join("bob")
	for range MaxGuesses {
		require.Equal(t, http.StatusNotFound, v.get("/j/guess").StatusCode)
	}
	for name, answer := range map[string]*http.Response{
		"opening a link": v.get("/j/guess"), "pressing the button": v.post("/j/guess", nil), "a held reply": v.get("/c/guess"),
		"deciding on one": v.post("/c/guess", url.Values{"do": {"post"}}), "stopping mails": v.post("/u/guess", nil),
		"the API": v.get(apiPrefix + "/sessions"),
	} {
		require.Equal(t, http.StatusTooManyRequests, answer.StatusCode, name)
		require.Equal(t, "60", answer.Header.Get("Retry-After"), name)
	}
	require.Equal(t, http.StatusOK, v.get(sessionPath(room.Session.ID)).StatusCode, "who is inside stays inside")
	require.Equal(t, http.StatusOK, v.get("/i/guess.png").StatusCode)
}

// Behind a proxy that names nobody, or a shared address, everybody is one client.
func TestOthersGuessesDoNotShutOutARightToken(t *testing.T) {
	fake := newFake()
	room, _, bob, _, _ := plan(fake)
	fake.held["confirm"] = bridge.Held{Session: room.Session.ID, Member: bob.ID, Sender: bob.Address, State: bridge.HeldWaiting}
	h := handler(t, fake)
	stranger := newVisitor(t, h)
	for stranger.get("/j/guess").StatusCode != http.StatusTooManyRequests {
	}
	v := apiClient(t, fake, h, "Alice", "alice@example.org")
	for name, answer := range map[string]*http.Response{
		"opening a link": v.get("/j/join-carol"), "a held reply": v.get("/c/confirm"), "deciding on it": v.post("/c/confirm", url.Values{"do": {"post"}}),
		"the page to stop mails": v.get("/u/unsubscribe-carol"), "stopping mails": v.post("/u/unsubscribe-carol", nil), "the API": v.get(apiPrefix + "/sessions"),
	} {
		require.Equal(t, http.StatusOK, answer.StatusCode, name)
	}
	require.Equal(t, http.StatusSeeOther, v.post("/j/join-carol", nil).StatusCode)
	require.Equal(t, http.StatusTooManyRequests, stranger.get("/j/guess").StatusCode)
}

func TestForeignFormsAreRefused(t *testing.T) {
	fake := newFake()
	room, _, bob, _, _ := plan(fake)
	v := newVisitor(t, handler(t, fake)).join("bob")
	before := len(fake.records(room.Session.ID))
	v.header = http.Header{"Sec-Fetch-Site": {"cross-site"}}
	form := url.Values{"text": {"forged"}, "client": {newClient()}, "me": {bob.ID.String()}}
	require.Equal(t, http.StatusForbidden, v.post(sessionPath(room.Session.ID)+"/messages", form).StatusCode)
	require.Equal(t, http.StatusForbidden, v.post("/j/join-carol", nil).StatusCode)
	require.Len(t, fake.records(room.Session.ID), before)
}
