package bridge

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Limits hold off abuse; 0 is no limit. Those of a day are counted in the
// database, over all nodes, and an operator can see and lift them.
type Limits struct {
	InitiatorSessions    int // sessions that one person starts, in a day
	InitiatorInvitations int // people whom one person invites, in a day
	NetworkSessions      int // sessions that are started from one domain or server, in a day
	PairInvitations      int // invitations of one person by the same other, in a day
	RecipientInvitations int // invitations mailed to one address, in a day; more wait
	MemberMessages       int // messages of one member in one session, in a minute, on one node
}

const (
	reportsInDay = 20
	day          = 24 * time.Hour
)

// Usage is how much of a limit was used in a day.
type Usage struct {
	Name     string // as "sessions alice@example.org"
	StartsAt time.Time
	Used     int
}

// limit is one that is counted for somebody.
type limit struct {
	name string
	max  int
}

func limitOf(what, whom string, max int) limit { return limit{what + " " + whom, max} }

// use counts one use. Errors: TooMany.
func (s *Service) use(ctx context.Context, tx Tx, l limit) error { return s.useMany(ctx, tx, l, 1) }

func (s *Service) useMany(ctx context.Context, tx Tx, l limit, n int) error {
	if l.max <= 0 || n == 0 {
		return nil
	}
	used, err := tx.AddUse(ctx, l.name, s.now().Truncate(day), n)
	if err == nil && used > l.max {
		err = &Error{TooMany, "That was too much for one day (" + l.name + ": " + itoa(l.max) + " a day). Try again tomorrow, or ask the people who run this service."}
	}
	return err
}

// countStart counts a new session of an initiator.
func (s *Service) countStart(ctx context.Context, tx Tx, by Address) error {
	if err := s.use(ctx, tx, limitOf("sessions", by.String(), s.config.Limits.InitiatorSessions)); err != nil {
		return err
	}
	return s.use(ctx, tx, limitOf("sessions-from", by.Domain(), s.config.Limits.NetworkSessions))
}

// countInvitations counts whom somebody invites.
func (s *Service) countInvitations(ctx context.Context, tx Tx, by Address, invited []Member) error {
	if err := s.useMany(ctx, tx, limitOf("invitations", by.String(), s.config.Limits.InitiatorInvitations), len(invited)); err != nil {
		return err
	}
	for _, m := range invited {
		pair := by.String() + " to " + m.Address.String()
		if err := s.use(ctx, tx, limitOf("invitations", pair, s.config.Limits.PairInvitations)); err != nil {
			return err
		}
	}
	return nil
}

// Usages lists what was used of the limits today, most first. Errors: Forbidden.
func (s *Service) Usages(ctx context.Context, by Identity, limit int) ([]Usage, error) {
	if err := operate(by); err != nil {
		return nil, err
	}
	return s.store.ListUsages(ctx, s.now().Truncate(day), page(limit))
}

// Lift forgets what was used of a limit, so that it begins anew. Errors:
// NotFound, Forbidden.
func (s *Service) Lift(ctx context.Context, by Identity, name string) error {
	if err := operate(by); err != nil {
		return err
	}
	return s.store.Write(ctx, uuid.Nil, func(tx Tx) error {
		lifted, err := tx.DeleteUsage(ctx, name)
		if err != nil {
			return err
		}
		if !lifted {
			return &Error{NotFound, "No limit of that name was used. See: mailroom limits list"}
		}
		return tx.AddAudit(ctx, AuditEntry{ID: uuid.Must(uuid.NewV7()), At: s.now(), Who: auditor(by), Act: "lift", About: name})
	})
}

// pace lets each member say only so much in a minute.
type pace struct {
	mu      sync.Mutex
	minute  time.Time
	said    map[uuid.UUID]int
	perTime int
}

var errTooFast = &Error{TooMany, "You are writing faster than this service takes it. Wait a minute and send it again."}

// allow counts one message. The counts begin anew with each minute.
func (p *pace) allow(member uuid.UUID, now time.Time) error {
	if p.perTime <= 0 {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if minute := now.Truncate(time.Minute); !minute.Equal(p.minute) {
		p.minute, p.said = minute, make(map[uuid.UUID]int)
	}
	p.said[member]++
	if p.said[member] > p.perTime {
		return errTooFast
	}
	return nil
}
