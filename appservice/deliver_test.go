package appservice

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mailroom/bridge"
)

func nowMillis() int64 { return time.Now().UnixMilli() }

// stage is a session with Alice by mail and Carol on Matrix, and a homeserver in memory.
type stage struct {
	*homeserver
	svc          *core
	gateway      *Gateway
	session      uuid.UUID
	alice, carol bridge.Member
}

func newStage(t *testing.T) *stage {
	h := newHomeserver(t)
	h.users["@carol:"+testDomain] = "Carol"
	s := &stage{homeserver: h, svc: newCore(), alice: person("Alice", "alice@example.org", ""), carol: person("Carol", "carol@example.org", "@carol:"+testDomain)}
	s.gateway = s.anotherGateway(t)
	s.session = s.svc.start("Contract", s.alice, s.carol)
	return s
}

// anotherGateway is one that remembers nothing, as after a restart of ours.
func (s *stage) anotherGateway(t *testing.T) *Gateway {
	t.Helper()
	g, err := New(Config{Homeserver: s.URL, Domain: testDomain, Registration: writeRegistration(t, t.TempDir(), "http://127.0.0.1:1"), Listen: "127.0.0.1:0"}, s.svc, quietLog())
	require.NoError(t, err)
	t.Cleanup(g.client.CloseIdleConnections)
	return g
}

func (s *stage) says(text string) bridge.Record {
	return s.svc.says(s.session, s.alice.ID, bridge.Mail, text)
}

func (s *stage) deliver(t *testing.T) error {
	t.Helper()
	return s.svc.deliver(t.Context(), s.gateway, s.session)
}

func TestMessageCostsOneRequest(t *testing.T) {
	s := newStage(t)
	s.says("one")
	require.NoError(t, s.deliver(t))
	s.counted()
	s.says("two")
	s.says("three")
	require.NoError(t, s.deliver(t))
	requests := s.counted()
	require.Len(t, requests, 2, "%v", requests)
	require.Equal(t, []string{"one", "two", "three"}, s.said())
}

func TestSessionsAreDeliveredSideBySide(t *testing.T) {
	s := newStage(t)
	var all sync.WaitGroup
	for i := range 20 {
		alice := person("Alice", "alice@example.org", "")
		session := s.svc.start(fmt.Sprint(i), alice, person("Carol", "carol@example.org", carolID))
		all.Go(func() {
			for range 10 {
				s.svc.says(session, alice.ID, bridge.Mail, "hello")
				assert.NoError(t, s.svc.deliver(t.Context(), s.gateway, session))
			}
		})
	}
	all.Wait()
	require.Len(t, s.said(), 200)
	require.Len(t, s.rooms, 20)
}

func TestNobodyOnMatrixNeedsNoRoom(t *testing.T) {
	s := newStage(t)
	session := s.svc.start("By mail alone", person("Alice", "alice@example.org", ""), person("Bob", "bob@client.com", ""))
	var wait *bridge.WaitError
	require.ErrorAs(t, s.svc.deliver(t.Context(), s.gateway, session), &wait)
	require.Empty(t, s.rooms)
}

func TestUnknownAccountIsNotInvited(t *testing.T) {
	s := newStage(t)
	nobody := person("Nobody", "nobody@example.org", "@nobody:"+testDomain)
	session := s.svc.start("To nobody", person("Alice", "alice@example.org", ""), nobody)
	var wait *bridge.WaitError
	require.ErrorAs(t, s.svc.deliver(t.Context(), s.gateway, session), &wait)
	require.Equal(t, bridge.EndpointFailed, s.svc.state(session, nobody.ID))
	require.Empty(t, s.rooms)
}

func TestRoomIsLinkedBeforeAnybodyIsInvited(t *testing.T) {
	s := newStage(t)
	s.svc.fail(errors.New("the disk is full"))
	require.Error(t, s.deliver(t))
	require.Empty(t, s.membership(t, "@carol:"+testDomain))
	s.svc.fail(nil)
	require.NoError(t, s.deliver(t))
	require.Equal(t, "invite", s.membership(t, "@carol:"+testDomain), "the same room is linked and filled")
}

func TestLostAnswerShowsNothingTwice(t *testing.T) {
	for _, lost := range []string{"POST /_matrix/client/v3/register", "/displayname", "/invite", "/join", "/send/"} {
		t.Run(strings.Trim(lost, "/"), func(t *testing.T) {
			s := newStage(t)
			s.says("only once")
			s.loses(lost)
			require.Error(t, s.deliver(t))
			s.restart()
			s.svc.drain(t, s.gateway, s.session)
			require.Equal(t, []string{"only once"}, s.said())
		})
	}
}

func TestCrashBeforeNotingWhatWasSentShowsNothingTwice(t *testing.T) {
	s := newStage(t)
	var want []string
	for i := range 250 {
		s.says(fmt.Sprint(i))
		want = append(want, fmt.Sprint(i))
	}
	s.svc.drain(t, s.gateway, s.session)
	s.restart()
	s.svc.forget(s.session, 0)
	s.svc.drain(t, s.anotherGateway(t), s.session)
	require.Equal(t, want, s.said())
}

func TestLaneThatWentBackShowsNothingTwice(t *testing.T) {
	s := newStage(t)
	s.says("once")
	require.NoError(t, s.deliver(t))
	s.restart()
	s.svc.forget(s.session, 0)
	require.NoError(t, s.deliver(t), "with the same gateway")
	require.Equal(t, []string{"once"}, s.said())
}

func TestLaneThatAnotherNodeHadShowsNothingTwice(t *testing.T) {
	s := newStage(t)
	require.NoError(t, s.deliver(t))
	other := s.anotherGateway(t)
	before := int64(len(s.svc.records(s.session, 0)))
	s.says("once")
	require.NoError(t, s.svc.deliver(t.Context(), other, s.session))
	s.restart()
	s.svc.forget(s.session, before) // the other node died before it could note what it had sent
	s.svc.change(s.session, func(conv *conversation) { conv.fence++ })
	require.NoError(t, s.deliver(t))
	require.Equal(t, []string{"once"}, s.said())
}

func TestForeignMarkerHidesNothing(t *testing.T) {
	s := newStage(t)
	require.NoError(t, s.deliver(t))
	r := s.says("the truth")
	_, room := s.room(t)
	room.messages = append(room.messages, happening{Type: "m.room.message", Sender: "@carol:" + testDomain, Time: nowMillis(), Content: map[string]any{"body": "a lie", markerKey: r.ID.String()}})
	s.gateway = s.anotherGateway(t)
	require.NoError(t, s.deliver(t))
	require.Equal(t, []string{"a lie", "the truth"}, s.said())
}

func TestServerErrorIsTriedAgain(t *testing.T) {
	s := newStage(t)
	s.says("patience")
	s.plays("/send/", refusal(http.StatusInternalServerError, "M_UNKNOWN", nil))
	err := s.deliver(t)
	require.Error(t, err)
	require.False(t, errors.As(err, new(*bridge.RefusedError)))
	require.NoError(t, s.deliver(t))
	require.Equal(t, []string{"patience"}, s.said())
}

func TestServerThatIsDownIsNoticedAtOnce(t *testing.T) {
	s := newStage(t)
	s.says("later")
	require.NoError(t, s.deliver(t))
	s.Close()
	s.says("too late")
	began := time.Now()
	require.Error(t, s.deliver(t))
	require.Less(t, time.Since(began), dialTimeout)
}

func TestLimitIsWaitedFor(t *testing.T) {
	s := newStage(t)
	require.NoError(t, s.deliver(t))
	s.says("slowly")
	s.plays("/send/", refusal(http.StatusTooManyRequests, "M_LIMIT_EXCEEDED", map[string]any{"retry_after_ms": 300}))
	var wait *bridge.WaitError
	require.ErrorAs(t, s.deliver(t), &wait)
	require.WithinDuration(t, time.Now().Add(300*time.Millisecond), wait.Until, 250*time.Millisecond)
	s.counted()
	require.ErrorAs(t, s.deliver(t), &wait, "a hint changes nothing")
	require.Empty(t, s.counted())
	s.svc.drain(t, s.gateway, s.session)
	require.Equal(t, []string{"slowly"}, s.said())
}

func TestWhatTheServerNeverTakesIsRefused(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"too large on Synapse":  refusal(http.StatusRequestEntityTooLarge, "M_TOO_LARGE", nil),
		"too large on Dendrite": refusal(http.StatusRequestEntityTooLarge, "M_BAD_JSON", nil),
		"malformed":             refusal(http.StatusBadRequest, "M_BAD_JSON", nil),
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			require.NoError(t, s.deliver(t))
			s.says("impossible")
			s.plays("/send/", answer)
			var refused *bridge.RefusedError
			require.ErrorAs(t, s.deliver(t), &refused)
			require.NotEmpty(t, refused.Reason)
		})
	}
}

func TestGhostThatWasThrownOutComesBack(t *testing.T) {
	for _, fate := range []string{"leave", "ban"} {
		t.Run(fate, func(t *testing.T) {
			s := newStage(t)
			s.says("here")
			require.NoError(t, s.deliver(t))
			_, room := s.room(t)
			s.place(room, s.gateway.ghostOf(s.alice.ID).String(), fate)
			s.says("still here")
			require.NoError(t, s.deliver(t))
			require.Equal(t, []string{"here", "still here"}, s.said())
		})
	}
}

func TestGhostThatMayNotTalkIsRefusedOnlyAfterComingBack(t *testing.T) {
	s := newStage(t)
	require.NoError(t, s.deliver(t))
	s.says("muted")
	forbidden := refusal(http.StatusForbidden, "M_FORBIDDEN", nil)
	s.plays("/send/", forbidden)
	s.plays("/send/", forbidden)
	var refused *bridge.RefusedError
	require.ErrorAs(t, s.deliver(t), &refused)
}

func TestBotThatWasThrownOutIsTold(t *testing.T) {
	s := newStage(t)
	require.NoError(t, s.deliver(t))
	_, room := s.room(t)
	s.place(room, s.gateway.bot.String(), "leave")
	s.gateway = s.anotherGateway(t)
	s.says("into nothing")
	require.ErrorContains(t, s.deliver(t), "is not in the room")
}

func TestOldRecordKeepsItsTime(t *testing.T) {
	s := newStage(t)
	old := time.Now().Add(-time.Hour)
	s.svc.append(s.session, bridge.Record{Kind: bridge.KindMessage, Member: s.alice.ID, At: old, Body: bridge.Body{Text: "earlier"}, Origin: bridge.Origin{Network: bridge.Mail}})
	s.says("now")
	require.NoError(t, s.deliver(t))
	require.Equal(t, []string{strconv.FormatInt(old.UnixMilli(), 10), ""}, s.times)
}

func TestLongTextComesWhole(t *testing.T) {
	s := newStage(t)
	text := strings.Repeat("\"é\\\n", 40_000)
	s.says(text)
	require.NoError(t, s.deliver(t))
	parts := s.said()
	require.Greater(t, len(parts), 5)
	require.Equal(t, strings.TrimSuffix(text, "\n"), strings.TrimSuffix(strings.Join(parts, "\n"), "\n"))

	s.restart()
	s.svc.forget(s.session, 0)
	s.svc.drain(t, s.anotherGateway(t), s.session)
	require.Len(t, s.said(), len(parts))
}

func TestFormattingIsSent(t *testing.T) {
	s := newStage(t)
	s.svc.append(s.session, bridge.Record{Kind: bridge.KindMessage, Member: s.alice.ID, Body: bridge.Body{Text: "bold", HTML: "<b>bold</b>"}, Origin: bridge.Origin{Network: bridge.Mail}})
	require.NoError(t, s.deliver(t))
	_, room := s.room(t)
	require.Equal(t, "org.matrix.custom.html", room.messages[0].text("format"))
	require.Equal(t, "<b>bold</b>", room.messages[0].text("formatted_body"))
}

func TestWhatWasSaidInTheRoomIsNotRepeated(t *testing.T) {
	s := newStage(t)
	s.svc.says(s.session, s.carol.ID, bridge.Matrix, "I am here")
	require.NoError(t, s.deliver(t))
	require.Empty(t, s.said())
}

func TestNativeMemberOnThePageSpeaksByAMarkedGhost(t *testing.T) {
	s := newStage(t)
	s.svc.says(s.session, s.carol.ID, bridge.Web, "from my phone")
	require.NoError(t, s.deliver(t))
	_, room := s.room(t)
	ghost := s.gateway.ghostOf(s.carol.ID).String()
	require.Equal(t, ghost, room.messages[0].Sender)
	require.Equal(t, "Carol (web)", s.users[ghost])
}

func TestTwoOfOneNameCanBeToldApart(t *testing.T) {
	s := newStage(t)
	first, second := person("Bob", "bob@client.com", ""), person("Bob", "bob@other.com", "")
	session := s.svc.start("Twins", person("Alice", "alice@example.org", ""), first, second, s.carol)
	require.NoError(t, s.svc.deliver(t.Context(), s.gateway, session))
	require.Equal(t, "Bob (email)", s.users[s.gateway.ghostOf(first.ID).String()])
	require.Equal(t, "Bob (2) (email)", s.users[s.gateway.ghostOf(second.ID).String()])
}

func TestMembershipsFollowTheSession(t *testing.T) {
	s := newStage(t)
	bob := person("Bob", "bob@client.com", "")
	session := s.svc.start("Coming and going", person("Alice", "alice@example.org", ""), bob, s.carol)
	deliver := func() { require.NoError(t, s.svc.deliver(t.Context(), s.gateway, session)) }
	ghost := s.gateway.ghostOf(bob.ID).String()
	record := func(kind bridge.Kind, member, target uuid.UUID) {
		s.svc.append(session, bridge.Record{Kind: kind, Member: member, Target: target, Origin: bridge.Origin{Network: bridge.Web}})
	}
	deliver()
	require.Equal(t, "invite", s.membership(t, ghost))
	record(bridge.KindJoined, bob.ID, uuid.Nil)
	deliver()
	require.Equal(t, "join", s.membership(t, ghost))
	record(bridge.KindLeft, bob.ID, uuid.Nil)
	deliver()
	require.Equal(t, "leave", s.membership(t, ghost))

	s.svc.member(session, s.carol.ID, func(m *bridge.Member) { m.State, m.Grant.Revoked = bridge.Revoked, true })
	record(bridge.KindRevoked, uuid.Nil, s.carol.ID)
	deliver()
	require.Equal(t, "leave", s.membership(t, "@carol:"+testDomain))
}

func TestRevokedMemberIsNeverInvited(t *testing.T) {
	s := newStage(t)
	dave := person("Dave", "dave@example.org", "@dave:"+testDomain)
	s.users["@dave:"+testDomain] = "Dave"
	session := s.svc.start("Changed my mind", person("Alice", "alice@example.org", ""), s.carol, dave)
	s.svc.member(session, dave.ID, func(m *bridge.Member) { m.State, m.Grant.Revoked = bridge.Revoked, true })
	s.svc.append(session, bridge.Record{Kind: bridge.KindRevoked, Target: dave.ID})
	require.NoError(t, s.svc.deliver(t.Context(), s.gateway, session))
	require.Empty(t, s.membership(t, "@dave:"+testDomain))
	require.False(t, slices.ContainsFunc(s.counted(), func(request string) bool { return strings.HasSuffix(request, "/kick") }))
}

func TestForeignServerThatDoesNotAnswerHoldsNothingUp(t *testing.T) {
	s := newStage(t)
	eve := person("Eve", "eve@elsewhere.example", "@eve:elsewhere.example")
	session := s.svc.start("Federation", person("Alice", "alice@example.org", ""), eve)
	s.plays("/invite", refusal(http.StatusInternalServerError, "M_UNKNOWN", nil))
	require.NoError(t, s.svc.deliver(t.Context(), s.gateway, session))
	require.Equal(t, bridge.EndpointFailed, s.svc.state(session, eve.ID))
}

func TestClosedSessionIsSilent(t *testing.T) {
	s := newStage(t)
	require.NoError(t, s.deliver(t))
	s.svc.append(s.session, bridge.Record{Kind: bridge.KindClosed, Member: s.alice.ID})
	require.NoError(t, s.deliver(t))
	require.EqualValues(t, levelMute, s.talkingNeeds(t))
	s.svc.append(s.session, bridge.Record{Kind: bridge.KindReopened, Member: s.alice.ID})
	require.NoError(t, s.deliver(t))
	require.EqualValues(t, levelUser, s.talkingNeeds(t))
	require.Len(t, s.said(), 2)
}

func (s *stage) talkingNeeds(t *testing.T) float64 {
	_, room := s.room(t)
	level, _ := room.state["m.room.power_levels"].(map[string]any)["events_default"].(float64)
	return level
}

func TestFailureIsANotice(t *testing.T) {
	s := newStage(t)
	s.svc.append(s.session, bridge.Record{Kind: bridge.KindFailure, Body: bridge.Body{Text: "Bob could not be reached."}, Destination: bridge.ToXMPP})
	require.NoError(t, s.deliver(t))
	_, room := s.room(t)
	require.Equal(t, "m.notice", room.messages[0].text("msgtype"))
	require.Equal(t, s.gateway.bot.String(), room.messages[0].Sender)
}

func TestOrphansAreLeft(t *testing.T) {
	s := newStage(t)
	require.NoError(t, s.deliver(t))
	bot := s.gateway.bot.String()
	for room, created := range map[string]int64{"!old:x": 0, "!inhabited:x": 0, "!new:x": nowMillis()} {
		s.rooms[room] = &fakeRoom{members: make(map[string]happening), created: created}
		s.place(s.rooms[room], bot, "join")
	}
	s.place(s.rooms["!inhabited:x"], "@carol:"+testDomain, "leave")
	require.NoError(t, s.gateway.leaveOrphans(t.Context()))
	for id, room := range s.rooms {
		want := "join"
		if id == "!old:x" {
			want = "leave"
		}
		require.Equal(t, want, room.members[bot].text("membership"), id)
	}
}
