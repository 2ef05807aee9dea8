package test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mailroom/test/harness"
)

// subject is what the session of each test is about.
const subject = "Tea on Friday"

// party is a session of four people, one on each network, and who they are there.
type party struct {
	site  *harness.Site
	alice *harness.Correspondent // started it by mail
	bob   *harness.Correspondent // has only email
	carol *harness.MatrixUser
	dave  *harness.XMPPUser

	session     string // its UUID
	transcript  *harness.API
	matrixRoom  string           // once Carol is there
	xmppRoom    string           // once Dave is there
	aliceOnPage *harness.WebUser // once she is there
	bobOnPage   *harness.Browser
	said        []string // what was acknowledged, in turn
}

// invite lets Alice write one mail to Bob, Carol and Dave.
func invite(t *testing.T, s *harness.Site) *party {
	t.Helper()
	p := &party{
		site: s, alice: s.NewCorrespondent(t, harness.Alice, "Alice"), bob: s.NewCorrespondent(t, harness.Bob, "Bob"),
		carol: s.NewMatrixUser(t, "carol"), dave: s.NewXMPPUser(t, "dave"),
	}
	letter := p.alice.Write(subject, "alice-1 shall we meet?",
		harness.NewSession, "Bob <"+harness.Bob+">", "carol@"+harness.Domain, "dave@"+harness.Domain)
	require.NoError(t, s.Send(letter))
	p.said = []string{"alice-1 shall we meet?"}
	p.transcript = s.NewAPI(t, harness.Alice)
	sessions, err := p.transcript.Sessions(t.Context())
	require.NoError(t, err)
	require.Len(t, sessions, 1, "one mail is one session")
	require.Equal(t, subject, sessions[0].Subject)
	p.session = sessions[0].ID
	return p
}

// say lets somebody say something until it is acknowledged, and returns when it is in the transcript: people take turns.
func (p *party) say(t *testing.T, text string, how func(ctx context.Context, text string) error) {
	t.Helper()
	harness.Eventually(t, func() error {
		ctx, cancel := context.WithTimeout(t.Context(), patienceForOne)
		defer cancel()
		return how(ctx, text)
	})
	p.said = append(p.said, text)
	harness.Eventually(t, func() error {
		said, _, err := p.transcript.Said(t.Context(), p.session)
		if err != nil {
			return err
		}
		return harness.Same("the transcript", p.said, said)
	})
}

// patienceForOne is how long a person waits for the acknowledgement of one try.
const patienceForOne = 3 * time.Second

// The ways of saying something. Each may be tried again with the same text, and then says it once.

func (p *party) aliceTalks(ctx context.Context, text string) error {
	return p.aliceOnPage.Say(ctx, "client-"+text, text)
}

func (p *party) carolTalks(ctx context.Context, text string) error {
	return p.carol.Say(ctx, p.matrixRoom, text, text)
}

// daveTalks is what an XMPP client does: it connects again, and enters again when the room does not know it any more.
func (p *party) daveTalks(ctx context.Context, text string) error {
	if !p.dave.Connected() {
		if err := p.dave.Connect(); err != nil {
			return err
		}
		if err := p.dave.Enter(ctx, p.xmppRoom, "dave"); err != nil {
			return err
		}
	}
	err := p.dave.Say(ctx, p.xmppRoom, text, text)
	var refusal *harness.StanzaError
	if errors.As(err, &refusal) && strings.Contains(refusal.Stanza.Inner, "not-acceptable") {
		return errors.Join(err, p.dave.Enter(ctx, p.xmppRoom, "dave"))
	}
	return err
}

// answers is how somebody talks by answering a mail.
func (p *party) answers(who *harness.Correspondent, m harness.Mail) func(ctx context.Context, text string) error {
	return p.sends(func(text string) harness.Letter { return who.Answer(m, text) })
}

// sends is how somebody talks by mail. A mail server that got no answer sends the very same mail again.
func (p *party) sends(write func(text string) harness.Letter) func(ctx context.Context, text string) error {
	letters := make(map[string]harness.Letter)
	return func(_ context.Context, text string) error {
		letter, known := letters[text]
		if !known {
			letter = write(text)
			letters[text] = letter
		}
		return p.site.Send(letter)
	}
}

// sawByMail waits until somebody has read exactly this in their mails, in this order.
func sawByMail(t *testing.T, who *harness.Correspondent, what ...string) {
	t.Helper()
	harness.Eventually(t, func() error { return harness.Same(who.Address+" by mail", what, who.Seen()) })
}

// everybodySaw waits until each person has seen each message of each other, once and in order.
func (p *party) everybodySaw(t *testing.T) {
	t.Helper()
	harness.Eventually(t, func() error { return p.unseen(t) })
}

// unseen compares what everybody has seen with the transcript: an error that says who lacks what.
func (p *party) unseen(t *testing.T) error {
	said, brought, err := p.transcript.Said(t.Context(), p.session)
	if err != nil {
		return err
	}
	if p.xmppRoom != "" {
		if err := harness.Same("XMPP: "+p.dave.JID, said, p.dave.Seen(p.xmppRoom)); err != nil {
			return err
		}
	}
	if p.matrixRoom != "" {
		if err := p.unseenOnMatrix(t, said, brought); err != nil {
			return err
		}
	}
	if p.bobOnPage != nil {
		if err := harness.Same("Bob in Chromium", said, p.bobOnPage.Seen()); err != nil {
			return err
		}
	}
	if p.aliceOnPage == nil {
		return nil
	}
	return harness.Same("Alice on the page", said, p.aliceOnPage.Seen())
}

// unseenOnMatrix: everything is there once, and what Mailroom brings is in the log's order.
func (p *party) unseenOnMatrix(t *testing.T, said, brought []string) error {
	seen, ghosts, err := p.carol.Seen(t.Context(), p.matrixRoom)
	if err != nil {
		return err
	}
	if err := harness.Same("Matrix: what Mailroom brings", brought, ghosts); err != nil {
		return err
	}
	return harness.Same("Matrix: "+p.carol.ID, sorted(said), sorted(seen))
}

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
	p.everybodySaw(t)

	middle()

	p.bobOnPage = harness.NewBrowser(t, invitation.Link)
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
