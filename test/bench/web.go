package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"
)

// client keeps enough connections that nobody here waits for one.
var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

// webUser is a person with the page open.
type webUser struct {
	*ear
	client http.Client
	page   string // the session's address
	me     string // the member id, which the page has in its form
}

// newWebUser opens the link of an invitation, presses the button and follows
// the session until ctx ends.
func newWebUser(ctx context.Context, link string) (*webUser, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	u := &webUser{ear: newEar(), client: http.Client{Jar: jar, Transport: client.Transport}}
	response, err := u.post(ctx, link, url.Values{})
	if err != nil {
		return nil, err
	}
	response.Body.Close()
	u.page = response.Request.URL.String() // where the button has led to
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("joining on the page: %s", response.Status)
	}
	ready := make(chan error, 1)
	go u.follow(ctx, ready)
	return u, <-ready
}

func (u *webUser) post(ctx context.Context, address string, form url.Values) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if len(form) > 0 {
		request.Header.Set("Accept", "application/json")
	}
	return u.client.Do(request)
}

// say posts a text as the page's script does, and returns when it is stored.
func (u *webUser) say(ctx context.Context, text string) error {
	response, err := u.post(ctx, u.page+"/messages", url.Values{"text": {text}, "client": {rand.Text()}, "me": {u.me}})
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusCreated {
		err = fmt.Errorf("posting on the page: %s: %s", response.Status, body)
	}
	return err
}

// follow hears the session's stream; ready gets nil when it has begun.
func (u *webUser) follow(ctx context.Context, ready chan<- error) {
	started := false
	err := readEvents(ctx, &u.client, u.page+"/events?after=0", func(event, data string, at time.Time) error {
		switch event {
		case "room":
			var room struct{ Me string }
			if err := json.Unmarshal([]byte(data), &room); err != nil {
				return err
			}
			if !started {
				u.me, started = room.Me, true
				ready <- nil
			}
		case "entry":
			var entry struct {
				Seq  int64
				Said []any
			}
			if err := json.Unmarshal([]byte(data), &entry); err != nil {
				return err
			}
			if entry.Said != nil {
				u.hear(heard{strings.TrimSpace(textOf(entry.Said)), fmt.Sprint(entry.Seq), at})
			}
		}
		return nil
	})
	if !started {
		ready <- errors.Join(errors.New("the page's stream has not begun"), err)
	}
}

// textOf is the text of nodes: a string, or [name, {attributes}, children…].
func textOf(nodes []any) string {
	var b strings.Builder
	for _, n := range nodes {
		switch n := n.(type) {
		case string:
			b.WriteString(n)
		case []any:
			b.WriteString(textOf(n[2:]))
		}
	}
	return b.String()
}

// readEvents reads server-sent events until the stream or ctx ends.
func readEvents(ctx context.Context, c *http.Client, address string, take func(event, data string, at time.Time) error) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	response, err := c.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("events: %s", response.Status)
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	event := ""
	for lines.Scan() {
		if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			event = name
		}
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			if err := take(event, data, time.Now()); err != nil {
				return err
			}
		}
	}
	return lines.Err()
}
