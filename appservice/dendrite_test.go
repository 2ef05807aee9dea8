package appservice

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"mailroom/bridge"
)

// A session with one email-only person and one on Matrix.
func TestDendriteTalksBothWays(t *testing.T) {
	server := startDendrite(t)
	svc := newCore()
	g := server.gateway(t, svc)
	alice, bob, carol := person("Alice", "alice@example.org", ""), person("Bob", "bob@client.com", ""), person("Carol", "carol@example.org", "@carol:example.org")
	session := svc.start("Contract", alice, bob, carol)
	svc.says(session, alice.ID, bridge.Mail, "Shall we sign?")
	svc.drain(t, g, session)
	require.Equal(t, bridge.EndpointInvited, svc.state(session, carol.ID))

	client := server.login(t, "carol")
	room := client.accept("Contract")
	eventually(t, "Carol's join did not arrive", func() bool { return svc.state(session, carol.ID) == bridge.EndpointJoined })
	client.reads(room, "Shall we sign?")

	for i := range 20 {
		client.say(room, fmt.Sprintf("from Matrix %d", i))
		svc.says(session, bob.ID, bridge.Web, fmt.Sprintf("from the page %d", i))
		svc.drain(t, g, session)
	}
	eventually(t, "not everything arrived", func() bool { return len(svc.texts(session)) == 41 })
	svc.drain(t, g, session)

	var fromPage, fromMatrix []string
	for i := range 20 {
		fromPage = append(fromPage, fmt.Sprintf("from the page %d", i))
		fromMatrix = append(fromMatrix, fmt.Sprintf("from Matrix %d", i))
	}
	client.reads(room, append([]string{"Shall we sign?"}, fromPage...)...)
	require.Equal(t, fromMatrix, only(svc.texts(session), "from Matrix"))
	members := client.members(room)
	require.Equal(t, "Bob (email)", members[g.ghostOf(bob.ID).String()].text("displayname"))
	require.Equal(t, "Alice (email)", members[g.ghostOf(alice.ID).String()].text("displayname"))
	require.NotContains(t, members, g.ghostOf(carol.ID).String(), "a native member needs no ghost")
}

// only keeps the texts that begin with a prefix.
func only(texts []string, prefix string) []string {
	var kept []string
	for _, text := range texts {
		if len(text) >= len(prefix) && text[:len(prefix)] == prefix {
			kept = append(kept, text)
		}
	}
	return kept
}
