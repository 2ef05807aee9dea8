package outbox

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"
)

// PollChanged publishes the sessions that other nodes have changed, each Poll,
// until ctx ends: the floor under hints that were lost on their way. Sessions
// are listed twice rather than missed when the clocks of the nodes differ by
// up to two polls.
func PollChanged(ctx context.Context, queue Queue, publish func(uuid.UUID), logger *slog.Logger) {
	ticker := time.NewTicker(Poll)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			sessions, err := queue.ListChanged(ctx, now.Add(-3*Poll))
			if err != nil {
				logger.Error("cannot list changed sessions", "error", err)
				continue
			}
			for _, s := range sessions {
				publish(s)
			}
		}
	}
}
