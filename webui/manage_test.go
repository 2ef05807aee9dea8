package webui

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"mailroom/bridge"
)

func TestInitiatorRemovesSomebodyWithWhatTheySaid(t *testing.T) {
	for choice, stays := range map[string]bool{"stays": true, "away": false} {
		core := newCore(t)
		id := core.plan(bridge.Options{}, guest(bob, "Bob"), guest(dora, "Dora"))
		core.say(id, bob, "rude words")
		h := core.handler()
		alices, bobs, doras := core.visitor(h, id, alice), core.visitor(h, id, bob), core.visitor(h, id, dora)
		path := sessionPath(id) + "/members/" + core.member(id, bob).ID.String() + "/remove"
		require.Contains(t, body(t, alices.get(sessionPath(id))), `action="`+path+`"`)
		require.NotContains(t, body(t, doras.get(sessionPath(id))), "/remove")
		require.Equal(t, http.StatusForbidden, doras.post(path, core.form(id, dora, "said", choice)).StatusCode)
		require.Equal(t, http.StatusSeeOther, alices.post(path, core.form(id, alice, "said", choice)).StatusCode)
		require.Equal(t, http.StatusNotFound, bobs.get(sessionPath(id)).StatusCode)
		page := body(t, doras.get(sessionPath(id)))
		require.Contains(t, page, "Alice removed Bob")
		require.Equal(t, stays, strings.Contains(page, "rude words"))
		require.Equal(t, !stays, strings.Contains(page, "This message was taken away</div>"))
		require.Equal(t, !stays, strings.Contains(page, "Alice took away what Bob said"))
	}
}

func TestLegalHoldKeepsWhatWasSaid(t *testing.T) {
	core := newCore(t)
	id := core.plan(bridge.Options{}, guest(bob, "Bob"))
	core.say(id, bob, "evidence")
	require.NoError(t, core.Hold(t.Context(), id, bridge.Identity{Admin: true}, true))
	v := core.visitor(core.handler(), id, alice)
	path := sessionPath(id) + "/members/" + core.member(id, bob).ID.String() + "/remove"
	answer := v.post(path, core.form(id, alice, "said", "away"))
	require.Equal(t, http.StatusForbidden, answer.StatusCode)
	require.Contains(t, body(t, answer), "legal hold")
	require.Equal(t, http.StatusSeeOther, v.post(path, core.form(id, alice, "said", "stays")).StatusCode)
	require.Contains(t, body(t, v.get(sessionPath(id))), "evidence")
}

func TestWhoLeftIsShownToWhomCanRemoveThem(t *testing.T) {
	core := newCore(t)
	id := core.plan(bridge.Options{}, guest(bob, "Bob"), guest(dora, "Dora"))
	require.NoError(t, core.Leave(t.Context(), id, as(bob)))
	h := core.handler()
	item := `data-member="` + core.member(id, bob).ID.String()
	require.Contains(t, body(t, core.visitor(h, id, alice).get(sessionPath(id))), item, "he can read, and come back")
	require.NotContains(t, body(t, core.visitor(h, id, dora).get(sessionPath(id))), item)
}

func TestInviting(t *testing.T) {
	core := newCore(t)
	id := core.plan(bridge.Options{}, guest(bob, "Bob"))
	h := core.handler()
	alices, bobs := core.visitor(h, id, alice), core.visitor(h, id, bob)
	path := sessionPath(id) + "/invite"
	const offered, kept = `<details name="act" class="invite">`, `<details name="act" class="invite" hidden>`
	require.Contains(t, body(t, alices.get(sessionPath(id))), offered)
	require.Contains(t, body(t, bobs.get(sessionPath(id))), kept)
	require.Equal(t, http.StatusForbidden, bobs.post(path, core.form(id, bob, "address", dora.ID)).StatusCode)
	_, err := core.SetOptions(t.Context(), id, as(alice), bridge.Options{MembersInvite: true})
	require.NoError(t, err)
	require.Contains(t, body(t, bobs.get(sessionPath(id))), offered)
	require.Equal(t, http.StatusSeeOther, bobs.post(path, core.form(id, bob, "address", dora.ID, "name", "Dora")).StatusCode)
	require.Equal(t, "Dora", core.member(id, dora).Name)
	require.Contains(t, body(t, core.visitor(h, id, dora).get(sessionPath(id))), "Bob invited you.")
	answer := alices.post(path, core.form(id, alice, "address", "nobody"))
	require.Equal(t, http.StatusUnprocessableEntity, answer.StatusCode)
	require.Contains(t, body(t, answer), "That is not an address.")
}

func TestClosingAndOpeningAgain(t *testing.T) {
	core := newCore(t)
	id := core.plan(bridge.Options{}, guest(bob, "Bob"))
	h := core.handler()
	v, bobs := core.visitor(h, id, alice), core.visitor(h, id, bob)
	require.Equal(t, http.StatusForbidden, bobs.post(sessionPath(id)+"/close", core.form(id, bob)).StatusCode)
	for _, step := range []struct {
		act   string
		state bridge.SessionState
	}{{"close", bridge.Ended}, {"reopen", bridge.Open}} {
		require.Contains(t, body(t, v.get(sessionPath(id))), `action="`+sessionPath(id)+"/"+step.act+`"`)
		require.NotContains(t, body(t, bobs.get(sessionPath(id))), `action="`+sessionPath(id)+"/"+step.act+`"`)
		require.Equal(t, http.StatusSeeOther, v.post(sessionPath(id)+"/"+step.act, core.form(id, alice)).StatusCode)
		room, err := core.Room(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, step.state, room.Session.State)
	}
}

func TestOptionsForm(t *testing.T) {
	core := newCore(t)
	until := time.Date(2031, 3, 4, 5, 6, 7, 0, time.UTC)
	before := bridge.Options{KeepFor: 30 * time.Hour, ExpiresAt: until}
	id := core.plan(before, guest(bob, "Bob"))
	h := core.handler()
	v := core.visitor(h, id, alice)
	set := func(status int, fields ...string) bridge.Options {
		t.Helper()
		require.Equal(t, status, v.post(sessionPath(id)+"/options", core.form(id, alice, fields...)).StatusCode)
		room, err := core.Room(t.Context(), id)
		require.NoError(t, err)
		room.Session.Options.ExpiresAt = room.Session.Options.ExpiresAt.UTC()
		return room.Session.Options
	}
	page := body(t, v.get(sessionPath(id)))
	require.Contains(t, page, `name="keep_days" min="1" max="36500" value="2"`)
	require.Contains(t, page, `name="until" value="2031-03-04T05:06"`)
	unchanged := []string{"keep_days", "2", "until", "2031-03-04T05:06"}
	require.Equal(t, before, set(http.StatusSeeOther, unchanged...), "what comes back as it was shown changes nothing")
	before.MembersInvite, before.HideAddresses, before.NewcomersFromNow = true, true, true
	require.Equal(t, before, set(http.StatusSeeOther, append(unchanged, "members_invite", "on", "hide_addresses", "on", "newcomers_from_now", "on")...))
	require.Equal(t, bridge.Options{HideAddresses: true, KeepFor: 5 * 24 * time.Hour}, set(http.StatusSeeOther, "keep_days", "5"), "what was hidden stays hidden")
	for _, wrong := range [][]string{{"keep_days", "-1"}, {"keep_days", "1e9"}, {"keep_days", "999999"}, {"until", "2001-01-01T00:00"}, {"until", "soon"}} {
		set(http.StatusUnprocessableEntity, wrong...)
	}
	bobs := core.visitor(h, id, bob)
	require.NotContains(t, body(t, bobs.get(sessionPath(id))), "/options")
	require.Equal(t, http.StatusForbidden, bobs.post(sessionPath(id)+"/options", core.form(id, bob, "members_invite", "on")).StatusCode)
	require.Contains(t, body(t, bobs.get(sessionPath(id))), "Alice changed what this session allows")
}

func TestGivingAnInvitationBack(t *testing.T) {
	core := newCore(t)
	id := core.plan(bridge.Options{}, guest(bob, "Bob"))
	h := core.handler()
	v, alices := core.visitor(h, id, bob), core.visitor(h, id, alice)
	require.NotContains(t, body(t, alices.get(sessionPath(id))), "/decline", "who started it closes it")
	answer := v.post(sessionPath(id)+"/decline", core.form(id, bob))
	require.Equal(t, "/declined", answer.Header.Get("Location"))
	require.Contains(t, body(t, v.get("/declined")), "You gave the invitation back")
	require.Equal(t, http.StatusNotFound, v.get(sessionPath(id)).StatusCode)
	require.Equal(t, bridge.Declined, core.member(id, bob).State)
}

func TestAReportIsReadByTheOperatorsAlone(t *testing.T) {
	core := newCore(t)
	id := core.plan(bridge.Options{}, guest(bob, "Bob"))
	h := core.handler()
	v := core.visitor(h, id, bob)
	for text, status := range map[string]int{" \r\n": http.StatusUnprocessableEntity, strings.Repeat("x", bridge.MaxReport+1): http.StatusRequestEntityTooLarge} {
		require.Equal(t, status, v.post(sessionPath(id)+"/report", core.form(id, bob, "text", text)).StatusCode)
	}
	answer := v.post(sessionPath(id)+"/report", core.form(id, bob, "text", "She is\r\nrude"))
	require.Equal(t, sessionPath(id)+"/reported", answer.Header.Get("Location"))
	require.Contains(t, body(t, v.get(sessionPath(id)+"/reported")), "will read your report")
	entries, err := core.Audit(t.Context(), bridge.Identity{Admin: true}, 10)
	require.NoError(t, err)
	require.Equal(t, "She is\nrude", entries[0].About)
	require.NotContains(t, body(t, core.visitor(h, id, alice).get(sessionPath(id))), "rude")
}

// Whatever a stranger or a revoked member sends to a form gets the one answer to everything that is unknown.
func TestFormsOfASessionTellStrangersNothing(t *testing.T) {
	core := newCore(t)
	id := core.plan(bridge.Options{}, guest(bob, "Bob"))
	h := core.handler()
	revoked := core.visitor(h, id, bob)
	form := core.form(id, bob)
	require.NoError(t, core.Revoke(t.Context(), id, as(alice), core.member(id, bob).ID, false))
	want := see(t, newVisitor(t, h).get("/no/such/page"))
	for _, tail := range []string{"/signal", "/invite", "/close", "/reopen", "/options", "/decline", "/report", "/members/" + uuid.NewString() + "/remove"} {
		require.Equal(t, want, see(t, revoked.post(sessionPath(id)+tail, form)), tail)
		require.Equal(t, want, see(t, newVisitor(t, h).post(sessionPath(uuid.New())+tail, form)), tail)
	}
	require.Equal(t, want, see(t, revoked.get(sessionPath(id)+"/reported")))
}
