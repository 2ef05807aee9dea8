package xmpp

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"mailroom/bridge"
	"mailroom/content"
)

// talking is a stage with Bob and Carol inside one room.
func talking(t *testing.T, change ...func(*Config)) (*stage, uuid.UUID) {
	t.Helper()
	s := newStage(t, change...)
	id := s.start("Picnic", "alice@client.com", "xmpp:bob@example.org", "xmpp:carol@example.org")
	s.connected(1)
	s.settled(id)
	s.join(id, bob, "Bob")
	s.join(id, carol, "Carol")
	s.settled(id)
	for _, client := range []string{bob, carol, "bob@example.org", "carol@example.org"} {
		s.forget(client)
	}
	return s, id
}

func (s *server) groupchat(id uuid.UUID, client, inner string) {
	s.t.Helper()
	s.write("<message type='groupchat' from='%s' to='%s@%s' id='m1'>%s</message>", client, id, component, inner)
}

// The reflection is the acknowledgement: it comes after the message is stored,
// with the client's own id, our stanza-id and no other.
func TestAMessageIsReflectedOnceItIsStored(t *testing.T) {
	s, id := talking(t)
	s.groupchat(id, bob, "<body>hello</body><origin-id xmlns='urn:xmpp:sid:0' id='m1'/><stanza-id xmlns='urn:xmpp:sid:0' by='"+id.String()+"@"+component+"' id='forged'/><occupant-id xmlns='urn:xmpp:occupant-id:0' id='forged'/>")
	for _, client := range []string{bob, carol} {
		got := s.next(client, 1)[0]
		require.Equal(t, "message /Bob: hello", tell(got))
		require.Equal(t, "m1", got.attr("id"))
		require.NotContains(t, got.String(), "forged")
		require.Equal(t, 1, strings.Count(got.String(), "<stanza-id"))
	}
	require.Equal(t, []string{"hello"}, s.texts(id))
}

func TestEqualClientIDsAreTwoMessages(t *testing.T) {
	s, id := talking(t)
	s.groupchat(id, bob, "<body>one</body>")
	s.groupchat(id, bob, "<body>two</body>")
	got := s.next(carol, 2)
	require.Equal(t, []string{"message /Bob: one", "message /Bob: two"}, tellAll(got))
	require.Equal(t, "m1", got[0].attr("id"))
	require.NotEqual(t, got[0].child(nsStanzaID, "stanza-id").attr("id"), got[1].child(nsStanzaID, "stanza-id").attr("id"))
}

func TestAMessageSentAgainIsReflectedToItsSenderAlone(t *testing.T) {
	s, id := talking(t)
	again := "<body>hello</body><origin-id xmlns='urn:xmpp:sid:0' id='o1'/>"
	s.groupchat(id, bob, again)
	first := s.next(bob, 1)[0]
	s.sees(carol, "message /Bob: hello")
	s.settled(id)
	s.groupchat(id, bob, again)
	second := s.next(bob, 1)[0]
	require.Equal(t, first.child(nsStanzaID, "stanza-id").attr("id"), second.child(nsStanzaID, "stanza-id").attr("id"))
	s.quiet(carol)
	require.Equal(t, []string{"hello"}, s.texts(id))
}

func TestOnlyTheInitiatorChangesTheSubject(t *testing.T) {
	s := newStage(t)
	id := s.start("Picnic", "xmpp:bob@example.org", "xmpp:carol@example.org")
	s.connected(1)
	s.settled(id)
	s.join(id, bob, "Bob")
	s.join(id, carol, "Carol")
	s.sees(bob, "presence /Carol xa")
	s.groupchat(id, carol, "<subject>mine</subject>")
	s.sees(carol, "message error forbidden")
	s.groupchat(id, bob, "<subject>Picnic on Sunday</subject>")
	s.sees(bob, "message /bob subject=Picnic on Sunday")
	s.sees(carol, "message /bob subject=Picnic on Sunday")
}

func TestWhatCannotBeSaidIsRefusedWithASentence(t *testing.T) {
	s, id := talking(t)
	for inner, want := range map[string]string{
		"<body>secret</body><encrypted xmlns='eu.siacs.conversations.axolotl'/>":                                           "message error not-acceptable",
		"<body>secret</body><encryption xmlns='urn:xmpp:eme:0' namespace='urn:xmpp:openpgp:0'/><x xmlns='jabber:client'/>": "message error not-acceptable",
	} {
		s.groupchat(id, bob, inner)
		refused := s.next(bob, 1)[0]
		require.Equal(t, want, tell(refused))
		require.Contains(t, refused.String(), "encryption")
	}
	s.breakDown(errDown)
	s.groupchat(id, bob, "<body>into a database that is down</body>")
	s.sees(bob, "message error internal-server-error")
	s.breakDown(nil)
	s.quiet(carol)
	require.Empty(t, s.texts(id))
}

// XEP-0085: typing is presence, which nobody agreed to share.
func TestSignalsGoNowhere(t *testing.T) {
	s, id := talking(t)
	s.groupchat(id, bob, "<composing xmlns='http://jabber.org/protocol/chatstates'/>")
	s.groupchat(id, bob, "<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='urn:xmpp:avatar:metadata'/></event>")
	s.groupchat(id, bob, "")
	s.quiet(bob)
	s.quiet(carol)
}

func TestACorrectionIsSaidAnew(t *testing.T) {
	s, id := talking(t)
	s.groupchat(id, bob, "<body>helo</body>")
	s.groupchat(id, bob, "<body>hello</body><replace xmlns='urn:xmpp:message-correct:0' id='m1'/>")
	s.sees(carol, "message /Bob: helo", "message /Bob: hello")
}

func TestThereAreNoPrivateMessages(t *testing.T) {
	s, id := talking(t)
	s.write("<message type='chat' from='%s' to='%s@%s/Carol' id='p'><body>psst</body></message>", bob, id, component)
	s.sees(bob, "message error /Carol service-unavailable")
	s.write("<message type='groupchat' from='%s' to='%s@%s/Carol' id='p'><body>psst</body></message>", bob, id, component)
	s.sees(bob, "message error /Carol bad-request")
	s.write("<message from='%s' to='%s' id='p'><body>hello component</body></message>", bob, component)
	s.sees(bob, "message error service-unavailable")
	s.quiet(carol)
}

func TestErrorsAreNeverAnswered(t *testing.T) {
	s, id := talking(t)
	for _, e := range []string{
		"<message type='error' from='%s' to='%s@%s' id='x'><error type='wait'><resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>",
		"<message type='error' from='%s' to='%s@%s/Carol' id='x'/>",
		"<presence type='error' from='%s' to='%s@%s/Bob' id='x'><error type='cancel'/></presence>",
		"<iq type='error' from='%s' to='%s@%s/Carol' id='x'><ping xmlns='urn:xmpp:ping'/></iq>",
		"<iq type='result' from='%s' to='%s@%s' id='x'/>",
		"<message type='headline' from='%s' to='%s@%s' id='x'><body>news</body></message>",
	} {
		s.write(e, bob, id, component)
	}
	s.quiet(bob)
	s.quiet(carol)
	s.say(id, 1, "still here?", time.Now())
	s.sees(bob, "message /alice: still here?")
}

func TestAnUnknownQuestionIsAnswered(t *testing.T) {
	s, id := talking(t)
	for _, to := range []string{component, id.String() + "@" + component, id.String() + "@" + component + "/Bob"} {
		s.write("<iq type='get' id='u' from='%s' to='%s'><what xmlns='urn:example:unheard'/></iq>", bob, to)
		got := s.next(bob, 1)[0]
		require.Equal(t, "service-unavailable", conditionOf(got))
		require.Equal(t, "u", got.attr("id"))
	}
	for _, space := range []string{"http://jabber.org/protocol/muc#owner", "http://jabber.org/protocol/muc#admin"} {
		s.write("<iq type='set' id='u' from='%s' to='%s@%s'><query xmlns='%s'/></iq>", bob, id, component, space)
		s.sees(bob, "iq error forbidden")
	}
}

// The largest text that content lets through, made of what takes most room.
func TestTheLongestTextFitsIntoAStanza(t *testing.T) {
	longest := content.FromText(strings.Repeat("'", 2*content.MaxText)).Text
	require.Equal(t, longest, fit(longest))
	longer := fit(strings.Repeat("&", bridge.MaxBody))
	require.Less(t, el(nsComponent, "body").saying(longer).length(), MaxStanza)
	require.True(t, strings.HasSuffix(longer, "…"))
}

// XEP-0410.
func TestSelfPingTellsWhoIsInside(t *testing.T) {
	s, id := talking(t)
	ping := "<iq type='get' id='p' from='%s' to='%s@%s/%s'><ping xmlns='urn:xmpp:ping'/></iq>"
	s.write(ping, bob, id, component, "Bob")
	s.sees(bob, "iq result /Bob")
	s.write(ping, bob, id, component, "Carol")
	s.sees(bob, "iq error /Carol service-unavailable")
	s.write(ping, bobHome, id, component, "Bob")
	s.sees(bobHome, "iq error /Bob not-acceptable")
}

// XEP-0030: the component is no place to make rooms in, and lists none.
func TestDisco(t *testing.T) {
	s, id := talking(t)
	ask := "<iq type='get' id='d' from='%s' to='%s'><query xmlns='http://jabber.org/protocol/disco#%s'/></iq>"
	s.write(ask, mallory, component, "info")
	host := s.next(mallory, 1)[0].String()
	require.Contains(t, host, "category='gateway'")
	require.NotContains(t, host, "protocol/muc")
	s.write(ask, mallory, component, "items")
	require.Empty(t, s.next(mallory, 1)[0].payload().children)

	s.write(ask, bobHome, id.String()+"@"+component, "info")
	room := s.next(bobHome, 1)[0].String()
	for _, part := range []string{"category='conference'", "name='Picnic'", "muc_membersonly", "muc_hidden", "muc_nonanonymous", nsStanzaID, nsOccupantID, nsSelfPing} {
		require.Contains(t, room, part)
	}
}

// Some clients subscribe to the presence of a room, and would wait for ever.
func TestRoomsHaveNoPresenceToSubscribeTo(t *testing.T) {
	s, id := talking(t)
	s.write("<presence type='subscribe' from='bob@example.org' to='%s@%s'/>", id, component)
	s.sees("bob@example.org", "presence unsubscribed")
}

func TestAClientThatThinksItIsInsideLearnsThatItIsNot(t *testing.T) {
	s, id := talking(t)
	s.write("<presence from='%s' to='%s@%s/Bob'><show>away</show></presence>", bobHome, id, component)
	s.sees(bobHome, "presence unavailable /Bob 110 307 333")
	s.write("<presence from='%s' to='%s@%s/Bob'><show>away</show><status>at the dentist</status></presence>", bob, id, component)
	s.quiet(bob)
	s.write("<presence from='%s' to='%s@%s/Robert'/>", bob, id, component)
	s.sees(bob, "presence error /Robert not-acceptable")
	s.quiet(carol)
}
