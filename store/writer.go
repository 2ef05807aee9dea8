package store

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"mailroom/bridge"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
)

const (
	// MaxBatch is how many writes share one transaction at the most.
	MaxBatch = 256
	// maxTries is how often a transaction is run that the database undid for
	// its own reasons: a deadlock, a lost connection.
	maxTries = 5
	// maxTransaction is how long one transaction may take.
	maxTransaction = 30 * time.Second
)

// writer runs writes on one connection, all that wait in one transaction.
//
// A batch first runs without savepoints: that is fast, and nearly always all
// goes well. If a write fails after it has written something, the transaction
// is undone and the batch runs again with a savepoint for each write, so that
// the failure undoes its own writes only.
type writer struct {
	pool    *sqlx.DB
	engine  *engine
	keepers *keepers
	log     *slog.Logger
	ops     chan *op
	closed  chan struct{}

	conn  *sqlx.Conn
	cache *statements
}

// op is one write that waits.
type op struct {
	ctx     context.Context
	session uuid.UUID
	fn      func(*tx) error
	err     error
	done    chan struct{}
}

func newWriter(pool *sqlx.DB, e *engine, k *keepers, log *slog.Logger) *writer {
	w := &writer{pool: pool, engine: e, keepers: k, log: log, ops: make(chan *op, MaxBatch), closed: make(chan struct{})}
	go w.run()
	return w
}

// do hands a write over and waits for its commit. It does not return early
// when ctx ends: fn may be running, and its outcome is the caller's.
func (w *writer) do(ctx context.Context, session uuid.UUID, fn func(*tx) error) error {
	o := &op{ctx: ctx, session: session, fn: fn, done: make(chan struct{})}
	select {
	case w.ops <- o:
	case <-ctx.Done():
		return ctx.Err()
	case <-w.closed:
		return errors.New("the store is closed")
	}
	select {
	case <-o.done:
		return o.err
	case <-w.closed:
		return errors.New("the store is closed")
	}
}

func (w *writer) close() {
	o := &op{ctx: context.Background(), done: make(chan struct{})}
	w.ops <- o // a write without fn is the last one
	<-w.closed
}

func (w *writer) run() {
	defer close(w.closed)
	for o := range w.ops {
		batch := []*op{o}
	fill:
		for len(batch) < MaxBatch && o.fn != nil {
			select {
			case o = <-w.ops:
				batch = append(batch, o)
			default:
				break fill
			}
		}
		last := o.fn == nil
		if last {
			batch = batch[:len(batch)-1]
		}
		w.commit(batch)
		for _, o := range batch {
			close(o.done)
		}
		if last {
			w.drop()
			if err := w.pool.Close(); err != nil {
				w.log.Warn("store: closing a writer", "error", err)
			}
			return
		}
	}
}

// commit runs a batch until it is committed or has failed for good, and sets
// each op's err.
func (w *writer) commit(batch []*op) {
	// Sessions are locked in the order of their ids, so that writers of
	// several nodes do not wait for each other in a circle.
	slices.SortStableFunc(batch, func(a, b *op) int { return bytes.Compare(a.session[:], b.session[:]) })
	savepoints := false
	for try := 1; len(batch) > 0; try++ {
		err := w.attempt(batch, savepoints)
		switch {
		case err == nil:
			return
		case errors.Is(err, errUndone):
			savepoints = true
		case w.engine.retry(err) && try < maxTries:
			w.log.Warn("store: a transaction is run again", "error", err, "try", try)
			w.drop()
			time.Sleep(time.Duration(try) * 20 * time.Millisecond)
		default:
			w.drop()
			for _, o := range batch {
				o.err = err
			}
			return
		}
	}
}

// errUndone says that the batch must be run again with savepoints.
var errUndone = errors.New("a write failed after it had written")

func (w *writer) attempt(batch []*op, savepoints bool) error {
	// No caller's context, since a batch is many callers'; but no database may
	// hold us for ever.
	ctx, cancel := context.WithTimeout(context.Background(), maxTransaction)
	defer cancel()
	if err := w.connect(ctx); err != nil {
		return err
	}
	t := w.newTx(ctx)
	if err := t.run(w.engine.begin); err != nil {
		return err
	}
	err := w.runAll(t, batch, savepoints)
	if err == nil {
		if err = t.flush(); err == nil {
			err = t.run("commit")
		}
	}
	if err == nil {
		t.runAfter()
	}
	if err != nil {
		if ctx.Err() != nil || t.run("rollback") != nil {
			w.drop()
		}
	}
	return err
}

func (w *writer) runAll(t *tx, batch []*op, savepoints bool) error {
	for _, o := range batch {
		if o.err = o.ctx.Err(); o.err != nil {
			continue
		}
		run := t.plain
		if savepoints {
			run = t.guarded
		}
		if err := run(o); err != nil {
			return err
		}
	}
	return nil
}

// connect opens the writer's connection, if it has none.
func (w *writer) connect(ctx context.Context) error {
	if w.conn != nil {
		return nil
	}
	conn, err := w.pool.Connx(ctx)
	if err != nil {
		return fmt.Errorf("connecting to the database: %w", err)
	}
	w.conn, w.cache = conn, &statements{}
	return nil
}

// drop closes a connection that may be broken.
func (w *writer) drop() {
	if w.conn == nil {
		return
	}
	for _, stmt := range w.cache.prepared {
		stmt.Close() // the connection goes with it: nothing to do about an error
	}
	// Close alone would give the connection back to the pool, broken as it may be.
	if err := w.conn.Raw(func(any) error { return driver.ErrBadConn }); !errors.Is(err, driver.ErrBadConn) {
		w.log.Debug("store: dropping a connection", "error", err)
	}
	if err := w.conn.Close(); err != nil && !errors.Is(err, sql.ErrConnDone) {
		w.log.Debug("store: closing a connection", "error", err)
	}
	w.conn, w.cache = nil, nil
}

// tx is a writing transaction. It implements bridge.Tx.
type tx struct {
	queries
	w        *writer
	sessions map[uuid.UUID]*lockedSession
	wrote    bool
	after    []func() error
}

// afterCommit has do called once the transaction is committed, before anybody
// is told.
func (t *tx) afterCommit(do func() error) { t.after = append(t.after, do) }

func (t *tx) runAfter() {
	for _, do := range t.after {
		if err := do(); err != nil {
			t.w.log.Error("store: the memory of an off-the-record session did not follow", "error", err)
		}
	}
}

// lockedSession is a session row as this transaction has changed it.
type lockedSession struct {
	bridge.Session
	grown bool // Head is ahead of the row
	// emptied has the records of an off-the-record session whose content this
	// transaction took away: its memory follows the commit.
	emptied map[int64]bridge.Record
}

func (w *writer) newTx(ctx context.Context) *tx {
	t := &tx{w: w, sessions: make(map[uuid.UUID]*lockedSession)}
	heads := func(session uuid.UUID) (int64, bool) {
		s := t.sessions[session]
		if s == nil {
			return 0, false
		}
		return s.Head, true
	}
	t.queries = queries{engine: w.engine, ctx: ctx, keepers: w.keepers, heads: heads, prepare: func(ctx context.Context, query string) (*sqlx.Stmt, error) {
		return w.cache.get(ctx, query, func(ctx context.Context, query string) (*sqlx.Stmt, error) {
			return w.conn.PreparexContext(ctx, sqlx.Rebind(w.engine.bind, query))
		})
	}}
	return t
}

// run executes a statement of the transaction itself.
func (t *tx) run(query string) error {
	_, err := t.w.conn.ExecContext(t.ctx, query)
	return err
}

// exec writes; it says how many rows it has changed.
func (t *tx) exec(query string, args ...any) (int64, error) {
	ctx, stmt, err := t.stmt(t.ctx, query)
	if err != nil {
		return 0, err
	}
	t.wrote = true
	result, err := stmt.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// plain runs a write without a savepoint.
func (t *tx) plain(o *op) error {
	before := t.wrote
	t.wrote = false
	o.err = t.call(o.fn)
	dirty := t.wrote
	t.wrote = t.wrote || before
	var logical *bridge.Error
	switch {
	case o.err == nil:
		return nil
	case !dirty && errors.As(o.err, &logical):
		return nil // refused before it wrote: nothing to undo
	case t.engine.retry(o.err):
		return o.err
	}
	return errUndone
}

// guarded runs a write inside a savepoint.
func (t *tx) guarded(o *op) error {
	if err := t.run("savepoint op"); err != nil {
		return err
	}
	after := len(t.after)
	o.err = t.call(o.fn)
	if o.err == nil {
		o.err = t.flush()
	}
	if o.err == nil {
		return t.run("release savepoint op")
	}
	if t.engine.retry(o.err) {
		return o.err
	}
	clear(t.sessions)
	t.after = t.after[:after]
	if err := t.run("rollback to savepoint op"); err != nil {
		return err
	}
	return t.run("release savepoint op")
}

// call turns a panic of one write into its error, so that it does not take the
// others with it.
func (t *tx) call(fn func(*tx) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			t.w.log.Error("store: a write panicked", "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("a write panicked: %v", p)
		}
	}()
	return fn(t)
}

// flush writes the heads of the sessions that have grown.
func (t *tx) flush() error {
	for _, s := range t.sessions {
		if !s.grown {
			continue
		}
		if _, err := t.exec(`update session set head = ?, changed_at = ? where id = ?`, s.Head, micros(time.Now()), s.ID.String()); err != nil {
			return err
		}
		s.grown = false
	}
	return nil
}
