package test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"mailroom/test/harness"
)

func TestOneEmailBecomesARoom(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine harness.Engine) {
		s := harness.NewSite(t, harness.Request{Engine: engine})
		s.Start(t)
		talk(t, invite(t, s), func() {})
	})
}

func TestANodeIsKilledWhileTheyTalk(t *testing.T) {
	t.Parallel()
	s := harness.NewSite(t, harness.Request{Engine: harness.PostgreSQL, Nodes: 2})
	s.Start(t)
	talk(t, invite(t, s), func() { s.Nodes[0].Kill(t) })
}

// talk lets all four say things in turn, everybody in each way that they have. In the middle something happens.
func talk(t *testing.T, p *party, middle func()) {
	p.matrixRoom = p.carol.Accept(t, subject)
	p.say(t, "carol-1", p.carolTalks)
	p.xmppRoom = p.dave.Accept(t, subject, "dave")
	p.say(t, "dave-1", p.daveTalks)

	invitation := p.bob.Mail(t, 0)
	require.Contains(t, invitation.Text, "alice-1")
	p.say(t, "bob-1", p.answers(p.bob, invitation))
	started := p.alice.Mail(t, 0)
	sawByMail(t, p.alice, "carol-1", "dave-1", "bob-1")
	p.say(t, "alice-2", p.answers(p.alice, started))
	sawByMail(t, p.bob, "alice-1", "carol-1", "dave-1", "alice-2")
	p.bobOnPage = p.site.NewBrowser(t, invitation.Link)
	p.everybodySaw(t)

	middle()

	p.bobOnPage.Say("bob-2")
	p.say(t, "bob-2", func(context.Context, string) error { return nil })
	p.say(t, "carol-2", p.carolTalks)
	p.say(t, "dave-2", p.daveTalks)
	sawByMail(t, p.alice, "carol-1", "dave-1", "bob-1", "bob-2", "carol-2", "dave-2")
	p.aliceOnPage = p.site.NewWebUser(t, started.Link)
	p.say(t, "alice-3", p.aliceTalks)
	p.say(t, "carol-3", p.carolTalks)
	p.everybodySaw(t)
	sawByMail(t, p.bob, "alice-1", "carol-1", "dave-1", "alice-2")
}
