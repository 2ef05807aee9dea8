package bridge_test

import (
	"testing"
	"time"

	"mailroom/bridge"
	"mailroom/store"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

var (
	dora   = bridge.EmailAddress("dora@client.test")
	emil   = bridge.EmailAddress("emil@other.test")
	person = func(a bridge.Address) bridge.Identity { return bridge.Identity{Via: bridge.Web, Address: a} }
)

// startWith starts a session of Alice with the invitees and options.
func startWith(t *testing.T, s *bridge.Service, origin string, o bridge.Options, invitees ...bridge.Invitee) *bridge.Room {
	t.Helper()
	room, err := s.Start(ctx, bridge.StartRequest{
		By: by(alice), Subject: "Plan " + origin, Body: bridge.Body{Text: "first " + origin}, Invitees: invitees, Options: o,
		Origin: bridge.Origin{Network: bridge.Web, ID: origin},
	})
	require.NoError(t, err)
	return room
}

func memberOf(t *testing.T, s *bridge.Service, session uuid.UUID, a bridge.Address) bridge.Member {
	t.Helper()
	room, err := s.Room(ctx, session)
	require.NoError(t, err)
	m, ok := room.ByAddress(a)
	require.True(t, ok)
	return m
}

func codeOf(err error) bridge.Code { return bridge.CodeOf(err) }

func TestABlindCopyIsSeenByNobodyBeforeItSpeaks(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, _ *store.Store) {
		id := startWith(t, s, "1", bridge.Options{}, bridge.Invitee{Address: dora, Blind: true}, bridge.Invitee{Address: bob}).Session.ID
		seenBy := func(a bridge.Address) (addresses []string) {
			room, _, err := s.View(ctx, id, by(a))
			require.NoError(t, err)
			for _, m := range room.Members {
				addresses = append(addresses, m.Address.ID)
			}
			return addresses
		}
		require.Equal(t, []string{alice.ID, bob.ID}, seenBy(bob))
		require.Equal(t, []string{alice.ID, bob.ID, dora.ID}, seenBy(alice), "who wrote it knows")
		require.Equal(t, []string{alice.ID, bob.ID, dora.ID}, seenBy(dora), "the mail showed To and Cc to her")
		_, _, err := s.Join(ctx, id, by(dora))
		require.NoError(t, err)
		require.Equal(t, []bridge.Kind{bridge.KindStarted, bridge.KindInvited, bridge.KindMessage}, kinds(t, s, id), "the log does not tell of her")
		_, err = post(s, id, by(dora), "hello")
		require.NoError(t, err)
		require.Equal(t, []string{alice.ID, bob.ID, ""}, seenBy(bob), "her name, and not her address")
		room, _, err := s.View(ctx, id, by(bob))
		require.NoError(t, err)
		require.Equal(t, "dora", room.Members[2].Display())
		require.False(t, room.ShowsAllAddresses())
	})
}

func TestAnAddressIsShownToWhomTheInvitationShowedIt(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, _ *store.Store) {
		id := startWith(t, s, "1", bridge.Options{MembersInvite: true}, bridge.Invitee{Address: bob}).Session.ID
		_, err := s.Invite(ctx, id, by(bob), []bridge.Invitee{{Address: dora}})
		require.Equal(t, bridge.Forbidden, codeOf(err), "who has not answered invites nobody")
		_, _, err = s.Join(ctx, id, by(bob))
		require.NoError(t, err)
		_, err = s.Invite(ctx, id, by(bob), []bridge.Invitee{{Address: dora, Name: "Dora"}})
		require.NoError(t, err)
		shown := func(viewer bridge.Address) (addresses []string) {
			room, _, err := s.View(ctx, id, by(viewer))
			require.NoError(t, err)
			for _, m := range room.Members {
				addresses = append(addresses, m.Address.ID)
			}
			return addresses
		}
		require.Equal(t, []string{"", bob.ID, dora.ID}, shown(dora), "who invited her, and herself")
		require.Equal(t, []string{alice.ID, bob.ID, dora.ID}, shown(bob))
		require.Equal(t, []string{alice.ID, bob.ID, dora.ID}, shown(alice), "the initiator sees all")

		hidden := startWith(t, s, "2", bridge.Options{HideAddresses: true}, bridge.Invitee{Address: bob}, bridge.Invitee{Address: dora, Name: "Dora"}).Session.ID
		room, _, err := s.View(ctx, hidden, by(dora))
		require.NoError(t, err)
		require.Equal(t, "", room.Members[1].Address.ID)
		require.Equal(t, "Guest 2", room.DisplayName(room.Members[1]))
		require.True(t, room.Members[1].Email().IsZero())
		o := bridge.Options{}
		_, err = s.SetOptions(ctx, hidden, by(alice), o)
		require.Equal(t, bridge.Invalid, codeOf(err), "what was hidden stays so")
	})
}

func TestPresenceIsSeenByWhomThePersonLets(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, _ *store.Store) {
		id := startWith(t, s, "1", bridge.Options{}, bridge.Invitee{Address: bob}, bridge.Invitee{Address: dora}).Session.ID
		for _, a := range []bridge.Address{bob, dora} {
			_, _, err := s.Join(ctx, id, by(a))
			require.NoError(t, err)
			require.NoError(t, s.MarkRead(ctx, id, by(a), 3))
		}
		sees := func(viewer, target bridge.Address) bool {
			require.NoError(t, s.Signal(ctx, id, by(target), bridge.Typing, true))
			signs, err := s.Signals(ctx, id, by(viewer))
			require.NoError(t, err)
			typing := false
			for _, sign := range signs {
				typing = typing || sign.Member == memberOf(t, s, id, target).ID && sign.Typing
			}
			marks, err := s.ReadMarks(ctx, id, by(viewer))
			require.NoError(t, err)
			_, read := marks[memberOf(t, s, id, target).ID]
			require.Equal(t, read, typing, "read marks and typing obey the same setting")
			return typing
		}
		require.False(t, sees(alice, bob), "nobody is the default")
		require.NoError(t, s.SetPresence(ctx, person(bob), bridge.SeenByChosen, []bridge.Address{dora}))
		require.True(t, sees(dora, bob))
		require.False(t, sees(alice, bob))
		require.NoError(t, s.SetPresence(ctx, person(bob), bridge.SeenByShared, nil))
		require.True(t, sees(alice, bob))
		require.NoError(t, s.SetPresence(ctx, person(alice), bridge.SeenByMailed, nil))
		require.True(t, sees(bob, alice))
		require.NoError(t, s.SetPresence(ctx, person(dora), bridge.SeenByMailed, nil))
		require.False(t, sees(bob, dora), "she mailed nobody")
		require.NoError(t, s.Revoke(ctx, id, by(alice), memberOf(t, s, id, dora).ID, false))
		_, err := s.Signals(ctx, id, by(dora))
		require.Equal(t, bridge.NotFound, codeOf(err))
		require.Equal(t, bridge.NotFound, codeOf(s.Signal(ctx, id, by(dora), bridge.Here, true)))
		require.Equal(t, bridge.NotFound, codeOf(s.SetPresence(ctx, bridge.Identity{Grant: memberOf(t, s, id, bob).Grant.ID}, bridge.SeenByEveryone, nil)),
			"the grant of one session does not change a person")
	})
}

func TestABlockedPersonReachesTheBlockerNoMoreAndCannotTell(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, db *store.Store) {
		first := startWith(t, s, "1", bridge.Options{}, bridge.Invitee{Address: bob}, bridge.Invitee{Address: dora}).Session.ID
		require.NoError(t, s.Block(ctx, person(bob), alice))
		_, _, err := s.View(ctx, first, by(bob))
		require.Equal(t, bridge.NotFound, codeOf(err))
		second := startWith(t, s, "2", bridge.Options{}, bridge.Invitee{Address: bob}, bridge.Invitee{Address: dora}).Session.ID
		_, _, err = s.View(ctx, second, by(bob))
		require.Equal(t, bridge.NotFound, codeOf(err), "new mails of hers start nothing for him")
		_, err = post(s, second, by(bob), "hm")
		require.Equal(t, bridge.NotFound, codeOf(err))
		room, _, err := s.View(ctx, second, by(alice))
		require.NoError(t, err)
		require.Equal(t, room.Members[2].State, room.Members[1].State, "to her he is one who has not answered")
		require.Equal(t, bridge.Invited, room.Members[1].State)
		mailbox := newMailbox(t, s, db, second, room.Members[1].ID)
		mailbox.until()
		require.Empty(t, mailbox.mails())
		reaches, err := s.Reaches(ctx, person(bob))
		require.NoError(t, err)
		require.Empty(t, reaches)
		require.NoError(t, s.Unblock(ctx, person(bob), alice))
		_, err = s.Invite(ctx, second, by(alice), []bridge.Invitee{{Address: bob}})
		require.NoError(t, err)
		_, _, err = s.View(ctx, second, by(bob))
		require.NoError(t, err)
	})
}

func TestAPersonSeesWhoReachesThemAndEndsIt(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, _ *store.Store) {
		first := startWith(t, s, "1", bridge.Options{}, bridge.Invitee{Address: bob}).Session.ID
		startWith(t, s, "2", bridge.Options{}, bridge.Invitee{Address: bob}, bridge.Invitee{Address: dora})
		reaches, err := s.Reaches(ctx, person(bob))
		require.NoError(t, err)
		require.Len(t, reaches, 2)
		require.NoError(t, s.End(ctx, first, person(bob)))
		reaches, err = s.Reaches(ctx, person(bob))
		require.NoError(t, err)
		require.Len(t, reaches, 1)
		require.Equal(t, "Plan 2", reaches[0].Session.Subject)
		require.Equal(t, bridge.Declined, memberOf(t, s, first, bob).State)
		require.Contains(t, kinds(t, s, first), bridge.KindDeclined)
	})
}

func TestAFurtherBrowserNeedsAMailedCode(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, db *store.Store) {
		id := startWith(t, s, "1", bridge.Options{}, bridge.Invitee{Address: bob}).Session.ID
		m := memberOf(t, s, id, bob)
		token, err := s.Token(ctx, id, m.ID, bridge.RightJoin)
		require.NoError(t, err)
		h, err := s.Holder(ctx, bridge.RightJoin, token)
		require.NoError(t, err)
		first, err := s.Bind(ctx, h, "Firefox", "")
		require.NoError(t, err)
		_, err = s.Bind(ctx, h, "Chrome", "")
		require.Equal(t, bridge.CodeNeeded, codeOf(err))
		_, err = s.Bind(ctx, h, "Chrome", "")
		require.Equal(t, bridge.CodeNeeded, codeOf(err))
		letters := lettersOf(t, s, db, id, m.ID)
		require.Equal(t, "Firefox", letters[bridge.LetterBound][0].Browser.Label)
		require.Len(t, letters[bridge.LetterCode], 1, "who asks twice gets one mail")
		code := letters[bridge.LetterCode][0].Code
		require.Len(t, code, bridge.CodeLength)
		for range bridge.CodeTries - 1 {
			_, err = s.Bind(ctx, h, "Chrome", "x"+code[1:])
			require.Equal(t, bridge.CodeNeeded, codeOf(err))
		}
		second, err := s.Bind(ctx, h, "Chrome", code)
		require.NoError(t, err)
		_, err = s.Bind(ctx, h, "Opera", code)
		require.Equal(t, bridge.CodeNeeded, codeOf(err), "a code serves once")
		_, browsers, err := s.Browsers(ctx, letters[bridge.LetterBound][0].Tokens.Browsers)
		require.NoError(t, err)
		require.Len(t, browsers, 2)
		require.NoError(t, s.ForgetBrowser(ctx, second, id))
		_, err = s.Browser(ctx, second, id)
		require.Equal(t, bridge.NotFound, codeOf(err), "a cookie that was stolen before signing out is dead")
		require.NoError(t, s.EndBrowsers(ctx, letters[bridge.LetterBound][0].Tokens.Browsers))
		_, err = s.Browser(ctx, first, id)
		require.Equal(t, bridge.NotFound, codeOf(err))
	})
}

// lettersOf has the letters that are queued for a member, by kind.
func lettersOf(t *testing.T, s *bridge.Service, db *store.Store, session, member uuid.UUID) map[bridge.LetterKind][]bridge.Letter {
	t.Helper()
	mails, err := db.ListMails(ctx, session, member)
	require.NoError(t, err)
	letters := make(map[bridge.LetterKind][]bridge.Letter)
	for _, m := range mails {
		if m.State != bridge.MailQueued {
			continue
		}
		if l, ok, err := s.Letter(ctx, m); ok {
			require.NoError(t, err)
			letters[m.Kind] = append(letters[m.Kind], l)
		}
	}
	return letters
}

func TestATokenIsGoodForItsRightAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, _ *store.Store) {
		id := startWith(t, s, "1", bridge.Options{}, bridge.Invitee{Address: bob}).Session.ID
		m := memberOf(t, s, id, bob)
		holder := func(r bridge.Right) bridge.Holder {
			token, err := s.Token(ctx, id, m.ID, r)
			require.NoError(t, err)
			h, err := s.Holder(ctx, r, token)
			require.NoError(t, err)
			return h
		}
		link, reply := holder(bridge.RightJoin), holder(bridge.RightReply)
		room, _, err := s.Look(ctx, link)
		require.NoError(t, err)
		require.Equal(t, "Plan 1", room.Session.Subject)
		for name, err := range map[string]error{
			"a link reads":              second(s.Records(ctx, id, link.Identity(bridge.Web), 0, 10)),
			"a link writes":             second(post(s, id, link.Identity(bridge.Web), "no")),
			"a reply address reads":     second(s.Records(ctx, id, reply.Identity(bridge.Mail), 0, 10)),
			"a reply address declines":  s.Decline(ctx, id, reply.Identity(bridge.Mail)),
			"an unsubscription answers": second(post(s, id, holder(bridge.RightUnsubscribe).Identity(bridge.Mail), "no")),
		} {
			require.Equal(t, bridge.NotFound, codeOf(err), name)
		}
		_, _, err = s.Look(ctx, reply)
		require.Equal(t, bridge.NotFound, codeOf(err))
		require.NoError(t, s.Decline(ctx, id, link.Identity(bridge.Web)))
	})
}

func second[T any](_ T, err error) error { return err }

func TestSigningInIsByALinkThatServesOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, db *store.Store) {
		id := startWith(t, s, "1", bridge.Options{}, bridge.Invitee{Address: bob}).Session.ID
		s.AskSignIn(ctx, bob)
		s.AskSignIn(ctx, emil) // nobody knows him
		s.Wait()
		letters := lettersOf(t, s, db, id, memberOf(t, s, id, bob).ID)[bridge.LetterSignIn]
		require.Len(t, letters, 1)
		token := letters[0].Tokens.SignIn
		who, err := s.SigningIn(ctx, token)
		require.NoError(t, err)
		require.Equal(t, bob, who)
		cookie, err := s.SignIn(ctx, token, "Firefox")
		require.NoError(t, err)
		_, err = s.SignIn(ctx, token, "Chrome")
		require.Equal(t, bridge.NotFound, codeOf(err))
		in, err := s.SignedIn(ctx, cookie)
		require.NoError(t, err)
		require.Equal(t, bob, in.Address)
		require.NoError(t, s.SignOut(ctx, cookie))
		_, err = s.SignedIn(ctx, cookie)
		require.Equal(t, bridge.NotFound, codeOf(err))
	})
}

func TestExpiryEndsWritingAndRevocationReading(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, _ *store.Store) {
		clock := s.NewClock()
		soon := clock.Now().Add(time.Hour)
		ending := startWith(t, s, "1", bridge.Options{ExpiresAt: soon}, bridge.Invitee{Address: bob}).Session.ID
		lapsing := startWith(t, s, "2", bridge.Options{}, bridge.Invitee{Address: bob, ExpiresAt: soon}, bridge.Invitee{Address: dora}).Session.ID
		_, err := post(s, ending, by(bob), "in time")
		require.NoError(t, err)
		clock.Pass(time.Hour)
		for _, id := range []uuid.UUID{ending, lapsing} {
			_, err = post(s, id, by(bob), "late")
			require.Equal(t, bridge.Closed, codeOf(err))
			_, err = s.Records(ctx, id, by(bob), 0, 10)
			require.NoError(t, err)
		}
		_, err = post(s, lapsing, by(dora), "still here")
		require.NoError(t, err)
		require.NoError(t, s.Reopen(ctx, ending, by(alice)))
		_, err = post(s, ending, by(bob), "again")
		require.NoError(t, err)
		_, err = s.Invite(ctx, lapsing, by(alice), []bridge.Invitee{{Address: bob}})
		require.NoError(t, err)
		_, err = post(s, lapsing, by(bob), "again, too")
		require.NoError(t, err)
	})
}

func TestOffTheRecordNothingIsInTheDatabase(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, db *store.Store) {
		o := bridge.Options{OffRecord: true}
		room := startWith(t, s, "secretword", o, bridge.Invitee{Address: bob})
		id := room.Session.ID
		require.Equal(t, "Plan secretword", room.Session.Subject)
		r, err := post(s, id, by(alice), "hush")
		require.Equal(t, bridge.Forbidden, codeOf(err), "not by mail")
		web := func(a bridge.Address) bridge.Identity { return bridge.Identity{Via: bridge.Web, Address: a} }
		r, err = post(s, id, web(bob), "hush")
		require.NoError(t, err)
		again, err := post(s, id, web(bob), "hush")
		require.NoError(t, err)
		require.Equal(t, r.Seq, again.Seq, "a repeat is found")
		records, err := s.Records(ctx, id, web(bob), 0, 10)
		require.NoError(t, err)
		require.Equal(t, "hush", records[len(records)-1].Body.Text)
		before, err := s.RecordsBefore(ctx, id, web(bob), records[len(records)-1].Seq, 2)
		require.NoError(t, err)
		require.Equal(t, records[len(records)-3:len(records)-1], before)

		letter := lettersOf(t, s, db, id, room.Members[1].ID)
		for _, l := range letter[bridge.LetterInvitation] {
			require.Empty(t, l.Room.Session.Subject)
			require.Empty(t, l.Records)
		}
		require.NoError(t, s.Leave(ctx, id, web(bob)))
		require.NoError(t, s.Leave(ctx, id, web(alice)))
		now, err := s.Room(ctx, id)
		require.NoError(t, err)
		require.Equal(t, bridge.Over, now.Session.State, "over when the last one has left")
		require.Empty(t, now.Session.Subject)
		records, err = s.Log(ctx, id, 0, 10)
		require.NoError(t, err)
		require.Len(t, records, 1)
		require.Equal(t, bridge.KindOver, records[0].Kind)
		_, err = post(s, id, web(bob), "anybody?")
		require.Equal(t, bridge.Closed, codeOf(err))
		require.Equal(t, bridge.Closed, codeOf(s.Reopen(ctx, id, web(alice))))
	})
}

func TestOffTheRecordEndsWithItsKeeper(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, db *store.Store) {
		id := startWith(t, s, "1", bridge.Options{OffRecord: true}, bridge.Invitee{Address: bob}).Session.ID
		require.NoError(t, s.EndOver(ctx))
		room, err := s.Room(ctx, id)
		require.NoError(t, err)
		require.Equal(t, bridge.Open, room.Session.State)
		require.NoError(t, newServiceOf(t, db, "next").EndOver(ctx))
		room, err = s.Room(ctx, id)
		require.NoError(t, err)
		require.Equal(t, bridge.Over, room.Session.State)
	})
}

func TestErasingAPersonLeavesNothingOfThem(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, db *store.Store) {
		admin := bridge.Identity{Admin: true}
		id := startWith(t, s, "1", bridge.Options{}, bridge.Invitee{Address: bob, Name: "Bobby"}, bridge.Invitee{Address: carol}).Session.ID
		_, err := post(s, id, by(bob), "bobsword")
		require.NoError(t, err)
		_, err = post(s, id, by(carol), "carolsword")
		require.NoError(t, err)
		data, err := s.ExportPerson(ctx, admin, bob)
		require.NoError(t, err)
		require.Equal(t, "bobsword", data.Sessions[0].Messages[0].Text)

		held := startWith(t, s, "2", bridge.Options{}, bridge.Invitee{Address: carol}).Session.ID
		require.NoError(t, s.Hold(ctx, held, admin, true))
		_, err = s.Erase(ctx, by(bob), bob)
		require.Equal(t, bridge.Forbidden, codeOf(err))
		erased, err := s.Erase(ctx, admin, bob)
		require.NoError(t, err)
		require.Equal(t, []bridge.Erasure{{Session: id}}, erased)
		records, err := s.Log(ctx, id, 0, 100)
		require.NoError(t, err)
		for _, r := range records {
			require.NotContains(t, r.Body.Text, "bobsword")
		}
		require.Contains(t, kinds(t, s, id), bridge.KindErased)
		room, err := s.Room(ctx, id)
		require.NoError(t, err)
		require.Equal(t, "Guest 2", room.Members[1].Display())
		require.Empty(t, room.Members[1].Endpoints)
		_, err = s.ExportPerson(ctx, admin, bob)
		require.Equal(t, bridge.NotFound, codeOf(err))

		partly, err := s.Erase(ctx, admin, carol)
		require.NoError(t, err)
		require.ElementsMatch(t, []bridge.Erasure{{Session: id}, {Session: held, Kept: true}}, partly)
		require.Equal(t, carol, memberOf(t, s, held, carol).Address, "on hold nothing is touched")
		entries, err := s.Audit(ctx, admin, 10)
		require.NoError(t, err)
		require.NotEmpty(t, entries)
		for _, e := range entries {
			require.NotContains(t, e.About, "bob@")
		}
	})
}

func TestNetworksLearnThatSomebodyWasErasedWhoSaidNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, _ *store.Store) {
		id := startWith(t, s, "1", bridge.Options{}, bridge.Invitee{Address: bob}).Session.ID
		m := memberOf(t, s, id, bob)
		require.NoError(t, s.Revoke(ctx, id, by(alice), m.ID, false))
		_, err := s.Erase(ctx, bridge.Identity{Admin: true}, bob)
		require.NoError(t, err)
		records, err := s.Log(ctx, id, 0, 100)
		require.NoError(t, err)
		last := records[len(records)-1]
		require.Equal(t, bridge.KindErased, last.Kind)
		require.Equal(t, m.ID, last.Target)
	})
}

func TestAPersonIsErasedFromASessionThatIsOver(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, _ *store.Store) {
		id := startWith(t, s, "1", bridge.Options{OffRecord: true}, bridge.Invitee{Address: bob}).Session.ID
		require.NoError(t, s.Close(ctx, id, person(alice)))
		_, err := s.Erase(ctx, bridge.Identity{Admin: true}, bob)
		require.NoError(t, err)
		room, err := s.Room(ctx, id)
		require.NoError(t, err)
		require.True(t, room.Members[1].Address.IsZero())
	})
}

func TestWhatWasSaidGoesWithARevocationIfTheInitiatorWants(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, _ *store.Store) {
		id := startWith(t, s, "1", bridge.Options{}, bridge.Invitee{Address: bob}).Session.ID
		r, err := post(s, id, by(bob), "rude")
		require.NoError(t, err)
		require.NoError(t, s.Hold(ctx, id, bridge.Identity{Admin: true}, true))
		require.Equal(t, bridge.Forbidden, codeOf(s.Revoke(ctx, id, by(alice), r.Member, true)))
		require.NoError(t, s.Hold(ctx, id, bridge.Identity{Admin: true}, false))
		require.NoError(t, s.Revoke(ctx, id, by(alice), r.Member, true))
		records, err := s.Log(ctx, id, r.Seq-1, 10)
		require.NoError(t, err)
		require.True(t, records[0].Erased)
		require.Empty(t, records[0].Body)
		last := records[len(records)-1]
		require.Equal(t, bridge.KindErased, last.Kind)
		require.Equal(t, r.Member, last.Target)
	})
}

func TestMessagesAreKeptAsLongAsTheSessionSays(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, db *store.Store) {
		id := startWith(t, s, "1", bridge.Options{KeepFor: bridge.MinKeepFor}, bridge.Invitee{Address: bob}).Session.ID
		startWith(t, s, "2", bridge.Options{}, bridge.Invitee{Address: bob})
		due, err := db.ListPastKeeping(ctx, time.Now(), 0)
		require.NoError(t, err)
		require.Empty(t, due)
		later := time.Now().Add(2 * time.Hour)
		due, err = db.ListPastKeeping(ctx, later, 0)
		require.NoError(t, err)
		require.Equal(t, map[uuid.UUID]int64{id: 3}, due)
		due, err = db.ListPastKeeping(ctx, later, time.Hour)
		require.NoError(t, err)
		require.Len(t, due, 2)
		due, err = db.ListPastKeeping(ctx, later, 3*time.Hour)
		require.NoError(t, err)
		require.Len(t, due, 1)
	})
}

func TestLimitsAreCountedAndCanBeLifted(t *testing.T) {
	onBoth(t, func(t *testing.T, _ *bridge.Service, db *store.Store) {
		s := limitedService(t, db, bridge.Limits{InitiatorSessions: 2, MemberMessages: 3})
		admin := bridge.Identity{Admin: true}
		begin := func(origin string) error {
			_, err := s.Start(ctx, bridge.StartRequest{
				By: by(alice), Invitees: []bridge.Invitee{{Address: bob}}, Origin: bridge.Origin{Network: bridge.Web, ID: origin},
			})
			return err
		}
		require.NoError(t, begin("1"))
		require.NoError(t, begin("2"))
		require.NoError(t, begin("2"), "a repeat is no new session")
		require.Equal(t, bridge.TooMany, codeOf(begin("3")))
		usages, err := s.Usages(ctx, admin, 10)
		require.NoError(t, err)
		require.Equal(t, "sessions alice@example.org", usages[0].Name)
		require.NoError(t, s.Lift(ctx, admin, usages[0].Name))
		require.NoError(t, begin("3"))

		id := startWith(t, s, "x", bridge.Options{}, bridge.Invitee{Address: bob}).Session.ID
		var last error
		for i := range 5 {
			_, last = post(s, id, by(bob), string(rune('a'+i)))
		}
		require.Equal(t, bridge.TooMany, codeOf(last))
		_, err = post(s, id, by(alice), "the others go on")
		require.NoError(t, err)
	})
}

func TestNewcomersMaySeeOnlyWhatFollows(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, _ *store.Store) {
		id := startWith(t, s, "1", bridge.Options{NewcomersFromNow: true}, bridge.Invitee{Address: bob}).Session.ID
		_, err := post(s, id, by(bob), "before")
		require.NoError(t, err)
		_, err = s.Invite(ctx, id, by(alice), []bridge.Invitee{{Address: dora}})
		require.NoError(t, err)
		_, err = post(s, id, by(bob), "after")
		require.NoError(t, err)
		for _, list := range []func() ([]bridge.Record, error){
			func() ([]bridge.Record, error) { return s.Records(ctx, id, by(dora), 0, 100) },
			func() ([]bridge.Record, error) { return s.RecordsBefore(ctx, id, by(dora), 0, 100) },
		} {
			records, err := list()
			require.NoError(t, err)
			var said []string
			for _, r := range records {
				if r.Kind == bridge.KindMessage {
					said = append(said, r.Body.Text)
				}
			}
			require.Equal(t, []string{"after"}, said)
		}
	})
}

func TestAReportReachesTheOperatorsAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, _ *store.Store) {
		id := startWith(t, s, "1", bridge.Options{}, bridge.Invitee{Address: bob}).Session.ID
		before := kinds(t, s, id)
		require.NoError(t, s.Report(ctx, id, by(bob), "she is rude"))
		require.Equal(t, before, kinds(t, s, id))
		_, err := s.Audit(ctx, by(alice), 10)
		require.Equal(t, bridge.Forbidden, codeOf(err))
		entries, err := s.Audit(ctx, bridge.Identity{Admin: true}, 10)
		require.NoError(t, err)
		require.Equal(t, "she is rude", entries[0].About)
	})
}
