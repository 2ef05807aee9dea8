package test

import (
	"math/rand/v2"
	"os"
	"strconv"
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
