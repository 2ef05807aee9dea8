package test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"mailroom/test/harness"
)

// TestPeersFailForAWhile holds that what is said while a peer is down is delivered afterwards, in order and once.
func TestPeersFailForAWhile(t *testing.T) {
	t.Parallel()
	p := newParty(t, harness.Request{Engine: harness.SQLite})
	t.Run("Dendrite", func(t *testing.T) { dendriteFails(t, p) })
	t.Run("Prosody", func(t *testing.T) { prosodyFails(t, p) })
	t.Run("smarthost", func(t *testing.T) { smarthostFails(t, p) })
}

// dendriteFails begins when all has arrived: what Dendrite has in hand when it is stopped it hands on half a minute after its
// start, behind what was said since (the redelivery of its own queue).
func dendriteFails(t *testing.T, p *party) {
	p.allArrives(t)
	p.site.Stack.Do(t, "stop dendrite")
	p.burst(t, "alice", p.aliceTalks)
	p.burst(t, "dave", p.daveTalks)
	p.burst(t, "bob", p.answers(p.bob, p.bob.Mail(t, 0)))
	p.site.Stack.Do(t, "start dendrite")
	p.burst(t, "carol", p.carolTalks)
	p.allArrives(t)
}

func prosodyFails(t *testing.T, p *party) {
	p.site.Stack.Do(t, "stop prosody")
	p.burst(t, "alice", p.aliceTalks)
	p.burst(t, "carol", p.carolTalks)
	p.site.Stack.Do(t, "start prosody")
	p.daveIsBack(t)
	p.burst(t, "dave", p.daveTalks)
	p.allArrives(t)
	p.site.Stack.Do(t, "restart prosody")
	p.burst(t, "alice", p.aliceTalks)
	p.daveIsBack(t)
	p.allArrives(t)
}

// smarthostFails: the mails that were refused for the time being come with the next try, which is a minute later.
func smarthostFails(t *testing.T, p *party) {
	p.site.Sink.SetBusy(true)
	refused := p.site.Sink.Refused()
	p.burst(t, "dave", p.daveTalks)
	harness.Eventually(t, func() error {
		if p.site.Sink.Refused() == refused {
			return errors.New("the busy smarthost has been offered nothing")
		}
		return nil
	})
	p.site.Sink.SetBusy(false)
	p.burst(t, "carol", p.carolTalks)
	p.allArrives(t)
	for _, who := range []*harness.Correspondent{p.alice, p.bob} {
		inMails(t, who, p.transcribed(t))
	}
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
