package bridge

import (
	"context"
	"sync"
	"time"
)

const (
	// maxLater is how many things are done afterwards at the same time; more are
	// dropped, and whoever asked for them asks again.
	maxLater  = 64
	laterTime = 30 * time.Second
)

// background is what is done after its answer was given.
type background struct {
	places  chan struct{}
	running sync.WaitGroup
}

func newBackground() background { return background{places: make(chan struct{}, maxLater)} }

// later does something after the answer, so that its time tells nothing.
func (s *Service) later(ctx context.Context, what string, do func(context.Context) error) {
	select {
	case s.background.places <- struct{}{}:
	default:
		s.log.Warn("too much is asked for at once; some of it was dropped", "what", what)
		return
	}
	s.background.running.Go(func() {
		defer func() { <-s.background.places }()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), laterTime)
		defer cancel()
		if err := do(ctx); err != nil {
			s.log.Error("something could not be done afterwards", "what", what, "error", err)
		}
	})
}

// Wait returns when everything that was put off is done.
func (s *Service) Wait() { s.background.running.Wait() }
