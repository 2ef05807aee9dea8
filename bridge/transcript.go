package bridge

import (
	"context"

	"github.com/google/uuid"
)

// MaxPage is the most records that one call returns.
const MaxPage = 500

// View is the room as a member may see it, and who they are in it. Errors:
// NotFound.
func (s *Service) View(ctx context.Context, session uuid.UUID, by Identity) (*Room, Member, error) {
	room, err := s.Room(ctx, session)
	if err != nil {
		return nil, Member{}, err
	}
	m, err := gate(room, by, ActRead, s.now())
	if err != nil {
		return nil, Member{}, err
	}
	return room, m, nil
}

// Records lists what follows after a seq, in order, at most limit records.
func (s *Service) Records(ctx context.Context, session uuid.UUID, by Identity, after int64, limit int) ([]Record, error) {
	if _, _, err := s.View(ctx, session, by); err != nil {
		return nil, err
	}
	return s.store.ListRecords(ctx, session, after, page(limit))
}

// RecordsBefore lists the last records before a seq, in order; before 0 means
// the newest.
func (s *Service) RecordsBefore(ctx context.Context, session uuid.UUID, by Identity, before int64, limit int) ([]Record, error) {
	if _, _, err := s.View(ctx, session, by); err != nil {
		return nil, err
	}
	return s.store.ListRecordsBefore(ctx, session, before, page(limit))
}

// Log is Records for a gateway that serves the session; it asks no permission.
func (s *Service) Log(ctx context.Context, session uuid.UUID, after int64, limit int) ([]Record, error) {
	return s.store.ListRecords(ctx, session, after, page(limit))
}

// Sessions lists the sessions that the identity's address is a member of,
// newest first.
func (s *Service) Sessions(ctx context.Context, by Identity, limit int) ([]Session, error) {
	if by.Address.IsZero() {
		return nil, errNoSession
	}
	return s.store.ListSessions(ctx, by.Address, page(limit))
}

func page(limit int) int {
	if limit <= 0 || limit > MaxPage {
		return MaxPage
	}
	return limit
}
