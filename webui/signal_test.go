package webui

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"mailroom/bridge"
)

// signals reads events until one tells of signs.
func (l *listener) signals() (signs []sign) {
	l.t.Helper()
	for e := l.next(); ; e = l.next() {
		require.NotEmpty(l.t, e.name, "the stream ended")
		if e.name == "signals" {
			require.NoError(l.t, json.Unmarshal([]byte(e.data), &signs))
			return signs
		}
	}
}

func TestASignalReachesWhomThePersonLetsSeeIt(t *testing.T) {
	core := newCore(t)
	id := core.plan(bridge.Options{}, guest(bob, "Bob"))
	site := core.serve()
	bobs := core.cookie(site, id, bob)
	core.sees(bridge.SeenByShared, bob)
	l := listen(t, site+sessionPath(id)+"/events?after=0", core.cookie(site, id, alice))
	require.Empty(t, l.signals())
	send := func(kind, on string) int {
		t.Helper()
		form := core.form(id, bob, "kind", kind, "on", on)
		r, err := http.NewRequest("POST", site+sessionPath(id)+"/signal", strings.NewReader(form.Encode()))
		require.NoError(t, err)
		r.Header = bobs.Clone()
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Accept", "application/json")
		answer, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		return answer.StatusCode
	}
	who := core.member(id, bob).ID.String()
	require.Equal(t, http.StatusNoContent, send("here", "1"))
	require.Equal(t, []sign{{who, false, true}}, l.signals())
	require.Equal(t, http.StatusNoContent, send("typing", "1"))
	require.Equal(t, []sign{{who, true, true}}, l.signals())
	began := time.Now()
	require.Equal(t, []sign{{who, false, true}}, l.signals(), "it runs out by itself")
	require.InDelta(t, bridge.TypingTime, time.Since(began), float64(3*time.Second))
	require.Equal(t, http.StatusNoContent, send("here", "0"))
	require.Empty(t, l.signals())
	require.Equal(t, http.StatusUnprocessableEntity, send("sneezing", "1"))
}

// Nobody has chosen anything: then nothing of anybody goes over the wire, not even that something has changed.
func TestByDefaultNothingOfAPersonGoesOverTheWire(t *testing.T) {
	core := newCore(t)
	id := core.plan(bridge.Options{}, guest(bob, "Bob"), guest(dora, "Dora"))
	site := core.serve()
	cookie := core.cookie(site, id, alice)
	l := listen(t, site+sessionPath(id)+"/events?after=0", cookie)
	require.Empty(t, l.signals())
	for _, kind := range []bridge.SignalKind{bridge.Here, bridge.Typing} {
		require.NoError(t, core.Signal(t.Context(), id, as(bob), kind, true))
	}
	require.NoError(t, core.MarkRead(t.Context(), id, as(bob), 3))
	core.say(id, bob, "something else")
	for e := l.next(); ; e = l.next() {
		require.NotEqual(t, "signals", e.name)
		require.NotContains(t, e.data, `"here"`)
		require.NotContains(t, e.data, `"typing"`)
		require.NotContains(t, e.data, "read_seq")
		if strings.Contains(e.data, "something else") {
			break
		}
	}
	// Dora lets herself be seen: what there was to tell of Bob would come before that, or with it.
	core.sees(bridge.SeenByShared, dora)
	require.NoError(t, core.Signal(t.Context(), id, as(dora), bridge.Here, true))
	require.Equal(t, []sign{{core.member(id, dora).ID.String(), false, true}}, l.signals())
	require.NoError(t, core.Signal(t.Context(), id, as(dora), bridge.Here, false))
	poll := listen(t, site+sessionPath(id)+"/events?after=0&wait=0", cookie).answer
	require.Equal(t, "[]", field(t, poll, "signals"))
}

func TestAPollAnswersForASign(t *testing.T) {
	core := newCore(t)
	id := core.plan(bridge.Options{}, guest(bob, "Bob"))
	core.sees(bridge.SeenByShared, bob)
	begun := &waited{core.Service, make(chan struct{}, 1)}
	site := core.serveWith(begun)
	cookie := core.cookie(site, id, alice)
	room, err := core.Room(t.Context(), id)
	require.NoError(t, err)
	url := site + sessionPath(id) + "/events?wait=20&after=" + jsonOf(t, room.Session.Head)
	answered := make(chan *http.Response, 1)
	go func() { answered <- listen(t, url, cookie).answer }()
	<-begun.signals
	require.NoError(t, core.Signal(t.Context(), id, as(bob), bridge.Typing, true))
	require.Contains(t, field(t, <-answered, "signals"), `"typing":true`)
}

// waited tells when somebody waits for signals.
type waited struct {
	*bridge.Service
	signals chan struct{}
}

func (w *waited) SubscribeSignals(session uuid.UUID) (<-chan struct{}, func()) {
	changed, cancel := w.Service.SubscribeSignals(session)
	w.signals <- struct{}{}
	return changed, cancel
}

func jsonOf(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return string(text)
}

func TestAStreamEndsWhenItsBrowserIsSignedOut(t *testing.T) {
	core := newCore(t)
	id := core.plan(bridge.Options{}, guest(bob, "Bob"))
	site := core.serve()
	cookie := core.cookie(site, id, bob)
	l := listen(t, site+sessionPath(id)+"/events?after=0", cookie)
	l.signals()
	token, err := core.Token(t.Context(), id, core.member(id, bob).ID, bridge.RightBrowsers)
	require.NoError(t, err)
	began := time.Now()
	require.NoError(t, core.EndBrowsers(t.Context(), token))
	for e := l.next(); e.name != "gone"; e = l.next() {
		require.NotEmpty(t, e.name)
	}
	require.Less(t, time.Since(began), time.Second)
	require.Equal(t, http.StatusNotFound, listen(t, site+sessionPath(id), cookie).answer.StatusCode)
}

func TestAStreamIsToldWhenItsTimeIsOver(t *testing.T) {
	core := newCore(t)
	soon := time.Now().Add(2 * time.Second)
	id := core.plan(bridge.Options{ExpiresAt: soon}, guest(bob, "Bob"))
	site := core.serve()
	l := listen(t, site+sessionPath(id)+"/events?after=0", core.cookie(site, id, bob))
	for e := l.next(); !strings.Contains(e.data, "The time of this session is over."); e = l.next() {
		require.NotEmpty(t, e.name)
	}
	require.WithinDuration(t, soon, time.Now(), time.Second)
}
