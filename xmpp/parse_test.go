package xmpp

import (
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

func depth(e *element) int {
	deepest := 0
	for _, c := range e.children {
		deepest = max(deepest, depth(c))
	}
	return deepest + 1
}
