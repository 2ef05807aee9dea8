// Package store keeps everything in SQLite or PostgreSQL, with the same SQL.
//
// Writes go through a group commit: each writer takes all that is waiting into
// one transaction and answers each caller after its commit (writer.go). SQLite
// has one writer; PostgreSQL a few, and each session always the same one.
// Reads use a pool of their own.
package store

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"mailroom/bridge"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
)

// Store implements bridge.Store and outbox.Queue.
type Store struct {
	queries
	db      *sqlx.DB // the readers' pool
	writers []*writer
	engine  *engine
	hints   *notifier // nil on SQLite: there is one node
	log     *slog.Logger
}

// engine is what differs between the two databases.
type engine struct {
	name    string
	bind    int    // sqlx bind type
	lock    string // appended to a select that holds its rows
	now     string // expression for the clock of the database, in microseconds
	begin   string
	writers int
	retry   func(error) bool // the transaction may be run again as it is
}

// Open opens the database that url names, sqlite:FILE or postgres://…, without
// migrating it. A SQLite file belongs to one process at a time: a second Open
// for writing is the caller's to prevent (see Lock).
func Open(ctx context.Context, url string, log *slog.Logger) (*Store, error) {
	switch {
	case strings.HasPrefix(url, "sqlite:"):
		return openSQLite(ctx, strings.TrimPrefix(url, "sqlite:"), log)
	case strings.HasPrefix(url, "postgres://"), strings.HasPrefix(url, "postgresql://"):
		return openPostgres(ctx, url, log)
	}
	return nil, fmt.Errorf("database: %q is neither sqlite:FILE nor postgres://user:password@host/name", url)
}

// Shared says that other nodes may use the same database.
func (s *Store) Shared() bool { return s.hints != nil }

// Ping says if the database answers.
func (s *Store) Ping(ctx context.Context) error { return s.db.PingContext(ctx) }

// Close ends the writers after what waits there, and all connections.
func (s *Store) Close() error {
	for _, w := range s.writers {
		w.close()
	}
	if s.hints != nil {
		s.hints.close()
	}
	return s.db.Close()
}

// Write implements bridge.Store.
func (s *Store) Write(ctx context.Context, session uuid.UUID, fn func(bridge.Tx) error) error {
	return s.write(ctx, session, func(t *tx) error { return fn(t) })
}

func (s *Store) write(ctx context.Context, session uuid.UUID, fn func(*tx) error) error {
	return s.writer(session).do(ctx, session, fn)
}

// writer is the one of a session. What belongs to none has the last writer,
// alone if there are several: leases must not wait behind a session.
func (s *Store) writer(session uuid.UUID) *writer {
	last := len(s.writers) - 1
	if session == uuid.Nil || last == 0 {
		return s.writers[last]
	}
	return s.writers[int(session[0])%last]
}

// Announce implements bridge.Store.
func (s *Store) Announce(session uuid.UUID) {
	if s.hints != nil {
		s.hints.announce(session)
	}
}

// Spread implements bridge.Store.
func (s *Store) Spread(signal string) {
	if s.hints != nil {
		s.hints.spread(signal)
	}
}

// queries holds every statement. It runs on the readers' pool or inside a
// writing transaction, and prepares each statement once.
type queries struct {
	engine  *engine
	prepare func(ctx context.Context, query string) (*sqlx.Stmt, error)
	// ctx replaces the callers' inside a transaction: what one of them gives
	// up must not break the others'.
	ctx     context.Context
	keepers *keepers
	// heads knows how far the sessions that a transaction holds have come.
	heads func(session uuid.UUID) (head int64, ok bool)
}

func (q *queries) stmt(ctx context.Context, query string) (context.Context, *sqlx.Stmt, error) {
	if q.ctx != nil {
		ctx = q.ctx
	}
	stmt, err := q.prepare(ctx, query)
	return ctx, stmt, err
}

// get reads one row into dest; false if there is none.
func (q *queries) get(ctx context.Context, dest any, query string, args ...any) (bool, error) {
	ctx, stmt, err := q.stmt(ctx, query)
	if err != nil {
		return false, err
	}
	rows, err := stmt.QueryxContext(ctx, args...)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	if !rows.Next() {
		return false, rows.Err()
	}
	if err := rows.StructScan(dest); err != nil {
		return false, err
	}
	return true, rows.Close()
}

// list reads all rows into the slice that dest points to.
func (q *queries) list(ctx context.Context, dest any, query string, args ...any) error {
	ctx, stmt, err := q.stmt(ctx, query)
	if err != nil {
		return err
	}
	return stmt.SelectContext(ctx, dest, args...)
}

// statements caches prepared statements by their text.
type statements struct {
	mu       sync.Mutex
	prepared map[string]*sqlx.Stmt
}

func (c *statements) get(ctx context.Context, query string, prepare func(context.Context, string) (*sqlx.Stmt, error)) (*sqlx.Stmt, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if stmt := c.prepared[query]; stmt != nil {
		return stmt, nil
	}
	stmt, err := prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	if c.prepared == nil {
		c.prepared = make(map[string]*sqlx.Stmt)
	}
	c.prepared[query] = stmt
	return stmt, nil
}

// newStore makes the pools of a store over an open database.
func newStore(db *sqlx.DB, e *engine, open func() (*sqlx.DB, error), log *slog.Logger) (*Store, error) {
	s := &Store{db: db, engine: e, log: log}
	var cache statements
	s.queries = queries{engine: e, keepers: newKeepers(log), prepare: func(ctx context.Context, query string) (*sqlx.Stmt, error) {
		return cache.get(ctx, query, func(ctx context.Context, query string) (*sqlx.Stmt, error) {
			return db.PreparexContext(ctx, sqlx.Rebind(e.bind, query))
		})
	}}
	for range e.writers {
		pool, err := open()
		if err != nil {
			return nil, err
		}
		s.writers = append(s.writers, newWriter(pool, e, s.keepers, log))
	}
	return s, nil
}
