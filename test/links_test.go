package test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mailroom/test/harness"
)

// TestLinksAreSafe holds what happens to links that go through other hands: scanners, people to whom the mail was forwarded,
// and whoever takes a browser's cookie.
func TestLinksAreSafe(t *testing.T) {
	t.Parallel()
	s := harness.NewSite(t, harness.Request{Engine: harness.SQLite, Without: []string{"matrix", "xmpp"}})
	s.Start(t)
	for name, run := range map[string]func(*testing.T, *linked){
		"a scanner that reads":            scannerReads,
		"a scanner that presses buttons":  scannerPresses,
		"a second browser":                secondBrowser,
		"a forwarded link":                forwardedLink,
		"a cookie stolen before sign-out": stolenCookie,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, newLinked(t, s))
		})
	}
}

// linked is one session of Alice with somebody who has only email.
type linked struct {
	site       *harness.Site
	alice      *harness.API
	session    string
	guest      *harness.Correspondent
	invitation harness.Mail
}

func newLinked(t *testing.T, s *harness.Site) *linked {
	t.Helper()
	name := strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()))
	l := &linked{site: s, alice: s.NewAPI(t, harness.Alice), guest: s.NewCorrespondent(t, name+"@mailbox.test", "Guest")}
	started, err := l.alice.StartSession(t.Context(), subject, "alice-1", l.guest.Address)
	require.NoError(t, err)
	l.session, l.invitation = started.ID, l.guest.Mail(t, 0)
	return l
}

// state is how the guest stands, as Alice sees it.
func (l *linked) state(t *testing.T) string {
	t.Helper()
	room, err := l.alice.Session(t.Context(), l.session)
	require.NoError(t, err)
	for _, m := range room.Members {
		if m.Address == l.guest.Address {
			return m.State
		}
	}
	return ""
}

// kinds are the kinds of the records of the session.
func (l *linked) kinds(t *testing.T) []string {
	t.Helper()
	records, err := l.alice.Transcript(t.Context(), l.session)
	require.NoError(t, err)
	var kinds []string
	for _, r := range records {
		kinds = append(kinds, r.Kind)
	}
	return kinds
}

func scannerReads(t *testing.T, l *linked) {
	before := l.kinds(t)
	for _, header := range []http.Header{nil, {"Purpose": {"prefetch"}}, {"Sec-Purpose": {"prefetch;prerender"}}, {"X-Moz": {"prefetch"}}} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodOptions} {
			for _, link := range []string{l.invitation.Link, l.invitation.Icon, l.invitation.LinkTo("u")} {
				require.NotEmpty(t, link)
				got := ask(t, method, link, nowhere, header, "")
				require.Empty(t, got.Header["Set-Cookie"], link)
			}
		}
	}
	// Forms that another site submits are no button.
	foreign := http.Header{"Sec-Fetch-Site": {"cross-site"}, "Content-Type": {"application/x-www-form-urlencoded"}}
	require.Equal(t, http.StatusForbidden, ask(t, http.MethodPost, l.invitation.Link, nowhere, foreign, "").Status)

	require.Equal(t, before, l.kinds(t))
	require.Equal(t, "invited", l.state(t))
	// Nobody was taken for the guest: the first browser still needs no code, and mails still come.
	require.NoError(t, l.alice.Say(t.Context(), l.session, "alice-2", "alice-2"))
	page := l.site.NewWebUser(t, l.invitation.Link)
	require.Equal(t, "joined", l.state(t))
	require.Empty(t, l.guest.Letters(harness.OfCode))
	harness.Eventually(t, func() error { return harness.Same("the page", []string{"alice-1", "alice-2"}, page.Seen()) })
}

func scannerPresses(t *testing.T, l *linked) {
	scanner := l.site.NewWebUser(t, l.invitation.Link)
	told := l.guest.Letter(t, harness.OfBrowser, 0)
	guest := l.site.NewWebUser(t, l.invitation.Link)
	require.Len(t, l.guest.Letters(harness.OfCode), 1, "the person types a code, since the scanner came first")
	// The mail about the browser offers to end it; that ends both, and the person comes back by a code.
	end := told.LinkTo("b")
	status, _, err := l.site.NewVisitor(t).Do(t.Context(), http.MethodGet, end, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
	status, _, err = scanner.Page(t.Context())
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status, "reading the page ends nothing")
	status, text, err := l.site.NewVisitor(t).Do(t.Context(), http.MethodPost, end, url.Values{})
	require.NoError(t, err)
	require.Less(t, status, 400, text)
	for _, u := range []*harness.WebUser{scanner, guest} {
		goneSoon(t, u)
		outside(t, u)
	}
	back := l.site.NewWebUser(t, l.invitation.Link)
	require.Len(t, l.guest.Letters(harness.OfCode), 2)
	require.NoError(t, back.Say(t.Context(), "client-1", "guest-1"))
}

func secondBrowser(t *testing.T, l *linked) {
	first := l.site.NewWebUser(t, l.invitation.Link)
	l.guest.Letter(t, harness.OfBrowser, 0)
	second := l.site.NewBrowser(t, l.invitation.Link)
	l.guest.Letter(t, harness.OfBrowser, 1)
	second.Say("guest-1")
	harness.Eventually(t, func() error { return harness.Same("the first browser", []string{"alice-1", "guest-1"}, first.Seen()) })
	require.Len(t, l.guest.Letters(harness.OfCode), 1)
}

// forwardedLink: who got the mail from the guest comes in nowhere: the code goes to the guest.
func forwardedLink(t *testing.T, l *linked) {
	l.site.NewWebUser(t, l.invitation.Link)
	eve := l.site.NewVisitor(t)
	before := l.kinds(t)
	status, page, err := eve.Do(t.Context(), http.MethodPost, l.invitation.Link, url.Values{})
	require.NoError(t, err)
	require.Contains(t, page, `name="code"`, status)
	require.NotContains(t, page, "alice-1")
	code := l.guest.Letter(t, harness.OfCode, 0).Code()
	for i := range 8 {
		guessed := fmt.Sprintf("%06d", i)
		if guessed == code {
			continue
		}
		_, page, err = eve.Do(t.Context(), http.MethodPost, l.invitation.Link, url.Values{"code": {guessed}})
		require.NoError(t, err)
		require.NotContains(t, page, "data-session")
	}
	// The right code does not count any more after so many wrong ones.
	_, page, err = eve.Do(t.Context(), http.MethodPost, l.invitation.Link, url.Values{"code": {code}})
	require.NoError(t, err)
	require.NotContains(t, page, "data-session")
	eve.Session = l.session
	outside(t, eve)
	require.Equal(t, before, l.kinds(t))
}

func stolenCookie(t *testing.T, l *linked) {
	guest := l.site.NewWebUser(t, l.invitation.Link)
	thief := guest.Steal(t, l.site)
	thief.Follow(t)
	status, _, err := thief.Page(t.Context())
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
	status, text, err := guest.Do(t.Context(), http.MethodPost, "/s/"+l.session+"/signout", url.Values{})
	require.NoError(t, err)
	require.Less(t, status, 400, text)
	goneSoon(t, thief)
	outside(t, thief)
}

// outside holds that a browser meets what any stranger meets.
func outside(t *testing.T, u *harness.WebUser) {
	t.Helper()
	status, page, err := u.Page(t.Context())
	require.NoError(t, err)
	require.Contains(t, []int{http.StatusNotFound, http.StatusForbidden}, status)
	require.NotContains(t, page, "alice-1")
	require.Error(t, u.Say(t.Context(), "client-outside", "outside-1"))
}

// goneSoon waits until a page was told that there is nothing here for it any more.
func goneSoon(t *testing.T, u *harness.WebUser) {
	t.Helper()
	harness.Eventually(t, func() error {
		if _, gone := u.Gone(); !gone {
			return errors.New("the stream goes on")
		}
		return nil
	})
}
