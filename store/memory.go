package store

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"mailroom/bridge"

	"github.com/google/uuid"
)

// What is off the record lies in the memory of the session's keeper, a node.
// The database has only how many records there are: a record counts once that
// number has grown over it, so memory that is ahead of a commit is not seen.

// Keeper has the off-the-record sessions of one node. Another node's is reached
// through that node.
type Keeper interface {
	// Keep takes records, at their seqs, and the subject if it is not nil.
	Keep(ctx context.Context, session uuid.UUID, subject *string, records []bridge.Record) error
	// Recall lists what follows after a seq, and the subject; ok is false if
	// nothing is known of the session (any more).
	Recall(ctx context.Context, session uuid.UUID, after int64, limit int) (subject string, records []bridge.Record, ok bool, err error)
	// Find finds the record of an origin.
	Find(ctx context.Context, session uuid.UUID, o bridge.Origin) (r bridge.Record, ok bool, err error)
	Drop(ctx context.Context, session uuid.UUID) error
}

// Memory is the Keeper of this node.
type Memory struct {
	mu       sync.Mutex
	sessions map[uuid.UUID]*volatile
}

// volatile is a session that is nowhere else.
type volatile struct {
	subject string
	records []bridge.Record // by seq, from 1
	origins map[bridge.Origin]int64
	since   time.Time
}

func newMemory() *Memory { return &Memory{sessions: make(map[uuid.UUID]*volatile)} }

// Keep implements Keeper.
func (m *Memory) Keep(_ context.Context, session uuid.UUID, subject *string, records []bridge.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	v := m.sessions[session]
	if v == nil {
		// A session begins in memory: what has records without their first one is
		// one that was lost.
		if len(records) > 0 && records[0].Seq != 1 {
			return fmt.Errorf("session %s is in no memory any more", session)
		}
		v = &volatile{origins: make(map[bridge.Origin]int64), since: time.Now()}
		m.sessions[session] = v
	}
	if subject != nil {
		v.subject = *subject
	}
	for _, r := range records {
		if err := v.keep(r); err != nil {
			return err
		}
	}
	return nil
}

func (v *volatile) keep(r bridge.Record) error {
	r.At = r.At.UTC() // as the database gives it back
	i := int(r.Seq) - 1
	switch {
	case i > len(v.records) || i < 0:
		return fmt.Errorf("record %d of session %s has none before it", r.Seq, r.Session)
	case i == len(v.records):
		v.records = append(v.records, r)
	default: // a transaction that was undone had left one here, or it is emptied
		delete(v.origins, v.records[i].Origin)
		v.records[i] = r
	}
	v.origins[r.Origin] = r.Seq
	return nil
}

// Recall implements Keeper.
func (m *Memory) Recall(_ context.Context, session uuid.UUID, after int64, limit int) (string, []bridge.Record, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v := m.sessions[session]
	if v == nil {
		return "", nil, false, nil
	}
	from := min(max(int(after), 0), len(v.records))
	to := min(from+limit, len(v.records))
	return v.subject, append([]bridge.Record(nil), v.records[from:to]...), true, nil
}

// Find implements Keeper.
func (m *Memory) Find(_ context.Context, session uuid.UUID, o bridge.Origin) (bridge.Record, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v := m.sessions[session]
	if v == nil {
		return bridge.Record{}, false, nil
	}
	seq, ok := v.origins[o]
	if !ok {
		return bridge.Record{}, false, nil
	}
	return v.records[seq-1], true, nil
}

// Drop implements Keeper.
func (m *Memory) Drop(_ context.Context, session uuid.UUID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.sessions, session)
	return nil
}

// Count is how many sessions are here.
func (m *Memory) Count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.sessions)
}

// old lists the sessions that have been here for a while.
func (m *Memory) old(age time.Duration) []uuid.UUID {
	m.mu.Lock()
	defer m.mu.Unlock()
	var ids []uuid.UUID
	for id, v := range m.sessions {
		if time.Since(v.since) > age {
			ids = append(ids, id)
		}
	}
	return ids
}

// keepers finds the memory of each session.
type keepers struct {
	memory *Memory
	self   string
	remote func(ctx context.Context, node string) (Keeper, error)
	log    *slog.Logger

	mu    sync.Mutex
	known map[uuid.UUID]string // the keeper of a session, "" if it is on the record: neither changes
}

// maxKnown bounds what is remembered of sessions; then it begins anew.
const maxKnown = 1 << 16

func newKeepers(log *slog.Logger) *keepers {
	return &keepers{memory: newMemory(), known: make(map[uuid.UUID]string), log: log}
}

// KeepAs names this node, and says how the memory of others is reached.
func (s *Store) KeepAs(self string, remote func(ctx context.Context, node string) (Keeper, error)) {
	s.keepers.self, s.keepers.remote = self, remote
}

// Memory is this node's.
func (s *Store) Memory() *Memory { return s.keepers.memory }

func (k *keepers) of(ctx context.Context, node string) (Keeper, error) {
	if node == k.self || k.remote == nil {
		return k.memory, nil
	}
	keeper, err := k.remote(ctx, node)
	if err != nil {
		return nil, fmt.Errorf("reaching the node that keeps an off-the-record session: %w", err)
	}
	return keeper, nil
}

func (k *keepers) note(session uuid.UUID, keeper string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.known) >= maxKnown {
		clear(k.known)
	}
	k.known[session] = keeper
}

func (k *keepers) noted(session uuid.UUID) (keeper string, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	keeper, ok = k.known[session]
	return keeper, ok
}

// keeperOf is the node that keeps a session, "" for one on the record.
func (q *queries) keeperOf(ctx context.Context, session uuid.UUID) (string, error) {
	if keeper, ok := q.keepers.noted(session); ok {
		return keeper, nil
	}
	var r struct {
		Keeper string `db:"keeper"`
	}
	ok, err := q.get(ctx, &r, `select keeper from session where id = ?`, text(session))
	if err != nil || !ok {
		return "", err
	}
	q.keepers.note(session, r.Keeper)
	return r.Keeper, nil
}

// remembered puts the subject of an off-the-record session in its place.
func (q *queries) remembered(ctx context.Context, s bridge.Session) bridge.Session {
	if s.ID == uuid.Nil {
		return s
	}
	q.keepers.note(s.ID, s.Keeper)
	if s.Keeper == "" || s.State == bridge.Over {
		return s
	}
	keeper, err := q.keepers.of(ctx, s.Keeper)
	if err == nil {
		s.Subject, _, _, err = keeper.Recall(ctx, s.ID, s.Head, 0)
	}
	if err != nil {
		// The session is about to be over: that its subject is gone is the least.
		q.keepers.log.Warn("store: the keeper of a session does not answer", "session", s.ID, "error", err)
	}
	return s
}

// recall lists records from the session's memory; ok is false if it is on the
// record, or over.
func (q *queries) recall(ctx context.Context, session uuid.UUID, after int64, limit int) (records []bridge.Record, ok bool, err error) {
	node, err := q.keeperOf(ctx, session)
	if err != nil || node == "" {
		return nil, false, err
	}
	keeper, err := q.keepers.of(ctx, node)
	if err != nil {
		return nil, false, q.unlessOver(ctx, session, err)
	}
	_, records, ok, err = keeper.Recall(ctx, session, after, limit)
	if err != nil || !ok {
		return nil, false, q.unlessOver(ctx, session, err)
	}
	head, err := q.head(ctx, session)
	if err != nil {
		return nil, false, err
	}
	for len(records) > 0 && records[len(records)-1].Seq > head {
		records = records[:len(records)-1] // not committed, or undone
	}
	return records, true, nil
}

// unlessOver forgives that a keeper is gone when the session ended with it.
func (q *queries) unlessOver(ctx context.Context, session uuid.UUID, err error) error {
	var r struct {
		State string `db:"state"`
	}
	if _, failed := q.get(ctx, &r, `select state from session where id = ?`, text(session)); failed == nil && r.State == string(bridge.Over) {
		return nil
	}
	return err
}

func (q *queries) recallBefore(ctx context.Context, session uuid.UUID, before int64, limit int) (records []bridge.Record, ok bool, err error) {
	node, err := q.keeperOf(ctx, session)
	if err != nil || node == "" {
		return nil, false, err
	}
	head, err := q.head(ctx, session)
	if err != nil {
		return nil, false, err
	}
	if before <= 0 || before > head+1 {
		before = head + 1
	}
	after := max(0, before-1-int64(limit))
	return q.recall(ctx, session, after, int(before-1-after))
}

func (q *queries) head(ctx context.Context, session uuid.UUID) (int64, error) {
	if q.heads != nil {
		if head, ok := q.heads(session); ok {
			return head, nil
		}
	}
	var r struct {
		Head int64 `db:"head"`
	}
	_, err := q.get(ctx, &r, `select head from session where id = ?`, text(session))
	return r.Head, err
}

// remember is Append off the record.
func (t *tx) remember(ctx context.Context, s *lockedSession, r bridge.Record) (bridge.Record, bool, error) {
	if known, ok, err := t.find(ctx, s, r.Origin); ok || err != nil {
		return known, true, err
	}
	keeper, err := t.keepers.of(ctx, s.Keeper)
	if err != nil {
		return r, false, err
	}
	r.Seq = s.Head + 1
	if err := keeper.Keep(ctx, s.ID, nil, []bridge.Record{r}); err != nil {
		return r, false, err
	}
	s.Head, s.grown, t.wrote = r.Seq, true, true
	return r, false, nil
}

// find is GetOrigin off the record.
func (t *tx) find(ctx context.Context, s *lockedSession, o bridge.Origin) (bridge.Record, bool, error) {
	if s.State == bridge.Over {
		return bridge.Record{}, false, nil // its keeper has dropped it, or is gone
	}
	keeper, err := t.keepers.of(ctx, s.Keeper)
	if err != nil {
		return bridge.Record{}, false, err
	}
	r, ok, err := keeper.Find(ctx, s.ID, o)
	return r, ok && r.Seq <= s.Head, err
}

// storedSubject is what the database has of a session's subject. Off the record
// that is nothing, and memory gets it with the commit.
func (t *tx) storedSubject(ctx context.Context, s bridge.Session) string {
	if s.Keeper == "" {
		return s.Subject
	}
	if s.State != bridge.Over {
		ctx := context.WithoutCancel(ctx) // it is committed: the caller's patience counts no more
		t.afterCommit(func() error {
			keeper, err := t.keepers.of(ctx, s.Keeper)
			if err != nil {
				return err
			}
			return keeper.Keep(ctx, s.ID, &s.Subject, nil)
		})
	}
	return ""
}

func (t *tx) rememberedSubject(ctx context.Context, s *lockedSession) (subject string, err error) {
	records, _, err := t.recall(ctx, s.ID, 0, int(s.Head))
	for _, r := range s.asEmptied(records) {
		if r.Kind == bridge.KindStarted || r.Kind == bridge.KindSubject {
			subject = r.Subject
		}
	}
	return subject, err
}

// eraseRemembered is EraseRecords off the record.
func (t *tx) eraseRemembered(ctx context.Context, s *lockedSession, member uuid.UUID, upTo int64) (n int, err error) {
	records, _, err := t.recall(ctx, s.ID, 0, int(s.Head))
	if err != nil {
		return 0, err
	}
	records = s.asEmptied(records)
	var emptied []bridge.Record
	for _, r := range records {
		if r.Seq > upTo || member != uuid.Nil && r.Member != member {
			continue
		}
		switch {
		case r.Kind == bridge.KindMessage && !r.Erased:
			r.Body, r.Texts, r.Lang, r.Erased = bridge.Body{}, nil, "", true
		case member != uuid.Nil && r.Subject != "":
			r.Subject = ""
		default:
			continue
		}
		emptied = append(emptied, r)
	}
	if len(emptied) == 0 {
		return 0, nil
	}
	s.empty(emptied)
	t.wrote = true
	// Memory cannot be undone: it follows the commit.
	ctx = context.WithoutCancel(ctx)
	t.afterCommit(func() error {
		keeper, err := t.keepers.of(ctx, s.Keeper)
		if err != nil {
			return err
		}
		return keeper.Keep(ctx, s.ID, nil, emptied)
	})
	return len(emptied), nil
}

// empty notes what this transaction has emptied.
func (s *lockedSession) empty(records []bridge.Record) {
	if s.emptied == nil {
		s.emptied = make(map[int64]bridge.Record)
	}
	for _, r := range records {
		s.emptied[r.Seq] = r
	}
}

// asEmptied is what memory will have of records after the commit.
func (s *lockedSession) asEmptied(records []bridge.Record) []bridge.Record {
	for i, r := range records {
		if emptied, ok := s.emptied[r.Seq]; ok {
			records[i] = emptied
		}
	}
	return records
}

// Forget implements bridge.Tx.
func (t *tx) Forget(ctx context.Context, session uuid.UUID, last bridge.Record) error {
	s := t.sessions[session]
	if s == nil {
		return errNotLocked(session)
	}
	if _, _, err := t.insert(ctx, s, last); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	t.afterCommit(func() error {
		keeper, err := t.keepers.of(ctx, s.Keeper)
		if err == nil {
			err = keeper.Drop(ctx, session)
		}
		if err != nil {
			// The keeper drops what is over by itself, or is gone with its memory.
			t.keepers.log.Info("store: the keeper of a session that is over does not answer", "session", session, "error", err)
		}
		return nil
	})
	return nil
}

// ListLost implements bridge.Store. It also drops what a transaction left in
// memory that was undone.
func (q *queries) ListLost(ctx context.Context, self string, now time.Time) ([]uuid.UUID, error) {
	for _, id := range q.keepers.memory.old(time.Minute) {
		var r struct {
			State string `db:"state"`
		}
		ok, err := q.get(ctx, &r, `select state from session where id = ?`, text(id))
		if err != nil {
			return nil, err
		}
		if !ok || r.State == string(bridge.Over) {
			if err := q.keepers.memory.Drop(ctx, id); err != nil {
				return nil, err
			}
		}
	}
	return q.ids(ctx, `select id from session where keeper <> '' and state <> 'over'
		and (expires_at > 0 and expires_at <= ? or keeper <> ? and not `+q.alive(`session.keeper`)+`)`, micros(now), self)
}
