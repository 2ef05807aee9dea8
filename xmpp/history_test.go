package xmpp

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// XEP-0045 §7.2.13: the client says how much of the past it wants.
func TestAClientGetsAsMuchOfThePastAsItWants(t *testing.T) {
	s := newStage(t)
	id := s.start("Long", "alice@client.com", "xmpp:bob@example.org")
	for i := 1; i <= 250; i++ {
		s.say(id, 1, strconv.Itoa(i), time.Now().Add(time.Duration(i-250)*time.Minute))
	}
	s.connected(1)
	s.settled(id)
	ago := func(d time.Duration) string { return time.Now().Add(-d).UTC().Format(time.RFC3339) }
	for asked, count := range map[string]int{
		"":                           250,
		"<history maxstanzas='0'/>":  0,
		"<history maxstanzas='3'/>":  3,
		"<history maxchars='0'/>":    0,
		"<history maxchars='1200'/>": 2,
		"<history seconds='0'/>":     0,
		"<history seconds='630'/>":   11,
		"<history since='" + ago(199*time.Minute+30*time.Second) + "'/>":                  200,
		"<history since='" + ago(199*time.Minute+30*time.Second) + "' maxstanzas='20'/>":  20,
		"<history since='2020-01-01T00:00:00Z'/>":                                         250,
		"<history since='yesterday' seconds='-1' maxstanzas='x' maxchars='99999999999'/>": 250,
	} {
		client := fmt.Sprintf("bob@example.org/%d", len(asked))
		s.write("<presence from='%s' to='%s@%s/Bob'><x xmlns='http://jabber.org/protocol/muc'>%s</x></presence>", client, id, component, asked)
		got := s.next(client, count+3)
		require.Equal(t, "presence /Bob 110 170 100", tell(got[1]), asked)
		require.Equal(t, "message subject=Long", tell(got[count+2]), asked)
		if count > 0 {
			require.Equal(t, "message /alice: "+strconv.Itoa(251-count), tell(got[2]), asked)
			require.Equal(t, "message /alice: 250", tell(got[count+1]), asked)
		}
		s.quiet(client)
		s.write("<presence type='unavailable' from='%s' to='%s@%s/Bob'/>", client, id, component)
		s.sees(client, "presence unavailable /Bob 110")
	}
}

// The subject ends every join, and so is cut rather than left out.
func TestASubjectThatIsTooLongKeepsNobodyOut(t *testing.T) {
	s := newStage(t)
	id := s.start(strings.Repeat("'", MaxStanza/6), "xmpp:carol@example.org", "xmpp:bob@example.org")
	s.connected(1)
	s.rest()
	s.say(id, 1, "before", time.Now())
	s.write("<presence from='%s' to='%s@%s/Bob'><x xmlns='http://jabber.org/protocol/muc'/></presence>", bob, id, component)
	got := s.next(bob, 4)
	require.Equal(t, "message /carol: before", tell(got[2]))
	require.NotNil(t, got[3].child(nsComponent, "subject"), "it ends the join")
}

// Many join while many messages are said: each sees each message once, be it
// as history or live, and in order.
func TestHistoryAndLiveMeetWithoutGapOrOverlap(t *testing.T) {
	s := newStage(t)
	id := s.start("Busy", "alice@client.com", "xmpp:bob@example.org")
	s.connected(1)
	s.settled(id)
	const total, clients = 90, 20
	said := make(chan struct{})
	go func() {
		defer close(said)
		for i := range total {
			s.say(id, 1, strconv.Itoa(i), time.Now())
		}
	}()
	for i := range clients {
		s.write("<presence from='bob@example.org/%d' to='%s@%s/Bob'><x xmlns='http://jabber.org/protocol/muc'/></presence>", i, id, component)
	}
	<-said
	for i := range clients {
		next := 0
		for _, e := range s.next(fmt.Sprintf("bob@example.org/%d", i), total+3) {
			if e.child(nsComponent, "body") != nil {
				require.Equal(t, "message /alice: "+strconv.Itoa(next), tell(e))
				next++
			}
		}
		require.Equal(t, total, next)
	}
}
