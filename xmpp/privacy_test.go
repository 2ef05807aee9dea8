package xmpp

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"mailroom/bridge"
)

const (
	alicePhone = "alice@example.org/phone"
	dave       = "dave@example.org/desk"
	eve        = "eve@example.org/tablet"
)

// SPEC F3: who is here is seen by whom the person's own setting allows, and by
// nobody else in any way.
func TestWhoIsHereIsSeenAsThePersonWants(t *testing.T) {
	h := newHouse(t)
	id := h.begin(bridge.Options{}, "bob", "carol", "dave")
	h.enter(id, carol, "Carol")
	h.enter(id, dave, "Dave")
	h.enter(id, bob, "Bob")
	h.gathered()
	h.exit(id, bob, "Bob")
	h.still(carol, dave)
	h.enter(id, bob, "Bob")
	h.still(carol, dave)

	require.NoError(t, h.SetPresence(t.Context(), web("bob"), bridge.SeenByChosen, []bridge.Address{email("carol")}))
	h.sees(carol, "presence /Bob")
	h.exit(id, bob, "Bob")
	h.sees(carol, "presence /Bob xa")
	require.NoError(t, h.Signal(t.Context(), id, web("bob"), bridge.Here, true))
	h.sees(carol, "presence /Bob")
	require.NoError(t, h.Signal(t.Context(), id, web("bob"), bridge.Here, false))
	h.sees(carol, "presence /Bob xa")
	require.Contains(t, h.enter(id, bob, "Bob"), "presence /Carol xa", "hers hides her from him")
	h.sees(carol, "presence /Bob")
	require.NoError(t, h.SetPresence(t.Context(), web("bob"), bridge.SeenByNobody, nil))
	h.sees(carol, "presence /Bob xa")
	h.still(carol, dave, bob)
}

// Whatever a member asks, the answer is the same whether another is here or not,
// and the same for whom there never was.
func TestNothingAMemberAsksTellsWhoIsHere(t *testing.T) {
	h := newHouse(t)
	id := h.begin(bridge.Options{}, "bob", "carol")
	h.enter(id, bob, "Bob")
	h.enter(id, carol, "Carol")
	h.gathered()
	room := id.String() + "@" + component
	ask := func(nick string) (answers []string) {
		for _, inner := range []string{
			"<ping xmlns='urn:xmpp:ping'/>", "<vCard xmlns='vcard-temp'/>", "<query xmlns='jabber:iq:version'/>", "<query xmlns='jabber:iq:last'/>",
			"<time xmlns='urn:xmpp:time'/>", "<query xmlns='http://jabber.org/protocol/disco#info'/>", "<query xmlns='http://jabber.org/protocol/disco#items'/>",
			"<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='urn:xmpp:avatar:metadata'/></pubsub>",
		} {
			answers = append(answers, strings.ReplaceAll(h.iq(carol, room+"/"+nick, inner), nick, "NICK"))
		}
		h.write("<message type='chat' from='%s' to='%s/%s' id='p'><body>psst</body></message>", carol, room, nick)
		answers = append(answers, strings.ReplaceAll(h.next(carol, 1)[0].String(), nick, "NICK"))
		for _, inner := range []string{"<query xmlns='http://jabber.org/protocol/disco#info'/>", "<query xmlns='http://jabber.org/protocol/disco#items'/>", "<query xmlns='http://jabber.org/protocol/muc#admin'><item affiliation='member'/></query>"} {
			answers = append(answers, h.iq(carol, room, inner))
		}
		h.write("<presence type='probe' from='%s' to='%s/%s'/>", carol, room, nick)
		h.quiet(carol)
		return answers
	}
	here := ask("Bob")
	h.exit(id, bob, "Bob")
	require.Equal(t, here, ask("Bob"))
	require.Equal(t, here, ask("Nobody"))
	require.Contains(t, here[len(here)-3], "<field var='muc#roominfo_occupants'><value>3</value>")
}

func TestTypingIsSeenAsThePersonWants(t *testing.T) {
	h := newHouse(t)
	id := h.begin(bridge.Options{}, "bob", "carol", "dave")
	for client, nick := range map[string]string{bob: "Bob", carol: "Carol", dave: "Dave"} {
		h.enter(id, client, nick)
	}
	const composing = "<composing xmlns='http://jabber.org/protocol/chatstates'/>"
	h.groupchat(id, bob, composing)
	h.gathered()
	h.groupchat(id, bob, "<paused xmlns='http://jabber.org/protocol/chatstates'/>")
	require.NoError(t, h.SetPresence(t.Context(), web("bob"), bridge.SeenByChosen, []bridge.Address{email("carol")}))
	h.gathered()

	h.groupchat(id, bob, composing)
	typing := h.next(carol, 1)[0]
	require.Equal(t, "message /Bob composing", tell(typing))
	require.NotNil(t, typing.child(nsHints, "no-store"))
	require.Equal(t, "groupchat", typing.attr("type"))
	h.groupchat(id, bob, "<body>done</body>")
	require.ElementsMatch(t, []string{"message /Bob: done", "message /Bob active"}, tellAll(h.next(carol, 2)))
	h.sees(dave, "message /Bob: done")
	h.sees(bob, "message /Bob: done")
	require.NoError(t, h.Signal(t.Context(), id, web("bob"), bridge.Typing, true))
	h.sees(carol, "message /Bob composing")
	h.still(carol, dave, bob)
}

// SPEC F5: a blind copy is inside without anybody knowing, until it speaks.
func TestABlindCopyIsInsideUnseenUntilItSpeaks(t *testing.T) {
	h := newHouse(t)
	id := h.begin(bridge.Options{}, "bob", "carol", "-eve")
	room := id.String() + "@" + component
	h.enter(id, alicePhone, "alice")
	h.enter(id, bob, "Bob")
	h.gathered()
	count := func(client string) string {
		_, rest, _ := strings.Cut(h.iq(client, room, "<query xmlns='http://jabber.org/protocol/disco#info'/>"), "muc#roominfo_occupants'><value>")
		return rest[:1]
	}
	require.Equal(t, []string{"presence /alice xa", "presence /Bob xa", "presence /Eve 110 170", "message subject=Picnic"}, h.enter(id, eve, "Eve"))
	h.still(bob, alicePhone)
	require.Equal(t, []string{"2", "3"}, []string{count(bob), count(eve)})
	h.says(id, "alice", "are we alone?")
	for _, client := range []string{alicePhone, bob, eve} {
		h.sees(client, "message /alice: are we alone?")
	}
	// Her nick is free to whoever asks for it: a refusal would tell of her.
	require.Contains(t, h.enter(id, carol, "Eve"), "presence /Eve 110 170")
	h.sees(eve, "presence unavailable /Eve -> Eve (2) 110 303", "presence /Eve xa", "presence /Eve (2) 110")
	h.sees(bob, "presence /Eve xa")
	h.gathered()

	h.groupchat(id, eve, "<body>not quite</body>")
	got := tellAll(h.next(bob, 2))
	require.ElementsMatch(t, []string{"presence /Eve (2) xa", "message /Eve (2): not quite"}, got)
	h.sees(eve, "message /Eve (2): not quite")
	require.Equal(t, "4", count(bob))
}

func TestABlindCopyIsTakenOutUnseen(t *testing.T) {
	h := newHouse(t)
	id := h.begin(bridge.Options{}, "bob", "-eve")
	h.enter(id, bob, "Bob")
	h.enter(id, eve, "Eve")
	h.gathered()
	require.NoError(t, h.Revoke(t.Context(), id, web("alice"), h.member(id, "eve").ID, false))
	h.sees(eve, "presence unavailable /Eve 110 321")
	h.says(id, "alice", "only us now")
	h.sees(bob, "message /alice: only us now")
	h.still(bob, eve)
}

// A blind copy that is inside alone hears what is said, although no other
// member has brought the room a lane.
func TestABlindCopyAloneHears(t *testing.T) {
	h := newHouse(t)
	id := h.beginBy(bridge.EmailAddress("zoe@mail.test"), bridge.Options{}, "-eve")
	h.enter(id, eve, "Eve")
	_, err := h.Post(t.Context(), bridge.PostRequest{
		Session: id, By: bridge.Identity{Via: bridge.Web, Address: bridge.EmailAddress("zoe@mail.test")}, Body: bridge.Body{Text: "anybody?"},
		Origin: bridge.Origin{Network: bridge.Web, ID: "1"},
	})
	require.NoError(t, err)
	h.sees(eve, "message /zoe: anybody?")
}

// XEP-0045 §10.2.1: once addresses are hidden, those inside learn it, and are
// shown none any more.
func TestHidingAddressesTakesThemOutOfTheRoom(t *testing.T) {
	h := newHouse(t)
	id := h.begin(bridge.Options{}, "bob", "carol")
	h.enter(id, bob, "Bob")
	require.Contains(t, h.enter(id, carol, "Carol"), "presence /Carol 110 170 100")
	h.gathered()
	_, err := h.SetOptions(t.Context(), id, web("alice"), bridge.Options{HideAddresses: true})
	require.NoError(t, err)
	got := h.next(carol, 3)
	require.Equal(t, []string{"message 104 173", "presence /Bob xa", "presence /Carol 110"}, tellAll(got))
	for _, e := range got {
		require.NotContains(t, e.String(), "jid=")
	}
	require.Contains(t, h.iq(carol, id.String()+"@"+component, "<query xmlns='http://jabber.org/protocol/disco#info'/>"), "muc_semianonymous")
	require.Contains(t, h.enter(id, "carol@example.org/other", "Carol"), "presence /Carol 110 170")
}

// Who is invited later was not shown to the first: no address is, from then on.
func TestAddressesAreHiddenOnceSomebodyComesLater(t *testing.T) {
	h := newHouse(t)
	id := h.begin(bridge.Options{}, "bob", "carol")
	h.enter(id, bob, "Bob")
	h.gathered()
	_, err := h.Invite(t.Context(), id, web("alice"), []bridge.Invitee{invitee("dave")})
	require.NoError(t, err)
	h.sees(bob, "message 104 173", "presence /Bob 110")
}

func TestAddressesThatWereHiddenStayHidden(t *testing.T) {
	s := newStage(t)
	id := s.start("Picnic", "alice@client.com", "xmpp:bob@example.org", "xmpp:dave@other.test")
	s.connected(1)
	s.settled(id)
	s.join(id, bob, "Bob")
	s.edit(id, func(talk *talk) { // dave is erased
		talk.room.Members[2].Address, talk.room.Members[2].Endpoints = bridge.Address{}, nil
		talk.room.Members[2].State, talk.room.Members[2].Grant.Revoked = bridge.Revoked, true
	})
	s.write("<presence from='%s' to='%s@%s/Bob' id='j'><x xmlns='http://jabber.org/protocol/muc'/></presence>", bobHome, id, component)
	s.sees(bobHome, "presence /alice xa", "presence /Bob 110 170", "message subject=Picnic")
}

// A kick does not wait for the lane: it comes within a second of the commit.
func TestTheRevokedAreOutWithinASecond(t *testing.T) {
	h := newHouse(t)
	id := h.begin(bridge.Options{}, "bob", "carol")
	h.enter(id, bob, "Bob")
	h.enter(id, carol, "Carol")
	h.gathered()
	h.hold()
	revoked := time.Now()
	require.NoError(t, h.Revoke(t.Context(), id, web("alice"), h.member(id, "bob").ID, false))
	h.sees(bob, "presence unavailable /Bob 110 321")
	require.Less(t, time.Since(revoked), time.Second)
	h.sees(carol, "presence unavailable /Bob 321")
	h.write("<iq type='get' id='p' from='%s' to='%s@%s/Bob'><ping xmlns='urn:xmpp:ping'/></iq>", bob, id, component)
	h.sees(bob, "iq error /Bob not-acceptable")
	list, err := h.Occupants(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, list, 1)
}

func TestWhoGivesTheGrantBackIsOut(t *testing.T) {
	h := newHouse(t)
	id := h.begin(bridge.Options{}, "bob", "carol", "dave")
	h.enter(id, bob, "Bob")
	h.enter(id, carol, "Carol")
	h.gathered()
	require.NoError(t, h.Decline(t.Context(), id, web("dave")))
	h.still(bob, carol)
	require.NoError(t, h.Decline(t.Context(), id, web("bob")))
	h.sees(bob, "presence unavailable /Bob 110 321")
	h.sees(carol, "presence unavailable /Bob 321")
	h.still(bob, carol)
}

// SPEC B5: whom a mail did not reach is the initiator's business.
func TestAMailThatFailedIsToldToTheInitiatorAlone(t *testing.T) {
	h := newHouse(t)
	id := h.begin(bridge.Options{}, "bob")
	h.enter(id, alicePhone, "alice")
	h.enter(id, bob, "Bob")
	h.gathered()
	m := bridge.Mailing{Session: id, ID: uuid.New(), Member: h.member(id, "bob").ID}
	require.NoError(t, h.MailFailed(t.Context(), m, "the mailbox is full."))
	h.sees(alicePhone, "message: A mail to Bob could not be delivered: the mailbox is full.")
	h.still(bob)
}

func TestNewcomersAreShownOnlyWhatFollows(t *testing.T) {
	h := newHouse(t)
	id := h.begin(bridge.Options{NewcomersFromNow: true}, "bob")
	h.says(id, "alice", "before")
	_, err := h.Invite(t.Context(), id, web("alice"), []bridge.Invitee{invitee("dave")})
	require.NoError(t, err)
	h.says(id, "alice", "after")
	require.Equal(t, []string{"presence /alice xa", "presence /Dave 110 170", "message /alice: after", "message subject=Picnic"}, h.enter(id, dave, "Dave"))
	require.Contains(t, h.enter(id, bob, "Bob"), "message /alice: before")
}

// Writing ends by the session's own time, without anybody's doing.
func TestAnExpiredSessionLosesItsVoice(t *testing.T) {
	h := newHouse(t)
	id := h.begin(bridge.Options{}, "bob")
	require.Contains(t, h.enter(id, bob, "Bob"), "presence /Bob 110 170 100")
	h.gathered()
	ends := time.Now().Add(time.Second)
	_, err := h.SetOptions(t.Context(), id, web("alice"), bridge.Options{ExpiresAt: ends})
	require.NoError(t, err)
	h.sees(bob, "presence /alice visitor xa", "presence /Bob visitor 110")
	require.False(t, time.Now().Before(ends))
}
