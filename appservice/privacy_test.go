package appservice

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"mailroom/bridge"
)

const daveID = "@dave:" + testDomain

// opens starts another session on the stage.
func (s *stage) opens(o bridge.Options, members ...bridge.Member) uuid.UUID {
	session := s.svc.start("Plan", members...)
	s.svc.change(session, func(conv *conversation) { conv.room.Session.Options = o })
	s.session = session
	return session
}

// revokes takes a member's grant.
func (s *stage) revokes(member uuid.UUID) {
	s.svc.member(s.session, member, func(m *bridge.Member) { m.State, m.Grant.Revoked = bridge.Revoked, true })
	s.svc.append(s.session, bridge.Record{Kind: bridge.KindRevoked, Target: member})
}

// position is where the first request stands that has all of the parts in it; -1 if there is none.
func position(requests []string, parts ...string) int {
	return slices.IndexFunc(requests, func(request string) bool {
		for _, part := range parts {
			if !strings.Contains(request, part) {
				return false
			}
		}
		return true
	})
}

func TestBlindCopyIsNotSeenInTheRoomBeforeItSpeaks(t *testing.T) {
	s := newStage(t)
	s.users[daveID] = "Dave"
	blind, native := person("Blinda", "blinda@client.com", ""), person("Dave", "dave@example.org", daveID)
	blind.Blind, native.Blind = true, true
	s.opens(bridge.Options{}, s.alice, s.carol, blind, native)
	s.svc.change(s.session, func(conv *conversation) { conv.log = conv.log[:2] }) // of blind copies the log does not tell
	s.says("hello all")
	s.svc.append(s.session, bridge.Record{Kind: bridge.KindJoined, Member: blind.ID, Origin: bridge.Origin{Network: bridge.XMPP}})
	require.NoError(t, s.deliver(t))
	text := s.everything(t)
	for _, trace := range []string{"Blinda", blind.ID.String(), native.ID.String()} {
		require.NotContains(t, text, trace)
	}
	require.Empty(t, s.membership(t, daveID))

	for _, m := range []uuid.UUID{blind.ID, native.ID} {
		s.svc.member(s.session, m, func(m *bridge.Member) { m.Blind, m.State = false, bridge.Joined })
		s.svc.append(s.session, bridge.Record{Kind: bridge.KindJoined, Member: m, Origin: bridge.Origin{Network: bridge.Mail}})
		s.svc.says(s.session, m, bridge.Mail, "I was here all the time")
	}
	require.NoError(t, s.deliver(t))
	require.Equal(t, "join", s.membership(t, s.gateway.ghostOf(blind.ID).String()))
	require.Equal(t, "invite", s.membership(t, daveID))
	require.Len(t, s.said(), 3)
}

func TestSessionOfBlindCopiesAloneNeedsNoRoom(t *testing.T) {
	s := newStage(t)
	s.carol.Blind = true
	s.opens(bridge.Options{}, s.alice, s.carol)
	var wait *bridge.WaitError
	require.ErrorAs(t, s.deliver(t), &wait)
	require.Empty(t, s.rooms)
}

func TestRoomCanBeFoundAndEnteredByNobody(t *testing.T) {
	s := newStage(t)
	require.NoError(t, s.deliver(t))
	_, room := s.room(t)
	require.Equal(t, "private_chat", room.asked["preset"], "by invitation only")
	require.Equal(t, "private", room.asked["visibility"], "in no directory")
	require.NotContains(t, room.asked, "room_alias_name")
	require.Equal(t, "forbidden", room.state["m.room.guest_access"].(map[string]any)["guest_access"])
	levels := room.state["m.room.power_levels"].(map[string]any)
	for _, act := range []string{"invite", "kick", "ban", "redact", "state_default"} {
		require.EqualValues(t, levelBot, levels[act], act)
	}
	for _, level := range levels["events"].(map[string]any) {
		require.EqualValues(t, levelUser, level, "only the name and the topic")
	}
	require.Len(t, levels["events"], 2)
}

func TestOffTheRecordHasNoRoom(t *testing.T) {
	s := newStage(t)
	s.opens(bridge.Options{OffRecord: true}, s.alice, s.carol)
	s.says("hush")
	s.counted()
	require.NoError(t, s.deliver(t))
	require.Empty(t, s.counted(), "the homeserver is not told of it")
}

// offTheRecord is a session whose starter accepts that homeservers keep it.
func offTheRecord(t *testing.T) *stage {
	s := newStage(t)
	s.opens(bridge.Options{OffRecord: true, MatrixKeeps: true}, s.alice, s.carol, person("Bob", "bob@client.com", ""))
	return s
}

func TestOffTheRecordOnMatrixIsToldBeforeAnythingElse(t *testing.T) {
	s := offTheRecord(t)
	s.says("hush")
	require.NoError(t, s.deliver(t))
	_, room := s.room(t)
	said := s.said()
	require.Len(t, said, 2)
	require.Contains(t, said[0], "off the record")
	require.Contains(t, said[0], "Matrix servers")
	require.Equal(t, "m.notice", room.messages[0].text("msgtype"))
	require.Equal(t, s.gateway.bot.String(), room.messages[0].Sender)
	require.Contains(t, room.state["m.room.topic"].(map[string]any)["topic"], "Off the record")
	require.EqualValues(t, levelBot, room.state["m.room.power_levels"].(map[string]any)["events"].(map[string]any)["m.room.topic"])
	requests := s.counted()
	require.Less(t, position(requests, "/send/m.room.message/"), position(requests, "/invite"))
	require.Contains(t, room.members[carolID].text("reason"), "off the record")
}

func TestOffTheRecordIsToldOnceHoweverOftenItIsTried(t *testing.T) {
	s := offTheRecord(t)
	s.loses("/invite")
	require.Error(t, s.deliver(t))
	s.restart()
	s.svc.drain(t, s.gateway, s.session)
	require.Len(t, s.said(), 1)
}

// goesOver ends the session, as the core does: with one record that is left of it.
func (s *stage) goesOver() {
	s.svc.change(s.session, func(conv *conversation) { conv.room.Session.State, conv.room.Session.Subject = bridge.Over, "" })
	s.svc.append(s.session, bridge.Record{Kind: bridge.KindOver})
	s.svc.change(s.session, func(conv *conversation) {
		for i := range conv.log[:len(conv.log)-1] {
			conv.log[i].Body = bridge.Body{}
		}
	})
}

func TestRoomEndsWithItsSessionOffTheRecord(t *testing.T) {
	for _, lost := range []string{"", "/send/m.room.message/", "/kick", "/leave"} {
		t.Run("without the answer to "+strings.Trim(lost, "/"), func(t *testing.T) {
			s := offTheRecord(t)
			s.says("hush")
			require.NoError(t, s.deliver(t))
			room, fake := s.room(t)
			require.Equal(t, http.StatusOK, s.push(t, memberEvent("$join", room, carolID, carolID, "join")))
			s.says("too late to be shown")
			s.goesOver()
			if lost != "" {
				s.loses(lost)
				require.Error(t, s.deliver(t))
				s.restart()
			}
			s.svc.drain(t, s.gateway, s.session)
			require.Len(t, s.said(), 3)
			require.Contains(t, s.said()[2], "has ended")
			for user, place := range fake.members {
				require.Equal(t, "leave", place.text("membership"), user)
			}
			require.Equal(t, s.gateway.bot.String(), *fake.changes[len(fake.changes)-1].StateKey, "the bot goes last")
			require.EqualValues(t, levelMute, s.talkingNeeds(t))
			require.Empty(t, s.gateway.views.kept)
			require.Empty(t, s.gateway.portals.sessions)

			s.svc.forget(s.session, 0)
			require.NoError(t, s.deliver(t), "a repeat finds nothing left to do")
			require.Len(t, s.said(), 3)
		})
	}
}

func TestSessionThatEndedBeforeItHadARoomGetsNone(t *testing.T) {
	s := offTheRecord(t)
	s.goesOver()
	require.NoError(t, s.deliver(t))
	require.Empty(t, s.rooms)
}

func TestWhoIsRevokedIsOutBeforeAnythingIsSaidAfterIt(t *testing.T) {
	s, _ := joined(t)
	s.counted()
	s.says("before")
	s.revokes(s.carol.ID)
	s.says("after")
	require.NoError(t, s.deliver(t))
	requests := s.counted()
	require.Less(t, position(requests, "/kick"), position(requests, "/send/m.room.message/"))
	require.Zero(t, position(requests, "/kick"), "nothing is asked first")
	require.Equal(t, "leave", s.membership(t, carolID))
}

func TestKickWhoseAnswerWasLostIsNotRepeatedForEver(t *testing.T) {
	s, _ := joined(t)
	s.revokes(s.carol.ID)
	s.loses("/kick")
	s.svc.drain(t, s.gateway, s.session)
	require.Equal(t, "leave", s.membership(t, carolID))
	s.says("among ourselves")
	require.NoError(t, s.deliver(t))
	require.Equal(t, []string{"among ourselves"}, s.said())
}

func TestWhoGaveTheInvitationBackIsTakenOut(t *testing.T) {
	for kind, ghostly := range map[bridge.Kind]bool{bridge.KindLeft: false, bridge.KindDeclined: true} {
		s, _ := joined(t)
		bob := person("Bob", "bob@client.com", "")
		s.svc.change(s.session, func(conv *conversation) { bob.Number = 3; conv.room.Members = append(conv.room.Members, bob) })
		s.svc.append(s.session, bridge.Record{Kind: bridge.KindInvited, Target: bob.ID})
		require.NoError(t, s.deliver(t))
		who := s.carol.ID
		if ghostly {
			who = bob.ID
		}
		s.svc.member(s.session, who, func(m *bridge.Member) { m.State, m.Grant.Revoked = bridge.Declined, true })
		s.svc.append(s.session, bridge.Record{Kind: kind, Member: who})
		require.NoError(t, s.deliver(t))
		user := carolID
		if ghostly {
			user = s.gateway.ghostOf(bob.ID).String()
		}
		require.Equal(t, "leave", s.membership(t, user), kind)
	}
}

func TestRevokedMemberWhoseServerLetThemBackInGoesAgain(t *testing.T) {
	s, room := joined(t)
	s.revokes(s.carol.ID)
	require.NoError(t, s.deliver(t))
	_, fake := s.room(t)
	s.place(fake, carolID, "join")
	require.Equal(t, http.StatusOK, s.push(t, memberEvent("$back", room, carolID, carolID, "join")))
	require.Equal(t, "leave", s.membership(t, carolID))
}

// failing is a session whose initiator is on Matrix, and a mail that did not arrive.
func failing(t *testing.T, others ...bridge.Member) *stage {
	s := newStage(t)
	s.opens(bridge.Options{}, append([]bridge.Member{s.carol, person("Bob", "bob@client.com", "")}, others...)...)
	s.svc.append(s.session, bridge.Record{Kind: bridge.KindFailure, Body: bridge.Body{Text: "There is no Bob."}, Destination: bridge.ToMail(uuid.New())})
	return s
}

func TestMailThatDidNotArriveIsToldToTheInitiatorAlone(t *testing.T) {
	s := failing(t)
	require.NoError(t, s.deliver(t))
	require.Equal(t, []string{"There is no Bob."}, s.said())

	dave := person("Dave", "dave@example.org", daveID)
	s = failing(t, dave)
	s.users[daveID] = "Dave"
	require.NoError(t, s.deliver(t))
	require.Empty(t, s.said(), "Dave would read it")
}

func TestWhatTheInitiatorWasToldIsGoneBeforeSomebodyElseComes(t *testing.T) {
	for _, restarted := range []bool{false, true} {
		s := failing(t)
		s.says("hello")
		require.NoError(t, s.deliver(t))
		if restarted {
			s.gateway = s.anotherGateway(t)
		}
		s.users[daveID] = "Dave"
		dave := person("Dave", "dave@example.org", daveID)
		s.svc.change(s.session, func(conv *conversation) { dave.Number = 3; conv.room.Members = append(conv.room.Members, dave) })
		s.svc.append(s.session, bridge.Record{Kind: bridge.KindInvited, Target: dave.ID})
		s.counted()
		require.NoError(t, s.deliver(t))
		requests := s.counted()
		require.Less(t, position(requests, "/redact/"), position(requests, "/invite"))
		require.GreaterOrEqual(t, position(requests, "/redact/"), 0)
		require.Equal(t, "invite", s.membership(t, daveID))
		require.NotContains(t, s.everything(t), "There is no Bob.")
	}
}

func TestErasedWordsAreRedacted(t *testing.T) {
	s, room := joined(t)
	bob := person("Bob", "bob@client.com", "")
	s.svc.change(s.session, func(conv *conversation) { conv.room.Members = append(conv.room.Members, bob) })
	long := strings.Repeat("bobsword ", 10_000)
	for _, text := range []string{"bobsword", long} {
		s.svc.says(s.session, bob.ID, bridge.Mail, text)
		s.says("alicesword")
	}
	require.Equal(t, http.StatusOK, s.push(t, textEvent("$carol", room, carolID, "carolsword")))
	_, fake := s.room(t)
	fake.messages = append(fake.messages, happening{ID: "$carol", Type: "m.room.message", Sender: carolID, Content: map[string]any{"body": "carolsword"}})
	require.NoError(t, s.deliver(t))

	s.svc.erases(s.session, bob.ID)
	s.svc.says(s.session, bob.ID, bridge.Mail, "said later")
	require.NoError(t, s.deliver(t))
	require.NotContains(t, s.everything(t), "bobsword")
	require.ElementsMatch(t, []string{"alicesword", "alicesword", "carolsword", "said later"}, s.said())

	s.svc.erases(s.session, s.carol.ID)
	require.NoError(t, s.deliver(t))
	require.NotContains(t, s.everything(t), "carolsword")

	s.svc.erases(s.session, uuid.Nil)
	require.NoError(t, s.deliver(t))
	require.Empty(t, s.said())
	require.Equal(t, len(s.redacted), len(slices.Compact(slices.Sorted(slices.Values(s.redacted)))), "nothing was redacted twice")
}

func TestErasureThatIsCutOffGoesOn(t *testing.T) {
	s := newStage(t)
	for i := range 250 {
		s.says(fmt.Sprint("secret ", i))
	}
	s.svc.drain(t, s.gateway, s.session)
	s.svc.erases(s.session, s.alice.ID)
	for range 3 {
		s.loses("/redact/")
		require.Error(t, s.deliver(t))
		s.restart()
		s.gateway = s.anotherGateway(t)
	}
	s.svc.drain(t, s.gateway, s.session)
	require.NotContains(t, s.everything(t), "secret")
}

func TestErasedRecordIsNotSentByALaneThatLags(t *testing.T) {
	s := newStage(t)
	s.says("gone already")
	s.svc.erases(s.session, s.alice.ID)
	s.says("still there")
	require.NoError(t, s.deliver(t))
	require.Equal(t, []string{"still there"}, s.said())
}

func TestNothingOfAnErasedPersonIsLeftInTheRoom(t *testing.T) {
	s, room := joined(t)
	bob := person("Robert Tables", "bob@client.com", "")
	bob.Number = 3
	s.svc.change(s.session, func(conv *conversation) { conv.room.Members = append(conv.room.Members, bob) })
	s.svc.append(s.session, bridge.Record{Kind: bridge.KindInvited, Target: bob.ID})
	s.svc.append(s.session, bridge.Record{Kind: bridge.KindJoined, Member: bob.ID, Origin: bridge.Origin{Network: bridge.Web}})
	s.svc.says(s.session, bob.ID, bridge.Mail, "bobsword")
	s.svc.append(s.session, bridge.Record{Kind: bridge.KindFailure, Body: bridge.Body{Text: "no mail for Robert Tables"}, Destination: bridge.ToXMPP})
	require.NoError(t, s.deliver(t))
	ghost := s.gateway.ghostOf(bob.ID).String()
	require.Contains(t, s.everything(t), "Robert Tables (email)")

	s.svc.forgets(s.session, bob.ID)
	require.NoError(t, s.deliver(t))
	require.Equal(t, "Guest 3", s.users[ghost])
	require.Equal(t, "leave", s.membership(t, ghost))
	require.NotContains(t, strings.ReplaceAll(s.everything(t), "no mail for Robert Tables", ""), "Robert Tables")

	_, fake := s.room(t)
	fake.messages = append(fake.messages, happening{ID: "$r", Type: "m.reaction", Sender: carolID, Content: map[string]any{"x": "a reaction of Carol's"}})
	require.Equal(t, http.StatusOK, s.push(t, textEvent("$1", room, carolID, "carolsword")))
	s.svc.forgets(s.session, s.carol.ID)
	require.NoError(t, s.deliver(t))
	require.Equal(t, "leave", s.membership(t, carolID))
	require.NotContains(t, s.everything(t), "a reaction of Carol's")
	require.NotContains(t, s.everything(t), `"displayname":"Carol"`)
}

func TestSubjectOfAnErasedInitiatorGoes(t *testing.T) {
	s, room := joined(t)
	s.says("hello")
	s.svc.append(s.session, bridge.Record{Kind: bridge.KindClosed, Member: s.alice.ID})
	require.NoError(t, s.deliver(t))
	require.Equal(t, http.StatusOK, s.push(t, textEvent("$late", room, carolID, "is it closed?")))
	require.Contains(t, s.everything(t), "Alice closed")
	s.svc.change(s.session, func(conv *conversation) { conv.room.Session.Subject = "" })
	s.svc.forgets(s.session, s.alice.ID)
	require.NoError(t, s.deliver(t))
	text := s.everything(t)
	require.NotContains(t, text, "Contract")
	require.NotContains(t, text, "Alice")
}

func TestEventThatCannotBeRedactedHoldsNothingUp(t *testing.T) {
	s := newStage(t)
	s.says("one")
	require.NoError(t, s.deliver(t))
	s.svc.erases(s.session, s.alice.ID)
	s.says("two")
	s.plays("/redact/", refusal(http.StatusForbidden, "M_FORBIDDEN", nil))
	require.NoError(t, s.deliver(t))
	require.Contains(t, s.said(), "two")
}

func TestNewcomersSeeOnlyWhatFollowsIfTheSessionSaysSo(t *testing.T) {
	s, _ := joined(t)
	_, room := s.room(t)
	visibility := func() any { return room.state["m.room.history_visibility"].(map[string]any)["history_visibility"] }
	require.Equal(t, "shared", visibility())
	for _, on := range []bool{true, false, false} {
		s.svc.change(s.session, func(conv *conversation) { conv.room.Session.Options.NewcomersFromNow = on })
		s.svc.append(s.session, bridge.Record{Kind: bridge.KindOptions, Member: s.alice.ID})
		require.NoError(t, s.deliver(t))
		require.Equal(t, map[bool]string{true: "invited", false: "shared"}[on], visibility())
	}
	require.Len(t, slices.DeleteFunc(slices.Clone(room.changes), func(h happening) bool { return h.Type != "m.room.history_visibility" }), 3, "nothing changed the last time")
}

func TestNewcomerIsInvitedOnlyAfterWhatTheyMayNotSee(t *testing.T) {
	s := newStage(t)
	s.opens(bridge.Options{NewcomersFromNow: true}, s.alice, person("Bob", "bob@client.com", ""))
	s.says("before Carol's time")
	s.carol.Number, s.carol.FromSeq = 3, 3
	s.svc.change(s.session, func(conv *conversation) { conv.room.Members = append(conv.room.Members, s.carol) })
	s.svc.append(s.session, bridge.Record{Kind: bridge.KindInvited, Target: s.carol.ID})
	s.says("in Carol's time")
	require.NoError(t, s.deliver(t))
	_, room := s.room(t)
	require.Equal(t, "invited", room.state["m.room.history_visibility"].(map[string]any)["history_visibility"])
	requests := s.counted()
	invited := -1
	sent := 0
	for i, request := range requests {
		if strings.Contains(request, "/send/m.room.message/") {
			sent++
		}
		if strings.Contains(request, "/state/m.room.member/"+carolID) && invited < 0 {
			invited = i
			require.Equal(t, 1, sent, "after the first message and before the second")
		}
	}
	require.Equal(t, 2, sent)
	require.Equal(t, "invite", s.membership(t, carolID))
}

func TestHiddenAddressesAreNotShownByInvitingNatives(t *testing.T) {
	s := newStage(t)
	s.users[daveID] = "Dave"
	dave := person("Dave", "dave@example.org", daveID)
	s.opens(bridge.Options{HideAddresses: true}, s.alice, s.carol, dave)
	require.NoError(t, s.deliver(t))
	require.Equal(t, "invite", s.membership(t, carolID))
	require.Empty(t, s.membership(t, daveID), "Carol would see who he is")
	require.Equal(t, bridge.EndpointFailed, s.svc.state(s.session, dave.ID))
	require.Equal(t, "invite", s.membership(t, s.gateway.ghostOf(dave.ID).String()))

	s.revokes(s.carol.ID)
	erin := person("Erin", "erin@example.org", daveID+"x")
	s.users[daveID+"x"] = "Erin"
	erin.Number, erin.Inviter = 4, s.alice.ID
	s.svc.change(s.session, func(conv *conversation) { conv.room.Members = append(conv.room.Members, erin) })
	s.svc.append(s.session, bridge.Record{Kind: bridge.KindInvited, Target: erin.ID})
	require.NoError(t, s.deliver(t))
	require.Empty(t, s.membership(t, daveID+"x"), "who was in the room can still be seen there")
}

func TestAddressesStandInNoLog(t *testing.T) {
	s := newStage(t)
	var log strings.Builder
	s.gateway.log = logTo(&log)
	s.plays("/state/m.room.member/", refusal(http.StatusInternalServerError, "M_UNKNOWN", map[string]any{"error": "what is " + carolID + "?"}))
	err := s.deliver(t)
	require.ErrorContains(t, err, "somebody on "+testDomain)
	require.NotContains(t, err.Error(), "carol")
	require.NoError(t, s.deliver(t))
	room, fake := s.room(t)
	s.place(fake, "@mallory:"+testDomain, "join")
	s.push(t, memberEvent("$1", room, "@mallory:"+testDomain, "@mallory:"+testDomain, "join"))
	s.push(t, memberEvent("$2", room, "@mallory:"+testDomain, s.gateway.bot.String(), "leave"))
	s.push(t, textEvent("$3\x00", room, "@mallory:"+testDomain, "malformed"))
	require.Contains(t, log.String(), "somebody on "+testDomain)
	for _, name := range []string{"carol", "Carol", "mallory"} {
		require.NotContains(t, log.String(), name)
	}
}

func TestErrorsAreHushed(t *testing.T) {
	g := newStage(t).gateway
	for text, want := range map[string]string{
		`Get "http://hs:8008/_matrix/client/v3/profile/@carol:example.org": EOF`:                                     `Get "http://hs:8008/_matrix/client/v3/profile/somebody on example.org": EOF`,
		`Get "http://hs/rooms/%21x:y/state/m.room.member/%40carol%3Aexample.org?user_id=@mailroom:example.org": EOF`: `Get "http://hs/rooms/%21x:y/state/m.room.member/somebody on example.org?user_id=@mailroom:example.org": EOF`,
		`user @carol.o'hara=x:example.org is unknown`:                                                                `user somebody on example.org is unknown`,
		`ask for @carol:example.org in !room:example.org: no`:                                                        `ask for somebody on example.org in !room:example.org: no`,
		`join as @mailroom_0:example.org: no`:                                                                        `join as @mailroom_0:example.org: no`,
		`nothing to hide`:                                                                                            `nothing to hide`,
	} {
		fault := errors.New(text)
		require.Equal(t, want, g.hush(fault).Error())
		require.ErrorIs(t, g.hush(fault), fault)
	}
	require.NoError(t, g.hush(nil))
}
