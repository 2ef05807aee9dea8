package test

import (
	"fmt"
	"net/http"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mailroom/test/harness"
)

// soon is how long after the commit of a revoke everybody who can be reached knows of it.
const soon = time.Second

// TestRevoking holds that a revoke ends everything at once: Alice takes Bob (page and mail), Carol (Matrix) and Dave (XMPP)
// out, one after the other.
func TestRevoking(t *testing.T) {
	t.Parallel()
	p := newParty(t, harness.Request{Engine: harness.SQLite})
	t.Run("page", func(t *testing.T) { revokeOnPage(t, p) })
	t.Run("Matrix", func(t *testing.T) { revokeOnMatrix(t, p) })
	t.Run("XMPP", func(t *testing.T) { revokeOnXMPP(t, p) })
	t.Run("queued mail", func(t *testing.T) { revokeBeforeMail(t, p) })
	require.NoError(t, p.aliceOnPage.Say(t.Context(), "client-alice-9", "alice-9"), "those who are left talk on")
}

// revoke takes somebody out; since is when it was asked for, and returns after the commit.
func (p *party) revoke(t *testing.T, who string) (asked time.Time) {
	t.Helper()
	asked = time.Now()
	require.NoError(t, p.transcript.Revoke(t.Context(), p.session, who))
	return asked
}

// within logs how long it took until somebody knew, and holds that it was soon.
func within(t *testing.T, what string, asked, knew time.Time) {
	t.Helper()
	t.Logf("%s %v after the request to revoke", what, knew.Sub(asked))
	require.Less(t, knew.Sub(asked), soon, what)
}

func revokeOnPage(t *testing.T, p *party) {
	invitation := p.bob.Mail(t, 0)
	browser, page := p.site.NewBrowser(t, invitation.Link), p.site.NewWebUser(t, invitation.Link)
	asked := p.revoke(t, harness.Bob)
	goneSoon(t, page)
	gone, _ := page.Gone()
	within(t, "the stream says gone", asked, gone)
	outside(t, page)
	harness.Eventually(t, func() error {
		if !browser.Ended() {
			return fmt.Errorf("the page still has a box to write in")
		}
		return nil
	})
	deadTokens(t, p, invitation)
}

// deadTokens: whatever Bob's mail offered leads nowhere. The icon belongs to the session and shows it as before.
func deadTokens(t *testing.T, p *party, m harness.Mail) {
	for _, link := range []string{m.Link, m.LinkTo("u"), p.bob.Letter(t, harness.OfBrowser, 0).LinkTo("b")} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			got := ask(t, method, link, nowhere, nil, "")
			require.Contains(t, []int{http.StatusNotFound, http.StatusForbidden}, got.Status, link)
			require.NotContains(t, got.Body, subject)
		}
	}
	bounce := p.bob.Answer(m, "bob-9")
	refusedMail(t, p.site.Send(bounce))
	for _, to := range []string{m.ReplyTo, m.From, strings.Replace(m.ReplyTo, "r-", "u-", 1)} {
		err := p.site.Recipient(to)
		var refusal *textproto.Error
		require.ErrorAs(t, err, &refusal, to)
		require.Equal(t, 550, refusal.Code, to)
	}
	still := ask(t, http.MethodGet, p.alice.Mail(t, 0).Icon, nowhere, nil, "")
	require.Equal(t, still.Body, ask(t, http.MethodGet, m.Icon, nowhere, nil, "").Body)
}

func revokeOnMatrix(t *testing.T, p *party) {
	asked := p.revoke(t, "carol@"+harness.Domain)
	harness.Eventually(t, func() error {
		if _, left := p.carol.Left(p.matrixRoom); !left {
			return fmt.Errorf("Carol is in the room")
		}
		return nil
	})
	left, _ := p.carol.Left(p.matrixRoom)
	within(t, "Matrix kicks", asked, left)
	require.Error(t, p.carol.Say(t.Context(), p.matrixRoom, "9", "carol-9"))
	require.Error(t, p.carol.Join(t.Context(), p.matrixRoom))
}

func revokeOnXMPP(t *testing.T, p *party) {
	mark := p.dave.Mark()
	asked := p.revoke(t, "dave@"+harness.Domain)
	ctx, cancel := patient(t)
	defer cancel()
	kick, err := p.dave.Find(ctx, mark, "the end of his presence", func(s harness.Stanza) bool {
		return s.XMLName.Local == "presence" && s.Type == "unavailable" && s.Room() == p.xmppRoom && s.Has("110")
	})
	require.NoError(t, err)
	require.True(t, kick.Has("321") || kick.Has("307"), kick.Inner)
	within(t, "the MUC says 321", asked, kick.At)
	require.Error(t, p.dave.Say(ctx, p.xmppRoom, "9", "dave-9"))
	require.Error(t, p.dave.Enter(ctx, p.xmppRoom, "dave"))
}

// revokeBeforeMail: what waits to be mailed is withdrawn. Zoe, who stays, gets hers as soon as the smarthost takes it: by
// then Yan's would have come, too.
func revokeBeforeMail(t *testing.T, p *party) {
	yan, zoe := p.site.NewCorrespondent(t, "yan@mailbox.test", "Yan"), p.site.NewCorrespondent(t, "zoe@mailbox.test", "Zoe")
	require.NoError(t, p.transcript.Invite(t.Context(), p.session, yan.Address, zoe.Address))
	for _, who := range []*harness.Correspondent{yan, zoe} {
		require.NoError(t, p.site.Send(who.Answer(who.Mail(t, 0), "hello")))
	}
	p.site.Sink.SetBusy(true)
	refused := p.site.Sink.Refused()
	require.NoError(t, p.transcript.Say(t.Context(), p.session, "alice-7", "alice-7"))
	harness.Eventually(t, func() error {
		if p.site.Sink.Refused() < refused+2 {
			return fmt.Errorf("the mails to Yan and Zoe are not under way")
		}
		return nil
	})
	p.revoke(t, yan.Address)
	p.site.Sink.SetBusy(false)
	harness.Eventually(t, func() error { return contains(zoe.Seen(), "alice-7") })
	require.NotContains(t, yan.Seen(), "alice-7")
}
