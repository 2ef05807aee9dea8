package bridge_test

import (
	"testing"
	"time"

	"mailroom/bridge"
	"mailroom/store"

	"github.com/stretchr/testify/require"
)

func TestWhatAPageOffersIsWhatTheGateLetsPass(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, _ *store.Store) {
		soon := time.Now().Add(time.Hour)
		id := startWith(t, s, "1", bridge.Options{}, bridge.Invitee{Address: bob, ExpiresAt: soon}).Session.ID
		room, me, err := s.View(ctx, id, by(bob))
		require.NoError(t, err)
		now := time.Now()
		require.NoError(t, room.May(me, bridge.ActWrite, now))
		require.Equal(t, bridge.Forbidden, codeOf(room.May(me, bridge.ActInvite, now)))
		require.False(t, me.Lapsed(now))
		require.True(t, me.Lapsed(soon))
		require.Equal(t, bridge.Closed, codeOf(room.May(me, bridge.ActWrite, soon)))
		require.NoError(t, room.May(me, bridge.ActRead, soon))
		require.Equal(t, bridge.NotFound, codeOf(room.May(bridge.Member{}, bridge.ActRead, now)))
	})
}

func TestOptionsAreCheckedAlsoWhenTheyChange(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, _ *store.Store) {
		clock := s.NewClock()
		soon := clock.Now().Add(time.Hour).Truncate(time.Microsecond)
		id := startWith(t, s, "1", bridge.Options{ExpiresAt: soon}, bridge.Invitee{Address: bob}).Session.ID
		set := func(o bridge.Options) bridge.Code {
			_, err := s.SetOptions(ctx, id, by(alice), o)
			return codeOf(err)
		}
		require.Equal(t, bridge.Invalid, set(bridge.Options{ExpiresAt: soon, KeepFor: time.Second}), "a second would erase all of it")
		require.Equal(t, bridge.Invalid, set(bridge.Options{ExpiresAt: clock.Now().Add(-time.Hour)}))
		clock.Pass(time.Hour)
		require.Empty(t, set(bridge.Options{ExpiresAt: soon, MembersInvite: true}), "an end that has passed may stay")
		before := kinds(t, s, id)
		require.Empty(t, set(bridge.Options{ExpiresAt: soon.In(time.FixedZone("", 3600)), MembersInvite: true}))
		require.Equal(t, before, kinds(t, s, id), "the same moment in another zone is no change")
	})
}

func TestASignSaysWhenItRunsOut(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, _ *store.Store) {
		id := startWith(t, s, "1", bridge.Options{}, bridge.Invitee{Address: bob}).Session.ID
		require.NoError(t, s.SetPresence(ctx, person(bob), bridge.SeenByShared, nil))
		until := func(kind bridge.SignalKind, on bool) time.Duration {
			require.NoError(t, s.Signal(ctx, id, by(bob), kind, on))
			signs, err := s.Signals(ctx, id, by(alice))
			require.NoError(t, err)
			require.Len(t, signs, 1)
			return time.Until(signs[0].Until)
		}
		require.InDelta(t, bridge.HereTime, until(bridge.Here, true), float64(time.Second))
		require.InDelta(t, bridge.TypingTime, until(bridge.Typing, true), float64(time.Second), "typing runs out first")
		require.InDelta(t, bridge.HereTime, until(bridge.Typing, false), float64(time.Second))
	})
}

func TestMessagesAreKeptForTheShorterTime(t *testing.T) {
	onBoth(t, func(t *testing.T, _ *bridge.Service, db *store.Store) {
		s := serviceWith(t, db, func(c *bridge.Config) { c.KeepFor = 48 * time.Hour })
		require.Equal(t, 48*time.Hour, s.KeptFor(bridge.Options{}))
		require.Equal(t, time.Hour, s.KeptFor(bridge.Options{KeepFor: time.Hour}))
		require.Equal(t, 48*time.Hour, s.KeptFor(bridge.Options{KeepFor: 72 * time.Hour}))
	})
}
