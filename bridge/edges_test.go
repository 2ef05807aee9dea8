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

func TestABlockedMemberWhoInvitesAgainTakesNothingAway(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, db *store.Store) {
		id := startWith(t, s, "1", bridge.Options{MembersInvite: true}, bridge.Invitee{Address: bob}, bridge.Invitee{Address: dora}).Session.ID
		for _, a := range []bridge.Address{bob, dora} {
			_, _, err := s.Join(ctx, id, by(a))
			require.NoError(t, err)
		}
		for _, blocker := range []bridge.Address{alice, dora} {
			require.NoError(t, s.Block(ctx, person(blocker), bob))
			require.NoError(t, s.Leave(ctx, id, by(blocker)))
			ends := bridge.Invitee{Address: blocker, ExpiresAt: time.Now().Add(-time.Hour)}
			_, err := s.Invite(ctx, id, by(bob), []bridge.Invitee{ends, ends})
			require.NoError(t, err)
		}
		require.Equal(t, bridge.Left, memberOf(t, s, id, alice).State, "the session is hers")
		box := newMailbox(t, s, db, id, memberOf(t, s, id, dora).ID)
		box.until()
		require.Empty(t, box.mails())
		require.Equal(t, bridge.Invited, memberOf(t, s, id, dora).State, "to Bob she is one who has not answered")
		for _, a := range []bridge.Address{alice, dora} {
			_, err := post(s, id, by(a), "here again "+a.ID)
			require.NoError(t, err, a.ID)
		}
		require.False(t, memberOf(t, s, id, dora).Withheld)
	})
}

func TestNobodyInvitesWhoWasErasedBackIntoTheirOldPlace(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, _ *store.Store) {
		id := startWith(t, s, "1", bridge.Options{}, bridge.Invitee{Address: bob}, bridge.Invitee{Address: carol}).Session.ID
		_, err := s.Erase(ctx, bridge.Identity{Admin: true}, carol)
		require.NoError(t, err)
		room, err := s.Invite(ctx, id, by(alice), []bridge.Invitee{{Address: bridge.MatrixAddress("@carol:example.org")}})
		require.NoError(t, err)
		require.True(t, room.Members[2].Grant.Revoked)
		require.Equal(t, bridge.Revoked, room.Members[2].State)
	})
}

func web(a bridge.Address) bridge.Identity { return bridge.Identity{Via: bridge.Web, Address: a} }

func TestWhoeverWasInASessionThatIsOverCanStillGo(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, _ *store.Store) {
		admin := bridge.Identity{Admin: true}
		id := startWith(t, s, "1", bridge.Options{OffRecord: true}, bridge.Invitee{Address: bob}, bridge.Invitee{Address: carol}, bridge.Invitee{Address: dora}).Session.ID
		require.NoError(t, s.Close(ctx, id, by(alice)))
		require.NoError(t, s.Leave(ctx, id, web(bob)))
		require.NoError(t, s.Decline(ctx, id, web(dora)))
		require.NoError(t, s.Revoke(ctx, id, by(alice), memberOf(t, s, id, bob).ID, true))
		_, err := s.Erase(ctx, admin, carol)
		require.NoError(t, err)
		records, err := s.Log(ctx, id, 0, 10)
		require.NoError(t, err)
		for _, r := range records {
			require.Empty(t, r.Body)
		}
		require.Equal(t, bridge.Revoked, memberOf(t, s, id, bob).State)
	})
}

func TestASessionOffTheRecordIsOverWhenTheLastOneIsErased(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, _ *store.Store) {
		id := startWith(t, s, "1", bridge.Options{OffRecord: true}, bridge.Invitee{Address: bob}).Session.ID
		_, err := post(s, id, web(bob), "hush")
		require.NoError(t, err)
		require.NoError(t, s.Leave(ctx, id, by(alice)))
		_, err = s.Erase(ctx, bridge.Identity{Admin: true}, bob)
		require.NoError(t, err)
		room, err := s.Room(ctx, id)
		require.NoError(t, err)
		require.Equal(t, bridge.Over, room.Session.State)
	})
}

func TestMemoryForgetsWithTheCommitAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, _ *bridge.Service, db *store.Store) {
		lost := &island{Store: db}
		lost.forget()
		s := serviceWith(t, lost, func(*bridge.Config) {})
		id := startWith(t, s, "1", bridge.Options{OffRecord: true}, bridge.Invitee{Address: bob}).Session.ID
		said, err := post(s, id, web(bob), "hush")
		require.NoError(t, err)
		text := func() string {
			records, err := s.Log(ctx, id, said.Seq-1, 1)
			require.NoError(t, err)
			return records[0].Body.Text
		}
		lost.torn = true
		require.ErrorIs(t, s.RemoveSaid(ctx, id, by(alice), said.Member), errTorn)
		require.Equal(t, "hush", text(), "what was not written down as removed is there")
		require.NoError(t, s.RemoveSaid(ctx, id, by(alice), said.Member))
		require.Empty(t, text())
		require.Equal(t, bridge.KindErased, kinds(t, s, id)[said.Seq], "and everybody is told")
	})
}

func TestWhatAMemberDoesAsOperatorIsAudited(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, _ *store.Store) {
		id := startWith(t, s, "1", bridge.Options{}, bridge.Invitee{Address: bob}).Session.ID
		operator := by(bob)
		operator.Admin = true
		_, _, err := s.Join(ctx, id, operator)
		require.NoError(t, err)
		require.NoError(t, s.Close(ctx, id, operator))
		initiator := by(alice)
		initiator.Admin = true
		require.NoError(t, s.Reopen(ctx, id, initiator), "she needs no power for it")
		entries, err := s.Audit(ctx, operator, 10)
		require.NoError(t, err)
		require.Len(t, entries, 1)
		require.Equal(t, bridge.ActClose, entries[0].Act)
		require.Equal(t, bob.ID, entries[0].Who)
	})
}

func TestAReplyThatWaitsDiesWithTheGrant(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, db *store.Store) {
		id := startWith(t, s, "1", bridge.Options{}, bridge.Invitee{Address: bob}).Session.ID
		m := memberOf(t, s, id, bob)
		forged := func(text string) string {
			token, err := s.Token(ctx, id, m.ID, bridge.RightReply)
			require.NoError(t, err)
			_, err = s.ReplyByMail(ctx, bridge.MailReply{Token: token, Sender: dora, Post: bridge.PostRequest{
				Body: bridge.Body{Text: text}, Origin: bridge.Origin{Network: bridge.Mail, ID: text}}})
			require.NoError(t, err)
			asked := lettersOf(t, s, db, id, m.ID)[bridge.LetterConfirm]
			require.Len(t, asked, 1)
			require.Equal(t, text, asked[0].Held.Body.Text)
			return asked[0].Tokens.Confirm
		}
		forged("before")
		require.NoError(t, s.Revoke(ctx, id, by(alice), m.ID, false))
		_, err := s.Invite(ctx, id, by(alice), []bridge.Invitee{{Address: bob}})
		require.NoError(t, err)
		token := forged("after") // he is asked again, and can answer
		require.NoError(t, s.RefuseHeld(ctx, token))
		_, err = s.ConfirmHeld(ctx, token)
		require.Equal(t, bridge.NotFound, codeOf(err))
	})
}

func TestALinkThatDiedWhileItWasOpenedBindsNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, _ *store.Store) {
		id := startWith(t, s, "1", bridge.Options{}, bridge.Invitee{Address: bob}).Session.ID
		m := memberOf(t, s, id, bob)
		token, err := s.Token(ctx, id, m.ID, bridge.RightJoin)
		require.NoError(t, err)
		h, err := s.Holder(ctx, bridge.RightJoin, token)
		require.NoError(t, err)
		require.NoError(t, s.Revoke(ctx, id, by(alice), m.ID, false))
		_, err = s.Invite(ctx, id, by(alice), []bridge.Invitee{{Address: bob}})
		require.NoError(t, err)
		_, err = s.Bind(ctx, h, "Firefox", "")
		require.Equal(t, bridge.NotFound, codeOf(err))
		require.Equal(t, bridge.Invited, memberOf(t, s, id, bob).State)
	})
}

func TestAddressesThatAreHiddenLaterHideTheirNamesToo(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, _ *store.Store) {
		id := startWith(t, s, "1", bridge.Options{}, bridge.Invitee{Address: bob}, bridge.Invitee{Address: dora, Name: "Dora"}).Session.ID
		_, err := s.SetOptions(ctx, id, by(alice), bridge.Options{HideAddresses: true})
		require.NoError(t, err)
		_, err = s.Invite(ctx, id, by(alice), []bridge.Invitee{{Address: emil}})
		require.NoError(t, err)
		room, _, err := s.View(ctx, id, by(emil))
		require.NoError(t, err)
		require.Equal(t, "Guest 2", room.Members[1].Display(), "not a part of his address")
		require.Equal(t, "Dora", room.Members[2].Display())
		require.True(t, room.Members[1].Email().IsZero())
	})
}

func TestABlindCopyWhoseReplyIsConfirmedHasSpoken(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, db *store.Store) {
		id := startWith(t, s, "1", bridge.Options{}, bridge.Invitee{Address: bob}, bridge.Invitee{Address: dora, Blind: true}).Session.ID
		m := memberOf(t, s, id, dora)
		token, err := s.Token(ctx, id, m.ID, bridge.RightReply)
		require.NoError(t, err)
		_, err = s.ReplyByMail(ctx, bridge.MailReply{Token: token, Sender: dora, Post: bridge.PostRequest{
			Body: bridge.Body{Text: "hello"}, Origin: bridge.Origin{Network: bridge.Mail, ID: "1"}}})
		require.NoError(t, err)
		_, err = s.ConfirmHeld(ctx, lettersOf(t, s, db, id, m.ID)[bridge.LetterConfirm][0].Tokens.Confirm)
		require.NoError(t, err)
		records, err := s.Records(ctx, id, by(bob), 3, 10)
		require.NoError(t, err)
		require.Len(t, records, 2)
		require.Equal(t, bridge.KindJoined, records[0].Kind)
		require.Equal(t, "hello", records[1].Body.Text, "the others see what she said")
	})
}

func TestABlindCopyIsNotSeenTyping(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, _ *store.Store) {
		id := startWith(t, s, "1", bridge.Options{}, bridge.Invitee{Address: bob}, bridge.Invitee{Address: dora, Blind: true}).Session.ID
		_, _, err := s.Join(ctx, id, by(dora))
		require.NoError(t, err)
		require.NoError(t, s.SetPresence(ctx, person(dora), bridge.SeenByEveryone, nil))
		require.NoError(t, s.Signal(ctx, id, by(dora), bridge.Typing, true))
		for viewer, seen := range map[bridge.Address]int{bob: 0, alice: 1} {
			signs, err := s.Signals(ctx, id, by(viewer))
			require.NoError(t, err)
			require.Len(t, signs, seen, viewer.ID)
		}
	})
}
