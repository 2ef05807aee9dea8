package app

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"mailroom/bridge"
	"mailroom/config"
	"mailroom/store/storetest"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// command runs a command of an operator against the installation.
func command(t *testing.T, c config.Config, run func(context.Context, Desk) error) (out string, err error) {
	t.Helper()
	var b bytes.Buffer
	err = run(t.Context(), Desk{Load: func() (config.Config, error) { return c, nil }, Log: slog.New(slog.DiscardHandler), Out: &b})
	return b.String(), err
}

// printed is the output of a command that must work.
func printed(t *testing.T, c config.Config, run func(context.Context, Desk) error) string {
	t.Helper()
	out, err := command(t, c, run)
	require.NoError(t, err)
	return out
}

func audited(t *testing.T, c config.Config) string {
	t.Helper()
	return printed(t, c, func(ctx context.Context, d Desk) error { return d.ListAudit(ctx, 50, false) })
}

func TestAnOperatorSeesSessionsWithoutWhatWasSaid(t *testing.T) {
	c := settingsOf(t, "")
	n := startNode(t, c)
	room, err := begin(n.service, "secretword", bridge.Options{MembersInvite: true, KeepFor: 48 * time.Hour}, carol)
	require.NoError(t, err)
	hush, err := begin(n.service, "secretword off", offRecord)
	require.NoError(t, err)
	require.NoError(t, n.service.Revoke(t.Context(), room.Session.ID, by(alice), room.Members[2].ID, false))

	list := printed(t, c, func(ctx context.Context, d Desk) error { return d.ListSessions(ctx, 50, false) })
	require.Regexp(t, room.Session.ID.String()+` .* open +3 +\d+ +alice@example.org`, list)
	require.Regexp(t, hush.Session.ID.String()+` .* open, off the record +2 `, list)
	require.Len(t, bytes.Split([]byte(printed(t, c, func(ctx context.Context, d Desk) error { return d.ListSessions(ctx, 1, false) })), []byte("\n")), 3)

	shown := printed(t, c, func(ctx context.Context, d Desk) error { return d.ShowSession(ctx, room.Session.ID, false) })
	require.Contains(t, shown, "2 living, 1 revoked, 0 expired")
	require.Contains(t, shown, "members may invite, kept for 48h0m0s")
	require.Regexp(t, `carol@other.test +revoked +revoked`, shown)
	require.Regexp(t, `alice@example.org +joined, initiator +living`, shown)
	whole := printed(t, c, func(ctx context.Context, d Desk) error { return d.ShowSession(ctx, hush.Session.ID, true) })
	for _, text := range []string{list, shown, whole} {
		require.NotContains(t, text, "secretword")
	}
	var details SessionDetails
	require.NoError(t, json.Unmarshal([]byte(whole), &details))
	require.True(t, details.OffRecord)
	require.Equal(t, hush.Members[1].ID, details.People[1].ID)
}

func TestAnOperatorEndsThingsAndItIsWrittenDown(t *testing.T) {
	c := settingsOf(t, "")
	n := startNode(t, c)
	room, err := begin(n.service, "1", bridge.Options{}, carol)
	require.NoError(t, err)
	id := room.Session.ID
	require.NoError(t, say(n.service, room, carol, "rude"))
	revoke := func(who string, removeSaid bool) (string, error) {
		return command(t, c, func(ctx context.Context, d Desk) error { return d.RevokeMember(ctx, id, who, removeSaid) })
	}
	hold := func(on bool) string {
		return printed(t, c, func(ctx context.Context, d Desk) error { return d.HoldSession(ctx, id, on) })
	}
	_, err = revoke("dora@other.test", false)
	require.ErrorContains(t, err, "dora@other.test is no member")
	_, err = revoke(uuid.NewString(), false)
	require.ErrorContains(t, err, "is no member")
	_, err = revoke("somebody", false)
	require.ErrorContains(t, err, "is not an address")
	_, err = revoke("alice@example.org", false)
	require.ErrorContains(t, err, "The initiator cannot be removed")

	require.Contains(t, hold(true), "is on legal hold")
	_, err = revoke("carol@other.test", true)
	require.ErrorContains(t, err, "legal hold")
	require.Contains(t, hold(false), "is released")
	out, err := revoke("carol@other.test", true)
	require.NoError(t, err)
	require.Contains(t, out, "what they said is taken away")
	texts, err := said(n.service, room, bob)
	require.NoError(t, err)
	require.Equal(t, "first 1|", texts, "an empty place is left of it")
	_, err = said(n.service, room, carol)
	require.Equal(t, bridge.NotFound, bridge.CodeOf(err))
	out, err = revoke(room.Members[1].ID.String(), false)
	require.NoError(t, err)
	require.Contains(t, out, "What they said stays")

	closed := printed(t, c, func(ctx context.Context, d Desk) error { return d.CloseSession(ctx, id) })
	require.Contains(t, closed, "is closed")
	require.Equal(t, bridge.Closed, bridge.CodeOf(say(n.service, room, alice, "late")))
	require.NoError(t, n.service.Report(t.Context(), id, by(alice), "they are\x1b[2J rude"))
	log := audited(t, c)
	for _, act := range []string{"hold", "revoke", "close"} {
		require.Regexp(t, `operator +`+act+` +`+id.String(), log)
	}
	require.Regexp(t, `alice@example.org +report +`+id.String()+` +they are \[2J rude`, log)
	require.NotContains(t, log, "\x1b", "what others wrote does not steer the terminal")
}

func TestAnOperatorEndsWhatIsOffTheRecord(t *testing.T) {
	c := settingsOf(t, "")
	n := startNode(t, c)
	room, err := begin(n.service, "1", offRecord)
	require.NoError(t, err)
	out := printed(t, c, func(ctx context.Context, d Desk) error { return d.CloseSession(ctx, room.Session.ID) })
	require.Contains(t, out, "is over")
	require.Zero(t, n.store.Memory().Count())
}

func TestAPersonGetsTheirDataAndIsErased(t *testing.T) {
	for name, served := range map[string]bool{"by the running server": true, "without a server": false} {
		t.Run(name, func(t *testing.T) {
			c := settingsOf(t, "")
			n := startNode(t, c)
			room, err := begin(n.service, "1", bridge.Options{})
			require.NoError(t, err)
			held, err := begin(n.service, "2", bridge.Options{}, carol)
			require.NoError(t, err)
			require.NoError(t, say(n.service, room, bob, "bobsword"))
			require.NoError(t, n.service.Hold(t.Context(), held.Session.ID, operator, true))
			if !served {
				n.stop()
				n.Close()
			}
			export := printed(t, c, func(ctx context.Context, d Desk) error { return d.ExportPerson(ctx, bob.ID) })
			var data bridge.PersonData
			require.NoError(t, json.Unmarshal([]byte(export), &data))
			require.Contains(t, export, "bobsword")
			require.Len(t, data.Sessions, 2)

			out := printed(t, c, func(ctx context.Context, d Desk) error { return d.ErasePerson(ctx, bob.ID) })
			require.Contains(t, out, "bob@example.org is erased from 1 session.\n  "+room.Session.ID.String())
			require.Contains(t, out, "On legal hold, where nothing was touched, and for which the person is still known: 1 session.\n  "+held.Session.ID.String())
			require.Contains(t, out, "Nothing of it is left in the database")
			log := audited(t, c)
			require.Regexp(t, `operator +export`, log)
			require.Regexp(t, `operator +erase +address [0-9a-z]+`, log)
		})
	}
}

func TestErasureTellsWhatTheNetworksHaveYetToDo(t *testing.T) {
	c := settingsOf(t, "")
	// A network whose server cannot be reached has told nobody.
	c.XMPP = config.XMPP{Component: "rooms.example.org", Server: "127.0.0.1:1", Secret: "s"}
	c.Directory = []config.Mapping{{Email: "*@example.org", XMPP: "{localpart}@example.org"}}
	n := startNode(t, c)
	_, err := begin(n.service, "1", bridge.Options{})
	require.NoError(t, err)
	n.stop()
	n.Close()
	out := printed(t, c, func(ctx context.Context, d Desk) error { return d.ErasePerson(ctx, bob.ID) })
	require.Contains(t, out, "Matrix and XMPP have yet to take out 1 address: the server does that when it runs")
}

func TestLimitsAreSeenAndLifted(t *testing.T) {
	c := settingsOf(t, "")
	c.Limits.InitiatorSessions = 1
	var err error
	c.Metrics.Listen, err = freeAddress()
	require.NoError(t, err)
	n := startNode(t, c)
	_, err = begin(n.service, "1", bridge.Options{})
	require.NoError(t, err)
	_, err = begin(n.service, "2", bridge.Options{})
	require.Equal(t, bridge.TooMany, bridge.CodeOf(err))
	list := printed(t, c, func(ctx context.Context, d Desk) error { return d.ListLimits(ctx, 50, false) })
	require.Regexp(t, `1 +1 +sessions alice@example.org`, list)
	require.Regexp(t, `1 +1000 +sessions-from example.org`, list)
	require.Regexp(t, `1 +20 +invitations alice@example.org to bob@example.org`, list)
	out := printed(t, c, func(ctx context.Context, d Desk) error { return d.LiftLimit(ctx, "sessions alice@example.org") })
	require.Contains(t, out, "begins anew")
	room, err := begin(n.service, "2", offRecord)
	require.NoError(t, err)
	require.Regexp(t, `operator +lift +sessions alice@example.org`, audited(t, c))

	require.NoError(t, n.service.Report(t.Context(), room.Session.ID, by(bob), "secretword"))
	scraped := scrape(t, c)
	require.Contains(t, scraped, "\nmailroom_limit_refusals_total 1\n")
	require.Contains(t, scraped, "\nmailroom_off_record_sessions 1\n")
	require.Contains(t, scraped, "\nmailroom_reports_total 1\n")
	require.Contains(t, scraped, "\nmailroom_sessions_over_total 0\n")
	require.NoError(t, n.service.Close(t.Context(), room.Session.ID, by(alice)))
	scraped = scrape(t, c)
	require.Contains(t, scraped, "\nmailroom_off_record_sessions 0\n")
	require.Contains(t, scraped, "\nmailroom_sessions_over_total 1\n")
	for _, secret := range []string{"example.org", "secretword", room.Session.ID.String(), "about 2"} {
		require.NotContains(t, scraped, secret, "metrics tell of nobody")
	}
}

func scrape(t *testing.T, c config.Config) string {
	t.Helper()
	response, err := http.Get("http://" + c.Metrics.Listen + "/metrics")
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(text)
}

func TestTheFirstBrowserNeedsACodeIfItIsAlwaysAsked(t *testing.T) {
	c := settingsOf(t, "")
	c.Join.Code = "always"
	n := startNode(t, c)
	room, err := begin(n.service, "1", bridge.Options{})
	require.NoError(t, err)
	token, err := n.service.Token(t.Context(), room.Session.ID, room.Members[1].ID, bridge.RightJoin)
	require.NoError(t, err)
	holder, err := n.service.Holder(t.Context(), bridge.RightJoin, token)
	require.NoError(t, err)
	_, err = n.service.Bind(t.Context(), holder, "Firefox", "")
	require.Equal(t, bridge.CodeNeeded, bridge.CodeOf(err))
}

func TestCheckTellsWhatSeveralNodesNeed(t *testing.T) {
	database := storetest.NewDatabase(t)
	c := settingsOf(t, database)
	startNode(t, c)
	check := func(c config.Config) string {
		var b bytes.Buffer
		err := RunCheck(t.Context(), func() (config.Config, error) { return c, nil }, slog.New(slog.DiscardHandler), &b)
		require.Equal(t, strings.Contains(b.String(), "WRONG"), err != nil, "the command fails when something is wrong")
		return b.String()
	}
	require.Contains(t, check(c), "ok     node.url "+c.Node.URL)
	c.Node.URL = "http://127.0.0.1:1"
	require.Regexp(t, `WRONG  node.url http://127.0.0.1:1: .*by which the other nodes reach`, check(c))
	c.Node.URL = ""
	require.Regexp(t, `note   several nodes: node.url is empty.*off the record`, check(c))
	require.NotContains(t, check(c), "WRONG")
	require.NotContains(t, check(settingsOf(t, "")), "several nodes", "a SQLite file has one")
}
