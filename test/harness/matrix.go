package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// ghostPrefix begins the user IDs of the people whom Mailroom brings into a room.
const ghostPrefix = "@mailroom_"

// MatrixUser is a person with a Matrix client.
type MatrixUser struct {
	ID string

	base  string
	token string

	mu      sync.Mutex
	invites map[string]string    // room ID by the room's name
	left    map[string]time.Time // when a room was seen to be left, or to be kicked from
}

// MatrixEvent is one event in a room.
type MatrixEvent struct {
	ID      string `json:"event_id"`
	Sender  string `json:"sender"`
	Type    string `json:"type"`
	Content struct {
		MsgType string `json:"msgtype"`
		Body    string `json:"body"`
		Name    string `json:"name"`

		Membership  string `json:"membership"`
		DisplayName string `json:"displayname"`
	} `json:"content"`
	StateKey string          `json:"state_key"`
	Redacts  string          `json:"redacts"`
	Unsigned json.RawMessage `json:"unsigned"`
}

// MatrixError is a refusal of the homeserver.
type MatrixError struct {
	Status int
	Code   string `json:"errcode"`
	Text   string `json:"error"`
}

func (e *MatrixError) Error() string { return fmt.Sprintf("%d %s: %s", e.Status, e.Code, e.Text) }

// NewMatrixUser signs an account in and waits for invitations until the test ends.
func (s *Site) NewMatrixUser(t *testing.T, name string) *MatrixUser {
	t.Helper()
	u := &MatrixUser{ID: "@" + name + ":" + Domain, base: s.Stack.Dendrite.URL, invites: make(map[string]string), left: make(map[string]time.Time)}
	var session struct {
		Token string `json:"access_token"`
	}
	require.NoError(t, u.Call(t.Context(), http.MethodPost, "/login", map[string]any{
		"type": "m.login.password", "identifier": map[string]string{"type": "m.id.user", "user": name}, "password": Password,
	}, &session))
	u.token = session.Token
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		u.sync(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
	return u
}

// Call calls the client-server API; path follows /_matrix/client/v3. Refusals are a *MatrixError.
func (u *MatrixUser) Call(ctx context.Context, method, path string, body, answer any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, u.base+"/_matrix/client/v3"+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+u.token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if text, err = io.ReadAll(response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		refusal := &MatrixError{Status: response.StatusCode}
		_ = json.Unmarshal(text, refusal) // without JSON the status says enough
		return refusal
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(text, answer)
}

// synced is the part of a sync that the client reads.
type synced struct {
	Next  string `json:"next_batch"`
	Rooms struct {
		Invite map[string]struct {
			State struct {
				Events []MatrixEvent `json:"events"`
			} `json:"invite_state"`
		} `json:"invite"`
		Join map[string]struct {
			Timeline struct {
				Events []MatrixEvent `json:"events"`
			} `json:"timeline"`
		} `json:"join"`
		Leave map[string]json.RawMessage `json:"leave"`
	} `json:"rooms"`
}

// sync follows the homeserver, also over times in which it is down.
func (u *MatrixUser) sync(ctx context.Context) {
	since := ""
	for ctx.Err() == nil {
		query := url.Values{"timeout": {"10000"}}
		if since != "" {
			query.Set("since", since)
		}
		var news synced
		if err := u.Call(ctx, http.MethodGet, "/sync?"+query.Encode(), nil, &news); err != nil {
			select {
			case <-ctx.Done():
			case <-time.After(10 * pollInterval):
			}
			continue
		}
		since = news.Next
		u.take(news)
	}
}

func (u *MatrixUser) take(news synced) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for room := range news.Rooms.Leave {
		u.left[room] = time.Now()
	}
	for room, invite := range news.Rooms.Invite {
		for _, e := range invite.State.Events {
			if e.Type == "m.room.name" {
				u.invites[e.Content.Name] = room
			}
		}
	}
}

// Accept waits for the invitation into a room of this name, and joins it.
func (u *MatrixUser) Accept(t *testing.T, name string) (room string) {
	t.Helper()
	Eventually(t, func() error {
		u.mu.Lock()
		room = u.invites[name]
		u.mu.Unlock()
		if room == "" {
			return fmt.Errorf("%s has no invitation into %q", u.ID, name)
		}
		return u.Join(t.Context(), room)
	})
	return room
}

// Invited says into which room of this name the person is invited, "" if into none so far.
func (u *MatrixUser) Invited(name string) (room string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.invites[name]
}

// Left is when the client learned that the person is out of a room; ok is false while they are in it.
func (u *MatrixUser) Left(room string) (at time.Time, ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	at, ok = u.left[room]
	return at, ok
}

// Leave goes out of a room.
func (u *MatrixUser) Leave(ctx context.Context, room string) error {
	return u.Call(ctx, http.MethodPost, "/rooms/"+url.PathEscape(room)+"/leave", map[string]any{}, nil)
}

// Members are those who are in a room or invited into it, by user ID, with their names, as the person is told.
func (u *MatrixUser) Members(ctx context.Context, room string) (map[string]string, error) {
	var list struct {
		Chunk []MatrixEvent `json:"chunk"`
	}
	err := u.Call(ctx, http.MethodGet, "/rooms/"+url.PathEscape(room)+"/members", nil, &list)
	members := make(map[string]string)
	for _, e := range list.Chunk {
		if e.Content.Membership == "join" || e.Content.Membership == "invite" {
			members[e.StateKey] = e.Content.DisplayName
		}
	}
	return members, err
}

// State is everything that a room says of itself and its members, as the person gets it.
func (u *MatrixUser) State(ctx context.Context, room string) (text json.RawMessage, err error) {
	err = u.Call(ctx, http.MethodGet, "/rooms/"+url.PathEscape(room)+"/state", nil, &text)
	return text, err
}

// Joined says if the person is in a room, as their server knows it.
func (u *MatrixUser) Joined(ctx context.Context, room string) (bool, error) {
	var list struct {
		Rooms []string `json:"joined_rooms"`
	}
	err := u.Call(ctx, http.MethodGet, "/joined_rooms", nil, &list)
	return slices.Contains(list.Rooms, room), err
}

// Join enters a room.
func (u *MatrixUser) Join(ctx context.Context, room string) error {
	return u.Call(ctx, http.MethodPost, "/join/"+url.PathEscape(room), map[string]any{}, nil)
}

// Say sends a text. With the same transaction it is said once.
func (u *MatrixUser) Say(ctx context.Context, room, transaction, text string) error {
	path := "/rooms/" + url.PathEscape(room) + "/send/m.room.message/" + url.PathEscape(transaction)
	return u.Call(ctx, http.MethodPut, path, map[string]string{"msgtype": "m.text", "body": text}, nil)
}

// whole asks a sync for more of each room than any test says.
const whole = `{"room":{"timeline":{"limit":10000}}}`

// Timeline is what happened in a room, in the room's order: what a client shows that is opened now. It is neither put together
// of one sync after the other, since Dendrite leaves events out of them that came in just before it was stopped, nor read page
// by page, since Dendrite loses some between its pages.
func (u *MatrixUser) Timeline(ctx context.Context, room string) ([]MatrixEvent, error) {
	var news synced
	err := u.Call(ctx, http.MethodGet, "/sync?"+url.Values{"timeout": {"0"}, "filter": {whole}}.Encode(), nil, &news)
	return news.Rooms.Join[room].Timeline.Events, err
}

// Seen is what was said in a room, and brought what of it Mailroom has said there for people of other networks.
func (u *MatrixUser) Seen(ctx context.Context, room string) (seen, brought []string, err error) {
	events, err := u.Timeline(ctx, room)
	for _, e := range events {
		if e.Type != "m.room.message" || e.Content.MsgType != "m.text" {
			continue
		}
		seen = append(seen, e.Content.Body)
		if strings.HasPrefix(e.Sender, ghostPrefix) {
			brought = append(brought, e.Content.Body)
		}
	}
	return seen, brought, err
}
