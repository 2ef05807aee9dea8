package test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mailroom/test/harness"
)

// pace is the time between two messages of one person.
const pace = 100 * time.Millisecond

// TestCrash holds that a crash at any moment loses nothing that was acknowledged, doubles nothing, and keeps the order.
func TestCrash(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]struct {
		request harness.Request
		kills   int
		life    time.Duration // the longest
	}{
		"sqlite": {harness.Request{Engine: harness.SQLite}, 20, 2 * time.Second},
		// On PostgreSQL a node waits until the lease of the one before has run out: that takes 5 s.
		"postgres":  {harness.Request{Engine: harness.PostgreSQL}, 6, 9 * time.Second},
		"two nodes": {harness.Request{Engine: harness.PostgreSQL, Nodes: 2}, 6, 9 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newParty(t, run.request)
			c := startConversation(t, p)
			moments := random(t)
			for i := range run.kills {
				node := p.site.Nodes[i%len(p.site.Nodes)]
				<-time.After(time.Duration(moments.Int64N(int64(run.life))))
				node.Kill(t)
				node.Start(t)
			}
			for _, node := range p.site.Nodes {
				node.AwaitReady(t)
			}
			c.stop(t)
			c.check(t)
		})
	}
}

// random is the source of the moments. MAILROOM_TEST_SEED makes them those of an earlier run.
func random(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("MAILROOM_TEST_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("MAILROOM_TEST_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, seed))
}

// everybodyIsHere brings all four into the session: Alice on the page, Bob by his answer, Carol and Dave in their clients.
func (p *party) everybodyIsHere(t *testing.T) {
	t.Helper()
	p.matrixRoom = p.carol.Accept(t, subject)
	p.xmppRoom = p.dave.Accept(t, subject, "dave")
	p.aliceOnPage = p.site.NewWebUser(t, p.alice.Mail(t, 0).Link)
	p.say(t, "bob-0", p.answers(p.bob, p.bob.Mail(t, 0)))
}

// conversation is four people who talk at once, each by their own network, and do not stop because something is down; and Anna,
// who starts one session after the other by mail.
type conversation struct {
	*party
	anna    *harness.Correspondent
	cancel  context.CancelFunc
	over    chan struct{} // closed: say nothing new
	talkers sync.WaitGroup
	talk    journal
	starts  journal
}

// journal is what was acknowledged.
type journal struct {
	mu       sync.Mutex
	texts    []string
	failures []error
}

func (j *journal) note(text string, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err != nil {
		j.failures = append(j.failures, fmt.Errorf("%s: %w", text, err))
		return
	}
	j.texts = append(j.texts, text)
}

// guest is invited into Anna's sessions.
const guest = "guest@mailbox.test"

func startConversation(t *testing.T, p *party) *conversation {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	c := &conversation{party: p, anna: p.site.NewCorrespondent(t, harness.Anna, "Anna"), cancel: cancel, over: make(chan struct{})}
	c.talk.texts = p.said
	c.start(ctx, pace, &c.talk, "alice", p.aliceTalks)
	c.start(ctx, pace, &c.talk, "bob", p.answers(p.bob, p.bob.Mail(t, 0)))
	c.start(ctx, pace, &c.talk, "carol", p.carolTalks)
	c.start(ctx, pace, &c.talk, "dave", p.daveTalks)
	c.start(ctx, 5*pace, &c.starts, "session", p.sends(func(text string) harness.Letter {
		return c.anna.Write(text, "Hello", harness.NewSession, guest)
	}))
	return c
}

// start lets somebody say name-1, name-2 and so on; each is tried until it is acknowledged.
func (c *conversation) start(ctx context.Context, pace time.Duration, j *journal, name string, say func(ctx context.Context, text string) error) {
	c.talkers.Go(func() {
		tick := time.NewTicker(pace)
		defer tick.Stop()
		for n := 1; ; n++ {
			select {
			case <-c.over:
				return
			case <-tick.C:
			}
			text := fmt.Sprintf("%s-%d", name, n)
			j.note(text, harness.Poll(ctx, func() error {
				try, cancel := context.WithTimeout(ctx, patienceForOne)
				defer cancel()
				return say(try, text)
			}))
		}
	})
}

// stop lets everybody say their last word until it is acknowledged.
func (c *conversation) stop(t *testing.T) {
	t.Helper()
	close(c.over)
	tooLate := time.AfterFunc(harness.Patience, c.cancel)
	defer tooLate.Stop()
	c.talkers.Wait()
	require.Empty(t, c.talk.failures)
	require.Empty(t, c.starts.failures)
	t.Logf("%d messages and %d new sessions were acknowledged", len(c.talk.texts), len(c.starts.texts))
}

// check waits until everybody has seen everything, and holds that the transcript has what was acknowledged, once, in the order
// in which each person said it.
func (c *conversation) check(t *testing.T) {
	t.Helper()
	c.said = c.talk.texts
	c.allArrives(t)
	for _, who := range []*harness.Correspondent{c.alice, c.bob} {
		inMails(t, who, c.transcribed(t))
	}
	c.checkStarts(t)
}

// checkStarts holds that each mail has made one session with one invitation.
func (c *conversation) checkStarts(t *testing.T) {
	t.Helper()
	sessions, err := c.site.NewAPI(t, harness.Anna).Sessions(t.Context())
	require.NoError(t, err)
	var subjects []string
	for _, s := range sessions {
		subjects = append(subjects, s.Subject)
	}
	require.NoError(t, harness.Same("Anna's list of sessions", sorted(c.starts.texts), sorted(subjects)))
	harness.Eventually(t, func() error {
		var invitations []string
		for _, m := range c.site.Sink.Mails(guest) {
			invitations = append(invitations, m.Subject)
		}
		return harness.Same("the guest's mailbox", sorted(c.starts.texts), sorted(invitations))
	})
}

var numbered = regexp.MustCompile(`^([a-z]+)-(\d+)$`)

// inOrder: what each person said stands in the order in which they said it.
func inOrder(t *testing.T, said []string) {
	t.Helper()
	last := make(map[string]int)
	for _, text := range said {
		parts := numbered.FindStringSubmatch(text)
		if parts == nil {
			continue
		}
		n, err := strconv.Atoi(parts[2])
		require.NoError(t, err)
		require.GreaterOrEqual(t, n, last[parts[1]], "%s stands after %s-%d", text, parts[1], last[parts[1]])
		last[parts[1]] = n
	}
}

// inMails waits until the mails have shown everything that the others said since the person was there, in the log's order.
func inMails(t *testing.T, who *harness.Correspondent, said []string) {
	t.Helper()
	own, _, _ := strings.Cut(who.Address, "@")
	var others []string
	for _, text := range said {
		if parts := numbered.FindStringSubmatch(text); parts != nil && parts[1] != own {
			others = append(others, text)
		}
	}
	harness.Eventually(t, func() error {
		seen := who.Seen()
		if len(seen) > 0 && seen[0] == "alice-1" && own == "bob" {
			seen = seen[1:] // the first message, in the invitation
		}
		return harness.Same(who.Address+" by mail", others, seen)
	})
}
