package test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mailroom/test/harness"
)

// TestErasure holds that a person whom an operator erases is gone from the transcript, the database's file, the Matrix room
// and the MUC.
func TestErasure(t *testing.T) {
	t.Parallel()
	s := harness.NewSite(t, harness.Request{Engine: harness.SQLite})
	s.Start(t)
	p := &party{
		site: s, bob: s.NewCorrespondent(t, word()+"@mailbox.test", "Robert"+word()), transcript: s.NewAPI(t, harness.Alice),
		carol: s.NewMatrixUser(t, "carol"), dave: s.NewXMPPUser(t, "dave"),
	}
	started, err := p.transcript.StartSession(t.Context(), subject, "alice-1", p.bob.Address, "carol@"+harness.Domain, "dave@"+harness.Domain)
	require.NoError(t, err)
	p.session, p.said = started.ID, []string{"alice-1"}
	p.matrixRoom, p.xmppRoom = p.carol.Accept(t, subject), p.dave.Accept(t, subject, "dave")
	byMail, onPage := word(), word()
	p.say(t, byMail, p.answers(p.bob, p.bob.Mail(t, 0)))
	page := s.NewWebUser(t, p.bob.Mail(t, 0).Link)
	require.NoError(t, page.Say(t.Context(), "client-1", onPage))
	p.said = append(p.said, onPage)
	p.everybodySaw(t)
	traces := []string{byMail, onPage, p.bob.Address, strings.ToLower(p.bob.Name)}
	require.NotEmpty(t, p.traces(t, traces), "before it is erased, all is there")

	mark := p.dave.Mark()
	t.Log(s.Nodes[0].Run(t, "sessions", "erase", "--address", p.bob.Address))
	goneSoon(t, page)
	outside(t, page)
	harness.Eventually(t, func() error { return p.redacted(t, byMail, onPage) })
	retracted(t, p, mark, byMail, onPage)
	harness.Eventually(t, func() error {
		if left := p.traces(t, traces); len(left) > 0 {
			return fmt.Errorf("something is left in %q", left)
		}
		return nil
	})
	// Those who stay talk on. What was said keeps its place, and nothing else.
	p.said = []string{"alice-1", "", ""}
	p.say(t, "dave-1", p.daveTalks)
}

// traces is where something of a person is left: in files of ours, and in what Alice is told.
func (p *party) traces(t *testing.T, words []string) []string {
	t.Helper()
	var left []string
	for _, folder := range []string{p.site.Database(), p.site.Nodes[0].Data()} {
		files, err := filesWith(folder, words)
		require.NoError(t, err)
		left = append(left, files...)
	}
	for _, path := range []string{"", "/messages", "/transcript.txt", "/transcript.json"} {
		text, err := p.transcript.Text(t.Context(), "/sessions/"+p.session+path)
		require.NoError(t, err)
		if w := firstIn([]byte(text), words); w != "" {
			left = append(left, "the API's "+path+": "+w)
		}
	}
	state, err := p.carol.State(t.Context(), p.matrixRoom)
	require.NoError(t, err)
	if w := firstIn(state, words); w != "" {
		left = append(left, "the state of the Matrix room: "+w)
	}
	return left
}

// redacted is an error while the Matrix room still has something of what was said.
func (p *party) redacted(t *testing.T, said ...string) error {
	t.Helper()
	events, err := p.carol.Timeline(t.Context(), p.matrixRoom)
	if err != nil {
		return err
	}
	redactions := 0
	for _, e := range events {
		text, err := json.Marshal(e.Content)
		require.NoError(t, err)
		if w := firstIn(text, said); w != "" {
			return fmt.Errorf("the Matrix room still shows %s", w)
		}
		if e.Type == "m.room.redaction" {
			redactions++
		}
	}
	if redactions < len(said) {
		return fmt.Errorf("the Matrix room has %d redactions", redactions)
	}
	return nil
}

// retracted waits until the MUC has taken back each message, by the id that it gave it (XEP-0424, XEP-0425).
func retracted(t *testing.T, p *party, mark int, said ...string) {
	t.Helper()
	ctx, cancel := patient(t)
	defer cancel()
	for _, w := range said {
		id := p.dave.StanzaID(p.xmppRoom, w)
		require.NotEmpty(t, id)
		_, err := p.dave.Find(ctx, mark, "the retraction of "+w, func(s harness.Stanza) bool {
			return s.Type == "groupchat" && s.Room() == p.xmppRoom && strings.Contains(s.Inner, id) &&
				strings.Contains(s.Inner, "urn:xmpp:message-retract:1")
		})
		require.NoError(t, err)
	}
}
