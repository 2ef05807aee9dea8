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
	"strconv"
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
	gone    time.Time // when the stream said that there is nothing here any more
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

// NewWebUser opens the link of a mail, presses the button, types the code if one was mailed, and follows the session until the
// test ends.
func (s *Site) NewWebUser(t *testing.T, link string) *WebUser {
	t.Helper()
	u := s.NewVisitor(t)
	u.Open(t, s, link)
	u.Follow(t)
	return u
}

// NewVisitor is a browser without any cookie.
func (s *Site) NewVisitor(t *testing.T) *WebUser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	// Connections are not kept: the one to a node that was killed would be the next request's.
	return &WebUser{base: s.URL, http: &http.Client{Jar: jar, Transport: &http.Transport{DisableKeepAlives: true}}}
}

// Open presses the button behind a link, and types the code if one was mailed.
func (u *WebUser) Open(t *testing.T, s *Site, link string) {
	t.Helper()
	page, status := u.press(t, link, nil)
	if strings.Contains(page, `name="code"`) {
		page, status = u.press(t, link, url.Values{"code": {s.code(t, link)}})
	}
	session, me := dataSession.FindStringSubmatch(page), dataMe.FindStringSubmatch(page)
	require.True(t, session != nil && me != nil, "%s: %s leads to no session:\n%s", status, link, page)
	u.Session, u.me = session[1], me[1]
}

// press posts a form, again if the server went away before it answered: a browser that was taken in without knowing it is
// asked for a code then.
func (u *WebUser) press(t *testing.T, link string, form url.Values) (page, status string) {
	t.Helper()
	Eventually(t, func() error {
		response, err := u.http.PostForm(link, form)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		page, status = string(text), response.Status
		return err
	})
	return page, status
}

// Follow reads the stream until the test ends.
func (u *WebUser) Follow(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		u.follow(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
}

// Gone is when the stream said that there is nothing here for this browser any more; ok is false if it never did.
func (u *WebUser) Gone() (at time.Time, ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.gone, !u.gone.IsZero()
}

// Me is the id of the member for whom the browser speaks, as forms of the page tell it.
func (u *WebUser) Me() string { return u.me }

// Cookie is what the browser would send, to be stolen.
func (u *WebUser) Cookie(t *testing.T) string {
	t.Helper()
	address, err := url.Parse(u.base)
	require.NoError(t, err)
	var cookies []string
	for _, c := range u.http.Jar.Cookies(address) {
		cookies = append(cookies, c.Name+"="+c.Value)
	}
	return strings.Join(cookies, "; ")
}

// Steal makes a browser with the cookies of another one.
func (u *WebUser) Steal(t *testing.T, s *Site) *WebUser {
	t.Helper()
	thief := s.NewVisitor(t)
	address, err := url.Parse(u.base)
	require.NoError(t, err)
	thief.http.Jar.SetCookies(address, u.http.Jar.Cookies(address))
	thief.Session, thief.me = u.Session, u.me
	return thief
}

// Do sends a request to an address of the site, and follows no redirect. A form may be nil.
func (u *WebUser) Do(ctx context.Context, method, path string, form url.Values) (status int, text string, err error) {
	if strings.HasPrefix(path, "/") {
		path = u.base + path
	}
	request, err := http.NewRequestWithContext(ctx, method, path, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, "", err
	}
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	client := *u.http
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, string(body), err
}

// Page is the session's page as this browser gets it.
func (u *WebUser) Page(ctx context.Context) (status int, text string, err error) {
	return u.Do(ctx, http.MethodGet, "/s/"+u.Session, nil)
}

// Say posts a text and returns nil when it was answered with 201. With the same id it is said once.
func (u *WebUser) Say(ctx context.Context, id, text string) error {
	form := url.Values{"text": {text}, "client": {id}, "me": {u.me}}
	return u.post(ctx, "messages", form, http.StatusCreated)
}

// Read moves the read mark, as the page does while somebody looks at it.
func (u *WebUser) Read(ctx context.Context, seq int) error {
	return u.post(ctx, "read", url.Values{"seq": {strconv.Itoa(seq)}, "me": {u.me}}, http.StatusNoContent)
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
		if _, gone := u.Gone(); gone {
			return
		}
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
		if ok && event == "gone" {
			u.mu.Lock()
			u.gone = time.Now()
			u.mu.Unlock()
		}
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
