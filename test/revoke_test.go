package test

import (
	"errors"
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

// inTime lets somebody be taken out, and in again if the machine was too busy to tell them soon, three times at the most.
func inTime(t *testing.T, what string, takeOut func() (asked, knew time.Time), takeIn func()) {
	t.Helper()
	for range 3 {
		asked, knew := takeOut()
		t.Logf("%s %v after the request to revoke", what, knew.Sub(asked))
		if knew.Sub(asked) < soon {
			return
		}
		takeIn()
	}
	require.Fail(t, what+" too late")
}

func revokeOnPage(t *testing.T, p *party) {
	invitation := p.bob.Mail(t, 0)
	icon := ask(t, http.MethodGet, invitation.Icon, nowhere, nil, "")
	browser := p.site.NewBrowser(t, invitation.Link)
	var page *harness.WebUser
	inTime(t, "the stream says gone", func() (asked, knew time.Time) {
		page = p.site.NewWebUser(t, p.invitation(t).Link)
		asked = p.revoke(t, harness.Bob)
		goneSoon(t, page)
		knew, _ = page.Gone()
		return asked, knew
	}, func() { p.inviteAgain(t, harness.Bob) })
	outside(t, page)
	harness.Eventually(t, func() error {
		if !browser.Ended() {
			return errors.New("the page still has a box to write in")
		}
		return nil
	})
	deadTokens(t, p, invitation)
	require.Equal(t, icon, ask(t, http.MethodGet, invitation.Icon, nowhere, nil, ""), "the icon is the session's, and shows it as before")
}

// invitation is Bob's newest one.
func (p *party) invitation(t *testing.T) harness.Mail {
	t.Helper()
	mails := p.bob.Mails()
	require.NotEmpty(t, mails)
	return mails[len(mails)-1]
}

func (p *party) inviteAgain(t *testing.T, who string) {
	t.Helper()
	before := len(p.bob.Mails())
	require.NoError(t, p.transcript.Invite(t.Context(), p.session, who))
	if who == harness.Bob {
		p.bob.Mail(t, before)
	}
}

// deadTokens: whatever Bob's mail offered leads nowhere.
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
}

func revokeOnMatrix(t *testing.T, p *party) {
	carol := "carol@" + harness.Domain
	inTime(t, "Matrix kicks", func() (asked, knew time.Time) {
		asked = p.revoke(t, carol)
		harness.Eventually(t, func() error {
			var left bool
			if knew, left = p.carol.Left(p.matrixRoom); !left || knew.Before(asked) {
				return errors.New("Carol is in the room")
			}
			return nil
		})
		return asked, knew
	}, func() {
		p.inviteAgain(t, carol)
		p.carol.Accept(t, subject)
	})
	require.Error(t, p.carol.Say(t.Context(), p.matrixRoom, "9", "carol-9"))
	require.Error(t, p.carol.Join(t.Context(), p.matrixRoom))
}

func revokeOnXMPP(t *testing.T, p *party) {
	ctx, cancel := patient(t)
	defer cancel()
	dave := "dave@" + harness.Domain
	inTime(t, "the MUC says 321", func() (asked, knew time.Time) {
		mark := p.dave.Mark()
		asked = p.revoke(t, dave)
		kick, err := p.dave.Find(ctx, mark, "the end of his presence", func(s harness.Stanza) bool {
			return s.XMLName.Local == "presence" && s.Type == "unavailable" && s.Room() == p.xmppRoom && s.Has("110")
		})
		require.NoError(t, err)
		require.True(t, kick.Has("321") || kick.Has("307"), kick.Inner)
		return asked, kick.At
	}, func() {
		p.inviteAgain(t, dave)
		p.dave.Accept(t, subject, "dave")
	})
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
