package appservice

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// homeserver is a Matrix homeserver in memory, as far as the gateway uses one, on which faults can be played.
type homeserver struct {
	*httptest.Server
	mu       sync.Mutex
	users    map[string]string // user ID to display name
	rooms    map[string]*fakeRoom
	sent     map[string]string // remembered transactions to event IDs
	requests []string          // method and path of each request, in order
	times    []string          // the ts parameter of each message
	redacted []string          // the event of each redaction
	typing   []string          // "<user ID> <typing>" of each typing notification
	faults   []fault
}

type fakeRoom struct {
	members  map[string]happening
	messages []happening // oldest first
	changes  []happening // of the state, oldest first; for readers, they were all before the messages
	state    map[string]any
	created  int64
	asked    map[string]any // for what the room was made
}

// fault is played once, at the first request whose method and path contain what.
type fault struct {
	what  string
	after bool // the request takes effect, but the answer is lost
	play  http.HandlerFunc
}

// refusal answers with an error of the client-server API.
func refusal(status int, code string, extra map[string]any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		body := map[string]any{"errcode": code, "error": "as the test wants it"}
		for key, value := range extra {
			body[key] = value
		}
		reply(w, status, body)
	}
}

// cutOff closes the connection without an answer.
func cutOff(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		panic(http.ErrAbortHandler)
	}
}

func newHomeserver(t *testing.T) *homeserver {
	h := &homeserver{users: make(map[string]string), rooms: make(map[string]*fakeRoom), sent: make(map[string]string)}
	api := http.NewServeMux()
	for pattern, serve := range map[string]http.HandlerFunc{
		"POST /register":                            h.register,
		"GET /account/whoami":                       h.whoami,
		"GET /profile/{user}":                       h.profile,
		"PUT /profile/{user}/displayname":           h.name,
		"POST /createRoom":                          h.createRoom,
		"GET /joined_rooms":                         h.joinedRooms,
		"POST /rooms/{room}/{act}":                  h.move,
		"GET /rooms/{room}/members":                 h.members,
		"GET /rooms/{room}/messages":                h.messages,
		"GET /rooms/{room}/state":                   h.allState,
		"GET /rooms/{room}/state/{kind}/{key...}":   h.getState,
		"PUT /rooms/{room}/state/{kind}/{key...}":   h.putState,
		"PUT /rooms/{room}/send/{kind}/{txn}":       h.send,
		"PUT /rooms/{room}/redact/{event}/{txn}":    h.redact,
		"PUT /rooms/{room}/typing/{user}":           h.types,
		"POST /_matrix/client/v1/appservice/{rest}": refusal(http.StatusNotFound, "M_UNRECOGNIZED", nil),
	} {
		api.HandleFunc(pattern, serve)
	}
	routes := http.StripPrefix("/_matrix/client/v3", api)
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.serve(routes, w, r) }))
	t.Cleanup(h.Close)
	return h
}

func (h *homeserver) serve(routes http.Handler, w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	request := r.Method + " " + r.URL.Path
	h.requests = append(h.requests, request)
	for i, f := range h.faults {
		if !strings.Contains(request, f.what) {
			continue
		}
		h.faults = append(h.faults[:i:i], h.faults[i+1:]...)
		if f.after {
			routes.ServeHTTP(httptest.NewRecorder(), r)
		}
		f.play(w, r)
		return
	}
	routes.ServeHTTP(w, r)
}

// plays adds a fault.
func (h *homeserver) plays(what string, play http.HandlerFunc) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = append(h.faults, fault{what: what, play: play})
}

// loses lets a request take effect and cuts the connection instead of answering.
func (h *homeserver) loses(what string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = append(h.faults, fault{what: what, after: true, play: cutOff})
}

// restart forgets transaction IDs, as real homeservers do.
func (h *homeserver) restart() {
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.sent)
}

// counted returns the requests since the last call.
func (h *homeserver) counted() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	requests := h.requests
	h.requests = nil
	return requests
}

// said are the bodies of all messages in all rooms.
func (h *homeserver) said() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	bodies := []string{}
	for _, room := range h.rooms {
		for _, m := range room.messages {
			if body := m.text("body"); m.Type == "m.room.message" && body != "" {
				bodies = append(bodies, body)
			}
		}
	}
	return bodies
}

// room is the only room.
func (h *homeserver) room(t *testing.T) (string, *fakeRoom) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	require.Len(t, h.rooms, 1)
	for id, room := range h.rooms {
		return id, room
	}
	return "", nil
}

func (h *homeserver) membership(t *testing.T, user string) string {
	t.Helper()
	_, room := h.room(t)
	h.mu.Lock()
	defer h.mu.Unlock()
	return room.members[user].text("membership")
}

func asked(r *http.Request) string { return r.URL.Query().Get("user_id") }

func (h *homeserver) register(w http.ResponseWriter, r *http.Request) {
	var body struct{ Username string }
	read(r, &body)
	user := "@" + body.Username + ":" + testDomain
	if _, taken := h.users[user]; taken {
		refusal(http.StatusBadRequest, "M_USER_IN_USE", nil)(w, r)
		return
	}
	h.users[user] = ""
	reply(w, http.StatusOK, map[string]string{"user_id": user})
}

func read(r *http.Request, into any) {
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		panic(http.ErrAbortHandler)
	}
}

func (h *homeserver) whoami(w http.ResponseWriter, r *http.Request) {
	reply(w, http.StatusOK, map[string]string{"user_id": asked(r)})
}

func (h *homeserver) profile(w http.ResponseWriter, r *http.Request) {
	name, ok := h.users[r.PathValue("user")]
	if !ok {
		refusal(http.StatusNotFound, "M_NOT_FOUND", nil)(w, r)
		return
	}
	reply(w, http.StatusOK, map[string]string{"displayname": name})
}

func (h *homeserver) name(w http.ResponseWriter, r *http.Request) {
	var body struct{ Displayname string }
	read(r, &body)
	user := r.PathValue("user")
	h.users[user] = body.Displayname
	for _, room := range h.rooms {
		if room.members[user].text("membership") == "join" {
			h.place(room, user, "join")
		}
	}
	reply(w, http.StatusOK, struct{}{})
}

func (h *homeserver) createRoom(w http.ResponseWriter, r *http.Request) {
	var body map[string]any
	read(r, &body)
	id := fmt.Sprintf("!%d:%s", len(h.rooms), testDomain)
	room := &fakeRoom{members: make(map[string]happening), state: make(map[string]any), asked: body}
	room.set("m.room.name", map[string]any{"name": body["name"]})
	room.set("m.room.power_levels", body["power_level_content_override"])
	if body["topic"] != nil {
		room.set("m.room.topic", map[string]any{"topic": body["topic"]})
	}
	for _, initial := range body["initial_state"].([]any) {
		state := initial.(map[string]any)
		room.set(state["type"].(string), state["content"])
	}
	h.rooms[id] = room
	h.place(room, asked(r), "join")
	reply(w, http.StatusOK, map[string]string{"room_id": id})
}

func (h *homeserver) place(room *fakeRoom, user, membership string) {
	h.placeBy(room, user, user, membership, "")
}

func (h *homeserver) placeBy(room *fakeRoom, by, user, membership, reason string) {
	content := map[string]any{"membership": membership, "displayname": h.users[user]}
	if reason != "" {
		content["reason"] = reason
	}
	happened := happening{ID: room.nextID(), Type: "m.room.member", Sender: by, StateKey: &user, Content: content}
	room.members[user] = happened
	room.changes = append(room.changes, happened)
}

func (room *fakeRoom) nextID() string { return fmt.Sprintf("$state%d", len(room.changes)) }

func (room *fakeRoom) set(kind string, content any) {
	empty := ""
	room.state[kind] = content
	object, _ := content.(map[string]any)
	room.changes = append(room.changes, happening{ID: room.nextID(), Type: kind, Sender: "@mailroom:" + testDomain, StateKey: &empty, Content: object})
}

func (h *homeserver) joinedRooms(w http.ResponseWriter, r *http.Request) {
	joined := []string{}
	for id, room := range h.rooms {
		if room.members[asked(r)].text("membership") == "join" {
			joined = append(joined, id)
		}
	}
	reply(w, http.StatusOK, map[string]any{"joined_rooms": joined})
}

// move is join, invite, leave, kick or unban.
func (h *homeserver) move(w http.ResponseWriter, r *http.Request) {
	if _, registered := h.users[asked(r)]; !registered {
		refusal(http.StatusForbidden, "M_FORBIDDEN", nil)(w, r)
		return
	}
	var body struct {
		User   string `json:"user_id"`
		Reason string `json:"reason"`
	}
	read(r, &body)
	room := h.rooms[r.PathValue("room")]
	mine, theirs := room.members[asked(r)].text("membership"), room.members[body.User].text("membership")
	switch act := r.PathValue("act"); {
	case act == "join" && (mine == "invite" || mine == "join"):
		h.place(room, asked(r), "join")
	case act == "invite" && mine == "join" && theirs != "ban":
		h.placeBy(room, asked(r), body.User, "invite", body.Reason)
	case act == "leave" && mine != "":
		h.place(room, asked(r), "leave")
	case mine == "join" && (act == "kick" && (theirs == "join" || theirs == "invite") || act == "unban" && theirs == "ban"):
		h.placeBy(room, asked(r), body.User, "leave", body.Reason)
	default:
		refusal(http.StatusForbidden, "M_FORBIDDEN", nil)(w, r)
		return
	}
	reply(w, http.StatusOK, map[string]string{"room_id": r.PathValue("room")})
}

func (h *homeserver) members(w http.ResponseWriter, r *http.Request) {
	all := []happening{}
	for _, member := range h.rooms[r.PathValue("room")].members {
		all = append(all, member)
	}
	reply(w, http.StatusOK, map[string]any{"chunk": all})
}

// messages pages backwards; a token is how many were shown.
func (h *homeserver) messages(w http.ResponseWriter, r *http.Request) {
	room := h.rooms[r.PathValue("room")]
	var filter struct{ Types, Senders []string }
	if err := json.Unmarshal([]byte(r.URL.Query().Get("filter")), &filter); err != nil {
		panic(http.ErrAbortHandler)
	}
	all := slices.DeleteFunc(slices.Concat(room.changes, room.messages), func(one happening) bool {
		return !slices.Contains(filter.Types, one.Type) || filter.Senders != nil && !slices.Contains(filter.Senders, one.Sender)
	})
	shown, limit := number(r, "from"), number(r, "limit")
	page, end := []happening{}, ""
	for i := len(all) - 1 - shown; i >= 0 && len(page) < limit; i-- {
		page = append(page, all[i])
		end = fmt.Sprint(shown + len(page))
	}
	reply(w, http.StatusOK, map[string]any{"chunk": page, "end": end})
}

func number(r *http.Request, key string) int {
	n := 0
	// An empty parameter is zero.
	_, _ = fmt.Sscan(r.URL.Query().Get(key), &n)
	return n
}

func (h *homeserver) allState(w http.ResponseWriter, r *http.Request) {
	room := h.rooms[r.PathValue("room")]
	empty := ""
	all := []happening{{Type: "m.room.create", StateKey: &empty, Time: room.created, Content: map[string]any{}}}
	for _, member := range room.members {
		all = append(all, member)
	}
	reply(w, http.StatusOK, all)
}

func (h *homeserver) getState(w http.ResponseWriter, r *http.Request) {
	room := h.rooms[r.PathValue("room")]
	content := room.state[r.PathValue("kind")]
	if r.PathValue("kind") == "m.room.member" {
		member, ok := room.members[r.PathValue("key")]
		content = member.Content
		if !ok {
			content = nil
		}
	}
	if content == nil {
		refusal(http.StatusNotFound, "M_NOT_FOUND", nil)(w, r)
		return
	}
	reply(w, http.StatusOK, content)
}

func (h *homeserver) putState(w http.ResponseWriter, r *http.Request) {
	var content map[string]any
	read(r, &content)
	h.rooms[r.PathValue("room")].set(r.PathValue("kind"), content)
	reply(w, http.StatusOK, map[string]string{"event_id": "$state"})
}

func (h *homeserver) send(w http.ResponseWriter, r *http.Request) {
	room := h.rooms[r.PathValue("room")]
	if room.members[asked(r)].text("membership") != "join" {
		refusal(http.StatusForbidden, "M_FORBIDDEN", nil)(w, r)
		return
	}
	id, repeated := h.sent[r.URL.Path]
	if !repeated {
		var content map[string]any
		read(r, &content)
		id = fmt.Sprintf("$%d", len(room.messages))
		room.messages = append(room.messages, happening{ID: id, Type: r.PathValue("kind"), Sender: asked(r), Time: nowMillis(), Content: content})
		h.times = append(h.times, r.URL.Query().Get("ts"))
		h.sent[r.URL.Path] = id
	}
	reply(w, http.StatusOK, map[string]string{"event_id": id})
}

// redact leaves of a state event what the specification does.
func (h *homeserver) redact(w http.ResponseWriter, r *http.Request) {
	room, event := h.rooms[r.PathValue("room")], r.PathValue("event")
	if room.members[asked(r)].text("membership") != "join" {
		refusal(http.StatusForbidden, "M_FORBIDDEN", nil)(w, r)
		return
	}
	id, repeated := h.sent[r.URL.Path]
	if !repeated {
		id = fmt.Sprintf("$redaction%d", len(h.redacted))
		h.sent[r.URL.Path] = id
		h.redacted = append(h.redacted, event)
	}
	for _, some := range [][]happening{room.messages, room.changes} {
		for i := range some {
			if some[i].ID == event {
				some[i].Content = redactedContent(some[i])
			}
		}
	}
	reply(w, http.StatusOK, map[string]string{"event_id": id})
}

func redactedContent(h happening) map[string]any {
	if h.Type == "m.room.member" {
		return map[string]any{"membership": h.Content["membership"]}
	}
	return map[string]any{}
}

func (h *homeserver) types(w http.ResponseWriter, r *http.Request) {
	if h.rooms[r.PathValue("room")].members[asked(r)].text("membership") != "join" {
		refusal(http.StatusForbidden, "M_FORBIDDEN", nil)(w, r)
		return
	}
	var body struct{ Typing bool }
	read(r, &body)
	h.typing = append(h.typing, fmt.Sprint(r.PathValue("user"), " ", body.Typing))
	reply(w, http.StatusOK, struct{}{})
}

// everything is all that a homeserver still has of what happened in its rooms.
func (h *homeserver) everything(t *testing.T) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []happening
	for _, room := range h.rooms {
		all = slices.Concat(all, room.changes, room.messages)
	}
	text, err := json.Marshal(map[string]any{"events": all, "users": h.users})
	require.NoError(t, err)
	return string(text)
}
