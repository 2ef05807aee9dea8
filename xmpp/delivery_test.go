package xmpp

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mailroom/bridge"
)

func TestWhatADeliveryMeasuresIsWhatIsWritten(t *testing.T) {
	s := stanza("message", "groupchat", "room@"+component+"/<Bob & 'Rob'>", "").with(el(nsComponent, "body").saying("\x00 <é>\r\n'"))
	var d delivery
	d.sendEach(s, []string{"bob@example.org/<'&'>", carol})
	d.send(s.sentTo(bobHome))
	written := 0
	for _, one := range d.out {
		written += len(one.String())
	}
	require.Equal(t, written, d.size)
	require.Equal(t, len(d.out[0].String()), d.largest)
}

// The size of what is said times the number of receivers is bounded.
func TestADeliveryTakesAsManyRecordsAsFit(t *testing.T) {
	s, id := talking(t)
	s.rest()
	text := strings.Repeat("x", 200<<10)
	first := s.say(id, 1, text, time.Now()).Seq
	for range 9 {
		s.say(id, 1, text, time.Now())
	}
	accepted, err := s.component.Deliver(t.Context(), bridge.Lane{Session: id}, s.log(id, first))
	require.NoError(t, err)
	require.Equal(t, 5, accepted, "of 400 KiB each, with two receivers")
	require.Len(t, s.next(carol, 5), 5)
	s.quiet(carol)
	accepted, err = s.component.Deliver(t.Context(), bridge.Lane{Session: id}, s.log(id, first+5))
	require.NoError(t, err)
	require.Equal(t, 5, accepted)
}

func TestOneRecordIsDeliveredWhateverItTakes(t *testing.T) {
	s, id := talking(t)
	for i := range MaxClients - 1 {
		s.join(id, fmt.Sprintf("bob@example.org/%d", i), "Bob")
	}
	s.settled(id)
	s.forget(carol)
	s.rest()
	first := s.say(id, 1, strings.Repeat("x", MaxDelivery/MaxClients), time.Now()).Seq
	s.say(id, 1, "short", time.Now())
	accepted, err := s.component.Deliver(t.Context(), bridge.Lane{Session: id}, s.log(id, first))
	require.NoError(t, err)
	require.Equal(t, 1, accepted)
}

// Between the commit of a revocation and its record, what was said after it
// reaches the others alone.
func TestNothingSaidAfterARevocationReachesTheRevoked(t *testing.T) {
	s, id := talking(t)
	s.rest()
	s.set(id, 2, bridge.Revoked, bridge.KindRevoked)
	said := s.say(id, 1, "he is gone", time.Now())
	accepted, err := s.component.Deliver(t.Context(), bridge.Lane{Session: id}, s.log(id, said.Seq))
	require.NoError(t, err)
	require.Equal(t, 1, accepted)
	s.sees(bob, "presence unavailable /Bob 110 321")
	s.quiet(bob)
	require.ElementsMatch(t, []string{"message /alice: he is gone", "presence unavailable /Bob 321"}, tellAll(s.next(carol, 2)))
}

// Also while the store cannot note that a client is out.
func TestWhoCannotBeTakenOutGetsNothingEither(t *testing.T) {
	s, id := talking(t)
	require.NoError(t, s.component.rooms.with(t.Context(), id, func(r *room) error {
		o := r.occupants[bob]
		require.ElementsMatch(t, []string{bob, carol}, r.receivers(bridge.Record{Seq: o.FromSeq + 10}))
		members := slices.Clone(r.session.Members)
		members[1].Grant.Revoked = true
		r.session = &bridge.Room{Session: r.session.Session, Members: members}
		require.Equal(t, []string{carol}, r.receivers(bridge.Record{Seq: o.FromSeq + 10}))
		return nil
	}))
}

func TestLargeMessagesArriveInOrderOverManyDeliveries(t *testing.T) {
	s, id := talking(t)
	var want []string
	for i := range 12 {
		text := fmt.Sprint(i, strings.Repeat("x", 150<<10))
		want = append(want, "message /alice: "+text)
		s.say(id, 1, text, time.Now())
	}
	require.True(t, slices.Equal(want, tellAll(s.next(bob, 12))), "each once and in order")
	s.settled(id)
	s.quiet(bob)
}

// What cannot be made to fit is refused for good, and what was said before and
// after it is delivered.
func TestARecordThatCannotFitIsRefusedWithASentence(t *testing.T) {
	s, id := talking(t)
	s.rest()
	first := s.say(id, 1, "before", time.Now()).Seq
	s.add(id, bridge.Record{Kind: bridge.KindSubject, Subject: strings.Repeat("'", 100<<10)})
	s.say(id, 1, "after", time.Now())
	accepted, err := s.component.Deliver(t.Context(), bridge.Lane{Session: id}, s.log(id, first))
	require.Equal(t, 1, accepted)
	for _, from := range []int64{first + 1, first + 1} {
		var refused *bridge.RefusedError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, "This message is too large for XMPP. It can be read on the page.", refused.Reason)
		accepted, err = s.component.Deliver(t.Context(), bridge.Lane{Session: id}, s.log(id, from))
		require.Zero(t, accepted)
	}
	accepted, err = s.component.Deliver(t.Context(), bridge.Lane{Session: id}, s.log(id, first+2))
	require.NoError(t, err)
	require.Equal(t, 1, accepted)
	s.sees(bob, "message /alice: before", "message /alice: after")
}

func TestAnInvitationThatWasNotSentIsNotNoted(t *testing.T) {
	s := newStage(t)
	s.connected(1)
	s.rest()
	id := s.start(strings.Repeat("'", 50<<10), "alice@client.com", "xmpp:bob@example.org")
	accepted, err := s.component.Deliver(t.Context(), bridge.Lane{Session: id}, s.log(id, 1))
	require.Equal(t, 1, accepted)
	var refused *bridge.RefusedError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, bridge.EndpointMapped, s.endpoint(id, 2))
	s.quiet("bob@example.org")
}

// Whatever other gateways and clients make of the parts, a message fits.
func TestAMessageFitsWhateverItsParts(t *testing.T) {
	s, id := talking(t)
	s.rest()
	long := strings.Repeat("'", 100<<10)
	record := s.add(id, bridge.Record{Kind: bridge.KindMessage, Lang: long, Body: bridge.Body{Text: strings.Repeat("'", bridge.MaxBody)}})
	for _, id := range []string{"bob@example.org" + byOriginID + long, "bob@example.org" + byOurs + "1 " + long} {
		record.Origin = bridge.Origin{Network: bridge.XMPP, ID: id}
		accepted, err := s.component.Deliver(t.Context(), bridge.Lane{Session: record.Session}, []bridge.Record{record})
		require.NoError(t, err)
		require.Equal(t, 1, accepted)
		got := s.next(bob, 1)[0]
		require.Empty(t, got.lang())
		require.Equal(t, record.ID.String(), got.attr("id"))
		require.Nil(t, got.child(nsStanzaID, "origin-id"))
		require.Less(t, got.length(), MaxStanza)
	}
}

func TestTheLongestAddressesFitBesideTheLongestText(t *testing.T) {
	const longest = 1023 // bytes of each part of an address (RFC 7622 §3.1)
	resource := "/" + strings.Repeat("'", longest)
	room := strings.Repeat("a", 36) + "@" + strings.Repeat("b", longest)
	client := strings.Repeat("a", longest) + "@" + strings.Repeat("b", longest) + resource
	id := strings.Repeat("'", maxClientID)
	s := stanza("message", "groupchat", room+resource, client).set("id", id).with(
		el(nsComponent, "body").saying(fit(strings.Repeat("'", bridge.MaxBody))),
		el(nsStanzaID, "origin-id", "id", id), el(nsStanzaID, "stanza-id", "by", room, "id", id),
		el(nsOccupantID, "occupant-id", "id", id), el(nsDelay, "delay", "from", room, "stamp", stamp(time.Now())),
	)
	require.LessOrEqual(t, s.length(), MaxStanza)
}
