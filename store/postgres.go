package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

const (
	postgresWriters = 5 // one of them for what belongs to no session, leases above all
	postgresReaders = 8
)

// patience is how long PostgreSQL lets our connections wait and be silent: a
// node that was cut off in the middle of a transaction must not keep its locks
// until TCP gives up. Times in milliseconds, keepalives in seconds.
var patience = map[string]string{
	"idle_in_transaction_session_timeout": "5000",
	"lock_timeout":                        "10000",
	"tcp_keepalives_idle":                 "5",
	"tcp_keepalives_interval":             "2",
	"tcp_keepalives_count":                "3",
	"connect_timeout":                     "5",
}

func withPatience(dsn string) (string, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return "", errors.New("database: this is no address like postgres://user:password@host/name")
	}
	q := u.Query()
	for key, value := range patience {
		if !q.Has(key) {
			q.Set(key, value)
		}
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}

func openPostgres(ctx context.Context, dsn string, log *slog.Logger) (*Store, error) {
	dsn, err := withPatience(dsn)
	if err != nil {
		return nil, err
	}
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

// postgresRetry: deadlock, serialization failure, a lock that was not to be had
// in time, a server that is going down or coming up, or a connection that broke. After a commit whose answer was
// lost the repeat finds its own origin and writes nothing twice.
func postgresRetry(err error) bool {
	switch postgresCode(err) {
	case "40P01", "40001", "55P03", "57014", "25P03", "57P01", "57P02", "57P03":
		return true
	}
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}
