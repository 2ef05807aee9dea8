package webui

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// visitor sends requests as one browser does: with the cookies that it got.
type visitor struct {
	t       *testing.T
	handler http.Handler
	cookies map[string]string
	header  http.Header
}

func newVisitor(t *testing.T, h http.Handler) *visitor {
	return &visitor{t, h, map[string]string{}, http.Header{"Sec-Fetch-Site": {"same-origin"}}}
}

func (v *visitor) send(method, path, kind, body string) *http.Response {
	v.t.Helper()
	r := httptest.NewRequest(method, "https://chat.example.org"+path, strings.NewReader(body))
	r.Header = v.header.Clone()
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	for name, value := range v.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	v.handler.ServeHTTP(w, r)
	answer := w.Result()
	for _, c := range answer.Cookies() {
		v.cookies[c.Name] = c.Value
	}
	return answer
}

func (v *visitor) get(path string) *http.Response { v.t.Helper(); return v.send("GET", path, "", "") }

// until gets a page again and again until it has some words, and returns it.
func (v *visitor) until(path, words string) (page string) {
	v.t.Helper()
	require.Eventually(v.t, func() bool {
		page = body(v.t, v.get(path))
		return strings.Contains(page, words)
	}, 10*time.Second, 10*time.Millisecond, words)
	return page
}

func (v *visitor) post(path string, form url.Values) *http.Response {
	v.t.Helper()
	return v.send("POST", path, "application/x-www-form-urlencoded", form.Encode())
}

// join presses the button of an invitation.
func (v *visitor) join(name string) *visitor {
	v.t.Helper()
	require.Equal(v.t, http.StatusSeeOther, v.post("/j/join-"+name, nil).StatusCode)
	return v
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, r.Write(&b))
	_, text, _ := strings.Cut(b.String(), "\r\n\r\n")
	return text
}
