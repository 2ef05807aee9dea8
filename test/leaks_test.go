package test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"mailroom/test/harness"
)

// A leak is something that somebody learns whom no email let know it: that there is a session, a member, an address, an
// account; that somebody is there, reads, writes. TestLeaks is the table of the probes for them, each through the real
// protocol. docs/privacy.md shows the same table to people.

// probe asks for a thing: once for one that exists, once for one that does not. Whoever asks must not be able to tell the
// answers apart, by what they say or by the time that they take.
type probe struct {
	name            string
	exists, missing string
	// ask returns all that came back, with the thing's own name taken out.
	ask func(ctx context.Context, thing string) (any, error)
	// prepare is what is done before each question, and takes no time that counts; it may be nil.
	prepare func() error
	timed   bool
}

func (p probe) answer(ctx context.Context, thing string) (answer any, took time.Duration, err error) {
	if p.prepare != nil {
		if err := p.prepare(); err != nil {
			return nil, 0, err
		}
	}
	start := time.Now()
	answer, err = p.ask(ctx, thing)
	return answer, time.Since(start), err
}

// try compares what is answered and, for one probe of each kind, how long it takes.
func (p probe) try(t *testing.T) {
	t.Helper()
	t.Run(p.name, func(t *testing.T) {
		want := p.alike(t)
		if !p.timed {
			return
		}
		sameTime(t, func(thing string) (time.Duration, error) {
			got, took, err := p.answer(t.Context(), thing)
			if err == nil && !cmp.Equal(want, got) {
				err = fmt.Errorf("%s is answered in another way now: %s", thing, cmp.Diff(want, got))
			}
			return took, err
		}, p.exists, p.missing)
	})
}

// alike returns the answer for what does not exist, which is that for what exists.
func (p probe) alike(t *testing.T) any {
	t.Helper()
	want, _, err := p.answer(t.Context(), p.missing)
	require.NoError(t, err)
	got, _, err := p.answer(t.Context(), p.exists)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(want, got), "it tells that %s exists", p.exists)
	return want
}

const (
	pairs     = 200  // of measurements, one for each of the two
	tolerance = 0.05 // by which their medians may differ
	warmUps   = 10
)

// repeats is how many requests each measurement is the fastest of, in one try after the other: a machine that works at
// something else adds to what they take, and never takes away. What really takes longer does so in every try.
var repeats = []int{1, 3, 9}

// sameTime holds that two things take the same time.
func sameTime(t *testing.T, ask asker, exists, missing string) {
	t.Helper()
	var seen []string
	for _, n := range repeats {
		with, without, err := medians(ask.fastest(n), exists, missing)
		require.NoError(t, err)
		off := float64((with - without).Abs()) / float64(max(with, without))
		seen = append(seen, fmt.Sprintf("%v and %v, %.1f %%", with, without, 100*off))
		if off <= tolerance {
			t.Log(seen)
			return
		}
	}
	require.Failf(t, "the time tells whether it exists", "medians with and without it: %v", seen)
}

// asker asks for a thing and says how long the answer took.
type asker func(thing string) (time.Duration, error)

// fastest asks n times.
func (a asker) fastest(n int) asker {
	return func(thing string) (least time.Duration, err error) {
		for i := range n {
			took, err := a(thing)
			if err != nil {
				return 0, err
			}
			if i == 0 || took < least {
				least = took
			}
		}
		return least, nil
	}
}

// medians measures pairs, the two of each in random order.
func medians(ask asker, exists, missing string) (with, without time.Duration, err error) {
	took := map[string][]time.Duration{}
	for i := range warmUps + pairs {
		order := []string{exists, missing}
		rand.Shuffle(2, func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, thing := range order {
			t, err := ask(thing)
			if err != nil {
				return 0, 0, err
			}
			if i >= warmUps {
				took[thing] = append(took[thing], t)
			}
		}
	}
	return median(took[exists]), median(took[missing]), nil
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

// leaksOf is a session in which everybody is who may be there, and out of which people were thrown.
type leaksOf struct {
	*party
	eve       outsider // was never invited
	mallory   outsider // was inside, and is revoked
	dead      harness.Mail
	exMatrix  string // the room's ID, which Mallory knows
	withToken string // Alice's API token
}

// outsider is somebody without a grant, on every network.
type outsider struct {
	name    string
	address string // of mail
	matrix  *harness.MatrixUser
	xmpp    *harness.XMPPUser
	cookie  string // of the page
	token   string // of the API
}

const malloryMail = "mallory@mailbox.test"

// TestLeaks is the table. It is not run beside others: it measures times.
func TestLeaks(t *testing.T) {
	submission := harness.FreeAddress(t)
	s := harness.NewSite(t, harness.Request{
		Engine: harness.SQLite, Accounts: append([]string{"mallory"}, clocks...),
		Settings: map[string]map[string]any{"mail": {"submission_listen": submission}},
	})
	s.Start(t)
	l := newLeaks(t, s)
	t.Run("web", func(t *testing.T) { webLeaks(t, l) })
	t.Run("API", func(t *testing.T) { apiLeaks(t, l) })
	t.Run("SMTP", func(t *testing.T) { smtpLeaks(t, l, submission) })
	t.Run("Matrix", func(t *testing.T) { matrixLeaks(t, l) })
	t.Run("XMPP", func(t *testing.T) { xmppLeaks(t, l) })
	// Nothing of it has reached anybody.
	sessions, err := l.transcript.Sessions(t.Context())
	require.NoError(t, err)
	require.Len(t, sessions, 1)
	l.everybodySaw(t)
}

// newLeaks brings Mallory into the session of the four by every way there is, and throws him out again.
func newLeaks(t *testing.T, s *harness.Site) *leaksOf {
	t.Helper()
	p := start(t, s)
	p.matrixRoom = p.carol.Accept(t, subject)
	p.xmppRoom = p.dave.Accept(t, subject, "dave")
	l := &leaksOf{party: p, exMatrix: p.matrixRoom}
	l.eve = outsider{
		name: "eve", address: "eve@" + harness.Domain, matrix: s.NewMatrixUser(t, "eve"), xmpp: s.NewXMPPUser(t, "eve"),
		token: s.Nodes[0].Run(t, "token", "create", "--as", "eve@"+harness.Domain),
	}
	l.eve.cookie = "mailroom=" + p.session[:8] + l.eve.token
	l.mallory = outsider{
		name: "mallory", address: malloryMail, matrix: s.NewMatrixUser(t, "mallory"), xmpp: s.NewXMPPUser(t, "mallory"),
		token: s.Nodes[0].Run(t, "token", "create", "--as", malloryMail),
	}
	guests := []string{malloryMail, "@mallory:" + harness.Domain, "xmpp:mallory@" + harness.Domain}
	require.NoError(t, p.transcript.Invite(t.Context(), p.session, guests...))
	mallory := s.NewCorrespondent(t, malloryMail, "Mallory")
	l.dead = mallory.Mail(t, 0)
	page := s.NewWebUser(t, l.dead.Link)
	l.mallory.cookie = page.Cookie(t)
	require.Equal(t, p.matrixRoom, l.mallory.matrix.Accept(t, subject))
	require.Equal(t, p.xmppRoom, l.mallory.xmpp.Accept(t, subject, "mal"))
	l.throwOut(t, guests)
	return l
}

func (l *leaksOf) throwOut(t *testing.T, guests []string) {
	t.Helper()
	room, err := l.transcript.Session(t.Context(), l.session)
	require.NoError(t, err)
	for _, m := range room.Members {
		if slices.Contains(guests, m.Address) {
			require.NoError(t, l.transcript.Revoke(t.Context(), l.session, m.Address))
		}
	}
	harness.Eventually(t, func() error {
		if inside, err := l.mallory.matrix.Joined(t.Context(), l.matrixRoom); inside || err != nil {
			return fmt.Errorf("Mallory is in the Matrix room (%w)", err)
		}
		return nil
	})
}
