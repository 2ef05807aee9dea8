package appservice

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// user is a person with an ordinary Matrix client, which knows nothing of ours.
type user struct {
	t     *testing.T
	url   string
	id    string
	token string
}

// happening is an event as a client sees it.
type happening struct {
	ID       string         `json:"event_id"`
	Type     string         `json:"type"`
	Sender   string         `json:"sender"`
	StateKey *string        `json:"state_key"`
	Time     int64          `json:"origin_server_ts"`
	Content  map[string]any `json:"content"`
}

func (h happening) text(field string) string {
	text, _ := h.Content[field].(string)
	return text
}

func (d *dendrite) login(t *testing.T, localpart string) *user {
	t.Helper()
	u := &user{t: t, url: d.url, id: "@" + localpart + ":" + testDomain}
	var session struct {
		Token string `json:"access_token"`
	}
	u.must(http.MethodPost, "login", map[string]any{
		"type": "m.login.password", "password": password,
		"identifier": map[string]string{"type": "m.id.user", "user": localpart},
	}, &session)
	u.token = session.Token
	return u
}

// try makes a request and returns the status. The result is that of one that worked.
func (u *user) try(method, path string, body, result any) int {
	u.t.Helper()
	var answered json.RawMessage
	status := u.ask(method, path, body, &answered)
	if result != nil && status == http.StatusOK {
		require.NoError(u.t, json.Unmarshal(answered, result))
	}
	return status
}

// ask makes a request; the status is 0 if there is no answer.
func (u *user) ask(method, path string, body any, answered *json.RawMessage) int {
	u.t.Helper()
	text, err := json.Marshal(body)
	require.NoError(u.t, err)
	request, err := http.NewRequestWithContext(u.t.Context(), method, u.url+"/_matrix/client/v3/"+path, bytes.NewReader(text))
	require.NoError(u.t, err)
	request.Header.Set("Authorization", "Bearer "+u.token)
	if u.token == "" {
		request.Header.Del("Authorization")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	require.NoError(u.t, json.NewDecoder(response.Body).Decode(answered))
	return response.StatusCode
}

func (u *user) must(method, path string, body, result any) {
	u.t.Helper()
	require.Equal(u.t, http.StatusOK, u.try(method, path, body, result), "%s %s", method, path)
}

// invitations are the rooms into which the user is invited, with their names.
func (u *user) invitations() map[string]string {
	var sync struct {
		Rooms struct {
			Invite map[string]struct {
				State struct {
					Events []happening `json:"events"`
				} `json:"invite_state"`
			} `json:"invite"`
		} `json:"rooms"`
	}
	u.try(http.MethodGet, "sync?timeout=0", nil, &sync)
	rooms := make(map[string]string)
	for room, invite := range sync.Rooms.Invite {
		rooms[room] = ""
		for _, h := range invite.State.Events {
			if h.Type == "m.room.name" {
				rooms[room] = h.text("name")
			}
		}
	}
	return rooms
}

// accept waits for an invitation into a room of that name and joins it.
func (u *user) accept(name string) (room string) {
	u.t.Helper()
	eventually(u.t, u.id+" is not invited into "+name, func() bool {
		for id, called := range u.invitations() {
			if called == name {
				room = id
			}
		}
		return room != ""
	})
	u.must(http.MethodPost, "join/"+url.PathEscape(room), map[string]any{}, nil)
	return room
}

// say sends a text and returns its event ID.
func (u *user) say(room, text string) string {
	u.t.Helper()
	return u.send(room, "m.room.message", map[string]any{"msgtype": "m.text", "body": text})
}

func (u *user) send(room, kind string, content map[string]any) string {
	u.t.Helper()
	var sent struct {
		ID string `json:"event_id"`
	}
	u.must(http.MethodPut, fmt.Sprintf("rooms/%s/send/%s/%s", url.PathEscape(room), kind, uuid.NewString()), content, &sent)
	return sent.ID
}

// trySay sends a text and returns the status.
func (u *user) trySay(room, text string) int {
	u.t.Helper()
	path := fmt.Sprintf("rooms/%s/send/m.room.message/%s", url.PathEscape(room), uuid.NewString())
	return u.try(http.MethodPut, path, map[string]any{"msgtype": "m.text", "body": text}, nil)
}

// name is what the room is called.
func (u *user) name(room string) string {
	var content struct {
		Name string `json:"name"`
	}
	u.try(http.MethodGet, "rooms/"+url.PathEscape(room)+"/state/m.room.name/", nil, &content)
	return content.Name
}

// timeline is everything that the user can see in a room, oldest first. Dendrite shows some pages twice to who has left.
func (u *user) timeline(room string) []happening {
	u.t.Helper()
	var all []happening
	known := make(map[string]bool)
	from := ""
	for {
		var page struct {
			Chunk []happening `json:"chunk"`
			End   string      `json:"end"`
		}
		if u.try(http.MethodGet, fmt.Sprintf("rooms/%s/messages?dir=b&limit=500&from=%s", url.PathEscape(room), url.QueryEscape(from)), nil, &page) != http.StatusOK {
			return nil
		}
		for _, h := range page.Chunk {
			if !known[h.ID] {
				all, known[h.ID] = append(all, h), true
			}
		}
		if len(page.Chunk) == 0 || page.End == "" || page.End == from {
			slices.Reverse(all)
			return all
		}
		from = page.End
	}
}

// messages are the bodies of the messages in a room that others have sent. A deleted one has none.
func (u *user) messages(room string) []string {
	u.t.Helper()
	texts := []string{}
	for _, h := range u.timeline(room) {
		if body := h.text("body"); h.Type == "m.room.message" && h.Sender != u.id && body != "" {
			texts = append(texts, body)
		}
	}
	return texts
}

// members maps the user IDs in a room to membership and display name.
func (u *user) members(room string) map[string]happening {
	var members struct {
		Chunk []happening `json:"chunk"`
	}
	u.try(http.MethodGet, "rooms/"+url.PathEscape(room)+"/members", nil, &members)
	found := make(map[string]happening)
	for _, h := range members.Chunk {
		if h.StateKey != nil {
			found[*h.StateKey] = h
		}
	}
	return found
}

// reads waits until the messages of others in the room are exactly these, in this order.
func (u *user) reads(room string, texts ...string) {
	u.t.Helper()
	var seen []string
	require.EventuallyWithT(u.t, func(c *assert.CollectT) {
		seen = u.messages(room)
		require.GreaterOrEqual(c, len(seen), len(texts))
	}, waitLong, waitStep)
	require.Equal(u.t, texts, seen)
}
