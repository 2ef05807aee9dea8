package xmpp

import (
	"errors"
	"log/slog"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	client "github.com/xmppo/go-xmpp"

	"mailroom/bridge"
)

func TestProsodyBringsAConversation(t *testing.T) {
	w := newWorld(t)
	id := w.start("Picnic", "alice@client.com", "xmpp:bob@example.org", "xmpp:carol@example.org")
	bob, carol := w.login("bob@example.org/phone", id), w.login("carol@example.org/laptop", id)
	w.say(id, 1, "Who brings the cheese?", time.Now())
	for _, c := range []*person{bob, carol} {
		invited := c.next(1)[0]
		require.NotNil(t, invited.child(nsConference, "x"), "XEP-0249")
		require.NotNil(t, invited.child(nsMUCUser, "x").child(nsMUCUser, "invite"), "XEP-0045 §7.8.2")
	}
	require.Eventually(t, func() bool { return w.endpoint(id, 2) == bridge.EndpointInvited }, patience, time.Millisecond)

	bob.join(id, "Bob")
	self := bob.sees("presence /alice xa", "presence /Bob 110 170 100", "message /alice: Who brings the cheese?", "message subject=Picnic")[1]
	require.Equal(t, "join-1", self.attr("id"))
	carol.join(id, "Carol")
	carol.sees("presence /alice xa", "presence /Bob xa", "presence /Carol 110 170 100", "message /alice: Who brings the cheese?", "message subject=Picnic")
	bob.sees("presence /Carol xa")

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

// SPEC F2, from the same server and from another one.
func TestProsodyStrangersMeetTheSameAnswerEverywhere(t *testing.T) {
	w := newWorld(t)
	known := w.start("Secret", "alice@client.com", "xmpp:bob@example.org")
	for _, name := range []string{"mallory@example.org/x", "mallory@other.test/x"} {
		stranger := w.login(name, uuid.Nil)
		var answers []string
		for _, room := range []string{known.String(), "0e0b8b9c-8e5f-4b4e-9c6f-0123456789ab", "lobby"} {
			at := room + "@" + component
			stranger.write("<presence to='%s/M' id='1'><x xmlns='http://jabber.org/protocol/muc'/></presence>", at)
			stranger.write("<message to='%s' id='2' type='groupchat'><body>hello?</body></message>", at)
			stranger.write("<iq to='%s' id='3' type='get'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>", at)
			stranger.write("<iq to='%s/alice' id='4' type='get'><ping xmlns='urn:xmpp:ping'/></iq>", at)
			got := tellAll(stranger.next(4))
			slices.Sort(got) // rooms are served side by side
			answers = append(answers, strings.Join(got, "\n"))
		}
		require.Contains(t, answers[0], "presence error /M registration-required")
		require.Equal(t, answers[0], answers[1])
		require.Equal(t, answers[0], answers[2])
		stranger.quiet()
	}
}

func TestProsodyBringsAMemberOfAnotherServer(t *testing.T) {
	w := newWorld(t)
	id := w.start("Picnic", "alice@client.com", "xmpp:carol@other.test", "xmpp:bob@example.org")
	carol, bob := w.login("carol@other.test/far", id), w.login("bob@example.org/near", id)
	carol.next(1) // the invitation
	carol.join(id, "Carol")
	carol.sees("presence /alice xa", "presence /Carol 110 170", "message subject=Picnic")
	bob.next(1)
	bob.join(id, "Bob")
	for _, p := range bob.sees("presence /alice xa", "presence /Carol xa", "presence /Bob 110 170", "message subject=Picnic") {
		require.NotContains(t, p.String(), "other.test/far", "no real address is shown among strangers")
	}
	carol.sees("presence /Bob xa")
	carol.say(id, "from afar")
	bob.sees("message /Carol: from afar")
}

func TestProsodyBringsTwoClientsUnderOneNick(t *testing.T) {
	w := newWorld(t)
	id := w.start("Picnic", "alice@client.com", "xmpp:bob@example.org")
	phone := w.login("bob@example.org/phone", id)
	phone.next(1)
	desk := w.login("bob@example.org/desk", id)
	phone.join(id, "Bob")
	phone.sees("presence /alice xa", "presence /Bob 110 170 100", "message subject=Picnic")
	desk.join(id, "Bobby")
	desk.sees("presence /alice xa", "presence /Bob 110 170 100 210", "message subject=Picnic")
	desk.say(id, "from the desk")
	phone.sees("message /Bob: from the desk")
	desk.sees("message /Bob: from the desk")
	phone.write("<presence type='unavailable' to='%s@%s/Bob'/>", id, component)
	phone.sees("presence unavailable /Bob 110")
	desk.say(id, "still here")
	desk.sees("message /Bob: still here")
	phone.quiet()
}

// The same room through the eyes of three: who may see Bob, who may not, and Bob.
func TestProsodyShowsEachTheirOwnPicture(t *testing.T) {
	w := newWorld(t)
	id := w.start("Picnic", "alice@client.com", "xmpp:bob@example.org", "xmpp:carol@example.org", "xmpp:mallory@example.org")
	w.shows(id, 2, 3, true) // Bob lets Carol see
	carol, mallory, bob := w.login("carol@example.org/laptop", id), w.login("mallory@example.org/x", id), w.login("bob@example.org/phone", id)
	for nick, p := range map[string]*person{"Carol": carol, "Mallory": mallory} {
		p.next(1)
		p.join(id, nick)
		p.next(3)
	}
	w.shown(carol, mallory)
	bob.next(1)
	bob.join(id, "Bob")
	bob.sees("presence /alice xa", "presence /Carol xa", "presence /Mallory xa", "presence /Bob 110 170 100", "message subject=Picnic")
	carol.sees("presence /Bob")
	mallory.sees("presence /Bob xa")
	bob.write("<message type='groupchat' to='%s@%s' id='t'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>", id, component)
	carol.sees("message /Bob composing")
	bob.write("<presence type='unavailable' to='%s@%s/Bob'/>", id, component)
	bob.sees("presence unavailable /Bob 110")
	carol.sees("presence /Bob xa")
	mallory.quiet()
	require.NotContains(t, mallory.ask("<iq type='get' id='v' to='%s@%s/Bob'><query xmlns='jabber:iq:last'/></iq>", id, component), "result")
}

// XEP-0045 §9.4 and XEP-0425, seen by a real client through a real server.
func TestProsodyTakesOutTheRevokedAndWhatTheySaid(t *testing.T) {
	w := newWorld(t)
	id := w.start("Picnic", "alice@client.com", "xmpp:bob@example.org", "xmpp:carol@example.org")
	bob, carol := w.login("bob@example.org/phone", id), w.login("carol@example.org/laptop", id)
	for nick, p := range map[string]*person{"Bob": bob, "Carol": carol} {
		p.next(1)
		p.join(id, nick)
		p.next(3)
	}
	w.shown(bob, carol)
	bob.say(id, "rude")
	rude := carol.sees("message /Bob: rude")[0].child(nsStanzaID, "stanza-id").attr("id")
	bob.sees("message /Bob: rude")
	head := int64(len(w.log(id, 1)))
	w.set(id, 2, bridge.Revoked, bridge.KindRevoked)
	w.edit(id, func(talk *talk) {
		talk.log[head-1].Erased, talk.log[head-1].Body = true, bridge.Body{}
		w.append(talk, bridge.Record{Kind: bridge.KindErased, Member: talk.room.Members[0].ID, Target: talk.room.Members[1].ID, Ref: head})
	})
	carol.sees("presence unavailable /Bob 321", "message retract "+rude)
	bob.sees("presence unavailable /Bob 110 321")
	w.say(id, 1, "peace", time.Now())
	carol.sees("message /alice: peace")
	bob.join(id, "Bob")
	bob.sees("presence error /Bob registration-required")
}

func TestProsodyBringsAConversationOffTheRecord(t *testing.T) {
	w := newWorld(t)
	id := w.start("Picnic", "alice@client.com", "xmpp:bob@example.org")
	w.edit(id, func(talk *talk) { talk.room.Session.Options.OffRecord = true })
	bob := w.login("bob@example.org/phone", id)
	bob.join(id, "Bob")
	require.Eventually(t, func() bool { return strings.Contains(bob.told(), "off the record: Mailroom keeps nothing") }, patience, time.Millisecond)
	bob.forget()
	bob.say(id, "hush")
	requireDiscreet(t, bob.sees("message /Bob: hush")[0])
	w.edit(id, func(talk *talk) {
		talk.room.Session.State, talk.room.Session.Subject = bridge.Over, ""
		w.append(talk, bridge.Record{Kind: bridge.KindOver})
	})
	require.Equal(t, "presence unavailable /Bob 110 destroy", tell(bob.next(2)[1]))
	bob.join(id, "Bob")
	bob.sees("presence error /Bob gone")
}

// Nothing that was said while the server was away is missing or comes twice,
// for one who joins again and asks for it as clients do.
func TestProsodyRestartLosesNothing(t *testing.T) {
	w := newWorld(t)
	began := time.Now().UTC().Format(time.RFC3339)
	id := w.start("Picnic", "alice@client.com", "xmpp:bob@example.org")
	bob := w.login("bob@example.org/phone", id)
	bob.next(1)
	bob.join(id, "Bob")
	bob.sees("presence /alice xa", "presence /Bob 110 170 100", "message subject=Picnic")
	w.say(id, 1, "before", time.Now())
	bob.sees("message /alice: before")

	w.command(t, "kill prosody")
	for i := range 150 {
		w.say(id, 1, strconv.Itoa(i), time.Now())
	}
	w.command(t, "start prosody")
	w.awaitLink()
	again := w.login("bob@example.org/phone", id)
	again.write("<presence to='%s@%s/Bob'><x xmlns='http://jabber.org/protocol/muc'><history since='%s'/></x></presence>", id, component, began)
	want := []string{"before"}
	for i := range 150 {
		want = append(want, strconv.Itoa(i))
	}
	require.Equal(t, want, again.texts(t, 151))
	require.Eventually(t, func() bool { return w.done(id) }, patience, time.Millisecond)
	w.say(id, 1, "after", time.Now())
	require.Equal(t, []string{"after"}, again.texts(t, 1))
}

// A bridge that was killed goes on with the rooms as they were.
func TestProsodyRoomsGoOnAfterARestartOfTheBridge(t *testing.T) {
	w := newWorld(t)
	id := w.start("Picnic", "alice@client.com", "xmpp:bob@example.org")
	bob := w.login("bob@example.org/phone", id)
	bob.next(1)
	bob.join(id, "Bob")
	bob.sees("presence /alice xa", "presence /Bob 110 170 100", "message subject=Picnic")
	w.stop()
	w.say(id, 1, "while the bridge was down", time.Now())
	w.begin()
	bob.sees("message /alice: while the bridge was down", "presence /alice xa", "presence /Bob 110")
	bob.write("<iq type='get' id='p' to='%s@%s/Bob'><ping xmlns='urn:xmpp:ping'/></iq>", id, component)
	bob.sees("iq result /Bob")
	bob.say(id, "I saw that")
	bob.sees("message /Bob: I saw that")
}

// A client that is gone without a word bounces, and is out.
func TestProsodyTellsOfAClientThatVanished(t *testing.T) {
	w := newWorld(t)
	id := w.start("Picnic", "alice@client.com", "xmpp:bob@example.org", "xmpp:carol@example.org")
	_, _, _, err := w.Enter(t.Context(), id, parseJID("carol@example.org/gone").identity(), "carol@example.org/gone", "Carol")
	require.NoError(t, err)
	w.say(id, 1, "anybody?", time.Now())
	require.Eventually(t, func() bool {
		list, err := w.Occupants(t.Context(), id)
		return err == nil && len(list) == 0
	}, patience, time.Millisecond)
}

func TestProsodyRefusesAndWeSayWhatToDo(t *testing.T) {
	server := realServer(t)
	for _, test := range []struct {
		config Config
		words  string
	}{
		{Config{Component: component, Server: server.Component, Secret: "wrong"}, "set xmpp.secret"},
		{Config{Component: "other.example.org", Server: server.Component, Secret: secret}, "add it to the server's configuration"},
	} {
		var log locked
		c, err := New(test.config, newMemory(), slog.New(slog.NewTextHandler(&log, nil)))
		require.NoError(t, err)
		stop := runComponent(c, newMemory())
		require.Eventually(t, func() bool { return strings.Contains(log.String(), "again_in") }, patience, time.Millisecond)
		stop()
		require.Contains(t, log.String(), test.words)
	}
}

func TestProsodyTellsOfAnInvitationToNobody(t *testing.T) {
	w := newWorld(t)
	id := w.start("Picnic", "alice@client.com", "xmpp:nobody@example.org", "xmpp:somebody@nowhere.test")
	for _, number := range []int{2, 3} {
		require.Eventually(t, func() bool { return w.endpoint(id, number) == bridge.EndpointFailed }, patience, time.Millisecond)
	}
}

// The greatest stanza that we write passes the limit of Prosody.
func TestProsodyTakesTheLongestMessage(t *testing.T) {
	w := newWorld(t)
	id := w.start("Long", "alice@client.com", "xmpp:bob@example.org")
	bob := w.login("bob@example.org/phone", id)
	bob.next(1)
	bob.join(id, "Bob")
	bob.sees("presence /alice xa", "presence /Bob 110 170 100", "message subject=Long")
	w.say(id, 1, strings.Repeat("'", bridge.MaxBody), time.Now())
	w.say(id, 1, "short", time.Now())
	require.Equal(t, "short", bob.texts(t, 2)[1])
}

// No member and no stranger can make us write what ends the stream of everybody:
// not by what another gateway lets through, nor by an id that comes back longer
// than it was sent.
func TestProsodyKeepsTheLinkWhateverIsSent(t *testing.T) {
	w := newWorld(t)
	id := w.start("Long", "alice@client.com", "xmpp:bob@example.org")
	bob, mallory := w.login("bob@example.org/phone", id), w.login("mallory@example.org/x", uuid.Nil)
	bob.next(1)
	bob.join(id, "Bob")
	bob.sees("presence /alice xa", "presence /Bob 110 170 100", "message subject=Long")
	for _, to := range []string{component, id.String() + "@" + component} {
		mallory.write("<iq type='get' to='%s' id=\"%s\"><ping xmlns='urn:xmpp:ping'/></iq>", to, strings.Repeat("'", 100_000))
	}
	w.add(id, bridge.Record{Kind: bridge.KindMessage, Lang: strings.Repeat("x", 600<<10), Body: bridge.Body{Text: "in a long language"}})
	w.add(id, bridge.Record{Kind: bridge.KindMessage, Body: bridge.Body{Text: "short"}})
	require.Equal(t, []string{"in a long language", "short"}, bob.texts(t, 2))
	mallory.quiet()
	require.Empty(t, w.connected, "the link was made again")
}

// slixmpp's own idea of a MUC, not ours.
func TestProsodySlixmppTalks(t *testing.T) {
	w := newWorld(t)
	id := w.start("Picnic", "alice@client.com", "xmpp:bob@example.org")
	host, port, _ := strings.Cut(w.Client, ":")
	room := id.String() + "@" + component
	out, err := exec.Command("/usr/bin/python3", "testdata/talk.py", "bob@example.org/slix", password, host, port, room, "Bob").Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		t.Log(string(failed.Stderr))
	}
	require.NoError(t, err)
	require.Equal(t, strings.Join([]string{
		"room {('conference', 'text', None, 'Picnic')}",
		"codes [100, 110, 170]",
		"roster ['Bob', 'alice']",
		"self-ping ok",
		"heard Bob hello from slixmpp",
		"outside not-acceptable",
		"stranger registration-required",
		"",
	}, "\n"), string(out))
}

// go-xmpp writes and reads a room in its own way.
func TestProsodyGoXMPPTalks(t *testing.T) {
	w := newWorld(t)
	id := w.start("Picnic", "alice@client.com", "xmpp:bob@example.org")
	w.say(id, 1, "welcome", time.Now())
	room := id.String() + "@" + component
	c, err := client.Options{
		Host: w.Client, User: "bob@example.org", Password: password, Resource: "go",
		NoTLS: true, InsecureAllowUnencryptedAuth: true, DialTimeout: 5 * time.Second,
	}.NewClient()
	require.NoError(t, err)
	_, err = c.JoinMUC(room, "Bob", client.NoHistory, 0, nil)
	require.NoError(t, err)
	hears := func(nick, text string) {
		t.Helper()
		for {
			stanza, err := c.Recv()
			require.NoError(t, err)
			if chat, ok := stanza.(client.Chat); ok && chat.Type == "groupchat" && chat.Text != "" {
				require.Equal(t, []string{room + "/" + nick, text}, []string{chat.Remote, chat.Text})
				return
			}
		}
	}
	hears("alice", "welcome")
	_, err = c.Send(client.Chat{Remote: room, Type: "groupchat", Text: "hello from go-xmpp"})
	require.NoError(t, err)
	hears("Bob", "hello from go-xmpp")
	w.say(id, 1, "well said", time.Now())
	hears("alice", "well said")
	require.NoError(t, c.Close())
}
