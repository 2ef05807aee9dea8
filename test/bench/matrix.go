package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// password is that of every account.
const password = "correct horse"

// matrixUser is a person with a Matrix client.
type matrixUser struct {
	*ear
	id    string
	base  string
	token string

	mu      sync.Mutex
	invites map[string]bool // by room
}

// matrixEvent is the part of an event that is read here.
type matrixEvent struct {
	ID      string `json:"event_id"`
	Type    string `json:"type"`
	Content struct {
		Body    string `json:"body"`
		MsgType string `json:"msgtype"`
	} `json:"content"`
}

func (e matrixEvent) said() bool { return e.Type == "m.room.message" && e.Content.MsgType == "m.text" }

// newMatrixUser signs an account in.
func newMatrixUser(ctx context.Context, base, name string) (*matrixUser, error) {
	u := &matrixUser{ear: newEar(), id: "@" + name + ":" + domain, base: base, invites: make(map[string]bool)}
	var session struct {
		Token string `json:"access_token"`
	}
	err := u.call(ctx, http.MethodPost, "/login", map[string]any{
		"type": "m.login.password", "identifier": map[string]string{"type": "m.id.user", "user": name}, "password": password,
	}, &session)
	if err != nil {
		return nil, fmt.Errorf("signing %s in: %w", name, err)
	}
	u.token = session.Token
	return u, nil
}

// listen hears what is said from now on, until ctx ends.
func (u *matrixUser) listen(ctx context.Context) error {
	since, err := u.sync(ctx, "", 0)
	if err == nil {
		go u.follow(ctx, since)
	}
	return err
}

// call calls the client-server API; path follows /_matrix/client/v3.
func (u *matrixUser) call(ctx context.Context, method, path string, body, answer any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, u.base+"/_matrix/client/v3"+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+u.token)
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if text, err = io.ReadAll(response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, text)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(text, answer)
}

// syncFilter leaves out what nobody here reads, and asks for timelines that
// hold a burst.
const syncFilter = `{"presence":{"types":[]},"account_data":{"types":[]},"room":{"timeline":{"limit":1000},"ephemeral":{"types":[]},"account_data":{"types":[]}}}`

func (u *matrixUser) follow(ctx context.Context, since string) {
	for ctx.Err() == nil {
		next, err := u.sync(ctx, since, 10*time.Second)
		if err != nil {
			pause(ctx, 100*time.Millisecond)
			continue
		}
		since = next
	}
}

// sync hears what is new since a token and returns the next one. Nothing that
// was there before the first is heard.
func (u *matrixUser) sync(ctx context.Context, since string, wait time.Duration) (next string, err error) {
	query := url.Values{"timeout": {fmt.Sprint(wait.Milliseconds())}, "filter": {syncFilter}}
	if since != "" {
		query.Set("since", since)
	}
	var news struct {
		Next  string `json:"next_batch"`
		Rooms struct {
			Join map[string]struct {
				Timeline struct {
					Events []matrixEvent `json:"events"`
				} `json:"timeline"`
			} `json:"join"`
			Invite map[string]any `json:"invite"`
		} `json:"rooms"`
	}
	if err := u.call(ctx, http.MethodGet, "/sync?"+query.Encode(), nil, &news); err != nil {
		return "", err
	}
	at := time.Now()
	for _, room := range news.Rooms.Join {
		for _, e := range room.Timeline.Events {
			if since != "" && e.said() {
				u.hear(heard{e.Content.Body, e.ID, at})
			}
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for room := range news.Rooms.Invite {
		u.invites[room] = true
	}
	return news.Next, nil
}

// accept waits for an invitation and joins the room.
func (u *matrixUser) accept(ctx context.Context) (room string, err error) {
	err = eventually(ctx, patience, func() error {
		u.mu.Lock()
		defer u.mu.Unlock()
		for room = range u.invites {
			delete(u.invites, room)
			return nil
		}
		return fmt.Errorf("%s has no invitation", u.id)
	})
	if err != nil {
		return "", err
	}
	return room, u.join(ctx, room)
}

func (u *matrixUser) join(ctx context.Context, room string) error {
	return u.call(ctx, http.MethodPost, "/join/"+url.PathEscape(room), map[string]any{}, nil)
}

// createRoom makes a room that everybody may join.
func (u *matrixUser) createRoom(ctx context.Context, alias string) (room string, err error) {
	var made struct {
		Room string `json:"room_id"`
	}
	err = u.call(ctx, http.MethodPost, "/createRoom", map[string]any{"preset": "public_chat", "room_alias_name": alias}, &made)
	return made.Room, err
}

// say sends a text. With the same transaction it is said once.
func (u *matrixUser) say(ctx context.Context, room, transaction, text string) error {
	path := "/rooms/" + url.PathEscape(room) + "/send/m.room.message/" + url.PathEscape(transaction)
	return u.call(ctx, http.MethodPut, path, map[string]string{"msgtype": "m.text", "body": text}, nil)
}

// timeline is every text of some talks in a room, in the room's order: what a
// client shows that is opened now. It looks back as far as the talks go.
func (u *matrixUser) timeline(ctx context.Context, room string, talks map[int]*talk) ([]heard, error) {
	var texts []heard
	query := url.Values{"dir": {"b"}, "limit": {"500"}}
	for {
		var page struct {
			End   string        `json:"end"`
			Chunk []matrixEvent `json:"chunk"`
		}
		if err := u.call(ctx, http.MethodGet, "/rooms/"+url.PathEscape(room)+"/messages?"+query.Encode(), nil, &page); err != nil {
			return nil, err
		}
		before := len(texts)
		for _, e := range page.Chunk {
			for _, t := range talks {
				if e.said() && t.has(e.Content.Body) {
					texts = append(texts, heard{text: e.Content.Body, id: e.ID})
				}
			}
		}
		if page.End == "" || len(page.Chunk) == 0 || len(texts) > 0 && len(texts) == before {
			slices.Reverse(texts)
			return texts, nil
		}
		query.Set("from", page.End)
	}
}
