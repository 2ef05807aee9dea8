package xmpp

import (
	"testing"

	"github.com/stretchr/testify/require"

	"mailroom/bridge"
)

func requireDiscreet(t *testing.T, e *element) {
	t.Helper()
	for _, hint := range []string{"no-store", "no-permanent-store", "no-copy"} {
		require.NotNil(t, e.child(nsHints, hint), "%s: %s", hint, e)
	}
}

// SPEC G2, XEP-0334: who enters is told before they write, and everything that is
// said asks to be kept nowhere.
func TestOffTheRecordEverybodyKnowsAndNothingIsKept(t *testing.T) {
	h := newHouse(t)
	id := h.begin(bridge.Options{OffRecord: true}, "bob", "carol")
	invited := h.next("bob@example.org", 1)[0]
	require.NotContains(t, invited.String(), "Picnic", "his server keeps it")
	require.Contains(t, invited.String(), "off the record")
	h.says(id, "alice", "first")
	h.write("<presence from='%s' to='%s@%s/Bob' id='j' xml:lang='de'><x xmlns='http://jabber.org/protocol/muc'/></presence>", bob, id, component)
	got := h.next(bob, 5)
	require.Equal(t, []string{"presence /alice xa", "presence /Bob 110 100", "message /alice: first", "message subject=Picnic"}, tellAll(got[:4]))
	require.Contains(t, tell(got[4]), "vertraulich")
	for _, e := range got[2:] {
		requireDiscreet(t, e)
	}
	h.groupchat(id, bob, "<body>hush</body>")
	requireDiscreet(t, h.next(bob, 1)[0])
	info := h.iq(bob, id.String()+"@"+component, "<query xmlns='http://jabber.org/protocol/disco#info'/>")
	require.Contains(t, info, "<field var='muc#roomconfig_enablelogging'><value>0</value></field>")
	require.Contains(t, info, "off the record")
	require.NotContains(t, h.log.String(), "hush")

	recorded := h.begin(bridge.Options{}, "bob")
	require.Contains(t, h.enter(recorded, bob, "Bob"), "presence /Bob 110 170 100")
	h.says(recorded, "alice", "for the record")
	require.NotContains(t, h.next(bob, 1)[0].String(), nsHints)
}

func TestOffTheRecordOverMatrixIsSaidToo(t *testing.T) {
	h := newHouse(t)
	id := h.begin(bridge.Options{OffRecord: true, MatrixKeeps: true}, "bob")
	h.enter(id, bob, "Bob")
	require.Contains(t, tell(h.next(bob, 1)[0]), "Matrix")
}

// XEP-0045 §10.9: it ends for everybody, with a sentence, and to a stranger as if
// it had never been.
func TestOffTheRecordEndsForGood(t *testing.T) {
	h := newHouse(t)
	id := h.begin(bridge.Options{OffRecord: true}, "bob", "carol")
	h.enter(id, bob, "Bob")
	h.enter(id, carol, "Carol")
	h.gathered()
	require.NoError(t, h.Close(t.Context(), id, web("alice")))
	const over = "This conversation was off the record and has ended. Nothing of it was kept; start a new one to go on."
	for client, nick := range map[string]string{bob: "Bob", carol: "Carol"} {
		got := h.next(client, 2)
		require.Equal(t, []string{"message: " + over, "presence unavailable /" + nick + " 110 destroy"}, tellAll(got))
		requireDiscreet(t, got[0])
		require.Equal(t, over, got[1].child(nsMUCUser, "x").child(nsMUCUser, "destroy").child(nsMUCUser, "reason").text)
	}
	h.still(bob, carol)
	list, err := h.Occupants(t.Context(), id)
	require.NoError(t, err)
	require.Empty(t, list)
	join := "<presence from='%s' to='%s@%s/N' id='j'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
	h.write(join, bob, id, component)
	refused := h.next(bob, 1)[0]
	require.Equal(t, "presence error /N gone", tell(refused))
	require.Contains(t, refused.String(), over)
	h.write(join, mallory, id, component)
	h.sees(mallory, "presence error /N registration-required")
}
