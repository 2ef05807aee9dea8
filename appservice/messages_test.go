package appservice

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"mailroom/bridge"
)

func TestKindsOfMessages(t *testing.T) {
	for name, c := range map[string]struct {
		content map[string]any
		want    []string
	}{
		"text":   {map[string]any{"msgtype": "m.text", "body": "hello"}, []string{"hello"}},
		"notice": {map[string]any{"msgtype": "m.notice", "body": "I am a bot"}, nil},
		"emote":  {map[string]any{"msgtype": "m.emote", "body": "waves"}, []string{"* Carol waves"}},
		"file":   {map[string]any{"msgtype": "m.file", "body": "plan.pdf", "url": "mxc://x/y"}, []string{"sent the file “plan.pdf”, which can be opened on Matrix only."}},
		"picture with caption": {
			map[string]any{"msgtype": "m.image", "body": "our house", "filename": "house.jpg"},
			[]string{"sent the file “house.jpg”, which can be opened on Matrix only.\nour house"},
		},
		"file without a name": {map[string]any{"msgtype": "m.file", "body": ""}, []string{"sent the file “without a name”, which can be opened on Matrix only."}},
		"place":               {map[string]any{"msgtype": "m.location", "body": "the bridge", "geo_uri": "geo:1,2"}, []string{"the bridge\ngeo:1,2"}},
		"unknown kind":        {map[string]any{"msgtype": "org.example.new", "body": "fallback"}, []string{"fallback"}},
		"edit": {
			map[string]any{
				"msgtype": "m.text", "body": "* better", "m.new_content": map[string]any{"msgtype": "m.text", "body": "better"},
				"m.relates_to": map[string]any{"rel_type": "m.replace", "event_id": "$0"},
			},
			[]string{"Correction: better"},
		},
		"answer": {
			map[string]any{
				"msgtype": "m.text", "body": "> <@dave:example.org> earlier words\n\nagreed",
				"m.relates_to": map[string]any{"m.in_reply_to": map[string]any{"event_id": "$0"}},
			},
			[]string{"agreed"},
		},
		"nothing":      {map[string]any{"msgtype": "m.text", "body": " \n"}, nil},
		"control":      {map[string]any{"msgtype": "m.text", "body": "nul\x00bell\x07"}, []string{"nulbell"}},
		"verification": {map[string]any{"msgtype": "m.key.verification.request", "body": "verify me"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s, room := joined(t)
			require.Equal(t, http.StatusOK, s.push(t, contentEvent("$1", room, carolID, c.content)))
			require.Equal(t, c.want, s.svc.texts(s.session))
		})
	}
}

func TestFormattingArrivesSafe(t *testing.T) {
	s, room := joined(t)
	s.push(t, contentEvent("$1", room, carolID, map[string]any{
		"msgtype": "m.text", "body": "bold", "format": "org.matrix.custom.html",
		"formatted_body": `<b>bold</b><script>alert(1)</script><img src="https://spy.example/x.png">`,
	}))
	records := s.svc.records(s.session, 0)
	body := records[len(records)-1].Body
	require.Contains(t, body.Text, "bold")
	require.NotContains(t, body.HTML, "script")
	require.NotContains(t, body.HTML, "spy.example")
}

func TestStickerIsToldOf(t *testing.T) {
	s, room := joined(t)
	s.push(t, encode(map[string]any{"event_id": "$1", "room_id": room, "sender": carolID, "type": "m.sticker", "content": map[string]any{"body": "a wink", "url": "mxc://x/y"}}))
	require.Equal(t, []string{"a wink"}, s.svc.texts(s.session))
}

func TestMessageIntoAClosedSessionIsExplained(t *testing.T) {
	s, room := joined(t)
	s.svc.change(s.session, func(conv *conversation) { conv.room.Session.State = bridge.Ended })
	late := textEvent("$late", room, carolID, "too late")
	require.Equal(t, http.StatusOK, s.push(t, late))
	require.Equal(t, http.StatusOK, s.push(t, late))
	require.Empty(t, s.svc.texts(s.session))
	require.Equal(t, []string{"The others did not get this. This session is closed."}, s.said())
}

func TestStrangerInTheRoomIsTurnedAway(t *testing.T) {
	s, room := joined(t)
	_, fake := s.room(t)
	const mallory = "@mallory:" + testDomain
	s.place(fake, mallory, "join")
	require.Equal(t, http.StatusOK, s.push(t, memberEvent("$1", room, mallory, mallory, "join"), textEvent("$2", room, mallory, "hello?")))
	require.Equal(t, "leave", s.membership(t, mallory))
	require.Empty(t, s.svc.texts(s.session))
}

func TestInvitationOfAStrangerIsTakenBack(t *testing.T) {
	s, room := joined(t)
	_, fake := s.room(t)
	const mallory = "@mallory:" + testDomain
	s.place(fake, mallory, "invite")
	require.Equal(t, http.StatusOK, s.push(t, memberEvent("$1", room, carolID, mallory, "invite")))
	require.Equal(t, "leave", s.membership(t, mallory))
}

func TestStrangerIsFoundWhenTheRoomIsLookedInto(t *testing.T) {
	s, _ := joined(t)
	_, fake := s.room(t)
	const mallory = "@mallory:" + testDomain
	s.place(fake, mallory, "join")
	s.gateway = s.anotherGateway(t)
	s.says("between us")
	require.NoError(t, s.deliver(t))
	require.Equal(t, "leave", s.membership(t, mallory))
	require.Equal(t, "join", s.membership(t, carolID))
}

func TestLeavingIsNoted(t *testing.T) {
	s, room := joined(t)
	_, fake := s.room(t)
	s.place(fake, carolID, "leave")
	require.Equal(t, http.StatusOK, s.push(t, memberEvent("$1", room, carolID, carolID, "leave")))
	require.Equal(t, bridge.EndpointLeft, s.svc.state(s.session, s.carol.ID))
}

func TestOldLeaveIsNotBelieved(t *testing.T) {
	s, room := joined(t)
	require.Equal(t, http.StatusOK, s.push(t, memberEvent("$1", room, carolID, carolID, "leave")))
	require.Equal(t, bridge.EndpointJoined, s.svc.state(s.session, s.carol.ID), "Carol is in the room")
}

func TestBrokenRoomHoldsUpNothing(t *testing.T) {
	for _, answer := range []http.HandlerFunc{refusal(http.StatusForbidden, "M_FORBIDDEN", nil), refusal(http.StatusInternalServerError, "M_UNKNOWN", nil)} {
		s, room := joined(t)
		s.plays("/state/m.room.member", answer)
		require.Equal(t, http.StatusOK, s.push(t, memberEvent("$1", room, carolID, carolID, "leave")))
		require.Equal(t, bridge.EndpointLeft, s.svc.state(s.session, s.carol.ID))
	}
}

func TestNameOfTheRoomIsTheSubject(t *testing.T) {
	s, room := joined(t)
	_, fake := s.room(t)
	s.svc.member(s.session, s.carol.ID, func(m *bridge.Member) { m.Role = bridge.Initiator })
	require.Equal(t, http.StatusOK, s.push(t, stateEvent("$1", room, carolID, "m.room.name", "", map[string]any{"name": "New\nname"})))
	snapshot, err := s.svc.Room(t.Context(), s.session)
	require.NoError(t, err)
	require.Equal(t, "New name", snapshot.Session.Subject)
	require.NoError(t, s.deliver(t))
	require.Equal(t, map[string]any{"name": "New name"}, fake.state["m.room.name"])
}

func TestForbiddenNameIsPutBackAndExplained(t *testing.T) {
	s, room := joined(t)
	_, fake := s.room(t)
	fake.state["m.room.name"] = map[string]any{"name": "Mine now"}
	require.Equal(t, http.StatusOK, s.push(t, stateEvent("$1", room, carolID, "m.room.name", "", map[string]any{"name": "Mine now"})))
	require.Equal(t, map[string]any{"name": "Contract"}, fake.state["m.room.name"])
	require.Equal(t, []string{"The others did not get this. Only the initiator may do that."}, s.said())
}

func TestForbiddenTopicIsTakenAway(t *testing.T) {
	s, room := joined(t)
	_, fake := s.room(t)
	fake.state["m.room.topic"] = map[string]any{"topic": "Mine now"}
	require.Equal(t, http.StatusOK, s.push(t, stateEvent("$1", room, carolID, "m.room.topic", "", map[string]any{"topic": "Mine now"})))
	require.Equal(t, map[string]any{"topic": ""}, fake.state["m.room.topic"])
	require.Len(t, s.said(), 1)
}

func TestInvitationIntoAForeignRoomIsRefused(t *testing.T) {
	s, _ := joined(t)
	const foreign = "!foreign:example.org"
	s.rooms[foreign] = &fakeRoom{members: make(map[string]happening)}
	for _, ours := range []string{s.gateway.bot.String(), s.gateway.ghostOf(s.alice.ID).String()} {
		s.place(s.rooms[foreign], ours, "invite")
		require.Equal(t, http.StatusOK, s.push(t, memberEvent("$1", foreign, carolID, ours, "invite")))
		require.Equal(t, "leave", s.rooms[foreign].members[ours].text("membership"))
	}
}

func TestInvitationOfAGuessedNameMakesNoAccount(t *testing.T) {
	s, _ := joined(t)
	const foreign = "!foreign:example.org"
	guessed := "@mailroom_bob=40client.com:" + testDomain
	s.rooms[foreign] = &fakeRoom{members: make(map[string]happening)}
	s.place(s.rooms[foreign], guessed, "invite")
	require.Equal(t, http.StatusOK, s.push(t, memberEvent("$1", foreign, carolID, guessed, "invite")))
	require.NotContains(t, s.users, guessed)
}
