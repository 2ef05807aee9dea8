package xmpp

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mailroom/bridge"
)

func TestMembersAreInvitedOnceAndInOneStanza(t *testing.T) {
	s := newStage(t)
	id := s.start("Picnic", "alice@client.com", "xmpp:bob@example.org")
	s.settled(id)
	got := s.next("bob@example.org", 1)[0]
	require.Equal(t, "message normal: alice invites you to talk in “Picnic”. Join here: xmpp:"+id.String()+"@"+component+"?join", tell(got))
	require.Equal(t, id.String()+"@"+component, got.attr("from"))
	require.Equal(t, id.String()+"@"+component, got.child(nsConference, "x").attr("jid"))
	invite := got.child(nsMUCUser, "x").child(nsMUCUser, "invite")
	require.Equal(t, id.String()+"@"+component+"/alice", invite.attr("from"), "no real address")
	require.Equal(t, bridge.EndpointInvited, s.endpoint(id, 2))
	s.quiet("bob@example.org")
}

func TestTheInitiatorIsInvitedToo(t *testing.T) {
	s := newStage(t)
	id := s.start("Picnic", "xmpp:bob@example.org", "dave@client.com")
	s.settled(id)
	s.sees("bob@example.org", "message normal: You started “Picnic”. Everybody talks here, also those on other networks: xmpp:"+id.String()+"@"+component+"?join")
	require.Equal(t, bridge.EndpointInvited, s.endpoint(id, 1))
}

func TestAnInvitationThatComesBackHasFailed(t *testing.T) {
	s := newStage(t)
	id := s.start("Picnic", "alice@client.com", "xmpp:nobody@example.org", "xmpp:bob@example.org")
	s.settled(id)
	sent := s.next("nobody@example.org", 1)[0]
	bounce := "<message type='error' from='%s' to='%s@%s' id='%s'><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
	s.write(bounce, "nobody@example.org", id, component, sent.attr("id"))
	require.Eventually(t, func() bool { return s.endpoint(id, 2) == bridge.EndpointFailed }, patience, time.Millisecond)

	s.write(bounce, "mallory@example.org", id, component, sent.attr("id"))
	s.join(id, bob, "Bob")
	s.write(bounce, "bob@example.org", id, component, sent.attr("id"))
	s.groupchat(id, bob, "<body>I am inside</body>")
	s.sees(bob, "message /Bob: I am inside")
	require.Equal(t, bridge.EndpointJoined, s.endpoint(id, 3), "who is inside has not failed")
}
