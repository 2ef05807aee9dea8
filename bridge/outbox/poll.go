package outbox

import (
	"context"
	"log/slog"
	"time"

	"mailroom/bridge"

	"github.com/google/uuid"
)

// lookBack is how far before the last successful poll a poll looks: longer than
// a commit may take, and than the clocks of the nodes may differ.
const lookBack = 10 * time.Second

// PollChanged publishes the sessions that other nodes have changed, each Poll,
// until ctx ends: the floor under hints that were lost on their way.
func PollChanged(ctx context.Context, queue Queue, publish func(uuid.UUID), logger *slog.Logger) {
	ticker := time.NewTicker(Poll)
	defer ticker.Stop()
	last := time.Now()
	known := make(map[uuid.UUID]bridge.Change)
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			changes, err := queue.ListChanged(ctx, last.Add(-lookBack))
			if err != nil {
				logger.Error("cannot list changed sessions", "error", err)
				continue
			}
			last = now
			known = publishNew(changes, known, publish)
		}
	}
}

// publishNew publishes what is not known yet, and returns what is known now.
func publishNew(changes []bridge.Change, known map[uuid.UUID]bridge.Change, publish func(uuid.UUID)) map[uuid.UUID]bridge.Change {
	now := make(map[uuid.UUID]bridge.Change, len(changes))
	for _, c := range changes {
		now[c.Session] = c
		if known[c.Session] != c {
			publish(c.Session)
		}
	}
	return now
}
