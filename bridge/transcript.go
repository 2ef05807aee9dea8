package bridge

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// MaxPage is the most records that one call returns.
const MaxPage = 500

// View is the room as a member may see it, and who they are in it. Errors:
// NotFound.
func (s *Service) View(ctx context.Context, session uuid.UUID, by Identity) (*Room, Member, error) {
	room, m, err := s.look(ctx, session, by, ActRead)
	if err != nil {
		return nil, Member{}, err
	}
	return room.shownTo(m), m, nil
}

// Look is View for what an invitation tells the holder of a token: it does not
// open the transcript. Errors: NotFound.
func (s *Service) Look(ctx context.Context, h Holder) (*Room, Member, error) {
	room, m, err := s.look(ctx, h.Session, h.Identity(Web), ActLook)
	if err != nil {
		return nil, Member{}, err
	}
	return room.shownTo(m), m, nil
}

// Records lists what follows after a seq, in order, at most limit records. A
// record that the reader may not see is there with its place alone.
func (s *Service) Records(ctx context.Context, session uuid.UUID, by Identity, after int64, limit int) ([]Record, error) {
	room, me, err := s.look(ctx, session, by, ActRead)
	if err != nil {
		return nil, err
	}
	records, err := s.store.ListRecords(ctx, session, max(after, me.FromSeq), page(limit))
	return room.seen(me, records), err
}

// RecordsBefore lists the last records before a seq, in order; before 0 means
// the newest.
func (s *Service) RecordsBefore(ctx context.Context, session uuid.UUID, by Identity, before int64, limit int) ([]Record, error) {
	room, me, err := s.look(ctx, session, by, ActRead)
	if err != nil {
		return nil, err
	}
	records, err := s.store.ListRecordsBefore(ctx, session, before, page(limit))
	return room.seen(me, records), err
}

// KeptFor is how long the messages of a session with these options are kept: as
// long as it says, or as the installation does if that is less; 0 is for ever.
func (s *Service) KeptFor(o Options) time.Duration {
	kept, all := o.KeepFor, s.config.KeepFor
	if kept == 0 || all != 0 && all < kept {
		kept = all
	}
	return kept
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
