package webui

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mailroom/bridge"
)

func TestAPIStartsWithOptionsAndBlindCopies(t *testing.T) {
	core := newCore(t)
	h := core.handler()
	alices, bobs := core.client(h, alice, false), core.client(h, bob, false)
	var session apiSessionView
	alices.call("POST", "/sessions", `{"subject": "Plan", "message": {"text": "first words"}, "recipients": ["bob@client.test",
		{"address": "dora@shop.test", "name": "Dora", "blind": true, "expires_at": "2031-01-01T00:00:00Z"}],
		"options": {"members_invite": true, "keep_for_seconds": 7200, "expires_at": "2030-01-01T00:00:00+01:00"}}`, http.StatusCreated, &session)
	until := time.Date(2029, 12, 31, 23, 0, 0, 0, time.UTC)
	require.Equal(t, apiOptions{MembersInvite: true, KeepForSeconds: 7200, ExpiresAt: &until}, session.Options)
	require.Equal(t, "open", session.Condition)
	require.True(t, session.Members[2].Blind)
	require.Equal(t, 2031, session.Members[2].ExpiresAt.Year())
	bobs.call("GET", apiPath(session.ID, ""), "", http.StatusOK, &session)
	require.Len(t, session.Members, 2)
	alices.call("POST", "/sessions", `{"recipients": [{"address": "bob@client.test", "colour": "red"}]}`, http.StatusUnprocessableEntity, nil)
	alices.call("POST", "/sessions", `{"recipients": ["bob@client.test"], "options": {"keep_for_seconds": 9223372036854775807}}`, http.StatusUnprocessableEntity, nil)
}

func TestAPIChangesOnlyTheOptionsThatAreNamed(t *testing.T) {
	core := newCore(t)
	id := core.plan(bridge.Options{MembersInvite: true, ExpiresAt: time.Now().Add(time.Hour)}, guest(bob, "Bob"))
	h := core.handler()
	v := core.client(h, alice, false)
	var session apiSessionView
	v.call("PATCH", apiPath(id, "/options"), `{"hide_addresses": true}`, http.StatusOK, &session)
	require.True(t, session.Options.MembersInvite && session.Options.HideAddresses)
	require.NotNil(t, session.Options.ExpiresAt)
	session = apiSessionView{}
	v.call("PATCH", apiPath(id, "/options"), `{"expires_at": null, "members_invite": false}`, http.StatusOK, &session)
	require.Equal(t, apiOptions{HideAddresses: true}, session.Options)
	for _, wrong := range []string{`{"hide_addresses": false}`, `{"off_record": true}`, `{"keep_for_seconds": 1}`, `{"keep_for_seconds": -1}`, `{"colour": 1}`} {
		v.call("PATCH", apiPath(id, "/options"), wrong, http.StatusUnprocessableEntity, nil)
	}
	core.client(h, bob, false).call("PATCH", apiPath(id, "/options"), `{}`, http.StatusForbidden, nil)
	core.client(h, dora, false).call("PATCH", apiPath(id, "/options"), `{}`, http.StatusNotFound, nil)
}

func TestAPIShowsAMemberWhatAMemberIsShown(t *testing.T) {
	core := newCore(t)
	id := core.plan(bridge.Options{HideAddresses: true, MembersInvite: true}, guest(bob, "Bob"), guest(dora, "Dora"),
		bridge.Invitee{Address: bridge.EmailAddress("emil@bakery.test"), Name: "Emil", Blind: true})
	core.say(id, bob, "Hello")
	h := core.handler()
	bobs := core.client(h, bob, false)
	for name, answer := range map[string]*http.Response{
		"session":  bobs.get(apiPrefix + apiPath(id, "")),
		"inviting": bobs.send("POST", apiPrefix+apiPath(id, "/recipients"), "", `{"recipients": ["fred@client.test"]}`),
		"JSON":     bobs.get(apiPrefix + apiPath(id, "/transcript.json")),
		"text":     bobs.get(apiPrefix + apiPath(id, "/transcript.txt")),
		"reaches":  bobs.get(apiPrefix + "/me/reaches"),
	} {
		require.Equal(t, http.StatusOK, answer.StatusCode, name)
		whole := body(t, answer)
		require.Contains(t, whole, "Bob", name)
		for _, secret := range []string{dora.ID, "emil@", "Emil"} {
			require.NotContains(t, whole, secret, name)
		}
	}
}

func TestAPIReadMarksFollowThePresenceSetting(t *testing.T) {
	core := newCore(t)
	id := core.plan(bridge.Options{}, guest(bob, "Bob"))
	require.NoError(t, core.MarkRead(t.Context(), id, as(bob), 2))
	require.NoError(t, core.MarkRead(t.Context(), id, as(alice), 1))
	v := core.client(core.handler(), alice, false)
	marks := func() (list []*int64) {
		t.Helper()
		var session apiSessionView
		v.call("GET", apiPath(id, ""), "", http.StatusOK, &session)
		for _, m := range session.Members {
			list = append(list, m.ReadSeq)
		}
		return list
	}
	one, two := int64(1), int64(2)
	require.Equal(t, []*int64{&one, nil}, marks(), "nobody is the default; one's own is always there")
	core.sees(bridge.SeenByShared, bob)
	require.Equal(t, []*int64{&one, &two}, marks())
}

func TestAPIRemovesDeclinesAndReports(t *testing.T) {
	core := newCore(t)
	id := core.plan(bridge.Options{}, guest(bob, "Bob"), guest(dora, "Dora"))
	core.say(id, bob, "rude words")
	core.say(id, dora, "ruder words")
	h := core.handler()
	alices, bobs := core.client(h, alice, false), core.client(h, bob, false)
	said := apiPath(id, "/members/%s/messages", core.member(id, bob).ID)
	bobs.call("DELETE", said, "", http.StatusForbidden, nil)
	alices.call("DELETE", said, "", http.StatusNoContent, nil)
	alices.call("DELETE", apiPath(id, "/members/x/messages"), "", http.StatusNotFound, nil)
	require.Equal(t, bridge.Joined, core.member(id, bob).State, "he stays")
	alices.call("DELETE", apiPath(id, "/recipients/%s?remove=said", core.member(id, dora).ID), "", http.StatusNoContent, nil)
	transcript := body(t, alices.get(apiPrefix+apiPath(id, "/transcript.txt")))
	require.NotContains(t, transcript, "rude")
	require.Equal(t, 1, strings.Count(transcript, "Bob: (This message was taken away)"), transcript)
	var whole struct{ Records []apiRecord }
	alices.call("GET", apiPath(id, "/transcript.json"), "", http.StatusOK, &whole)
	var erased, told int
	for _, r := range whole.Records {
		if r.Erased {
			erased++
			require.Empty(t, r.Text)
		}
		if r.Kind == bridge.KindErased {
			told++
			require.NotZero(t, r.Ref)
		}
	}
	require.Equal(t, []int{2, 2}, []int{erased, told})

	bobs.call("POST", apiPath(id, "/report"), `{"text": " "}`, http.StatusUnprocessableEntity, nil)
	bobs.call("POST", apiPath(id, "/report"), `{"text": "unfair"}`, http.StatusNoContent, nil)
	alices.call("GET", "/audit", "", http.StatusForbidden, nil)
	var audit struct{ Entries []apiAuditEntry }
	core.client(h, alice, true).call("GET", "/audit", "", http.StatusOK, &audit)
	reports := slices.DeleteFunc(audit.Entries, func(e apiAuditEntry) bool { return e.Act != bridge.ActReport })
	require.Len(t, reports, 1)
	require.Equal(t, []string{"unfair", id.String(), bob.ID}, []string{reports[0].About, reports[0].Session, reports[0].Who})
	alices.call("POST", apiPath(id, "/decline"), "", http.StatusForbidden, nil)
	bobs.call("POST", apiPath(id, "/decline"), "", http.StatusNoContent, nil)
	bobs.call("GET", apiPath(id, ""), "", http.StatusNotFound, nil)
}

func TestAPIServesThePersonOfTheToken(t *testing.T) {
	core := newCore(t)
	id := core.plan(bridge.Options{}, guest(bob, "Bob"))
	v := core.client(core.handler(), bob, false)
	var presence apiPresence
	v.call("GET", "/me/presence", "", http.StatusOK, &presence)
	require.Equal(t, apiPresence{bridge.SeenByNobody, []string{}}, presence)
	v.call("PUT", "/me/presence", `{"setting": "chosen", "chosen": ["Dora@shop.test"]}`, http.StatusNoContent, nil)
	v.call("GET", "/me/presence", "", http.StatusOK, &presence)
	require.Equal(t, apiPresence{bridge.SeenByChosen, []string{dora.ID}}, presence)
	for _, wrong := range []string{`{"setting": "me"}`, `{"setting": "chosen", "chosen": ["x"]}`} {
		v.call("PUT", "/me/presence", wrong, http.StatusUnprocessableEntity, nil)
	}
	var reaches struct{ Reaches []apiReach }
	v.call("GET", "/me/reaches", "", http.StatusOK, &reaches)
	require.Equal(t, id, reaches.Reaches[0].Session.ID)
	require.Equal(t, "Alice", reaches.Reaches[0].People[0].Name)
	require.Equal(t, "Bob", reaches.Reaches[0].Me.Name)

	v.call("PUT", "/me/blocks/nobody", "", http.StatusUnprocessableEntity, nil)
	v.call("PUT", "/me/blocks/alice%40example.org", "", http.StatusNoContent, nil)
	var blocks struct{ Blocks []apiBlock }
	v.call("GET", "/me/blocks", "", http.StatusOK, &blocks)
	require.Equal(t, alice.ID, blocks.Blocks[0].Address)
	v.call("GET", apiPath(id, ""), "", http.StatusNotFound, nil)
	v.call("DELETE", "/me/blocks/alice@example.org", "", http.StatusNoContent, nil)
	v.call("GET", "/me/blocks", "", http.StatusOK, &blocks)
	require.Empty(t, blocks.Blocks)
}
