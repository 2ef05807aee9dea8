package bridge_test

import (
	"testing"
	"time"

	"mailroom/bridge"
	"mailroom/store"

	"github.com/stretchr/testify/require"
)

// linkOf is what a member's link names.
func linkOf(t *testing.T, s *bridge.Service, room *bridge.Room, a bridge.Address) bridge.Holder {
	t.Helper()
	token, err := s.Token(ctx, room.Session.ID, memberOf(t, s, room.Session.ID, a).ID, bridge.RightJoin)
	require.NoError(t, err)
	h, err := s.Holder(ctx, bridge.RightJoin, token)
	require.NoError(t, err)
	return h
}

// The link stays in the history of a browser that was signed out, and with the
// stranger whose browser was ended.
func TestABrowserThatWasEndedIsNotTheFirstAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, db *store.Store) {
		room := startWith(t, s, "1", bridge.Options{}, bridge.Invitee{Address: bob}, bridge.Invitee{Address: dora})
		id := room.Session.ID
		h := linkOf(t, s, room, bob)
		cookie, err := s.Bind(ctx, h, "Firefox", "")
		require.NoError(t, err)
		require.NoError(t, s.ForgetBrowser(ctx, cookie, id))
		_, err = s.Bind(ctx, h, "Firefox", "")
		require.Equal(t, bridge.CodeNeeded, codeOf(err))
		dora := linkOf(t, s, room, dora)
		_, err = s.Bind(ctx, dora, "Firefox", "")
		require.NoError(t, err)
		bound := lettersOf(t, s, db, id, dora.Member)[bridge.LetterBound]
		require.NoError(t, s.EndBrowsers(ctx, bound[0].Tokens.Browsers))
		_, err = s.Bind(ctx, dora, "Firefox", "")
		require.Equal(t, bridge.CodeNeeded, codeOf(err))
		require.NoError(t, s.Revoke(ctx, id, by(alice), dora.Member, false))
		_, err = s.Invite(ctx, id, by(alice), []bridge.Invitee{{Address: dora.Address}})
		require.NoError(t, err)
		_, err = s.Bind(ctx, linkOf(t, s, room, dora.Address), "Firefox", "")
		require.NoError(t, err, "a new invitation is a new link")
	})
}

func TestAPersonSeesWhoInvitedThem(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, _ *store.Store) {
		clock, o := s.NewClock(), bridge.Options{MembersInvite: true, HideAddresses: true}
		id := startWith(t, s, "1", o, bridge.Invitee{Address: bob, Name: "Bob"}, bridge.Invitee{Address: emil, ExpiresAt: clock.Now().Add(time.Hour)}).Session.ID
		_, _, err := s.Join(ctx, id, by(bob))
		require.NoError(t, err)
		_, err = s.Invite(ctx, id, by(bob), []bridge.Invitee{{Address: dora}})
		require.NoError(t, err)
		inviterOf := func(a bridge.Address) bridge.Reach {
			reaches, err := s.Reaches(ctx, person(a))
			require.NoError(t, err)
			require.Len(t, reaches, 1)
			return reaches[0]
		}
		require.Equal(t, bob, inviterOf(dora).Inviter.Address)
		require.Equal(t, alice, inviterOf(bob).Inviter.Address)
		require.Zero(t, inviterOf(alice).Inviter)
		clock.Pass(time.Hour)
		require.True(t, inviterOf(emil).Me.Lapsed(clock.Now()))
		require.False(t, inviterOf(alice).Me.Lapsed(clock.Now()))
	})
}

func TestAPersonSeesWhereTheyAreSignedIn(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, db *store.Store) {
		id := startWith(t, s, "1", bridge.Options{}, bridge.Invitee{Address: bob}).Session.ID
		var cookies []string
		for _, label := range []string{"Firefox", "Chrome"} {
			s.AskSignIn(ctx, bob)
			s.Wait()
			letters := lettersOf(t, s, db, id, memberOf(t, s, id, bob).ID)[bridge.LetterSignIn]
			cookie, err := s.SignIn(ctx, letters[len(letters)-1].Tokens.SignIn, label)
			require.NoError(t, err)
			cookies = append(cookies, cookie)
		}
		ins, err := s.SignIns(ctx, cookies[1])
		require.NoError(t, err)
		require.Len(t, ins, 2)
		require.Equal(t, "Chrome", ins[0].Label, "the one that asks")
		require.NoError(t, s.SignOut(ctx, cookies[1]))
		_, err = s.SignIns(ctx, cookies[1])
		require.Equal(t, bridge.NotFound, codeOf(err))
	})
}
