package harness

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"
)

// Patience is how long a person waits for what must come, with room for a busy machine.
const Patience = 90 * time.Second

// pollInterval is the time between two looks.
const pollInterval = 30 * time.Millisecond

// Poll looks until there is no error any more, and returns the last one when the context ends first.
func Poll(ctx context.Context, look func() error) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		err := look()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// Eventually looks until there is no error any more; the test fails with the last one.
func Eventually(t *testing.T, look func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	require.NoError(t, Poll(ctx, look))
}

// Same compares what somebody saw with what was said: an error that tells what is missing, what is there too often, and if
// it is neither, where the order differs.
func Same(who string, said, seen []string) error {
	left := make(map[string]int)
	for _, text := range said {
		left[text]++
	}
	var missing, surplus []string
	for _, text := range seen {
		if left[text]--; left[text] < 0 {
			surplus = append(surplus, text)
		}
	}
	for _, text := range said {
		if left[text] > 0 {
			missing = append(missing, text)
		}
	}
	if len(missing)+len(surplus) > 0 {
		return fmt.Errorf("%s has seen %d of what was said (%d). Missing: %q. Too much: %q", who, len(seen), len(said), missing, surplus)
	}
	if diff := cmp.Diff(said, seen, cmpopts.EquateEmpty()); diff != "" {
		return fmt.Errorf("%s has seen it in another order (-said +seen):\n%s", who, diff)
	}
	return nil
}
