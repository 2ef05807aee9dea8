package bridge

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// AuditEntry is an act of somebody with power over others' sessions, or a
// report of abuse.
type AuditEntry struct {
	ID      uuid.UUID
	At      time.Time
	Who     string // an address, or "operator" for the command line
	Act     Act
	Session uuid.UUID
	About   string
}

// auditor is who did it.
func auditor(by Identity) string {
	if by.Address.IsZero() {
		return "operator"
	}
	return by.Address.String()
}

// audit notes an act that the identity could do as an operator alone, whatever
// else they are in the session.
func (s *Service) audit(ctx context.Context, tx Tx, room *Room, by Identity, act Act, about string) error {
	_, standing := room.standing(by, s.now())
	if !by.Admin || rules[act].who[standing] == yes {
		return nil
	}
	return tx.AddAudit(ctx, AuditEntry{
		ID: uuid.Must(uuid.NewV7()), At: s.now(), Who: auditor(by), Act: act, Session: room.Session.ID, About: about,
	})
}

// Audit lists the newest entries first. Errors: Forbidden.
func (s *Service) Audit(ctx context.Context, by Identity, limit int) ([]AuditEntry, error) {
	if err := operate(by); err != nil {
		return nil, err
	}
	return s.store.ListAudit(ctx, page(limit))
}

// MaxReport is the longest report of abuse, in bytes.
const MaxReport = 4 << 10

// Report tells the operators of abuse in a session. Nobody in it learns of it.
// Errors: NotFound, TooMany.
func (s *Service) Report(ctx context.Context, session uuid.UUID, by Identity, text string) error {
	if len(text) > MaxReport {
		return &Error{TooMany, "That report is too long. Write up to " + itoa(MaxReport>>10) + " KiB."}
	}
	err := s.within(ctx, session, func(tx Tx, room *Room) error {
		m, err := gate(room, by, ActReport, s.now())
		if err != nil {
			return err
		}
		if err := s.use(ctx, tx, limitOf("reports", m.Address.String(), reportsInDay)); err != nil {
			return err
		}
		return tx.AddAudit(ctx, AuditEntry{
			ID: uuid.Must(uuid.NewV7()), At: s.now(), Who: m.Address.String(), Act: ActReport, Session: session, About: text,
		})
	})
	if err == nil {
		s.log.Warn("abuse was reported; see: mailroom audit", "session", session)
	}
	return err
}
