package test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"mailroom/test/harness"
)

// heard is one stanza without what differs each time.
type heard struct{ Name, From, Type, Inner string }

// xmppProbe sends a stanza, and takes what comes of it.
func xmppProbe(who *harness.XMPPUser, name, stanza, host, exists, missing string) probe {
	return probe{name: name, exists: exists, missing: missing, ask: func(ctx context.Context, thing string) (any, error) {
		room := thing + "@" + host
		stanzas, err := who.Hear(ctx, strings.ReplaceAll(stanza, "ROOM", room), room)
		var all []heard
		for _, s := range stanzas {
			hide := func(text string) string { return strings.ReplaceAll(text, thing, "THING") }
			all = append(all, heard{s.XMLName.Local, hide(s.From), s.Type, hide(s.Inner)})
		}
		return all, err
	}}
}

// xmppStanzas are what a client may send to a room, by what it is for.
var xmppStanzas = []struct{ name, stanza string }{
	{"enter", `<presence id='%s' to='ROOM/eve'><x xmlns='http://jabber.org/protocol/muc'/></presence>`},
	{"enter under a member's nick", `<presence id='%s' to='ROOM/dave'><x xmlns='http://jabber.org/protocol/muc'/></presence>`},
	{"enter without a nick", `<presence id='%s' to='ROOM'><x xmlns='http://jabber.org/protocol/muc'/></presence>`},
	{"presence", `<presence id='%s' to='ROOM/dave'/>`},
	{"leave", `<presence id='%s' type='unavailable' to='ROOM/dave'/>`},
	{"presence probe of the room", `<presence id='%s' type='probe' to='ROOM'/>`},
	{"presence probe of a member", `<presence id='%s' type='probe' to='ROOM/dave'/>`},
	{"subscribe", `<presence id='%s' type='subscribe' to='ROOM'/>`},
	{"subscribe to a member", `<presence id='%s' type='subscribe' to='ROOM/dave'/>`},
	{"say something", `<message id='%s' to='ROOM' type='groupchat'><body>eve-1</body></message>`},
	{"set the subject", `<message id='%s' to='ROOM' type='groupchat'><subject>eve-1</subject></message>`},
	{"private message", `<message id='%s' to='ROOM/dave' type='chat'><body>eve-1</body></message>`},
	{"message to the room", `<message id='%s' to='ROOM' type='chat'><body>eve-1</body></message>`},
	{"ask for voice", `<message id='%s' to='ROOM'><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#request</value></field></x></message>`},
	{"decline", `<message id='%s' to='ROOM'><x xmlns='http://jabber.org/protocol/muc#user'><decline to='dave@example.org'/></x></message>`},
	{"invite", `<message id='%s' to='ROOM'><x xmlns='http://jabber.org/protocol/muc#user'><invite to='eve@example.org'/></x></message>`},
	{"disco info", `<iq id='%s' to='ROOM' type='get'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`},
	{"disco items", `<iq id='%s' to='ROOM' type='get'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>`},
	{"disco info of a member", `<iq id='%s' to='ROOM/dave' type='get'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`},
	{"reserved nick", `<iq id='%s' to='ROOM' type='get'><query xmlns='http://jabber.org/protocol/disco#info' node='x-roomuser-item'/></iq>`},
	{"commands", `<iq id='%s' to='ROOM' type='set'><command xmlns='http://jabber.org/protocol/commands' node='close' action='execute'/></iq>`},
	{"ping", `<iq id='%s' to='ROOM' type='get'><ping xmlns='urn:xmpp:ping'/></iq>`},
	{"ping of a member", `<iq id='%s' to='ROOM/dave' type='get'><ping xmlns='urn:xmpp:ping'/></iq>`},
	{"vCard of a member", `<iq id='%s' to='ROOM/dave' type='get'><vCard xmlns='vcard-temp'/></iq>`},
	{"vCard of the room", `<iq id='%s' to='ROOM' type='get'><vCard xmlns='vcard-temp'/></iq>`},
	{"vCard4", `<iq id='%s' to='ROOM' type='get'><vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'/></iq>`},
	{"version of a member", `<iq id='%s' to='ROOM/dave' type='get'><query xmlns='jabber:iq:version'/></iq>`},
	{"version of the room", `<iq id='%s' to='ROOM' type='get'><query xmlns='jabber:iq:version'/></iq>`},
	{"last activity of a member", `<iq id='%s' to='ROOM/dave' type='get'><query xmlns='jabber:iq:last'/></iq>`},
	{"last activity of the room", `<iq id='%s' to='ROOM' type='get'><query xmlns='jabber:iq:last'/></iq>`},
	{"time of a member", `<iq id='%s' to='ROOM/dave' type='get'><time xmlns='urn:xmpp:time'/></iq>`},
	{"member list", `<iq id='%s' to='ROOM' type='get'><query xmlns='http://jabber.org/protocol/muc#admin'><item affiliation='member'/></query></iq>`},
	{"room form", `<iq id='%s' to='ROOM' type='get'><query xmlns='http://jabber.org/protocol/muc#owner'/></iq>`},
	{"register", `<iq id='%s' to='ROOM' type='get'><query xmlns='jabber:iq:register'/></iq>`},
	{"search", `<iq id='%s' to='ROOM' type='get'><query xmlns='jabber:iq:search'/></iq>`},
	{"bookmark", `<iq id='%s' to='ROOM' type='get'><pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='urn:xmpp:bookmarks:1'/></pubsub></iq>`},
	// The archive is another issue's: until then nobody is answered by it.
	{"archive", `<iq id='%s' to='ROOM' type='set'><query xmlns='urn:xmpp:mam:2'/></iq>`},
	{"archive form", `<iq id='%s' to='ROOM' type='get'><query xmlns='urn:xmpp:mam:2'/></iq>`},
}

// timedStanzas are those that a room answers in different ways.
var timedStanzas = []string{"enter", "say something", "private message", "disco info", "ping of a member"}

func xmppLeaks(t *testing.T, l *leaksOf) {
	_, host, _ := strings.Cut(l.xmppRoom, "@")
	foreign := outsider{name: "eve elsewhere", xmpp: l.site.NewForeignXMPPUser(t, "eve")}
	for _, who := range []outsider{l.eve, foreign, l.mallory} {
		for _, s := range xmppStanzas {
			xmppProbe(who.xmpp, s.name+", "+who.name, s.stanza, host, l.session, uuid.NewString()).try(t)
			// The address form of a member's email, which a client might write to.
			xmppProbe(who.xmpp, s.name+" of an address, "+who.name, s.stanza, host, `bob\40mailbox.test`, `nob\40mailbox.test`).try(t)
		}
		hostTellsNothing(t, who.xmpp, host)
	}
	xmppTimes(t, l, host)
}

// hostTellsNothing: the component lists and finds nothing.
func hostTellsNothing(t *testing.T, who *harness.XMPPUser, host string) {
	got, err := who.Ask(t.Context(), `<iq id='%s' to='`+host+`' type='get'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>`)
	require.NoError(t, err)
	require.NotContains(t, got.Inner, "<item ", "no room is listed")
	for _, payload := range []string{`<query xmlns='jabber:iq:search'/>`, `<query xmlns='jabber:iq:register'/>`, `<query xmlns='jabber:iq:last'/>`} {
		got, err := who.Ask(t.Context(), `<iq id='%s' to='`+host+`' type='get'>`+payload+`</iq>`)
		require.NoError(t, err)
		require.Equal(t, "error", got.Type, got.Inner)
	}
}

// clocks are accounts for measuring: whoever sends more than a thousand stanzas at once is told to wait.
var clocks = []string{"clock-1", "clock-2", "clock-3", "clock-4", "clock-5", "clock-6", "clock-7", "clock-8", "clock-9", "clock-10", "clock-11", "clock-12"}

// turn is how many stanzas one of them sends before it is the next one's turn.
const turn = 500

func xmppTimes(t *testing.T, l *leaksOf, host string) {
	var people []*harness.XMPPUser
	for _, name := range clocks {
		people = append(people, l.site.NewXMPPUser(t, name))
	}
	asked := 0
	for _, s := range xmppStanzas {
		if !slices.Contains(timedStanzas, s.name) {
			continue
		}
		probe{
			name: s.name, exists: l.session, missing: uuid.NewString(), timed: true,
			ask: func(ctx context.Context, thing string) (any, error) {
				asked++
				return first(ctx, people[asked/turn%len(people)], s.stanza, thing, host)
			},
		}.try(t)
	}
}

// first is the first stanza that is answered.
func first(ctx context.Context, who *harness.XMPPUser, stanza, thing, host string) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, harness.Patience)
	defer cancel()
	mark, room := who.Mark(), thing+"@"+host
	if err := who.Write(strings.ReplaceAll(fmt.Sprintf(stanza, "timed"), "ROOM", room)); err != nil {
		return nil, err
	}
	s, err := who.Find(ctx, mark, "an answer", func(s harness.Stanza) bool { return s.Room() == room })
	hide := func(text string) string { return strings.ReplaceAll(text, thing, "THING") }
	return heard{s.XMLName.Local, hide(s.From), s.Type, hide(s.Inner)}, err
}
