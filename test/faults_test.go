package test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"mailroom/test/harness"
)

// burst lets everybody whose network works say some things while another one is down.
func (p *party) burst(t *testing.T, name string, how func(ctx context.Context, text string) error) {
	t.Helper()
	for n := 1; n <= 5; n++ {
		text := fmt.Sprintf("%s-%d", name, n)
		require.NoError(t, how(t.Context(), text))
		p.said = append(p.said, text)
	}
}

// newParty is a session in which all four are.
func newParty(t *testing.T, r harness.Request) *party {
	t.Helper()
	s := harness.NewSite(t, r)
	s.Start(t)
	p := invite(t, s)
	p.everybodyIsHere(t)
	return p
}

// TestPeersFailForAWhile holds that what is said while a peer is down is delivered afterwards, in order and once.
func TestPeersFailForAWhile(t *testing.T) {
	t.Parallel()
	p := newParty(t, harness.Request{Engine: harness.SQLite})
	t.Run("Dendrite", func(t *testing.T) { dendriteFails(t, p) })
	t.Run("Prosody", func(t *testing.T) { prosodyFails(t, p) })
	t.Run("smarthost", func(t *testing.T) { smarthostFails(t, p) })
}

func dendriteFails(t *testing.T, p *party) {
	p.burst(t, "before", p.carolTalks)
	p.site.Stack.Do(t, "stop dendrite")
	p.burst(t, "alice", p.aliceTalks)
	p.burst(t, "dave", p.daveTalks)
	p.burst(t, "bob", p.answers(p.bob, p.bob.Mail(t, 0)))
	p.site.Stack.Do(t, "start dendrite")
	p.burst(t, "carol", p.carolTalks)
	p.everybodySaw(t)
}

func prosodyFails(t *testing.T, p *party) {
	p.site.Stack.Do(t, "stop prosody")
	p.burst(t, "anna", p.aliceTalks)
	p.burst(t, "clara", p.carolTalks)
	p.site.Stack.Do(t, "start prosody")
	// A client that was cut off enters again as soon as it can.
	harness.Eventually(t, func() error {
		ctx, cancel := context.WithTimeout(t.Context(), patienceForOne)
		defer cancel()
		return p.daveTalks(ctx, "david-0")
	})
	p.said = append(p.said, "david-0")
	p.burst(t, "david", p.daveTalks)
	p.everybodySaw(t)
	p.site.Stack.Do(t, "restart prosody")
	p.burst(t, "ann", p.aliceTalks)
	harness.Eventually(t, func() error {
		ctx, cancel := context.WithTimeout(t.Context(), patienceForOne)
		defer cancel()
		return p.daveTalks(ctx, "dan-0")
	})
	p.everybodySaw(t)
}

// smarthostFails: the mails that were refused for the time being come with the next try, which is a minute later.
func smarthostFails(t *testing.T, p *party) {
	p.site.Sink.SetBusy(true)
	refused := p.site.Sink.Refused()
	p.burst(t, "adele", p.aliceTalks)
	harness.Eventually(t, func() error {
		if p.site.Sink.Refused() == refused {
			return fmt.Errorf("the busy smarthost has been offered nothing")
		}
		return nil
	})
	p.site.Sink.SetBusy(false)
	p.burst(t, "cara", p.carolTalks)
	p.everybodySaw(t)
	said, _, err := p.transcript.Said(t.Context(), p.session)
	require.NoError(t, err)
	inMails(t, p.bob, said)
	require.Zero(t, p.site.Sink.Repeated())
}

// TestGatewaysAreLeftOut holds that the others work when one block is missing.
func TestGatewaysAreLeftOut(t *testing.T) {
	t.Parallel()
	for _, block := range []string{"mail", "matrix", "xmpp"} {
		t.Run(block, func(t *testing.T) {
			t.Parallel()
			s := harness.NewSite(t, harness.Request{Engine: harness.SQLite, Without: []string{block}})
			s.Start(t)
			p := start(t, s)
			if block != "matrix" {
				p.matrixRoom = p.carol.Accept(t, subject)
				p.say(t, "carol-1", p.carolTalks)
			}
			if block != "xmpp" {
				p.xmppRoom = p.dave.Accept(t, subject, "dave")
				p.say(t, "dave-1", p.daveTalks)
			}
			if block != "mail" {
				p.say(t, "bob-1", p.answers(p.bob, p.bob.Mail(t, 0)))
			}
			p.say(t, "alice-2", p.program)
			p.everybodySaw(t)
		})
	}
}

// start is a session that a program started in Alice's name.
func start(t *testing.T, s *harness.Site) *party {
	t.Helper()
	p := &party{
		site: s, bob: s.NewCorrespondent(t, harness.Bob, "Bob"), transcript: s.NewAPI(t, harness.Alice),
		carol: s.NewMatrixUser(t, "carol"), dave: s.NewXMPPUser(t, "dave"),
	}
	p.startByProgram(t)
	return p
}

func (p *party) startByProgram(t *testing.T) {
	t.Helper()
	started, err := p.transcript.StartSession(t.Context(), subject, "alice-1", harness.Bob, "carol@"+harness.Domain, "dave@"+harness.Domain)
	require.NoError(t, err)
	p.session, p.said = started.ID, []string{"alice-1"}
}

// program is how a program talks.
func (p *party) program(ctx context.Context, text string) error {
	return p.transcript.Say(ctx, p.session, text, text)
}

// TestPeersAreDownAtTheStart holds that no peer is needed to start, and that each gets what was meant for it once it is there.
func TestPeersAreDownAtTheStart(t *testing.T) {
	t.Parallel()
	s := harness.NewSite(t, harness.Request{Engine: harness.SQLite})
	s.Stack.Do(t, "stop dendrite")
	s.Stack.Do(t, "stop prosody")
	s.Start(t)
	p := &party{site: s, transcript: s.NewAPI(t, harness.Alice)}
	p.startByProgram(t)
	p.say(t, "alice-2", p.program)
	s.Stack.Do(t, "start dendrite")
	s.Stack.Do(t, "start prosody")
	p.carol, p.dave = s.NewMatrixUser(t, "carol"), s.NewXMPPUser(t, "dave")
	p.matrixRoom, p.xmppRoom = p.carol.Accept(t, subject), p.dave.Accept(t, subject, "dave")
	p.say(t, "carol-1", p.carolTalks)
	p.say(t, "dave-1", p.daveTalks)
	p.everybodySaw(t)
}
