package app

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mailroom/bridge"
	"mailroom/store"
	"mailroom/store/storetest"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// addresses says where nodes are.
type addresses map[string]string

func (a addresses) Node(_ context.Context, name string) (string, error) { return a[name], nil }

// startMemory serves a memory, as the node "a", and returns it and how others
// reach it.
func startMemory(t *testing.T) (own *store.Memory, url string) {
	t.Helper()
	own = storetest.Open(t, "sqlite:"+t.TempDir()+"/m.db").Memory()
	s, err := newSeal(nodeSecret, "a")
	require.NoError(t, err)
	handler := &memoryServer{memory: own, seal: s, log: slog.New(slog.DiscardHandler), unknown: http.NotFoundHandler()}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return own, server.URL
}

func peerAt(t *testing.T, url, secret string, log io.Writer) store.Keeper {
	t.Helper()
	p := newPeers(addresses{"a": url}, secret, slog.New(slog.NewTextHandler(log, nil)))
	t.Cleanup(p.close)
	k, err := p.keeper(t.Context(), "a")
	require.NoError(t, err)
	return k
}

func TestARecordIsTheSameOnAnotherNode(t *testing.T) {
	own, url := startMemory(t)
	other := peerAt(t, url, nodeSecret, io.Discard)
	rapid.Check(t, func(t *rapid.T) {
		r := anyRecord(t)
		subject := rapid.String().Draw(t, "subject")
		require.NoError(t, other.Keep(context.Background(), r.Session, &subject, []bridge.Record{r}))
		for _, k := range []store.Keeper{own, other} {
			shown, records, ok, err := k.Recall(context.Background(), r.Session, 0, 10)
			require.NoError(t, err)
			require.True(t, ok)
			require.Equal(t, subject, shown)
			require.Equal(t, []bridge.Record{r}, records)
			found, ok, err := k.Find(context.Background(), r.Session, r.Origin)
			require.NoError(t, err)
			require.True(t, ok)
			require.Equal(t, r, found)
		}
		require.NoError(t, other.Drop(context.Background(), r.Session))
		for _, k := range []store.Keeper{own, other} {
			_, _, ok, err := k.Recall(context.Background(), r.Session, 0, 10)
			require.NoError(t, err)
			require.False(t, ok)
			_, ok, err = k.Find(context.Background(), r.Session, r.Origin)
			require.NoError(t, err)
			require.False(t, ok)
		}
	})
}

// anyRecord is the first of a session.
func anyRecord(t *rapid.T) bridge.Record {
	id := rapid.Custom(func(t *rapid.T) (id uuid.UUID) {
		copy(id[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "bytes"))
		return id
	})
	body := rapid.Custom(func(t *rapid.T) bridge.Body {
		return bridge.Body{Text: rapid.String().Draw(t, "text"), HTML: rapid.String().Draw(t, "html")}
	})
	var texts map[string]bridge.Body
	if rapid.Bool().Draw(t, "translated") {
		texts = rapid.MapOf(rapid.StringMatching(`[a-z]{2}`), body).Draw(t, "texts")
	}
	return bridge.Record{
		Session: uuid.New(), Seq: 1, ID: id.Draw(t, "id"), Kind: bridge.Kind(rapid.String().Draw(t, "kind")),
		Member: id.Draw(t, "member"), Target: id.Draw(t, "target"), Ref: rapid.Int64().Draw(t, "ref"), Erased: rapid.Bool().Draw(t, "erased"),
		At:     time.UnixMicro(rapid.Int64Range(0, 4e15).Draw(t, "at")).UTC(),
		Origin: bridge.Origin{Network: bridge.Network(rapid.String().Draw(t, "network")), ID: rapid.String().Draw(t, "origin")},
		Lang:   rapid.String().Draw(t, "lang"), Body: body.Draw(t, "body"), Texts: texts,
		Subject: rapid.String().Draw(t, "subject of the record"), Destination: bridge.Destination(rapid.String().Draw(t, "destination")),
	}
}

func TestManyLongRecordsTravelInPages(t *testing.T) {
	own, url := startMemory(t)
	other := peerAt(t, url, nodeSecret, io.Discard)
	session := uuid.New()
	var all []bridge.Record
	for i := range 12 {
		all = append(all, bridge.Record{
			Session: session, Seq: int64(i + 1), Kind: bridge.KindMessage, At: time.UnixMicro(1).UTC(),
			Body:   bridge.Body{Text: strings.Repeat("<", bridge.MaxBody), HTML: strings.Repeat("é", bridge.MaxBody/2)},
			Origin: bridge.Origin{Network: bridge.Web, ID: uuid.NewString()},
		})
	}
	require.NoError(t, other.Keep(t.Context(), session, nil, all))
	_, kept, _, err := own.Recall(t.Context(), session, 0, 100)
	require.NoError(t, err)
	require.True(t, len(kept) == 12 && kept[11].Seq == 12)
	_, recalled, ok, err := other.Recall(t.Context(), session, 1, 10)
	require.NoError(t, err)
	require.True(t, ok && len(recalled) == 10 && recalled[0].Seq == 2 && recalled[9].Seq == 11)
	require.True(t, recalled[9].Body == all[10].Body)
}

func TestWhatAMemoryRefusesIsNoSilence(t *testing.T) {
	_, url := startMemory(t)
	other := peerAt(t, url, nodeSecret, io.Discard)
	err := other.Keep(t.Context(), uuid.New(), nil, []bridge.Record{{Seq: 7}})
	require.ErrorContains(t, err, "is in no memory any more")
	require.Empty(t, bridge.CodeOf(err))
}

func TestANodeThatDoesNotAnswerIsNotWaitedForTwice(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	var log bytes.Buffer
	other := peerAt(t, "http://"+silent.Addr().String(), nodeSecret, &log)
	began := time.Now()
	_, _, _, err = other.Recall(t.Context(), uuid.New(), 0, 1)
	require.Equal(t, bridge.Unavailable, bridge.CodeOf(err))
	require.Less(t, time.Since(began), exchangeTime+time.Second)
	began = time.Now()
	require.Equal(t, bridge.Unavailable, bridge.CodeOf(other.Keep(t.Context(), uuid.New(), nil, nil)))
	require.Less(t, time.Since(began), exchangeTime/2)
	require.Contains(t, log.String(), "does not answer")
	require.NotContains(t, log.String(), nodeSecret)
}

func TestANodeThatWasAwayIsAskedAgain(t *testing.T) {
	own, url := startMemory(t)
	other := peerAt(t, url, nodeSecret, io.Discard).(*peer)
	other.setAway()
	require.Equal(t, bridge.Unavailable, bridge.CodeOf(other.Drop(t.Context(), uuid.New())))
	other.away = other.away.Add(-awayTime) // that time has passed
	require.NoError(t, other.Keep(t.Context(), uuid.New(), nil, nil))
	require.Equal(t, 1, own.Count())
}

func TestANodeThatIsNotKnownIsAway(t *testing.T) {
	for name, p := range map[string]*peers{
		"no address": newPeers(addresses{}, nodeSecret, slog.New(slog.DiscardHandler)),
		"no secret":  newPeers(addresses{"a": "http://127.0.0.1:1"}, "", slog.New(slog.DiscardHandler)),
	} {
		_, err := p.keeper(t.Context(), "a")
		require.Equal(t, bridge.Unavailable, bridge.CodeOf(err), name)
	}
}

func TestAnotherSecretIsNoSecret(t *testing.T) {
	own, url := startMemory(t)
	other := peerAt(t, url, "another secret", io.Discard)
	require.Equal(t, bridge.Unavailable, bridge.CodeOf(other.Keep(t.Context(), uuid.New(), nil, nil)))
	require.Zero(t, own.Count())
}

// knock sends something to the memory of a node.
func knock(t *testing.T, url, ticket string, body []byte) (status int, page string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	require.NoError(t, err)
	if ticket != "" {
		request.Header.Set(ticketHeader, ticket)
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(text)
}

func TestToStrangersThereIsNothing(t *testing.T) {
	n := startNode(t, settingsOf(t, storetest.NewDatabase(t)))
	url := n.config.PublicURL
	status, nothing := knock(t, url+"/node/nothing", "", nil)
	require.Equal(t, http.StatusNotFound, status)

	own, err := newSeal(nodeSecret, n.name)
	require.NoError(t, err)
	foreign, err := newSeal("another secret", n.name)
	require.NoError(t, err)
	elsewhere, err := newSeal(nodeSecret, "another node")
	require.NoError(t, err)
	session := uuid.New()
	seal := func(s seal, place string, v any) []byte {
		sealed, err := s.close(place, v)
		require.NoError(t, err)
		return sealed
	}
	now, past := ticketText(seal(own, "ticket", ticket{time.Now()})), ticketText(seal(own, "ticket", ticket{time.Now().Add(-ticketTime)}))
	keep := question{Call: "keep", Session: session}
	for name, c := range map[string]struct {
		ticket string
		body   []byte
	}{
		"without a ticket":           {"", seal(own, questionOf(now), keep)},
		"with nonsense":              {"!", nil},
		"with a ticket of letters":   {"aaaa", nil},
		"with another secret":        {ticketText(seal(foreign, "ticket", ticket{time.Now()})), nil},
		"with another node's ticket": {ticketText(seal(elsewhere, "ticket", ticket{time.Now()})), nil},
		"with an old ticket":         {past, seal(own, questionOf(past), keep)},
		"with another's question":    {now, seal(own, questionOf(past), keep)},
		"with an answer as ticket":   {ticketText(seal(own, answerTo(now), ticket{time.Now()})), nil},
		"with an open question":      {now, []byte(`{"Call":"keep"}`)},
	} {
		status, page := knock(t, url+memoryPath, c.ticket, c.body)
		require.Equal(t, http.StatusNotFound, status, name)
		require.Equal(t, nothing, page, name)
	}
	require.Zero(t, n.store.Memory().Count())

	status, page := knock(t, url+memoryPath, now, seal(own, questionOf(now), keep))
	require.Equal(t, http.StatusOK, status)
	var a answer
	require.NoError(t, own.open(answerTo(now), []byte(page), &a))
	require.Empty(t, a.Refusal)
	require.Equal(t, 1, n.store.Memory().Count())
	require.NotContains(t, n.log.String(), nodeSecret)
	require.NotContains(t, n.log.String(), now)
}

func TestOneNodeAloneHasNoDoorForOthers(t *testing.T) {
	n := startNode(t, settingsOf(t, ""))
	status, _ := knock(t, n.config.PublicURL+memoryPath, "", nil)
	require.Equal(t, http.StatusNotFound, status)
	require.Nil(t, n.peers)
}
