package bridge_test

import (
	"testing"

	"mailroom/bridge"
	"mailroom/store"
	"mailroom/store/storetest"

	"github.com/stretchr/testify/require"
)

func TestOffTheRecordNothingStartsWithoutAKeeper(t *testing.T) {
	storetest.OnBoth(t, func(t *testing.T, db *store.Store) {
		s := serviceWith(t, db, func(c *bridge.Config) { c.Node = "" })
		request := bridge.StartRequest{
			By: by(alice), Invitees: []bridge.Invitee{{Address: bob}}, Origin: bridge.Origin{Network: bridge.Web, ID: "1"},
			Options: bridge.Options{OffRecord: true},
		}
		_, err := s.Start(ctx, request)
		require.Error(t, err)
		require.Empty(t, codeOf(err), "it is nobody's fault but ours")
		sessions, err := db.ListSessions(ctx, alice, 10)
		require.NoError(t, err)
		require.Empty(t, sessions)
	})
}
