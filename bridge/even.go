package bridge

import (
	"context"
	"time"
)

// evenTime is the grid on which it is answered that there is nothing.
const evenTime = 2 * time.Millisecond

// even holds NotFound back until a whole number of evenTimes has passed since the question. Whoever may not know of a session
// gets the same answer whether it is there or not, and a session that is there takes longer to be looked through: without
// this its time would tell (SPEC F2). Everybody else waits for nothing.
func even(ctx context.Context, asked time.Time, err error) error {
	if CodeOf(err) == NotFound {
		pause(ctx, asked)
	}
	return err
}

// pause waits until a whole number of evenTimes has passed since the question.
func pause(ctx context.Context, asked time.Time) {
	wait := time.NewTimer(evenTime - time.Since(asked)%evenTime)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done(): // nobody waits for the answer any more
	}
}
