package appservice

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"maunium.net/go/mautrix/id"

	"mailroom/bridge"
)

// typed are the typing notifications that came since the last call.
func (h *homeserver) typed() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	typed := h.typing
	h.typing = nil
	return typed
}

// sees sets who sees whom type.
func (c *core) sees(typing bool, target uuid.UUID, viewers ...uuid.UUID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.signs = make(map[uuid.UUID]map[uuid.UUID]bool)
	for _, viewer := range viewers {
		c.signs[viewer] = map[uuid.UUID]bool{target: typing}
	}
}

// twoNatives is a stage on which Carol and Dave are in the room, and Alice has spoken there.
func twoNatives(t *testing.T) (s *stage, dave bridge.Member, alice string) {
	s = newStage(t)
	s.users[daveID] = "Dave"
	dave = person("Dave", "dave@example.org", daveID)
	s.opens(bridge.Options{}, s.alice, s.carol, dave)
	s.says("hello")
	require.NoError(t, s.deliver(t))
	room, fake := s.room(t)
	for _, user := range []string{carolID, daveID} {
		s.place(fake, user, "join")
		require.Equal(t, http.StatusOK, s.push(t, memberEvent("$"+user, room, user, user, "join")))
	}
	return s, dave, s.gateway.ghostOf(s.alice.ID).String()
}

func TestGhostTypesOnlyIfEverybodyInTheRoomMaySeeIt(t *testing.T) {
	s, dave, alice := twoNatives(t)
	show := func() []string {
		require.NoError(t, s.gateway.showTypingIn(t.Context(), s.session))
		return s.typed()
	}
	s.svc.sees(true, s.alice.ID, s.carol.ID)
	require.Empty(t, show(), "Dave would see it")
	s.svc.sees(true, s.alice.ID, s.carol.ID, dave.ID)
	require.Equal(t, []string{alice + " true"}, show())
	require.Empty(t, show(), "it is shown already")
	s.svc.sees(false, s.alice.ID, s.carol.ID, dave.ID)
	require.Equal(t, []string{alice + " false"}, show())
	require.Empty(t, show())

	s.svc.member(s.session, dave.ID, func(m *bridge.Member) { m.State = bridge.Left })
	s.svc.sees(true, s.alice.ID, s.carol.ID)
	require.Equal(t, []string{alice + " true"}, show(), "who is not there need not be asked")
	s.svc.member(s.session, s.carol.ID, func(m *bridge.Member) { m.State = bridge.Left })
	require.Equal(t, []string{alice + " false"}, show(), "nobody is there")
}

func TestWhoIsNotInTheRoomDoesNotTypeThere(t *testing.T) {
	s, _ := joined(t)
	blind, silent := person("Blinda", "blinda@client.com", ""), person("Sid", "sid@client.com", "")
	blind.Blind = true
	s.svc.change(s.session, func(conv *conversation) { conv.room.Members = append(conv.room.Members, blind, silent) })
	for _, target := range []uuid.UUID{blind.ID, silent.ID, s.carol.ID} {
		s.svc.sees(true, target, s.carol.ID)
		require.NoError(t, s.gateway.showTypingIn(t.Context(), s.session))
	}
	require.Empty(t, s.typed())
}

func TestTypingGoesOnWhileItIsSignalled(t *testing.T) {
	var ts typists
	session, member := uuid.New(), uuid.New()
	begin := time.Now()
	for after, want := range map[time.Duration]int{0: 1, time.Second: 0, bridge.TypingTime/2 + time.Second: 1} {
		ts.shown = map[uuid.UUID]map[uuid.UUID]time.Time{session: {member: begin}}
		if after == 0 {
			ts.shown = nil
		}
		on, off := ts.changes(session, map[uuid.UUID]bool{member: true}, begin.Add(after))
		require.Len(t, on, want, after)
		require.Empty(t, off)
	}
	_, off := ts.changes(session, nil, begin)
	require.Equal(t, []uuid.UUID{member}, off)
	require.Empty(t, ts.shown, "nothing is kept of who has stopped")
}

func TestSignalsAreHeardWhileTheGatewayRuns(t *testing.T) {
	s, dave, alice := twoNatives(t)
	ctx, stop := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	wait.Go(func() { s.gateway.showTyping(ctx) })
	defer wait.Wait()
	defer stop()
	eventually(t, "nobody listens", func() bool {
		s.svc.mu.Lock()
		defer s.svc.mu.Unlock()
		return s.svc.onSigns != nil
	})
	s.svc.sees(true, s.alice.ID, s.carol.ID, dave.ID)
	s.plays("/typing/", refusal(http.StatusInternalServerError, "M_UNKNOWN", nil))
	for range 3 {
		s.svc.onSigns(s.session)
	}
	eventually(t, "the signal is not heard", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.faults) == 0
	})
	s.svc.sees(false, s.alice.ID, s.carol.ID, dave.ID)
	eventually(t, "the signal is not shown", func() bool {
		s.svc.onSigns(s.session)
		return slices.Contains(s.typed(), alice+" false")
	})
}

// pushEphemeral sends ephemeral data, under the key of the specification or of the proposal.
func (s *stage) pushEphemeral(t *testing.T, key string, data ...map[string]any) {
	t.Helper()
	body := encode(map[string]any{"events": []any{}, key: data})
	require.Equal(t, http.StatusOK, s.request(t, http.MethodPut, "/_matrix/app/v1/transactions/1", body, "Bearer "+s.gateway.registration.ServerToken))
}

func typingIn(room string, users ...string) map[string]any {
	return map[string]any{"type": "m.typing", "room_id": room, "content": map[string]any{"user_ids": users}}
}

// Dendrite pushes no ephemeral data: these transactions are as Synapse sends them.
func TestNativeTypingIsToldOn(t *testing.T) {
	for _, key := range []string{"ephemeral", "de.sorunome.msc2409.ephemeral"} {
		s, room := joined(t)
		s.pushEphemeral(t, key, typingIn(room, carolID, "@mallory:"+testDomain, s.gateway.ghostOf(s.alice.ID).String()))
		s.pushEphemeral(t, key, typingIn("!elsewhere:x", carolID), map[string]any{"type": "m.receipt"}, map[string]any{"type": "m.presence", "sender": carolID})
		require.Equal(t, []string{carolID + " typing true"}, s.svc.heard)
		s.pushEphemeral(t, key, typingIn(room))
		s.pushEphemeral(t, key, typingIn(room))
		require.Equal(t, []string{carolID + " typing true", carolID + " typing false"}, s.svc.heard, "and once")
		require.Empty(t, s.gateway.typists.native)
	}
}

func TestEphemeralDataNeverHoldsEventsUp(t *testing.T) {
	s, room := joined(t)
	s.svc.fail(fmt.Errorf("the disk is full"))
	s.pushEphemeral(t, "ephemeral", typingIn(room, carolID))
	s.pushEphemeral(t, "ephemeral", map[string]any{"type": "m.typing", "content": 7})
	s.svc.fail(nil)
	var users []id.UserID
	for i := range 10 * maxTyping {
		users = append(users, id.UserID(fmt.Sprintf("@%d:x", i)))
	}
	require.Len(t, s.gateway.nativesOf(users), maxTyping)
	for i := range 2 * maxTypingRooms {
		s.gateway.typists.heard(id.RoomID(fmt.Sprint(i)), map[id.UserID]bool{carolID: true})
	}
	require.LessOrEqual(t, len(s.gateway.typists.native), maxTypingRooms)
}

func TestNothingIsSaidOfPresence(t *testing.T) {
	s, room := joined(t)
	s.says("hello")
	require.NoError(t, s.deliver(t))
	require.NoError(t, s.gateway.hello(t.Context()))
	require.Equal(t, http.StatusOK, s.push(t, textEvent("$1", room, carolID, "hello")))
	s.revokes(s.carol.ID)
	require.NoError(t, s.deliver(t))
	for _, request := range s.counted() {
		require.NotContains(t, request, "/presence/")
		require.NotContains(t, request, "/sync")
		require.NotContains(t, request, "/directory/")
	}
}
