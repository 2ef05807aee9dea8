package xmpp

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"mailroom/bridge"
)

// XEP-0425: what was taken away is retracted from all who may have it.
func TestWhatIsTakenAwayIsRetracted(t *testing.T) {
	h := newHouse(t)
	id := h.begin(bridge.Options{}, "bob", "carol")
	h.enter(id, bob, "Bob")
	h.enter(id, carol, "Carol")
	first := h.says(id, "bob", "rude")
	kept := h.says(id, "carol", "oh")
	second := h.says(id, "bob", "ruder")
	h.gathered()
	require.NoError(t, h.RemoveSaid(t.Context(), id, web("alice"), first.Member))
	for _, client := range []string{bob, carol} {
		got := h.next(client, 2)
		require.Equal(t, []string{"message retract " + first.ID.String(), "message retract " + second.ID.String()}, tellAll(got))
		retracted := got[0].child(nsRetract, "retract")
		require.Equal(t, id.String()+"@"+component+"/alice", retracted.child(nsModerate, "moderated").attr("by"))
		require.Equal(t, "This was taken away.", retracted.child(nsRetract, "reason").text)
		require.Equal(t, id.String()+"@"+component, got[0].attr("from"))
	}
	h.exit(id, bob, "Bob")
	require.Equal(t, []string{"presence /alice xa", "presence /Carol xa", "presence /Bob 110 170 100", "message /Carol: oh", "message subject=Picnic"}, h.enter(id, bob, "Bob"))
	require.NotEqual(t, kept.Member, first.Member)
	third := h.says(id, "bob", "again")
	h.gathered()
	require.NoError(t, h.RemoveSaid(t.Context(), id, web("alice"), first.Member))
	h.sees(carol, "message retract "+third.ID.String()) // what was retracted is not again
}

// A person who is erased loses their name in the room, too.
func TestAnErasedPersonIsNamelessAndOut(t *testing.T) {
	h := newHouse(t)
	id := h.begin(bridge.Options{}, "bob", "carol")
	h.enter(id, bob, "Bobby Tables")
	h.enter(id, carol, "Carol")
	said := h.says(id, "bob", "forget me")
	h.gathered()
	_, err := h.Erase(t.Context(), bridge.Identity{Admin: true}, email("bob"))
	require.NoError(t, err)
	got := tellAll(h.next(carol, 5))
	require.Contains(t, got, "message retract "+said.ID.String())
	require.Contains(t, got, "presence unavailable /Bobby Tables -> Guest 2 303")
	require.Contains(t, got, "presence unavailable /Guest 2 321")
	require.Contains(t, got, "message 104 173")
	h.sees(bob, "presence unavailable /Guest 2 110 321")
	h.exit(id, carol, "Carol")
	for _, line := range h.enter(id, carol, "Carol") {
		require.NotContains(t, line, "Bobby")
	}
}

// Whose lane lags is never sent what is gone meanwhile.
func TestALaggingLaneBringsNothingThatWasErased(t *testing.T) {
	s, id := talking(t)
	s.rest()
	first := s.say(id, 1, "", time.Now()).Seq
	s.edit(id, func(talk *talk) { talk.log[first-1].Erased = true })
	s.say(id, 1, "kept", time.Now())
	accepted, err := s.component.Deliver(t.Context(), bridge.Lane{Session: id}, s.log(id, first))
	require.NoError(t, err)
	require.Equal(t, 2, accepted)
	s.sees(bob, "message /alice: kept")
	s.quiet(bob)
}

// Any number of messages may be taken away at once: each piece is bounded, and
// all come, once and in order.
func TestErasureComesInPieces(t *testing.T) {
	s, id := talking(t)
	s.rest()
	const total = 6000
	first := int64(len(s.log(id, 1))) + 1
	s.edit(id, func(talk *talk) {
		for range total {
			s.append(talk, bridge.Record{Kind: bridge.KindMessage, Member: talk.room.Members[0].ID, Erased: true})
		}
	})
	erasure := s.add(id, bridge.Record{Kind: bridge.KindErased, Ref: first + total - 1})
	require.NoError(t, s.component.rooms.with(t.Context(), id, func(r *room) error {
		var d delivery
		after, more, err := int64(0), true, error(nil)
		for more && d.size <= MaxDelivery {
			after, more, err = r.retractions(t.Context(), &d, erasure, after)
			require.NoError(t, err)
		}
		require.Less(t, d.size, MaxDelivery+2*d.largest)
		require.Less(t, after, erasure.Ref)
		return nil
	}))
	accepted, err := s.component.Deliver(t.Context(), bridge.Lane{Session: id}, []bridge.Record{erasure})
	require.NoError(t, err)
	require.Equal(t, 1, accepted)
	got := s.next(carol, total)
	for i, record := range s.log(id, first)[:total] {
		require.Equal(t, record.ID.String(), got[i].child(nsRetract, "retract").attr("id"))
	}
	require.Equal(t, "Messages of this session are kept for a limited time.", got[0].child(nsRetract, "retract").child(nsRetract, "reason").text)
	s.quiet(carol)

	again, err := s.component.Deliver(t.Context(), bridge.Lane{Session: id}, []bridge.Record{erasure, {Session: id, Seq: erasure.Seq + 1, Kind: bridge.KindErased, Target: uuid.New(), Ref: erasure.Ref}})
	require.NoError(t, err)
	require.Equal(t, 1, again, "each by itself")
	s.quiet(carol)
}
