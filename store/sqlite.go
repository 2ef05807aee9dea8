package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"syscall"

	"github.com/jmoiron/sqlx"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// sqliteReaders is the size of the readers' pool.
const sqliteReaders = 4

func openSQLite(ctx context.Context, file string, log *slog.Logger) (*Store, error) {
	// synchronous=FULL: what was acknowledged outlives a power failure.
	// secure_delete: what was erased is not left in free pages.
	pragmas := url.Values{"_pragma": {
		"journal_mode(WAL)", "synchronous(FULL)", "busy_timeout(5000)", "foreign_keys(1)", "secure_delete(1)",
	}}
	dsn := "file:" + (&url.URL{Path: file}).EscapedPath() + "?" + pragmas.Encode()
	open := func() (*sqlx.DB, error) {
		db, err := sqlx.Open("sqlite", dsn)
		if err != nil {
			return nil, fmt.Errorf("database: cannot open %s: %w", file, err)
		}
		db.SetMaxOpenConns(1)
		return db, nil
	}
	readers, err := open()
	if err != nil {
		return nil, err
	}
	readers.SetMaxOpenConns(sqliteReaders)
	readers.SetMaxIdleConns(sqliteReaders)
	if err := readers.PingContext(ctx); err != nil {
		return nil, fmt.Errorf("database: cannot open %s: %w. Is its folder there, and may this user write to it?", file, err)
	}
	e := &engine{
		name: "sqlite", bind: sqlx.QUESTION, writers: 1, begin: "begin immediate",
		now:   "cast(unixepoch('subsec') * 1000000 as integer)",
		retry: func(err error) bool { return sqliteCode(err)&0xff == sqlite3.SQLITE_BUSY },
	}
	return newStore(readers, e, open, log)
}

func sqliteCode(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

// ErrLocked says that another process owns the SQLite file.
var ErrLocked = errors.New("another mailroom process is using this database. Stop it first, or let the running one do the work")

// Lock makes this process the one owner of the SQLite file that url names,
// until unlock or its end, however it ends. For PostgreSQL it does nothing.
// Errors: ErrLocked.
func Lock(databaseURL string) (unlock func(), err error) {
	file, ok := cutSQLite(databaseURL)
	if !ok {
		return func() {}, nil
	}
	f, err := os.OpenFile(filepath.Clean(file)+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrLocked
		}
		return nil, fmt.Errorf("database: cannot lock %s: %w", file, err)
	}
	return func() { f.Close() }, nil
}

func cutSQLite(databaseURL string) (file string, ok bool) {
	const scheme = "sqlite:"
	if len(databaseURL) < len(scheme) || databaseURL[:len(scheme)] != scheme {
		return "", false
	}
	return databaseURL[len(scheme):], true
}
