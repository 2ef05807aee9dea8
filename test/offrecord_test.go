package test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mailroom/test/harness"
)

// TestOffTheRecord holds that what is said off the record is found nowhere: not while it is said, not after it is over, and
// not after a crash.
func TestOffTheRecord(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine harness.Engine) {
		metrics := harness.FreeAddress(t)
		s := harness.NewSite(t, harness.Request{
			Engine: engine, Debug: true, Settings: map[string]map[string]any{"metrics": {"listen": metrics}},
		})
		s.Start(t)
		places := places{site: s, metrics: metrics}
		places.findWhatIsKept(t)

		closed := startOffRecord(t, s, "first")
		closed.talk(t)
		places.haveNone(t, closed.words)
		require.NoError(t, closed.transcript.Turn(t.Context(), closed.session, "close"))
		closed.isOver(t)
		places.haveNone(t, closed.words)

		killed := startOffRecord(t, s, "second")
		killed.talk(t)
		s.Nodes[0].Kill(t)
		places.haveNone(t, killed.words)
		s.Nodes[0].Start(t)
		s.Nodes[0].AwaitReady(t)
		killed.isOver(t)
		closed.isOver(t)
		places.haveNone(t, slices.Concat(closed.words, killed.words))
	})
}

// secretly is a conversation of Alice, Bob and Dave that is off the record. Carol is invited too, and has only Matrix beside
// her mail.
type secretly struct {
	*party
	words []string // all that was said, the subject included: random, so that they stand nowhere else
}

func startOffRecord(t *testing.T, s *harness.Site, name string) *secretly {
	t.Helper()
	bob := name + "-bob@mailbox.test"
	p := &party{
		site: s, alice: s.NewCorrespondent(t, harness.Alice, "Alice"), bob: s.NewCorrespondent(t, bob, "Bob"),
		carol: s.NewMatrixUser(t, "carol"), dave: s.NewXMPPUser(t, "dave"), transcript: s.NewAPI(t, harness.Alice),
	}
	known, err := p.transcript.Sessions(t.Context())
	require.NoError(t, err)
	o := &secretly{party: p, words: []string{word(), word()}}
	letter := p.alice.Write(o.words[0], o.words[1], "off@"+harness.MailDomain, bob, "carol@"+harness.Domain, "dave@"+harness.Domain)
	require.NoError(t, s.Send(letter))
	sessions, err := p.transcript.Sessions(t.Context())
	require.NoError(t, err)
	require.Len(t, sessions, len(known)+1)
	p.session = sessions[0].ID
	return o
}

func word() string { return "w" + strings.ToLower(rand.Text()) }

// talk lets each say something by each way that is left, and waits until all have seen it.
func (o *secretly) talk(t *testing.T) {
	t.Helper()
	ctx, cancel := patient(t)
	defer cancel()
	o.xmppRoom = o.dave.Accept(t, "", "dave") // servers keep invitations: the subject is not in it
	o.bobOnPage = o.site.NewBrowser(t, o.bob.Mail(t, 0).Link)
	mails := o.alice.Mails()
	o.aliceOnPage = o.site.NewWebUser(t, mails[len(mails)-1].Link)
	said := []string{o.words[1]}
	for name, say := range map[string]func(string) error{
		"XMPP": func(w string) error { return o.dave.Say(ctx, o.xmppRoom, w, w) },
		"page": func(w string) error { return o.aliceOnPage.Say(ctx, w, w) },
		"API":  func(w string) error { return o.transcript.Say(ctx, o.session, w, w) },
	} {
		w := word()
		require.NoError(t, say(w), name)
		said = append(said, w)
	}
	last := word()
	o.bobOnPage.Say(last)
	said = append(said, last)
	o.words = append(o.words, said[1:]...)
	for who, seen := range map[string]func() []string{
		"Bob in Chromium": o.bobOnPage.Seen, "Alice on the page": o.aliceOnPage.Seen,
		"Dave by XMPP": func() []string { return o.dave.Seen(o.xmppRoom) },
	} {
		harness.Eventually(t, func() error { return harness.Same(who, sorted(said), sorted(seen())) })
	}
	o.noWayOut(t)
}

// noWayOut: answers by mail lead nowhere, Matrix has no room, and archives are asked to keep nothing.
func (o *secretly) noWayOut(t *testing.T) {
	t.Helper()
	require.Empty(t, o.bob.Mail(t, 0).ReplyTo, "no address is offered for an answer by mail")
	require.Empty(t, o.carol.Invited(o.words[0]))
	require.NotEmpty(t, o.dave.Told(o.xmppRoom), "the room says that it is off the record")
	for _, s := range o.dave.Since(0) {
		if s.Room() == o.xmppRoom && s.Type == "groupchat" && s.Body != nil {
			require.Contains(t, s.Inner, "urn:xmpp:hints", "XEP-0334: no archive is to keep it")
		}
	}
}

// isOver holds that everybody who looks is told that it is over, and is told nothing of what was said.
func (o *secretly) isOver(t *testing.T) {
	t.Helper()
	ctx, cancel := patient(t)
	defer cancel()
	require.NoError(t, harness.Poll(ctx, func() error {
		session, err := o.transcript.Session(ctx, o.session)
		if err == nil && session.State != "over" {
			err = fmt.Errorf("the session is %s", session.State)
		}
		return err
	}))
	text, err := o.transcript.Text(ctx, "/sessions/"+o.session+"/transcript.json")
	require.NoError(t, err)
	status, page, err := o.aliceOnPage.Page(ctx)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
	for _, w := range o.words {
		require.NotContains(t, text, w)
		require.NotContains(t, page, w)
	}
	require.Error(t, o.aliceOnPage.Say(ctx, "client-late", "late-1"))
	require.Error(t, o.transcript.Turn(ctx, o.session, "reopen"))
	if !o.dave.Connected() {
		require.NoError(t, o.dave.Connect())
	}
	var refusal *harness.StanzaError
	require.ErrorAs(t, o.dave.Enter(ctx, o.xmppRoom, "dave"), &refusal)
}

// places are all in which something of what passed through may be left.
type places struct {
	site    *harness.Site
	metrics string
}

// findWhatIsKept says something on the record, and holds that it is found: so that what is not found is not there.
func (p places) findWhatIsKept(t *testing.T) {
	t.Helper()
	kept := word()
	_, err := p.site.NewAPI(t, harness.Alice).StartSession(t.Context(), "On the record", kept, harness.Bob)
	require.NoError(t, err)
	harness.Eventually(t, func() error {
		found, err := p.find(t, []string{kept})
		database := slices.ContainsFunc(found, func(f string) bool {
			return strings.Contains(f, "mailroom.db") || strings.Contains(f, "pg_wal")
		})
		mail := slices.ContainsFunc(found, func(f string) bool { return strings.HasPrefix(f, "mail to ") })
		if err == nil && (!database || !mail) {
			err = fmt.Errorf("what is on the record is found only in %q", found)
		}
		return err
	})
}

func (p places) haveNone(t *testing.T, words []string) {
	t.Helper()
	found, err := p.find(t, words)
	require.NoError(t, err)
	require.Empty(t, found)
}

// find says where one of the words is.
func (p places) find(t *testing.T, words []string) (found []string, err error) {
	t.Helper()
	node := p.site.Nodes[0]
	for _, folder := range []string{p.site.Database(), node.Data(), node.Temporary(), filepath.Dir(node.Log()), p.site.Stack.Folder} {
		if folder == "" {
			continue
		}
		files, err := filesWith(folder, words)
		if err != nil {
			return nil, err
		}
		found = append(found, files...)
	}
	for _, m := range p.site.Sink.All() {
		if w := firstIn(m.Raw, words); w != "" || firstIn([]byte(m.Subject+m.Text+m.HTML), words) != "" {
			found = append(found, "mail to "+m.To)
		}
	}
	return append(found, p.measured(words)...), nil
}

// measured looks into the metrics, while there is somebody who shows them.
func (p places) measured(words []string) []string {
	response, err := http.Get("http://" + p.metrics + "/metrics")
	if err != nil {
		return nil // the node was killed
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || firstIn(text, words) == "" {
		return nil
	}
	return []string{"metrics"}
}

// filesWith lists the files of a folder that have one of the words in them, or in their name.
func filesWith(folder string, words []string) (found []string, err error) {
	err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it has just gone
		}
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if firstIn(text, words) != "" || firstIn([]byte(path), words) != "" {
			found = append(found, path)
		}
		return err
	})
	return found, err
}

func firstIn(text []byte, words []string) string {
	text = bytes.ToLower(text)
	for _, w := range words {
		if bytes.Contains(text, []byte(w)) {
			return w
		}
	}
	return ""
}
