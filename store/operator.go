package store

import (
	"context"
	"time"

	"mailroom/bridge"

	"github.com/google/uuid"
)

// AddUse implements bridge.Tx.
func (t *tx) AddUse(ctx context.Context, name string, startsAt time.Time, n int) (int, error) {
	var r struct {
		Used int `db:"used"`
	}
	t.wrote = true
	_, err := t.get(ctx, &r, `insert into quota (name, starts_at, used) values (?, ?, ?)
		on conflict (name, starts_at) do update set used = quota.used + excluded.used returning used`, name, micros(startsAt), n)
	return r.Used, err
}

func (q *queries) ListUsages(ctx context.Context, since time.Time, limit int) ([]bridge.Usage, error) {
	var rows []struct {
		Name     string `db:"name"`
		StartsAt int64  `db:"starts_at"`
		Used     int    `db:"used"`
	}
	err := q.list(ctx, &rows, `select name, starts_at, used from quota where starts_at >= ? order by used desc, name limit ?`, micros(since), limit)
	usages := make([]bridge.Usage, len(rows))
	for i, r := range rows {
		usages[i] = bridge.Usage{Name: r.Name, StartsAt: moment(r.StartsAt), Used: r.Used}
	}
	return usages, err
}

func (t *tx) DeleteUsage(_ context.Context, name string) (bool, error) {
	n, err := t.exec(`delete from quota where name = ?`, name)
	return n > 0, err
}

// Sweep drops what has served: the counts of earlier days, codes and sign-ins
// that are over.
func (s *Store) Sweep(ctx context.Context, now time.Time) error {
	return s.write(ctx, uuid.Nil, func(t *tx) error {
		for query, before := range map[string]time.Time{
			`delete from quota where starts_at < ?`:    now.Add(-48 * time.Hour),
			`delete from code where expires_at < ?`:    now.Add(-2 * time.Hour),
			`delete from sign_in where expires_at < ?`: now,
		} {
			if _, err := t.exec(query, micros(before)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *tx) AddAudit(_ context.Context, e bridge.AuditEntry) error {
	_, err := t.exec(`insert into audit (id, at, who, act, session_id, about) values (?, ?, ?, ?, ?, ?)`,
		text(e.ID), micros(e.At), e.Who, string(e.Act), text(e.Session), e.About)
	return err
}

func (q *queries) ListAudit(ctx context.Context, limit int) ([]bridge.AuditEntry, error) {
	var rows []struct {
		ID      ID     `db:"id"`
		At      int64  `db:"at"`
		Who     string `db:"who"`
		Act     string `db:"act"`
		Session ID     `db:"session_id"`
		About   string `db:"about"`
	}
	err := q.list(ctx, &rows, `select id, at, who, act, session_id, about from audit order by id desc limit ?`, limit)
	entries := make([]bridge.AuditEntry, len(rows))
	for i, r := range rows {
		entries[i] = bridge.AuditEntry{
			ID: uuid.UUID(r.ID), At: moment(r.At), Who: r.Who, Act: bridge.Act(r.Act), Session: uuid.UUID(r.Session), About: r.About,
		}
	}
	return entries, err
}

// Tally counts the sessions that were off the record and are over, and the
// reports of abuse, since the installation began.
func (s *Store) Tally(ctx context.Context) (over, reports int64, err error) {
	var r struct {
		Over    int64 `db:"over"`
		Reports int64 `db:"reports"`
	}
	_, err = s.get(ctx, &r, `select (select count(*) from session where keeper <> '' and state = 'over') as "over",
		(select count(*) from audit where act = ?) as reports`, string(bridge.ActReport))
	return r.Over, r.Reports, err
}

// SetNode says where the other nodes reach this one.
func (s *Store) SetNode(ctx context.Context, name, url string) error {
	return s.write(ctx, uuid.Nil, func(t *tx) error {
		if _, err := t.exec(`delete from node where not ` + t.alive(`node.name`)); err != nil {
			return err
		}
		_, err := t.exec(`insert into node (name, url) values (?, ?) on conflict (name) do update set url = excluded.url`, name, url)
		return err
	})
}

// Node is where a node can be reached, "" if that is not known.
func (s *Store) Node(ctx context.Context, name string) (string, error) {
	var r struct {
		URL string `db:"url"`
	}
	_, err := s.get(ctx, &r, `select url from node where name = ?`, name)
	return r.URL, err
}
