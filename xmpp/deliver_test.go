package xmpp

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mailroom/bridge"
)

func TestNothingIsAcceptedWithoutALink(t *testing.T) {
	c, err := New(Config{Component: component, Server: "127.0.0.1:1", Secret: secret}, newMemory(), nil)
	require.NoError(t, err)
	accepted, err := c.Deliver(t.Context(), bridge.Lane{}, []bridge.Record{{}})
	require.Zero(t, accepted)
	var refused *bridge.RefusedError
	require.True(t, err != nil && !errors.As(err, &refused), "it is tried again")
}

// What the server may not have read is sent again with the same ids.
func TestWhatWasNotConfirmedComesAgain(t *testing.T) {
	s, id := talking(t)
	s.alter(func() { s.deaf = true })
	s.say(id, 1, "into the void", time.Now())
	s.misses(3) // to Bob, to Carol, and the ping
	s.server.cut()
	s.alter(func() { s.deaf = false })
	s.connected(2)
	s.say(id, 1, "and after it", time.Now())
	s.settled(id)
	require.Equal(t, []string{"message /alice: into the void", "message /alice: and after it"}, s.said(bob, 2))
}

func TestOccupantsAreKeptOverARestart(t *testing.T) {
	s, id := talking(t)
	s.stop()
	s.say(id, 1, "while you were away", time.Now())
	stop := runComponent(s.component, s.memory)
	t.Cleanup(stop)
	s.connected(2)
	require.Equal(t, []string{"message /alice: while you were away"}, s.said(bob, 1))
	s.groupchat(id, bob, "<body>still inside</body>")
	require.Equal(t, []string{"message /alice: while you were away", "message /Bob: still inside"}, s.said(carol, 2))
}

// What was told over a link that is gone may not have arrived: it is told again.
func TestPresenceIsToldAgainOverANewLink(t *testing.T) {
	s, id := talking(t)
	s.server.cut()
	s.connected(2)
	s.sees(bob, "presence /alice xa", "presence /Bob 110", "presence /Carol xa")
	s.sees(carol, "presence /alice xa", "presence /Bob xa", "presence /Carol 110")
	s.set(id, 1, bridge.Left, bridge.KindLeft)
	s.sees(bob, "presence unavailable /alice 321")
	s.quiet(bob)
}

// Both servers answer a groupchat message to a client that is gone with an error.
func TestABounceIsALeave(t *testing.T) {
	s, id := talking(t)
	s.write("<message type='error' from='%s' to='%s@%s/alice' id='x'><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>", bob, id, component)
	s.sees(bob, "presence unavailable /Bob 110 307 333")
	s.say(id, 1, "is he?", time.Now())
	s.sees(carol, "message /alice: is he?")
	s.quiet(bob)
	list, err := s.Occupants(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, list, 1)
}

func TestMembersOfOtherNetworksComeAndGo(t *testing.T) {
	s := newStage(t)
	id := s.start("Picnic", "alice@client.com", "xmpp:bob@example.org", "dave@client.com")
	s.connected(1)
	s.settled(id)
	s.join(id, bob, "Bob")
	s.set(id, 3, bridge.Joined, bridge.KindJoined)
	s.sees(bob, "presence /dave xa")
	s.say(id, 3, "hello", time.Now())
	s.sees(bob, "message /dave: hello")
	s.set(id, 3, bridge.Left, bridge.KindLeft)
	s.sees(bob, "presence unavailable /dave 321")
}

func TestAClosedSessionIsReadOnly(t *testing.T) {
	s, id := talking(t)
	s.memory.close(id)
	s.sees(bob, "message: This session is closed now. You can still read it, but nothing new can be said.", "presence /alice visitor xa", "presence /Bob visitor 110", "presence /Carol visitor xa")
	s.groupchat(id, bob, "<body>one more thing</body>")
	s.sees(bob, "message error forbidden")
	s.write("<presence from='%s' to='%s@%s/Bob' id='j'><x xmlns='http://jabber.org/protocol/muc'/></presence>", bobHome, id, component)
	got := s.next(bobHome, 4)
	require.Equal(t, []string{"presence /alice visitor xa", "presence /Carol visitor xa", "presence /Bob visitor 110 170 100", "message subject=Picnic"}, tellAll(got))
}

// A client that enters again while its member's leave is still on its way is
// not thrown out by it.
func TestWhoCameBackIsNotTakenForWhoLeft(t *testing.T) {
	s, id := talking(t)
	s.stop()
	s.set(id, 2, bridge.Left, bridge.KindLeft)
	_, _, _, err := s.Enter(t.Context(), id, parseJID(bob).identity(), bob, "Bob")
	require.NoError(t, err)
	stop := runComponent(s.component, s.memory)
	t.Cleanup(stop)
	s.settled(id)
	s.forget(bob)
	s.say(id, 1, "welcome back", time.Now())
	require.Equal(t, []string{"message /alice: welcome back"}, s.said(bob, 1))
}

func TestAnOldMessageCarriesItsTime(t *testing.T) {
	s, id := talking(t)
	at := time.Date(2026, 11, 23, 20, 0, 0, 0, time.UTC)
	s.say(id, 1, "from before", at)
	got := s.next(bob, 1)[0]
	require.Equal(t, "2026-11-23T20:00:00.000Z", got.child(nsDelay, "delay").attr("stamp"))
}
