package main

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"mailroom/store"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
)

// postgresWriters is how many writers the bare loop has on PostgreSQL: as many
// as package store.
const postgresWriters = 4

// bareLoop inserts messages and does nothing else.
type bareLoop struct {
	sessions []bareSession
	writers  []*bareWriter
}

// bareSession is a session that the loop writes to, and who says it.
type bareSession struct {
	id     uuid.UUID
	member uuid.UUID
}

// insert is one message that waits.
type insert struct {
	session bareSession
	id      uuid.UUID
	origin  string
	err     error
	done    chan struct{}
}

// bareWriter takes all that waits into one transaction. tight writers number
// the messages of a transaction themselves.
type bareWriter struct {
	database *sql.DB
	conn     *sql.Conn
	tight    bool
	begin    string
	waiting  chan *insert
	ended    chan struct{}

	nextNumber, readNumber, writeNumber, addRecord, addMessage *sql.Stmt
}

func newBareContender(ctx context.Context, url string, sessions int) (contender, error) {
	return newLoop(ctx, url, sessions, false)
}

func newTightContender(ctx context.Context, url string, sessions int) (contender, error) {
	return newLoop(ctx, url, sessions, true)
}

func newLoop(ctx context.Context, url string, sessions int, tight bool) (contender, error) {
	c, err := openCore(ctx, url, sessions)
	if err != nil {
		return contender{}, err
	}
	l := &bareLoop{}
	for _, room := range c.rooms {
		l.sessions = append(l.sessions, bareSession{room.Session.ID, room.Members[1].ID})
	}
	if err := c.store.Close(); err != nil {
		return contender{}, err
	}
	if err := l.open(ctx, url, tight); err != nil {
		return contender{}, errors.Join(err, l.close())
	}
	return contender{l.accept, l.close}, nil
}

func (l *bareLoop) open(ctx context.Context, url string, tight bool) error {
	driver, bind, dsn, count, begin := "postgres", sqlx.DOLLAR, url, postgresWriters, "begin"
	if file, ok := strings.CutPrefix(url, "sqlite:"); ok {
		driver, bind, count, begin = "sqlite", sqlx.QUESTION, 1, "begin immediate"
		dsn = "file:" + file + "?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)&_pragma=secure_delete(1)"
	}
	for range count {
		w := &bareWriter{tight: tight, begin: begin, waiting: make(chan *insert, store.MaxBatch), ended: make(chan struct{})}
		l.writers = append(l.writers, w)
		go w.run()
		if err := w.open(ctx, driver, dsn, bind); err != nil {
			return err
		}
	}
	return nil
}

func (w *bareWriter) open(ctx context.Context, driver, dsn string, bind int) (err error) {
	if w.database, err = sql.Open(driver, dsn); err != nil {
		return err
	}
	if w.conn, err = w.database.Conn(ctx); err != nil {
		return err
	}
	for _, s := range []struct {
		statement **sql.Stmt
		query     string
	}{
		{&w.nextNumber, `update session set head = head + 1, changed_at = ? where id = ? returning head`},
		{&w.readNumber, `select head from session where id = ?`},
		{&w.writeNumber, `update session set head = ?, changed_at = ? where id = ?`},
		{&w.addRecord, `insert into record (session_id, seq, id, kind, member_id, target_id, at, network, origin_id, lang, text, html, texts, subject, destination)
			values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`},
		{&w.addMessage, `insert into message (session_id, id, seq, member_id, at, lang, text, html, texts) values (?, ?, ?, ?, ?, ?, ?, ?, ?)`},
	} {
		if *s.statement, err = w.conn.PrepareContext(ctx, sqlx.Rebind(bind, s.query)); err != nil {
			return err
		}
	}
	return nil
}

func (l *bareLoop) close() error {
	var err error
	for _, w := range l.writers {
		close(w.waiting)
		<-w.ended
		if w.conn != nil {
			err = errors.Join(err, w.conn.Close())
		}
		if w.database != nil {
			err = errors.Join(err, w.database.Close())
		}
	}
	return err
}

// accept hands a message to the writer of its session and waits for the commit.
func (l *bareLoop) accept(_ context.Context, writer int) error {
	s := l.sessions[writer%len(l.sessions)]
	i := &insert{session: s, id: uuid.Must(uuid.NewV7()), origin: uuid.NewString(), done: make(chan struct{})}
	l.writers[int(s.id[0])%len(l.writers)].waiting <- i
	<-i.done
	return i.err
}

func (w *bareWriter) run() {
	defer close(w.ended)
	for first := range w.waiting {
		batch := w.fill([]*insert{first})
		err := w.commit(batch)
		for _, i := range batch {
			i.err = err
			close(i.done)
		}
	}
}

// fill takes what waits, up to the batch that package store makes.
func (w *bareWriter) fill(batch []*insert) []*insert {
	for len(batch) < store.MaxBatch {
		select {
		case i, open := <-w.waiting:
			if !open {
				return batch
			}
			batch = append(batch, i)
		default:
			return batch
		}
	}
	return batch
}

func (w *bareWriter) commit(batch []*insert) error {
	ctx := context.Background()
	if _, err := w.conn.ExecContext(ctx, w.begin); err != nil {
		return err
	}
	err := w.writeAll(ctx, batch)
	if err != nil {
		_, undo := w.conn.ExecContext(ctx, "rollback")
		return errors.Join(err, undo)
	}
	_, err = w.conn.ExecContext(ctx, "commit")
	return err
}

func (w *bareWriter) writeAll(ctx context.Context, batch []*insert) error {
	heads := make(map[uuid.UUID]int64)
	for _, i := range batch {
		number, err := w.number(ctx, i, heads)
		if err != nil {
			return err
		}
		if err := w.write(ctx, i, number); err != nil {
			return err
		}
	}
	for session, head := range heads {
		if _, err := w.writeNumber.ExecContext(ctx, head, time.Now().UnixMicro(), session.String()); err != nil {
			return err
		}
	}
	return nil
}

// number is the next one of the message's session. heads has those that a
// tight writer has read, and must write once.
func (w *bareWriter) number(ctx context.Context, i *insert, heads map[uuid.UUID]int64) (number int64, err error) {
	id := i.session.id
	if !w.tight {
		err = w.nextNumber.QueryRowContext(ctx, time.Now().UnixMicro(), id.String()).Scan(&number)
		return number, err
	}
	head, known := heads[id]
	if !known {
		if err := w.readNumber.QueryRowContext(ctx, id.String()).Scan(&head); err != nil {
			return 0, err
		}
	}
	heads[id] = head + 1
	return head + 1, nil
}

func (w *bareWriter) write(ctx context.Context, i *insert, number int64) error {
	session, id, member, at := i.session.id.String(), i.id.String(), i.session.member.String(), time.Now().UnixMicro()
	_, err := w.addRecord.ExecContext(ctx, session, number, id, "message", member, "", at, "web", i.origin, "", sentence, "", "", "", "")
	if err != nil {
		return err
	}
	_, err = w.addMessage.ExecContext(ctx, session, id, number, member, at, "", sentence, "", "")
	return err
}
