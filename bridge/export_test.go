package bridge

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// SetClock makes the service live at the time that now says.
func (s *Service) SetClock(now func() time.Time) { s.now = now }

// May asks the gate, and does nothing.
func (s *Service) May(ctx context.Context, session uuid.UUID, by Identity, act Act) error {
	_, _, err := s.look(ctx, session, by, act)
	return err
}
