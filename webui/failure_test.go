package webui

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mailroom/bridge"
)

const (
	mailFailure = "A mail to carol@shop.test could not be delivered: their mailbox is full."
	roomFailure = "The Matrix room could not take a message."
)

// failures notes one mail and one message that could not be delivered.
func failures(fake *fakeService, room *bridge.Room, carol bridge.Member) {
	fake.mu.Lock()
	defer fake.mu.Unlock()
	fake.append(room, bridge.Record{Kind: bridge.KindFailure, Body: text(mailFailure), Destination: bridge.ToMail(carol.ID)})
	fake.append(room, bridge.Record{Kind: bridge.KindFailure, Body: text(roomFailure), Destination: bridge.ToMatrix})
}

func TestOnlyTheInitiatorReadsWhomAMailDidNotReach(t *testing.T) {
	fake := newFake()
	room, _, _, carol, _ := plan(fake)
	failures(fake, room, carol)
	h := handler(t, fake)
	for name, initiator := range map[string]bool{"alice": true, "bob": false, "carol": false} {
		v := newVisitor(t, h).join(name)
		path := sessionPath(room.Session.ID)
		for _, answer := range []string{body(t, v.get(path)), body(t, v.get(path+"/events?after=0&wait=0"))} {
			require.Equal(t, initiator, strings.Contains(answer, "carol@shop.test could not be delivered"), name)
			require.Contains(t, answer, roomFailure, name)
		}
	}
}

func TestAPITellsOnlyTheInitiatorWhomAMailDidNotReach(t *testing.T) {
	fake := newFake()
	room, _, _, carol, _ := plan(fake)
	failures(fake, room, carol)
	h := handler(t, fake)
	path := apiPrefix + "/sessions/" + room.Session.ID.String()
	for address, initiator := range map[string]bool{"alice@example.org": true, "bob@client.test": false} {
		v := apiClient(t, fake, h, address, address)
		for _, tail := range []string{"/transcript.txt", "/transcript.json"} {
			transcript := body(t, v.get(path+tail))
			require.Equal(t, initiator, strings.Contains(transcript, mailFailure), address+tail)
			require.Contains(t, transcript, roomFailure, address+tail)
		}
	}
}

func TestEventsMoveOverAFailureThatIsNotForTheReader(t *testing.T) {
	fake := newFake()
	room, _, bob, carol, _ := plan(fake) // started, 3 invited: 4 records
	failures(fake, room, carol)
	fake.bearers["t"] = bridge.Identity{Via: bridge.Web, Address: bob.Address}
	site := newSite(t, fake)
	l := listen(t, site.url+apiPrefix+"/sessions/"+room.Session.ID.String()+"/events?after=4", http.Header{"Authorization": {"Bearer t"}})
	require.Equal(t, "hello", l.next().name)
	e := l.next()
	require.Equal(t, "6", e.id)
	var record apiRecord
	require.NoError(t, json.Unmarshal([]byte(e.data), &record))
	require.Equal(t, roomFailure, record.Text)
}
