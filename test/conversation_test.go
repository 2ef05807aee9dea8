package test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mailroom/test/harness"
)

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
