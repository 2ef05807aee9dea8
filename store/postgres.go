package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

const (
	postgresWriters = 4
	postgresReaders = 8
)

func openPostgres(ctx context.Context, dsn string, log *slog.Logger) (*Store, error) {
	open := func() (*sqlx.DB, error) {
		db, err := sqlx.Open("postgres", dsn)
		if err != nil {
			return nil, fmt.Errorf("database: %w", err)
		}
		db.SetMaxOpenConns(1)
		return db, nil
	}
	readers, err := open()
	if err != nil {
		return nil, err
	}
	readers.SetMaxOpenConns(postgresReaders)
	readers.SetMaxIdleConns(postgresReaders)
	if err := readers.PingContext(ctx); err != nil {
		return nil, fmt.Errorf("database: PostgreSQL does not answer: %w. Look at the host, the user and the password in `database`", err)
	}
	e := &engine{
		name: "postgres", bind: sqlx.DOLLAR, writers: postgresWriters, begin: "begin", lock: " for update",
		now:   "(extract(epoch from clock_timestamp()) * 1000000)::bigint",
		retry: postgresRetry,
	}
	s, err := newStore(readers, e, open, log)
	if err != nil {
		return nil, err
	}
	s.hints = newNotifier(dsn, readers, log)
	return s, nil
}

func postgresCode(err error) pq.ErrorCode {
	var e *pq.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// postgresRetry: deadlock, serialization failure, a server that is going down
// or coming up, or a connection that broke. After a commit whose answer was
// lost the repeat finds its own origin and writes nothing twice.
func postgresRetry(err error) bool {
	switch postgresCode(err) {
	case "40P01", "40001", "57P01", "57P02", "57P03":
		return true
	}
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}
