package test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mailroom/test/harness"
)

// TestMembersLearnNoMoreThanTheyMay is the part of the leak table that is about people inside: what a member is shown of the
// others, on every network.
func TestMembersLearnNoMoreThanTheyMay(t *testing.T) {
	t.Parallel()
	s := harness.NewSite(t, harness.Request{Engine: harness.SQLite})
	s.Start(t)
	for name, test := range map[string]func(*testing.T, *inside){
		"a blind copy":     blindCopy,
		"hidden addresses": hiddenAddresses,
		"a block":          silentBlock,
		"presence":         nobodySeesPresence,
		"signing in":       askingToSignIn,
	} {
		t.Run(name, func(t *testing.T) { test(t, newInside(t, s)) })
	}
}

// inside is Alice and people whom she invites: on the page and by mail Bob, on Matrix and XMPP Carol and Dave, and Zoe, of whom
// the others may not hear.
type inside struct {
	site         *harness.Site
	alice, forum *harness.API // forum is Bob's program
	bob, zoe     *harness.Correspondent
	carol        *harness.MatrixUser
	dave         *harness.XMPPUser
	subject      string
}

func newInside(t *testing.T, s *harness.Site) *inside {
	t.Helper()
	bob := s.NewCorrespondent(t, strings.ToLower(word())+"@mailbox.test", "Bob")
	return &inside{
		site: s, alice: s.NewAPI(t, harness.Alice), forum: s.NewAPI(t, bob.Address), bob: bob,
		zoe:   s.NewCorrespondent(t, "zoe"+strings.ToLower(word())+"@mailbox.test", "Zoe"),
		carol: s.NewMatrixUser(t, "carol"), dave: s.NewXMPPUser(t, "dave"), subject: "Plan " + word(),
	}
}

// start is a session of Alice with Bob, Carol, Dave and Zoe; zoe and options say how.
func (i *inside) start(t *testing.T, zoe, options map[string]any) (session, matrixRoom, xmppRoom string) {
	t.Helper()
	recipient := map[string]any{"address": i.zoe.Address}
	maps.Copy(recipient, zoe)
	started, err := i.alice.Start(t.Context(), map[string]any{
		"subject": i.subject, "message": map[string]string{"text": "hello"}, "options": options,
		"recipients": []any{i.bob.Address, "carol@" + harness.Domain, "dave@" + harness.Domain, recipient},
	})
	require.NoError(t, err)
	return started.ID, i.carol.Accept(t, i.subject), i.dave.Accept(t, i.subject, "dave")
}

// seenBy is everything that Bob, Carol and Dave can look at, by where it stands.
func (i *inside) seenBy(ctx context.Context, t *testing.T, page *harness.WebUser, session, matrixRoom string) map[string]string {
	t.Helper()
	seen := map[string]string{}
	for _, path := range []string{"", "/messages", "/transcript.txt", "/transcript.json", "/transcript.html", "/transcript.mbox"} {
		text, err := i.forum.Text(ctx, "/sessions/"+session+path)
		require.NoError(t, err)
		seen["API "+path] = text
	}
	_, text, err := page.Page(ctx)
	require.NoError(t, err)
	seen["page"] = text
	for n, m := range i.bob.Mails() {
		seen[fmt.Sprintf("mail %d", n)] = string(m.Raw) + m.Text + m.HTML
	}
	state, err := i.carol.State(ctx, matrixRoom)
	require.NoError(t, err)
	seen["Matrix"] = string(state)
	for _, stanza := range i.dave.Since(0) {
		if strings.Contains(stanza.Room(), session) {
			seen["XMPP"] += fmt.Sprintf("%+v\n", stanza)
		}
	}
	return seen
}

// notIn holds that none of the words is in what is seen.
func notIn(t *testing.T, seen map[string]string, words ...string) {
	t.Helper()
	for _, where := range slices.Sorted(maps.Keys(seen)) {
		for _, w := range words {
			require.NotContains(t, strings.ToLower(seen[where]), strings.ToLower(w), where)
		}
	}
}

func blindCopy(t *testing.T, i *inside) {
	session, matrixRoom, xmppRoom := i.start(t, map[string]any{"blind": true}, nil)
	page := i.site.NewWebUser(t, i.bob.Mail(t, 0).Link)
	require.NoError(t, page.Say(t.Context(), "client-1", "before"))
	zoe := i.site.NewWebUser(t, i.zoe.Mail(t, 0).Link)
	harness.Eventually(t, func() error {
		if !slices.Contains(i.dave.Seen(xmppRoom), "before") {
			return fmt.Errorf("Dave has not seen what was said: %v", i.dave.Seen(xmppRoom))
		}
		return nil
	})
	name, _, _ := strings.Cut(i.zoe.Address, "@")
	notIn(t, i.seenBy(t.Context(), t, page, session, matrixRoom), name)

	require.NoError(t, zoe.Say(t.Context(), "client-2", "here I am"))
	harness.Eventually(t, func() error {
		members, err := i.carol.Members(t.Context(), matrixRoom)
		if err == nil && !strings.Contains(fmt.Sprint(members), name) {
			err = fmt.Errorf("Carol does not see who has spoken: %v", members)
		}
		return err
	})
	seen := i.seenBy(t.Context(), t, page, session, matrixRoom)
	require.Contains(t, seen["page"], name, "who speaks is seen by name")
	notIn(t, seen, i.zoe.Address)
}

func hiddenAddresses(t *testing.T, i *inside) {
	session, matrixRoom, _ := i.start(t, map[string]any{"name": "Zoe"}, map[string]any{"hide_addresses": true})
	page := i.site.NewWebUser(t, i.bob.Mail(t, 0).Link)
	zoe := i.site.NewWebUser(t, i.zoe.Mail(t, 0).Link)
	require.NoError(t, zoe.Say(t.Context(), "client-1", "hello from Zoe"))
	harness.Eventually(t, func() error {
		_, text, err := page.Page(t.Context())
		if err == nil && !strings.Contains(text, "hello from Zoe") {
			err = fmt.Errorf("Bob does not see it yet")
		}
		return err
	})
	name, _, _ := strings.Cut(i.zoe.Address, "@")
	notIn(t, i.seenBy(t.Context(), t, page, session, matrixRoom), name)
	mine, err := i.alice.Text(t.Context(), "/sessions/"+session)
	require.NoError(t, err)
	require.Contains(t, mine, i.zoe.Address, "who wrote it knows")
}

func silentBlock(t *testing.T, i *inside) {
	first, err := i.alice.StartSession(t.Context(), i.subject, "hello", i.bob.Address)
	require.NoError(t, err)
	i.bob.Mail(t, 0)
	require.NoError(t, i.forum.Call(t.Context(), http.MethodPut, "/me/blocks/"+url.PathEscape(harness.Alice), nil, nil))
	_, err = i.forum.Session(t.Context(), first.ID)
	require.Error(t, err, "what she gave is ended")

	second, err := i.alice.StartSession(t.Context(), i.subject, "again", i.bob.Address, i.zoe.Address)
	require.NoError(t, err)
	i.zoe.Mail(t, 0) // mails of one session go out together: his would be here
	told, err := i.alice.Session(t.Context(), second.ID)
	require.NoError(t, err)
	blocked, silent := told.Members[1], told.Members[2]
	blocked.ID, blocked.Name, blocked.Address = silent.ID, silent.Name, silent.Address
	require.Equal(t, silent, blocked, "he looks like somebody who has not answered")
	require.Len(t, i.bob.Mails(), 1)
	theirs, err := i.forum.Sessions(t.Context())
	require.NoError(t, err)
	require.Empty(t, theirs)
}

func nobodySeesPresence(t *testing.T, i *inside) {
	started, err := i.alice.StartSession(t.Context(), i.subject, "hello", i.bob.Address)
	require.NoError(t, err)
	page := i.site.NewWebUser(t, i.bob.Mail(t, 0).Link)
	require.NoError(t, page.Read(t.Context(), 3))
	read := func() *int64 {
		told, err := i.alice.Session(t.Context(), started.ID)
		require.NoError(t, err)
		return told.Members[1].ReadSeq
	}
	require.Nil(t, read(), "nobody is the default")
	set := map[string]any{"setting": "shared"}
	require.NoError(t, i.forum.Call(t.Context(), http.MethodPut, "/me/presence", set, nil))
	require.Equal(t, int64(3), *read())
}

func askingToSignIn(t *testing.T, i *inside) {
	_, err := i.alice.StartSession(t.Context(), i.subject, "hello", i.bob.Address)
	require.NoError(t, err)
	ask := func(address string) answer {
		form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
		return ask(t, http.MethodPost, i.site.URL+"/me", nowhere, form, "address="+url.QueryEscape(address))
	}
	require.Equal(t, ask("nobody@mailbox.test"), ask(i.bob.Address))
	require.NotEmpty(t, i.bob.Letter(t, harness.OfSignIn, 0).LinkTo("p"))
}
