package harness

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// WebUser is a person on the page, without a browser's weight: it presses the button, posts forms and follows the stream.
type WebUser struct {
	Session string // its UUID

	base string
	me   string // member id
	http *http.Client

	mu      sync.Mutex
	entries []webEntry
	after   int64
}

// webEntry is one entry of the stream.
type webEntry struct {
	Seq    int64 `json:"seq"`
	Member string
	Said   []any
	Quiet  string
}

var (
	dataSession = regexp.MustCompile(`data-session="/s/([0-9a-f-]{36})"`)
	dataMe      = regexp.MustCompile(`data-me="([0-9a-f-]{36})"`)
)

// NewWebUser opens the link of a mail, presses the button, and follows the session until the test ends.
func (s *Site) NewWebUser(t *testing.T, link string) *WebUser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	// Connections are not kept: the one to a node that was killed would be the next request's.
	u := &WebUser{base: s.URL, http: &http.Client{Jar: jar, Transport: &http.Transport{DisableKeepAlives: true}}}
	response, err := u.http.PostForm(link, nil)
	require.NoError(t, err)
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	session, me := dataSession.FindSubmatch(page), dataMe.FindSubmatch(page)
	require.True(t, session != nil && me != nil, "%s: %s leads to no session:\n%s", response.Status, link, page)
	u.Session, u.me = string(session[1]), string(me[1])

	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		u.follow(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
	return u
}

// Say posts a text and returns nil when it was answered with 201. With the same id it is said once.
func (u *WebUser) Say(ctx context.Context, id, text string) error {
	form := url.Values{"text": {text}, "client": {id}, "me": {u.me}}
	return u.post(ctx, "messages", form, http.StatusCreated)
}

func (u *WebUser) post(ctx context.Context, what string, form url.Values, want int) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, u.base+"/s/"+u.Session+"/"+what, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	response, err := u.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode == want {
		return nil
	}
	text, err := io.ReadAll(response.Body)
	return fmt.Errorf("%s: %s %s %w", what, response.Status, text, err)
}

// follow reads the stream, and resumes it after its last entry whenever it breaks.
func (u *WebUser) follow(ctx context.Context) {
	for ctx.Err() == nil {
		if err := u.stream(ctx); err != nil {
			select {
			case <-ctx.Done():
			case <-time.After(10 * pollInterval):
			}
		}
	}
}

func (u *WebUser) stream(ctx context.Context) error {
	u.mu.Lock()
	address := fmt.Sprintf("%s/s/%s/events?after=%d", u.base, u.Session, u.after)
	u.mu.Unlock()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	response, err := u.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("events: %s", response.Status)
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 4<<20)
	event := ""
	for lines.Scan() {
		if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			event = name
		}
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok || event != "entry" {
			continue
		}
		if err := u.take(data); err != nil {
			return err
		}
	}
	return lines.Err()
}

func (u *WebUser) take(data string) error {
	var e webEntry
	if err := json.Unmarshal([]byte(data), &e); err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.entries = append(u.entries, e)
	u.after = e.Seq
	return nil
}

// Seen is what was said, in the order in which it came.
func (u *WebUser) Seen() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	var said []string
	for _, e := range u.entries {
		if e.Member != "" {
			said = append(said, strings.TrimSpace(textOf(e.Said)))
		}
	}
	return said
}

// textOf is the text of a message that came as nodes: a text is a string, an element [name, {attributes}, children…].
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
