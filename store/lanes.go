package store

import (
	"context"
	"time"

	"mailroom/bridge"

	"github.com/google/uuid"
)

const laneColumns = `session_id, destination, acked, seen, owner, fence, next_try, attempts`

type laneRow struct {
	Session     ID     `db:"session_id"`
	Destination string `db:"destination"`
	Acked       int64  `db:"acked"`
	Seen        int64  `db:"seen"`
	Owner       string `db:"owner"`
	Fence       int64  `db:"fence"`
	NextTry     int64  `db:"next_try"`
	Attempts    int    `db:"attempts"`
}

func (r laneRow) lane() bridge.Lane {
	return bridge.Lane{
		Session: uuid.UUID(r.Session), Destination: bridge.Destination(r.Destination), Acked: r.Acked, Seen: r.Seen,
		Owner: r.Owner, Fence: r.Fence, NextTry: moment(r.NextTry), Attempts: r.Attempts,
	}
}

func (t *tx) AddLane(_ context.Context, session uuid.UUID, d bridge.Destination, after int64) error {
	_, err := t.exec(`insert into lane (session_id, destination, network, acked, seen, owner, fence, next_try, attempts)
		values (?, ?, ?, ?, ?, '', 0, 0, 0) on conflict do nothing`, text(session), string(d), string(d.Network()), after, after)
	return err
}

func (q *queries) GetLane(ctx context.Context, session uuid.UUID, d bridge.Destination) (bridge.Lane, bool, error) {
	var r laneRow
	ok, err := q.get(ctx, &r, `select `+laneColumns+` from lane where session_id = ? and destination = ?`, text(session), string(d))
	return r.lane(), ok, err
}

func (q *queries) ListLanes(ctx context.Context, session uuid.UUID) ([]bridge.Lane, error) {
	var rows []laneRow
	err := q.list(ctx, &rows, `select `+laneColumns+` from lane where session_id = ?
		and acked < (select head from session where id = ?)`, text(session), text(session))
	lanes := make([]bridge.Lane, len(rows))
	for i, r := range rows {
		lanes[i] = r.lane()
	}
	return lanes, err
}

func (q *queries) ListBehind(ctx context.Context, n bridge.Network) ([]uuid.UUID, error) {
	return q.ids(ctx, `select distinct l.session_id from lane l join session s on s.id = l.session_id 
		where l.network = ? and l.acked < s.head and (l.seen < s.head or l.attempts > 0)`, string(n))
}

func (q *queries) ListDue(ctx context.Context, now time.Time) ([]uuid.UUID, error) {
	return q.ids(ctx, `select distinct session_id from lane where next_try > 0 and next_try <= ?`, micros(now))
}

// alive is an expression: does the node that the column names hold its lease?
func (q *queries) alive(column string) string {
	return `exists (select 1 from lease where name = 'node:' || ` + column + ` and expires_at > ` + q.engine.now + `)`
}

// ClaimLane implements outbox.Queue. It looks before it writes, since of
// several nodes all but one only look.
func (s *Store) ClaimLane(ctx context.Context, l bridge.Lane, owner string) (claimed bridge.Lane, ok bool, err error) {
	free := `(owner = '' or owner = ? or not ` + s.alive(`lane.owner`) + `)`
	var r laneRow
	ok, err = s.get(ctx, &r, `select `+laneColumns+` from lane where session_id = ? and destination = ? and `+free,
		text(l.Session), string(l.Destination), owner)
	if err != nil || !ok {
		return l, false, err
	}
	err = s.write(ctx, l.Session, func(t *tx) error {
		ok, err = t.get(ctx, &r, `update lane set owner = ?, fence = fence + 1 where session_id = ? and destination = ? and `+free+` returning `+laneColumns,
			owner, text(l.Session), string(l.Destination), owner)
		t.wrote = true
		return err
	})
	return r.lane(), ok, err
}

func (s *Store) SetLane(ctx context.Context, l bridge.Lane) error {
	return s.write(ctx, l.Session, func(t *tx) error {
		n, err := t.exec(`update lane set acked = ?, seen = ?, next_try = ?, attempts = ? where session_id = ? and destination = ? and fence = ?`,
			l.Acked, l.Seen, micros(l.NextTry), l.Attempts, text(l.Session), string(l.Destination), l.Fence)
		if err == nil && n == 0 {
			return bridge.ErrFenced
		}
		return err
	})
}

// AcquireLease implements outbox.Queue.
func (s *Store) AcquireLease(ctx context.Context, name, owner string, ttl time.Duration) (fence int64, ok bool, err error) {
	err = s.write(ctx, uuid.Nil, func(t *tx) error {
		var r struct {
			Fence int64 `db:"fence"`
		}
		ok, err = t.get(ctx, &r, `insert into lease (name, owner, fence, expires_at) values (?, ?, 1, `+t.engine.now+` + ?)
			on conflict (name) do update set
				fence = case when lease.owner = excluded.owner then lease.fence else lease.fence + 1 end,
				owner = excluded.owner, expires_at = excluded.expires_at
			where lease.owner = excluded.owner or lease.expires_at < `+t.engine.now+` returning fence`,
			name, owner, ttl.Microseconds())
		t.wrote = true
		fence = r.Fence
		return err
	})
	return fence, ok, err
}

func (s *Store) ReleaseLease(ctx context.Context, name, owner string) error {
	return s.write(ctx, uuid.Nil, func(t *tx) error {
		_, err := t.exec(`update lease set expires_at = 0 where name = ? and owner = ?`, name, owner)
		return err
	})
}

// TakeLanes implements outbox.Queue.
func (s *Store) TakeLanes(ctx context.Context, n bridge.Network, owner string) error {
	return s.write(ctx, uuid.Nil, func(t *tx) error {
		_, err := t.exec(`update lane set owner = '', fence = fence + 1 where network = ? and owner <> '' and owner <> ?`, string(n), owner)
		return err
	})
}

// FreeDead implements outbox.Queue.
func (s *Store) FreeDead(ctx context.Context) (freed bool, err error) {
	var dead []string
	err = s.list(ctx, &dead, `select substr(name, 6) from lease where name like 'node:%' and expires_at <= `+s.engine.now)
	if err != nil || len(dead) == 0 {
		return false, err
	}
	err = s.write(ctx, uuid.Nil, func(t *tx) error {
		freed = false
		for _, owner := range dead {
			n, err := t.freeDead(owner)
			if err != nil {
				return err
			}
			freed = freed || n > 0
		}
		return nil
	})
	return freed, err
}

// freeDead frees the lanes of one node, unless it has come back meanwhile.
func (t *tx) freeDead(owner string) (lanes int64, err error) {
	gone, err := t.exec(`delete from lease where name = 'node:' || ? and expires_at <= `+t.engine.now, owner)
	if err != nil || gone == 0 {
		return 0, err
	}
	return t.exec(`update lane set owner = '', fence = fence + 1 where owner = ?`, owner)
}

// FreeLeases ends all leases: for the one owner of a SQLite file, who knows
// that whoever held them is gone.
func (s *Store) FreeLeases(ctx context.Context) error {
	return s.write(ctx, uuid.Nil, func(t *tx) error {
		_, err := t.exec(`delete from lease`)
		return err
	})
}

// Backlog counts what waits to go out, by what it is.
func (s *Store) Backlog(ctx context.Context) (map[string]int64, error) {
	var r struct {
		Mails int64 `db:"mails"`
		Lanes int64 `db:"lanes"`
	}
	_, err := s.get(ctx, &r, `select (select count(*) from mail where state = 'queued') as mails,
		(select count(*) from lane where attempts > 0) as lanes`)
	return map[string]int64{"mails": r.Mails, "failing_lanes": r.Lanes}, err
}
