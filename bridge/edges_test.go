package bridge_test

import (
	"testing"
	"time"

	"mailroom/bridge"
	"mailroom/store"

	"github.com/stretchr/testify/require"
)

// What random sequences (model_run_test.go) and the walk over the gate have
// found, each by itself.

func TestAPersonIsOneByEachOfTheirAddressesBeforeTheirFirstSession(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, _ *store.Store) {
		jid := bridge.Identity{Via: bridge.XMPP, Address: bridge.JID("carol@example.org")}
		require.NoError(t, s.SetPresence(ctx, person(carol), bridge.SeenByShared, nil))
		setting, _, err := s.Presence(ctx, jid)
		require.NoError(t, err)
		require.Equal(t, bridge.SeenByShared, setting)
		require.Equal(t, bridge.Invalid, codeOf(s.Block(ctx, person(carol), jid.Address)), "that is herself")
		require.NoError(t, s.Block(ctx, jid, alice))
		startWith(t, s, "1", bridge.Options{}, bridge.Invitee{Address: carol}, bridge.Invitee{Address: bob})
		reaches, err := s.Reaches(ctx, person(carol))
		require.NoError(t, err)
		require.Empty(t, reaches, "a block by one address counts for all")
	})
}

func TestOptionsAreCheckedWheneverTheyChange(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, _ *store.Store) {
		now := time.Now().UTC().Truncate(time.Second)
		s.SetClock(func() time.Time { return now })
		o := bridge.Options{ExpiresAt: now.Add(time.Hour)}
		id := startWith(t, s, "1", o, bridge.Invitee{Address: bob}).Session.ID
		o.KeepFor = time.Nanosecond
		_, err := s.SetOptions(ctx, id, by(alice), o)
		require.Equal(t, bridge.Invalid, codeOf(err), "also while the end stays the same")
		o.KeepFor = bridge.MaxKeepFor + time.Nanosecond
		_, err = s.SetOptions(ctx, id, by(alice), o)
		require.Equal(t, bridge.Invalid, codeOf(err))
		now = now.Add(2 * time.Hour)
		o.KeepFor = bridge.MinKeepFor
		room, err := s.SetOptions(ctx, id, by(alice), o)
		require.NoError(t, err, "an end that has come may stay")
		require.Equal(t, o, room.Session.Options)
		o.ExpiresAt = now
		_, err = s.SetOptions(ctx, id, by(alice), o)
		require.Equal(t, bridge.Invalid, codeOf(err))
	})
}
