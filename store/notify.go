package store

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

const (
	channel = "mailroom_changed"
	// signalMark begins a payload that is a signal, not session ids.
	signalMark = "signal "
	// gather is how long hints are collected into one NOTIFY. A NOTIFY in each
	// writing transaction would take a lock of the whole database.
	gather = 5 * time.Millisecond
	// maxNotify is how many session ids go in one NOTIFY (8,000 bytes at most).
	maxNotify = 200
)

// notifier sends and receives hints between nodes.
type notifier struct {
	db     *sqlx.DB
	dsn    string
	log    *slog.Logger
	mu     sync.Mutex
	due    map[uuid.UUID]bool
	said   []string // signals to spread
	wake   chan struct{}
	stop   context.CancelFunc
	closed chan struct{}
}

func newNotifier(dsn string, db *sqlx.DB, log *slog.Logger) *notifier {
	ctx, stop := context.WithCancel(context.Background())
	n := &notifier{db: db, dsn: dsn, log: log, due: make(map[uuid.UUID]bool), wake: make(chan struct{}, 1), stop: stop, closed: make(chan struct{})}
	go n.send(ctx)
	return n
}

func (n *notifier) close() {
	n.stop()
	<-n.closed
}

func (n *notifier) announce(session uuid.UUID) {
	n.mu.Lock()
	n.due[session] = true
	n.mu.Unlock()
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// maxSaid is how many signals wait at the most: they are of the moment.
const maxSaid = 1000

func (n *notifier) spread(signal string) {
	n.mu.Lock()
	if len(n.said) < maxSaid {
		n.said = append(n.said, signalMark+signal)
	}
	n.mu.Unlock()
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

func (n *notifier) send(ctx context.Context) {
	defer close(n.closed)
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.wake:
		}
		for _, payload := range n.take() {
			if _, err := n.db.ExecContext(ctx, `select pg_notify($1, $2)`, channel, payload); err != nil && ctx.Err() == nil {
				n.log.Warn("store: a hint to the other nodes was lost; they will poll", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(gather):
		}
	}
}

func (n *notifier) take() (payloads []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var ids []string
	for s := range n.due {
		ids = append(ids, s.String())
		if len(ids) == maxNotify {
			payloads, ids = append(payloads, strings.Join(ids, " ")), nil
		}
	}
	clear(n.due)
	if len(ids) > 0 {
		payloads = append(payloads, strings.Join(ids, " "))
	}
	payloads, n.said = append(payloads, n.said...), nil
	return payloads
}

// Listen calls publish for each session that another node (or this one)
// announces, and heard for each signal, until ctx ends. After a lost connection
// it goes on by itself; what was missed meanwhile the poll finds.
func (s *Store) Listen(ctx context.Context, publish func(uuid.UUID), heard func(string)) error {
	listener := pq.NewListener(s.hints.dsn, 100*time.Millisecond, 10*time.Second, func(_ pq.ListenerEventType, err error) {
		if err != nil {
			s.log.Warn("store: listening for hints", "error", err)
		}
	})
	defer listener.Close()
	// Listen waits for a connection, however long that takes.
	listening := make(chan error, 1)
	go func() { listening <- listener.Listen(channel) }()
	select {
	case <-ctx.Done():
		return nil
	case err := <-listening:
		if err != nil {
			return err
		}
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case n := <-listener.Notify:
			if n == nil {
				continue // reconnected
			}
			if signal, ok := strings.CutPrefix(n.Extra, signalMark); ok {
				heard(signal)
				continue
			}
			for _, id := range strings.Fields(n.Extra) {
				if session, err := uuid.Parse(id); err == nil {
					publish(session)
				}
			}
		}
	}
}
