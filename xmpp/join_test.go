package xmpp

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mailroom/bridge"
)

const (
	bob     = "bob@example.org/phone"
	bobHome = "bob@example.org/desk"
	carol   = "carol@example.org/laptop"
	mallory = "mallory@example.org/x"
)

// XEP-0045 §7.1: the others, oneself, the history, the subject.
func TestWhoJoinsIsShownTheRoomInOrder(t *testing.T) {
	s := newStage(t)
	id := s.start("Picnic", "alice@client.com", "xmpp:bob@example.org", "dave@client.com")
	s.say(id, 1, "Who brings the cheese?", time.Now().Add(-time.Hour))
	s.connected(1)
	s.settled(id)
	s.forget("bob@example.org")

	s.write("<presence from='%s' to='%s@%s/Bob' id='j1'><x xmlns='http://jabber.org/protocol/muc'/></presence>", bob, id, component)
	got := s.next(bob, 4)
	require.Equal(t, []string{
		"presence /alice xa", // dave has not answered yet: he is no occupant
		"presence /Bob 110 170 100",
		"message /alice: Who brings the cheese?",
		"message subject=Picnic",
	}, tellAll(got))
	require.Equal(t, "j1", got[1].attr("id"))
	require.NotNil(t, got[2].child(nsDelay, "delay"))
	require.Equal(t, id.String()+"@"+component, got[2].child(nsStanzaID, "stanza-id").attr("by"))
	s.settled(id)
	s.quiet(bob)
}

// XEP-0045 §7.2.6, and SPEC F2: what a stranger asks is answered alike for a
// session, for none, and for what cannot be one. So it is for who was in the
// session once.
func TestStrangersCannotTellIfASessionExists(t *testing.T) {
	s := newStage(t)
	known := s.start("Secret", "alice@client.com", "xmpp:bob@example.org", "xmpp:dave@example.org")
	s.connected(1)
	s.settled(known)
	s.join(known, bob, "Bob")
	s.join(known, dave, "Dave")
	s.set(known, 3, bridge.Revoked, bridge.KindRevoked)
	s.sees(dave, "presence unavailable /Dave 110 321")
	s.sees(bob, "presence /Dave xa", "presence unavailable /Dave 321")
	s.forget("dave@example.org")
	for name, ask := range map[string]string{
		"join":            "<presence from='%s' to='%s@%s/M' id='1'><x xmlns='http://jabber.org/protocol/muc'/></presence>",
		"presence":        "<presence from='%s' to='%s@%s/M' id='1'/>",
		"no nick":         "<presence from='%s' to='%s@%s' id='1'><x xmlns='http://jabber.org/protocol/muc'/></presence>",
		"groupchat":       "<message from='%s' to='%s@%s' id='1' type='groupchat'><body>hello?</body></message>",
		"private message": "<message from='%s' to='%s@%s/alice' id='1' type='chat'><body>hello?</body></message>",
		"decline":         "<message from='%s' to='%s@%s' id='1'><x xmlns='http://jabber.org/protocol/muc#user'><decline/></x></message>",
		"disco info":      "<iq from='%s' to='%s@%s' id='1' type='get'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
		"disco items":     "<iq from='%s' to='%s@%s' id='1' type='get'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>",
		"archive":         "<iq from='%s' to='%s@%s' id='1' type='set'><query xmlns='urn:xmpp:mam:2'/></iq>",
		"member list":     "<iq from='%s' to='%s@%s' id='1' type='get'><query xmlns='http://jabber.org/protocol/muc#admin'/></iq>",
		"ping":            "<iq from='%s' to='%s@%s/alice' id='1' type='get'><ping xmlns='urn:xmpp:ping'/></iq>",
		"vcard":           "<iq from='%s' to='%s@%s/Bob' id='1' type='get'><vCard xmlns='vcard-temp'/></iq>",
		"vcard of a room": "<iq from='%s' to='%s@%s' id='1' type='get'><vCard xmlns='vcard-temp'/></iq>",
		"version":         "<iq from='%s' to='%s@%s/Bob' id='1' type='get'><query xmlns='jabber:iq:version'/></iq>",
		"last activity":   "<iq from='%s' to='%s@%s/Bob' id='1' type='get'><query xmlns='jabber:iq:last'/></iq>",
		"last of a room":  "<iq from='%s' to='%s@%s' id='1' type='get'><query xmlns='jabber:iq:last'/></iq>",
		"configuration":   "<iq from='%s' to='%s@%s' id='1' type='get'><query xmlns='http://jabber.org/protocol/muc#owner'/></iq>",
		"registration":    "<iq from='%s' to='%s@%s' id='1' type='get'><query xmlns='jabber:iq:register'/></iq>",
		"moderation":      "<iq from='%s' to='%s@%s' id='1' type='set'><moderate xmlns='urn:xmpp:message-moderate:1' id='1'/></iq>",
		"typing":          "<message from='%s' to='%s@%s' id='1' type='groupchat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>",
		"subscription":    "<presence from='%s' to='%s@%s' id='1' type='subscribe'/>",
		"of an occupant":  "<presence from='%s' to='%s@%s/Bob' id='1' type='subscribe'/>",
	} {
		var answers []string
		for _, asker := range []string{mallory, dave} {
			for _, room := range []string{known.String(), "0e0b8b9c-8e5f-4b4e-9c6f-0123456789ab", "lobby"} {
				s.write(ask, asker, room, component)
				to := asker
				if strings.Contains(ask, "type='subscribe'") {
					to = parseJID(asker).bare()
				}
				answers = append(answers, strings.NewReplacer(room, "ROOM", asker, "ASKER", to, "ASKER").Replace(s.next(to, 1)[0].String()))
			}
		}
		for _, answer := range answers {
			require.Equal(t, answers[0], answer, name)
		}
		require.NotContains(t, answers[0], "result", name)
	}
	for _, silent := range []string{
		"<presence from='%s' to='%s@%s/Bob' type='probe'/>", "<presence from='%s' to='%s@%s' type='probe'/>",
		"<presence from='%s' to='%s@%s/Bob' type='unavailable'/>", "<presence from='%s' to='%s@%s' type='unsubscribe'/>",
	} {
		s.write(silent, mallory, known, component)
		s.write(silent, dave, known, component)
	}
	s.quiet(mallory)
	s.quiet(dave)
	s.quiet(bob)
}

// The component says of itself only what it is.
func TestTheComponentTellsNothing(t *testing.T) {
	s := newStage(t)
	s.connected(1)
	for _, inner := range []string{
		"<vCard xmlns='vcard-temp'/>", "<query xmlns='jabber:iq:version'/>", "<query xmlns='jabber:iq:last'/>", "<query xmlns='jabber:iq:register'/>",
		"<query xmlns='jabber:iq:search'/>", "<query xmlns='http://jabber.org/protocol/muc#unique'/>",
	} {
		s.write("<iq from='%s' to='%s' id='1' type='get'>%s</iq>", mallory, component, inner)
		s.sees(mallory, "iq error service-unavailable")
	}
	s.write("<presence from='%s' to='%s' type='probe'/>", mallory, component)
	s.write("<presence from='%s' to='%s'/>", mallory, component)
	s.quiet(mallory)
}

func TestSomebodyRefusedReadsWhatToDo(t *testing.T) {
	s := newStage(t)
	s.connected(1)
	s.write("<presence from='%s' to='%s@%s/M' id='1' xml:lang='de'><x xmlns='http://jabber.org/protocol/muc'/></presence>", mallory, "lobby", component)
	refused := s.next(mallory, 1)[0]
	require.Equal(t, "presence error /M registration-required", tell(refused))
	require.Contains(t, refused.child(nsComponent, "error").child(nsStanzaError, "text").text, "Einladung")
}

func TestARevokedMemberCannotComeBack(t *testing.T) {
	s := newStage(t)
	id := s.start("Picnic", "alice@client.com", "xmpp:bob@example.org", "xmpp:carol@example.org")
	s.connected(1)
	s.settled(id)
	s.join(id, bob, "Bob")
	s.join(id, carol, "Carol")
	s.forget(bob)
	s.set(id, 2, bridge.Revoked, bridge.KindRevoked)
	s.sees(bob, "presence unavailable /Bob 110 321")
	s.sees(carol, "presence unavailable /Bob 321")
	s.say(id, 1, "he is gone", time.Now())
	s.sees(carol, "message /alice: he is gone")
	s.quiet(bob)
	s.write("<presence from='%s' to='%s@%s/Bob' id='j2'><x xmlns='http://jabber.org/protocol/muc'/></presence>", bob, id, component)
	s.sees(bob, "presence error /Bob registration-required")
}

func TestTwoClientsOfOnePersonHaveOneNick(t *testing.T) {
	s := newStage(t)
	id := s.start("Picnic", "alice@client.com", "xmpp:bob@example.org", "xmpp:carol@example.org")
	s.connected(1)
	s.settled(id)
	s.join(id, carol, "Carol")
	s.join(id, bob, "Bob")
	s.sees(carol, "presence /Bob xa")
	s.write("<presence from='%s' to='%s@%s/bobby' id='j2'><x xmlns='http://jabber.org/protocol/muc'/></presence>", bobHome, id, component)
	got := s.next(bobHome, 4)
	require.Equal(t, []string{"presence /alice xa", "presence /Carol xa", "presence /Bob 110 170 100 210", "message subject=Picnic"}, tellAll(got))

	s.write("<message type='groupchat' from='%s' to='%s@%s' id='m1'><body>from the phone</body></message>", bob, id, component)
	for _, client := range []string{bob, bobHome} {
		s.sees(client, "message /Bob: from the phone")
	}
	s.sees(carol, "message /Bob: from the phone")
	s.write("<presence type='unavailable' from='%s' to='%s@%s/Bob'/>", bob, id, component)
	s.sees(bob, "presence unavailable /Bob 110")
	s.quiet(carol)
	s.write("<presence type='unavailable' from='%s' to='%s@%s/Bob'/>", bobHome, id, component)
	s.sees(bobHome, "presence unavailable /Bob 110")
	s.quiet(carol)
}

func TestTheNickOfAnotherIsRefused(t *testing.T) {
	s := newStage(t)
	id := s.start("Picnic", "alice@client.com", "xmpp:bob@example.org")
	s.connected(1)
	s.settled(id)
	s.forget("bob@example.org")
	for _, nick := range []string{"alice", "ALICE", "ａｌｉｃｅ", " alice "} {
		s.write("<presence from='%s' to='%s@%s/%s' id='j'><x xmlns='http://jabber.org/protocol/muc'/></presence>", bob, id, component, nick)
		s.sees(bob, "presence error /"+nick+" conflict")
	}
	s.write("<presence from='%s' to='%s@%s' id='j'><x xmlns='http://jabber.org/protocol/muc'/></presence>", bob, id, component)
	s.sees(bob, "presence error jid-malformed")
}

// A member who is reached by mail too is an occupant before and after the
// client is inside: nobody sees whether it runs.
func TestAMemberWithMailStaysWhenTheClientGoes(t *testing.T) {
	s := newStage(t, func(c *Config) { c.Anonymity = AnonymityAlways })
	id := s.start("Picnic", "alice@client.com", "xmpp:bob@example.org", "xmpp:carol@example.org")
	s.alsoReachedByMail(id, 2, "bob@example.org")
	s.name(id, 2, "Bob B.")
	s.connected(1)
	s.settled(id)
	s.join(id, carol, "Carol")
	s.set(id, 2, bridge.Joined, bridge.KindJoined)
	s.sees(carol, "presence /Bob B. xa")
	s.write("<presence from='%s' to='%s@%s/bobby' id='j'><x xmlns='http://jabber.org/protocol/muc'/></presence>", bob, id, component)
	s.sees(bob, "presence /alice xa", "presence /Carol xa", "presence /Bob B. 110 170 210", "message subject=Picnic")
	s.write("<presence type='unavailable' from='%s' to='%s@%s/Bob B.'/>", bob, id, component)
	s.sees(bob, "presence unavailable /Bob B. 110")
	s.quiet(carol)
}

func TestADatabaseThatIsDownIsNoRefusal(t *testing.T) {
	s := newStage(t)
	id := s.start("Picnic", "alice@client.com", "xmpp:bob@example.org")
	s.connected(1)
	s.settled(id)
	s.breakDown(errDown)
	s.write("<presence from='%s' to='%s@%s/Bob' id='j'><x xmlns='http://jabber.org/protocol/muc'/></presence>", bob, id, component)
	s.sees(bob, "presence error /Bob internal-server-error")
}

func TestAMemberIsInsideWithABoundedNumberOfClients(t *testing.T) {
	s, id := talking(t)
	join := "<presence from='%s' to='%s@%s/Bob' id='j' xml:lang='en'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
	client := func(i int) string { return fmt.Sprintf("bob@example.org/%d", i) }
	for i := 1; i < MaxClients; i++ { // with bob there are MaxClients
		s.join(id, client(i), "Bob")
	}
	s.write(join, client(MaxClients), id, component)
	refused := s.next(client(MaxClients), 1)[0]
	require.Equal(t, "presence error /Bob resource-constraint", tell(refused))
	require.Equal(t, "wait", refused.child(nsComponent, "error").attr("type"))
	require.Contains(t, refused.String(), "Leave the room with one of them")
	list, err := s.Occupants(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, list, MaxClients+1, "and Carol")

	s.join(id, client(1), "Bob") // who is inside may enter again
	s.write("<presence type='unavailable' from='%s' to='%s@%s/Bob'/>", client(1), id, component)
	s.sees(client(1), "presence unavailable /Bob 110")
	s.join(id, client(MaxClients), "Bob")
}

// Neither the store nor the room remembers a client that was told that it could
// not enter.
func TestAJoinThatFailsHalfWayLeavesNobodyInside(t *testing.T) {
	for name, broken := range map[string]struct{ past, entry error }{
		"the past cannot be read":                   {errDown, nil},
		"the room cannot be read once it is stored": {nil, errDown},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			id := s.start("Picnic", "alice@client.com", "xmpp:bob@example.org", "xmpp:carol@example.org")
			s.connected(1)
			s.settled(id)
			s.join(id, carol, "Carol")
			s.forget("bob@example.org")
			s.breakJoins(broken.past, broken.entry)
			join := "<presence from='%s' to='%s@%s/Robert' id='j'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
			s.write(join, bob, id, component)
			s.sees(bob, "presence error /Robert internal-server-error")
			list, err := s.Occupants(t.Context(), id)
			require.NoError(t, err)
			require.Len(t, list, 1, "Carol alone")
			s.breakJoins(nil, nil)
			s.sees(carol, "presence /bob xa") // he has joined, and nobody sees more of it
			s.say(id, 1, "who is here?", time.Now())
			s.sees(carol, "message /alice: who is here?")
			s.quiet(bob)
			s.join(id, bob, "Robert")
			s.quiet(carol)
		})
	}
}

func TestWhoFailsToEnterAgainIsOut(t *testing.T) {
	s, id := talking(t)
	s.breakJoins(errDown, nil)
	s.write("<presence from='%s' to='%s@%s/Bob' id='j'><x xmlns='http://jabber.org/protocol/muc'/></presence>", bob, id, component)
	s.sees(bob, "presence error /Bob internal-server-error")
	s.say(id, 1, "he is gone", time.Now())
	s.sees(carol, "message /alice: he is gone")
	s.quiet(bob)
}

func TestRealAddressesAreShownOnlyAmongOwnPeople(t *testing.T) {
	for name, test := range map[string]struct {
		third  string
		hidden bool
	}{
		"all of one house": {"xmpp:dave@example.org", false},
		"one from outside": {"xmpp:dave@other.test", true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			id := s.start("Picnic", "alice@client.com", "xmpp:bob@example.org", "xmpp:carol@example.org", test.third)
			s.connected(1)
			s.settled(id)
			s.join(id, carol, "Carol")
			s.write("<presence from='%s' to='%s@%s/Bob' id='j'><x xmlns='http://jabber.org/protocol/muc'/></presence>", bob, id, component)
			got := s.next(bob, 4)
			require.Equal(t, test.hidden, !strings.Contains(got[1].String(), "carol@example.org"), got[1])
			require.NotContains(t, got[1].String(), carol, "never of which client")
			require.Equal(t, test.hidden, !strings.Contains(tell(got[2]), "100"), got[2])
			require.NotContains(t, got[0].String(), "client.com")
		})
	}
}
