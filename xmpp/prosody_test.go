package xmpp

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mailroom/bridge"
)

func TestProsodyBringsAConversation(t *testing.T) {
	w := newWorld(t)
	bob, carol := w.login("bob@example.org/phone"), w.login("carol@example.org/laptop")
	id := w.start("Picnic", "alice@client.com", "xmpp:bob@example.org", "xmpp:carol@example.org")
	w.say(id, 1, "Who brings the cheese?", time.Now())
	for _, c := range []*client{bob, carol} {
		invited := c.next(1)[0]
		require.NotNil(t, invited.child(nsConference, "x"), "XEP-0249")
		require.NotNil(t, invited.child(nsMUCUser, "x").child(nsMUCUser, "invite"), "XEP-0045 §7.8.2")
	}
	require.Eventually(t, func() bool { return w.endpoint(id, 2) == bridge.EndpointInvited }, patience, time.Millisecond)

	bob.join(id, "Bob")
	bob.sees("presence /alice", "presence /Bob 110 170 100", "message /alice: Who brings the cheese?", "message subject=Picnic")
	carol.join(id, "Carol")
	carol.sees("presence /alice", "presence /Bob", "presence /Carol 110 170 100", "message /alice: Who brings the cheese?", "message subject=Picnic")
	bob.sees("presence /Carol")

	bob.say(id, "I do")
	ofBob := bob.sees("message /Bob: I do")[0]
	w.say(id, 1, "Fine <3 & 'thanks'", time.Now())
	ofAlice := bob.sees("message /alice: Fine <3 & 'thanks'")[0]
	require.NotEqual(t, ofBob.child(nsOccupantID, "occupant-id").attr("id"), ofAlice.child(nsOccupantID, "occupant-id").attr("id"))
	require.Equal(t, id.String()+"@"+component, ofBob.child(nsStanzaID, "stanza-id").attr("by"))
	require.Equal(t, ofBob.attr("id"), ofBob.child(nsStanzaID, "origin-id").attr("id"))
	carol.sees("message /Bob: I do", "message /alice: Fine <3 & 'thanks'")
	bob.quiet()
	carol.quiet()
}
