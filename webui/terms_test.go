package webui

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mailroom/bridge"
)

func TestPageSaysTheTermsBeforeAnythingIsWritten(t *testing.T) {
	until := time.Date(2031, 3, 4, 5, 6, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		options bridge.Options
		says    []string
		silent  []string
	}{
		"as ever": {bridge.Options{}, []string{"A record is kept.", "Everybody shown here sees"}, []string{"Off the record", "Open until", "Addresses are hidden"}},
		"off the record": {
			bridge.Options{OffRecord: true}, []string{"Off the record: nothing of this is kept."}, []string{"A record is kept", "Matrix servers"},
		},
		"off the record and on Matrix": {bridge.Options{OffRecord: true, MatrixKeeps: true}, []string{"Matrix servers"}, []string{"nothing of this is kept"}},
		"all the rest": {
			bridge.Options{HideAddresses: true, NewcomersFromNow: true, KeepFor: 72 * time.Hour, ExpiresAt: until},
			[]string{"Addresses are hidden: only Alice sees them.", "sees only what follows", "kept for 3 days", "Open until 4 March 2031 05:06 UTC."},
			[]string{"A record is kept", "dora@shop.test"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			core := newCore(t)
			id := core.plan(c.options, guest(bob, "Bob"), guest(dora, "Dora"))
			page := body(t, core.visitor(core.handler(), id, bob).get(sessionPath(id)))
			for _, part := range append(c.says, "Only people who were invited", `id="composer"`) {
				require.Contains(t, page, part)
			}
			for _, part := range c.silent {
				require.NotContains(t, page, part)
			}
		})
	}
}

func TestABlindCopyIsToldAndNobodyElseIs(t *testing.T) {
	core := newCore(t)
	id := core.plan(bridge.Options{}, guest(bob, "Bob"), bridge.Invitee{Address: dora, Name: "Dora", Blind: true})
	h := core.handler()
	doras, bobs, alices := core.visitor(h, id, dora), core.visitor(h, id, bob), core.visitor(h, id, alice)
	page := func(v *visitor) string { return body(t, v.get(sessionPath(id))) }
	const told = "The others do not see you until you write. Only Alice knows"
	require.Contains(t, page(doras), told)
	require.Contains(t, page(doras), bob.ID, "the mail showed To and Cc to her")
	require.Contains(t, page(alices), "Blind copy")
	for _, part := range []string{"Dora", dora.ID, told} {
		require.NotContains(t, page(bobs), part)
		require.NotContains(t, body(t, bobs.get(sessionPath(id)+"/events?after=0&wait=0")), part)
	}
	require.Equal(t, http.StatusSeeOther, doras.post(sessionPath(id)+"/messages", core.form(id, dora, "text", "Hello", "client", newClient())).StatusCode)
	require.NotContains(t, page(doras), told)
	require.Contains(t, page(bobs), "Dora joined")
	require.NotContains(t, page(bobs), dora.ID, "her address stays her own")
}

func TestWhereNothingCanBeWrittenThePageSaysWhy(t *testing.T) {
	for name, c := range map[string]struct {
		change func(soon time.Time, o *bridge.Options, i *bridge.Invitee)
		says   string
	}{
		"closed":  {func(time.Time, *bridge.Options, *bridge.Invitee) {}, "This session is closed."},
		"over":    {func(_ time.Time, o *bridge.Options, _ *bridge.Invitee) { o.OffRecord = true }, "has ended. Nothing of it was kept."},
		"expired": {func(soon time.Time, o *bridge.Options, _ *bridge.Invitee) { o.ExpiresAt = soon }, "The time of this session is over."},
		"lapsed":  {func(soon time.Time, _ *bridge.Options, i *bridge.Invitee) { i.ExpiresAt = soon }, "Your invitation has run out. You can still read, but not write any more. Ask Alice"},
	} {
		t.Run(name, func(t *testing.T) {
			core, soon := newCore(t), time.Now().Add(time.Second)
			options, invitee := bridge.Options{}, guest(bob, "Bob")
			c.change(soon, &options, &invitee)
			id := core.plan(options, invitee, guest(dora, "Dora"))
			v := core.visitor(core.handler(), id, bob)
			if name == "closed" || name == "over" {
				require.NoError(t, core.Close(t.Context(), id, as(alice)))
			}
			page := v.until(sessionPath(id), c.says)
			require.NotContains(t, page, `id="composer"`)
			v.header.Set("Accept", "application/json")
			answer := v.post(sessionPath(id)+"/messages", core.form(id, bob, "text", "late", "client", newClient()))
			require.Equal(t, http.StatusConflict, answer.StatusCode)
			require.Contains(t, field(t, answer, "error"), c.says)
			require.Equal(t, name == "over", !strings.Contains(page, "first words"), "only what is over cannot be read")
		})
	}
}

func TestANewcomerIsOfferedNothingFromBeforeTheirTime(t *testing.T) {
	core := newCore(t)
	id := core.plan(bridge.Options{NewcomersFromNow: true}, guest(bob, "Bob"))
	core.say(id, bob, "before")
	_, err := core.Invite(t.Context(), id, as(alice), []bridge.Invitee{guest(dora, "Dora")})
	require.NoError(t, err)
	core.say(id, bob, "after")
	page := body(t, core.visitor(core.handler(), id, dora).get(sessionPath(id)))
	require.Contains(t, page, "after")
	require.NotContains(t, page, "before</div>")
	require.Contains(t, page, `<p class="earlier" hidden>`)
}

func TestTimeTakenInDaysCountsAPartOfOne(t *testing.T) {
	require.Equal(t, 1, days(time.Hour))
	require.Equal(t, 2, days(25*time.Hour))
	require.Equal(t, 2, days(48*time.Hour))
}
