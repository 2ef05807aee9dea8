package xmpp

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const opened = "<stream:stream xmlns='" + nsComponent + "' xmlns:stream='" + nsStream + "' id='1'>"

func parse(text string) (*element, error) {
	return newParser(strings.NewReader(opened + text)).afterHeader()
}

func TestAStanzaIsReadAndWrittenUnchanged(t *testing.T) {
	for _, text := range []string{
		"<iq type='get' id='1'/>",
		"<message xml:lang='de'><body>a &lt;b&gt; &amp; &apos;c&apos; &quot;d&quot;</body></message>",
		"<message><x xmlns='jabber:x:data'><field><value>1</value></field></x></message>",
		"<message><result xmlns='urn:xmpp:mam:2'><forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'><body>b</body></message></forwarded></result></message>",
	} {
		e, err := parse(text)
		require.NoError(t, err)
		require.Equal(t, text, e.String())
	}
}

func TestWhatXMLDoesNotAllowIsNeverWritten(t *testing.T) {
	e := el(nsComponent, "message", "id", "a\x00b\ufffe").with(el(nsComponent, "body").saying("\x1b[1mbold\x08\ud7ff\uffff\xff"))
	require.Equal(t, "<message id='ab'><body>[1mbold\ud7ff\ufffd</body></message>", e.String())
}

func TestRestrictedXMLEndsTheStream(t *testing.T) {
	for _, text := range []string{"<!-- c -->", "<?pi?>", "<!DOCTYPE x>", "<a><!-- c --></a>", "<a>&lol;</a>", "<a", "</wrong>"} {
		_, err := parse(text)
		require.Error(t, err, text)
	}
}

func TestMoreThanAnyServerLetsThroughEndsTheStream(t *testing.T) {
	_, err := parse("<message><body>" + strings.Repeat("x", maxSkipped) + "</body></message>")
	require.ErrorIs(t, err, errTooLarge)
}

// Whatever comes, the parser ends, keeps its bounds, and what it has read can
// be written and read again.
func FuzzParser(f *testing.F) {
	for _, seed := range []string{
		"<message from='a' to='b' type='groupchat'><body>x</body><a:b xmlns:a='urn:a' a:c='d'/></message>",
		"<presence/><iq/>", "<a:b/>", "<x xmlns=''><y/></x>", strings.Repeat("<a>", 200), "\xff", "<a b='1' b='2'/>", "</stream:stream>",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p := newParser(strings.NewReader(opened + text))
		if _, err := p.header(); err != nil {
			return
		}
		for {
			e, err := p.next()
			if err != nil {
				return
			}
			require.LessOrEqual(t, depth(e), MaxDepth)
			again, err := parse(e.String())
			require.NoError(t, err, e.String())
			require.Equal(t, e.String(), again.String())
		}
	})
}

// Whatever a stanza is, the component handles it.
func FuzzStanza(f *testing.F) {
	m := newMemory()
	id := m.start("Picnic", "alice@client.com", "xmpp:bob@example.org")
	c, err := New(Config{Component: component, Server: "127.0.0.1:1", Secret: secret}, m, slog.New(slog.DiscardHandler))
	require.NoError(f, err)
	f.Cleanup(c.rooms.begin(f.Context()))
	_, _, _, err = m.Enter(f.Context(), id, parseJID(bob).identity(), bob, "Bob")
	require.NoError(f, err)
	at := id.String() + "@" + component
	for _, seed := range []string{
		"<presence from='bob@example.org/phone' to='ROOM/Bob'><x xmlns='http://jabber.org/protocol/muc'><history since='x'/></x></presence>",
		"<message from='bob@example.org/phone' to='ROOM' type='groupchat'><body>x</body><origin-id xmlns='urn:xmpp:sid:0' id=' o '/></message>",
		"<message from='bob@example.org' to='ROOM' type='error' id='invite-1'><error><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>",
		"<iq from='bob@example.org/phone' to='ROOM/Bob' type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>",
		"<iq from='bob@example.org/phone' to='ROOM' type='set'/>",
		"<presence from='bob@example.org/phone' to='ROOM' type='subscribe'/>",
		"<presence from='bob@example.org/phone' to='ROOM/Bob' type='unavailable'/>",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parse(strings.ReplaceAll(text, "ROOM", at))
		if err == nil {
			c.handle(t.Context(), incoming{s, parseJID(s.attr("from")), parseJID(s.attr("to")), s.attr("type")})
		}
	})
}

func depth(e *element) int {
	deepest := 0
	for _, c := range e.children {
		deepest = max(deepest, depth(c))
	}
	return deepest + 1
}
