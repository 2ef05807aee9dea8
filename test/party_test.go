package test

import (
	"context"
	"testing"

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

// newParty is a session in which all four are.
func newParty(t *testing.T, r harness.Request) *party {
	t.Helper()
	s := harness.NewSite(t, r)
	s.Start(t)
	p := invite(t, s)
	p.everybodyIsHere(t)
	return p
}

// everybodyIsHere brings all four into the session: Alice on the page, Bob by his answer, Carol and Dave in their clients.
func (p *party) everybodyIsHere(t *testing.T) {
	t.Helper()
	p.matrixRoom = p.carol.Accept(t, subject)
	p.xmppRoom = p.dave.Accept(t, subject, "dave")
	p.aliceOnPage = p.site.NewWebUser(t, p.alice.Mail(t, 0).Link)
	p.say(t, "bob-0", p.answers(p.bob, p.bob.Mail(t, 0)))
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
