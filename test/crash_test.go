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
	for _, run := range []struct {
		engine harness.Engine
		kills  int
		life   time.Duration // the longest
	}{
		{harness.SQLite, 20, 2 * time.Second},
		// On PostgreSQL a node waits until the lease of the one before has run out: that takes 5 s.
		{harness.PostgreSQL, 6, 9 * time.Second},
	} {
		t.Run(string(run.engine), func(t *testing.T) {
			t.Parallel()
			s := harness.NewSite(t, harness.Request{Engine: run.engine})
			s.Start(t)
			p := invite(t, s)
			p.everybodyIsHere(t)
			c := startConversation(t, p)
			moments := random(t)
			for range run.kills {
				<-time.After(time.Duration(moments.Int64N(int64(run.life))))
				s.Nodes[0].Kill(t)
				s.Nodes[0].Start(t)
			}
			s.Nodes[0].AwaitReady(t)
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

// conversation is four people who talk at once, each by their own network, and do not stop because something is down.
type conversation struct {
	*party
	cancel  context.CancelFunc
	over    chan struct{} // closed: say nothing new
	talkers sync.WaitGroup

	mu           sync.Mutex
	acknowledged []string
	failures     []error
}

func startConversation(t *testing.T, p *party) *conversation {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	c := &conversation{party: p, cancel: cancel, over: make(chan struct{}), acknowledged: p.said}
	c.start(ctx, "alice", p.aliceTalks)
	c.start(ctx, "bob", p.answers(p.bob, p.bob.Mail(t, 0)))
	c.start(ctx, "carol", p.carolTalks)
	c.start(ctx, "dave", p.daveTalks)
	return c
}

// start lets somebody say name-1, name-2 and so on; each is tried until it is acknowledged.
func (c *conversation) start(ctx context.Context, name string, say func(ctx context.Context, text string) error) {
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
			err := harness.Poll(ctx, func() error {
				try, cancel := context.WithTimeout(ctx, patienceForOne)
				defer cancel()
				return say(try, text)
			})
			c.note(text, err)
		}
	})
}

func (c *conversation) note(text string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.failures = append(c.failures, fmt.Errorf("%s: %w", text, err))
		return
	}
	c.acknowledged = append(c.acknowledged, text)
}

// stop lets everybody say their last word until it is acknowledged.
func (c *conversation) stop(t *testing.T) {
	t.Helper()
	close(c.over)
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.talkers.Wait()
	}()
	select {
	case <-done:
	case <-time.After(harness.Patience):
		c.cancel()
		<-done
	}
	require.Empty(t, c.failures)
	t.Logf("%d messages were acknowledged", len(c.acknowledged))
}

// check waits until everybody has seen everything, and holds that the transcript has what was acknowledged, once, in the order
// in which each person said it.
func (c *conversation) check(t *testing.T) {
	t.Helper()
	harness.Eventually(t, func() error {
		said, _, err := c.transcript.Said(t.Context(), c.session)
		if err != nil {
			return err
		}
		return harness.Same("the transcript", sorted(c.acknowledged), sorted(said))
	})
	said, _, err := c.transcript.Said(t.Context(), c.session)
	require.NoError(t, err)
	inOrder(t, said)
	c.everybodySaw(t)
	for _, who := range []*harness.Correspondent{c.alice, c.bob} {
		inMails(t, who, said)
	}
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
