package appservice

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"maunium.net/go/mautrix/event"

	"mailroom/bridge"
)

// joined is a stage on which Carol has joined the room.
func joined(t *testing.T) (s *stage, room string) {
	s = newStage(t)
	require.NoError(t, s.deliver(t))
	room, fake := s.room(t)
	s.place(fake, "@carol:"+testDomain, "join")
	require.Equal(t, http.StatusOK, s.push(t, memberEvent("$join", room, "@carol:"+testDomain, "@carol:"+testDomain, "join")))
	require.Equal(t, bridge.EndpointJoined, s.svc.state(s.session, s.carol.ID))
	return s, room
}

// push sends a transaction as the homeserver does.
func (s *stage) push(t *testing.T, events ...string) int {
	t.Helper()
	return s.request(t, http.MethodPut, "/_matrix/app/v1/transactions/1", `{"events":[`+strings.Join(events, ",")+`]}`, "Bearer "+s.gateway.registration.ServerToken)
}

func (s *stage) request(t *testing.T, method, path, body, authorization string) int {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	w := httptest.NewRecorder()
	s.gateway.Handler().ServeHTTP(w, r)
	return w.Code
}

func textEvent(id, room, sender, text string) string {
	return contentEvent(id, room, sender, map[string]any{"msgtype": "m.text", "body": text})
}

func contentEvent(id, room, sender string, content map[string]any) string {
	return encode(map[string]any{"event_id": id, "room_id": room, "sender": sender, "type": "m.room.message", "content": content})
}

func memberEvent(id, room, sender, user, membership string) string {
	return stateEvent(id, room, sender, "m.room.member", user, map[string]any{"membership": membership})
}

func stateEvent(id, room, sender, kind, key string, content map[string]any) string {
	return encode(map[string]any{"event_id": id, "room_id": room, "sender": sender, "type": kind, "state_key": key, "content": content})
}

func encode(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(text)
}

const carolID = "@carol:" + testDomain

func TestOnlyTheHomeserverMayPush(t *testing.T) {
	s, room := joined(t)
	token := s.gateway.registration.ServerToken
	body := `{"events":[` + textEvent("$1", room, carolID, "forged") + `]}`
	for _, path := range []string{"/_matrix/app/v1/transactions/1", "/transactions/1"} {
		require.Equal(t, http.StatusUnauthorized, s.request(t, http.MethodPut, path, body, ""))
		require.Equal(t, http.StatusForbidden, s.request(t, http.MethodPut, path, body, "Bearer wrong"))
		require.Equal(t, http.StatusForbidden, s.request(t, http.MethodPut, path, body, "Bearer "+s.gateway.registration.AppToken))
		require.Equal(t, http.StatusForbidden, s.request(t, http.MethodPut, path+"?access_token=wrong", body, ""))
		require.Empty(t, s.svc.texts(s.session))
	}
	require.Equal(t, http.StatusOK, s.request(t, http.MethodPut, "/transactions/1?access_token="+token, body, ""))
	require.Equal(t, []string{"forged"}, s.svc.texts(s.session))
}

func TestQueriesTellNothing(t *testing.T) {
	s := newStage(t)
	require.NoError(t, s.deliver(t))
	authorization := "Bearer " + s.gateway.registration.ServerToken
	for _, path := range []string{
		"/_matrix/app/v1/users/" + s.gateway.ghostOf(s.alice.ID).String(),
		"/_matrix/app/v1/users/@mailroom_alice=40example.org:" + testDomain,
		"/_matrix/app/v1/users/@mailroom_nobody=40example.org:" + testDomain,
		"/_matrix/app/v1/rooms/%23mailroom_" + s.session.String() + ":" + testDomain,
		"/rooms/%23mailroom_guess:" + testDomain,
		"/users/@mailroom_guess:" + testDomain,
	} {
		require.Equal(t, http.StatusNotFound, s.request(t, http.MethodGet, path, "", authorization), path)
		require.Equal(t, http.StatusUnauthorized, s.request(t, http.MethodGet, path, "", ""), path)
	}
}

func TestPingIsAnswered(t *testing.T) {
	s := newStage(t)
	require.Equal(t, http.StatusOK, s.request(t, http.MethodPost, "/_matrix/app/v1/ping", `{"transaction_id":"x"}`, "Bearer "+s.gateway.registration.ServerToken))
	require.Equal(t, http.StatusUnauthorized, s.request(t, http.MethodPost, "/_matrix/app/v1/ping", `{}`, ""))
}

func TestTransactionIsAnsweredOnlyWhenStored(t *testing.T) {
	s, room := joined(t)
	events := []string{textEvent("$1", room, carolID, "one"), textEvent("$2", room, carolID, "two")}
	s.svc.fail(errors.New("the disk is full"))
	require.Equal(t, http.StatusInternalServerError, s.push(t, events...))
	require.Empty(t, s.svc.texts(s.session))
	s.svc.fail(nil)
	require.Equal(t, http.StatusOK, s.push(t, events...))
	require.Equal(t, []string{"one", "two"}, s.svc.texts(s.session))
}

func TestRepeatedTransactionWithMoreEventsDoublesNothing(t *testing.T) {
	s, room := joined(t)
	one, two := textEvent("$1", room, carolID, "one"), textEvent("$2", room, carolID, "two")
	require.Equal(t, http.StatusOK, s.push(t, one))
	require.Equal(t, http.StatusOK, s.push(t, one, two))
	require.Equal(t, http.StatusOK, s.push(t, one, two))
	require.Equal(t, []string{"one", "two"}, s.svc.texts(s.session))
}

func TestOrderHoldsInARoomAmongOthers(t *testing.T) {
	s, room := joined(t)
	var events, want []string
	for i := range 100 {
		events = append(events, textEvent(fmt.Sprintf("$%d", i), room, carolID, fmt.Sprint(i)), textEvent(fmt.Sprintf("$x%d", i), fmt.Sprintf("!%d:elsewhere", i), carolID, "elsewhere"))
		want = append(want, fmt.Sprint(i))
	}
	require.Equal(t, http.StatusOK, s.push(t, events...))
	require.Equal(t, want, s.svc.texts(s.session))
}

func TestMalformedEventsAreLeftOut(t *testing.T) {
	s, room := joined(t)
	require.Equal(t, http.StatusOK, s.push(t,
		`42`, `{}`, `null`, `{"type":7}`,
		textEvent("", room, carolID, "without an ID"),
		textEvent("$"+strings.Repeat("x", 300), room, carolID, "with a long ID"),
		textEvent("$nul\x00", room, carolID, "with a control character"),
		contentEvent("$1", room, carolID, map[string]any{"msgtype": "m.text", "body": 7}),
		contentEvent("$2", room, carolID, map[string]any{"msgtype": "m.text"}),
		contentEvent("$3", room, carolID, nil),
		stateEvent("$4", room, carolID, "m.room.member", carolID, map[string]any{"membership": []int{1}}),
		textEvent("$5", room, carolID, "sound"),
	))
	require.Equal(t, []string{"sound"}, s.svc.texts(s.session))
}

func TestTransactionThatIsNoneIsRefused(t *testing.T) {
	s := newStage(t)
	authorization := "Bearer " + s.gateway.registration.ServerToken
	require.Equal(t, http.StatusBadRequest, s.request(t, http.MethodPut, "/_matrix/app/v1/transactions/1", "[", authorization))
	large := `{"x":"` + strings.Repeat("x", maxTransaction) + `"}`
	require.Equal(t, http.StatusRequestEntityTooLarge, s.request(t, http.MethodPut, "/_matrix/app/v1/transactions/1", large, authorization))
}

func TestOurOwnEventsAreIgnored(t *testing.T) {
	s, room := joined(t)
	ghost := s.gateway.ghostOf(s.alice.ID).String()
	require.Equal(t, http.StatusOK, s.push(t, textEvent("$1", room, ghost, "echo"), textEvent("$2", room, s.gateway.bot.String(), "echo")))
	require.Empty(t, s.svc.texts(s.session))
}

func FuzzEvents(f *testing.F) {
	for _, seed := range []string{
		textEvent("$1", "!0:x", carolID, "hello"),
		memberEvent("$2", "!0:x", carolID, carolID, "leave"),
		contentEvent("$3", "!0:x", carolID, map[string]any{"msgtype": "m.emote", "body": "waves", "m.new_content": map[string]any{"body": "x"}, "m.relates_to": map[string]any{"rel_type": "m.replace", "event_id": "$1"}}),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		evt, err := parseEvent(json.RawMessage(text))
		if err != nil {
			return
		}
		r := reading{defaultPrinter, "Carol"}
		said := evt.Content.AsMessage()
		body := r.body(said)
		if isEdit(said) {
			body = r.correction(said.NewContent)
		}
		require.True(t, utf8.ValidString(body.Text))
		for _, part := range partsOf(bridge.Body(body), event.MsgText) {
			require.True(t, fits(part))
		}
		require.NotEmpty(t, evt.ID)
	})
}
