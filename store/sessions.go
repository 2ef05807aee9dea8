package store

import (
	"context"
	"fmt"
	"time"

	"mailroom/bridge"

	"github.com/google/uuid"
)

const sessionColumns = `id, subject, state, lang, created_at, message_id, acl_version, head,
	off_record, keeper, matrix_keeps, members_invite, hide_addresses, newcomers_from_now, keep_for, expires_at, on_hold`

type sessionRow struct {
	ID         ID     `db:"id"`
	Subject    string `db:"subject"`
	State      string `db:"state"`
	Lang       string `db:"lang"`
	CreatedAt  int64  `db:"created_at"`
	MessageID  string `db:"message_id"`
	ACLVersion int64  `db:"acl_version"`
	Head       int64  `db:"head"`

	OffRecord        bool   `db:"off_record"`
	Keeper           string `db:"keeper"`
	MatrixKeeps      bool   `db:"matrix_keeps"`
	MembersInvite    bool   `db:"members_invite"`
	HideAddresses    bool   `db:"hide_addresses"`
	NewcomersFromNow bool   `db:"newcomers_from_now"`
	KeepFor          int64  `db:"keep_for"`
	ExpiresAt        int64  `db:"expires_at"`
	OnHold           bool   `db:"on_hold"`
}

func (r sessionRow) session() bridge.Session {
	return bridge.Session{
		ID: uuid.UUID(r.ID), Subject: r.Subject, State: bridge.SessionState(r.State), Lang: r.Lang,
		CreatedAt: moment(r.CreatedAt), MessageID: r.MessageID, ACLVersion: r.ACLVersion, Head: r.Head,
		Keeper: r.Keeper, OnHold: r.OnHold,
		Options: bridge.Options{
			OffRecord: r.OffRecord, MatrixKeeps: r.MatrixKeeps, MembersInvite: r.MembersInvite, HideAddresses: r.HideAddresses,
			NewcomersFromNow: r.NewcomersFromNow, KeepFor: time.Duration(r.KeepFor) * time.Microsecond, ExpiresAt: moment(r.ExpiresAt),
		},
	}
}

func (q *queries) GetSession(ctx context.Context, id uuid.UUID) (bridge.Session, bool, error) {
	var r sessionRow
	ok, err := q.get(ctx, &r, `select `+sessionColumns+` from session where id = ?`, text(id))
	return q.remembered(ctx, r.session()), ok, err
}

func (q *queries) sessionList(ctx context.Context, query string, args ...any) ([]bridge.Session, error) {
	var rows []sessionRow
	err := q.list(ctx, &rows, `select `+sessionColumns+` from session where `+query, args...)
	sessions := make([]bridge.Session, len(rows))
	for i, r := range rows {
		sessions[i] = q.remembered(ctx, r.session())
	}
	return sessions, err
}

func (q *queries) ListSessions(ctx context.Context, a bridge.Address, limit int) ([]bridge.Session, error) {
	return q.sessionList(ctx, `id in (
		select e.session_id from endpoint e join member m on m.session_id = e.session_id and m.id = e.member_id
		where e.network = ? and e.address = ? and not m.revoked) order by created_at desc, id limit ?`,
		string(a.Network), a.ID, limit)
}

func (q *queries) ListSessionsOf(ctx context.Context, person uuid.UUID) ([]bridge.Session, error) {
	return q.sessionList(ctx, `id in (select session_id from member where person_id = ? and not revoked) order by created_at desc, id`, text(person))
}

func (q *queries) ListMemberships(ctx context.Context, person uuid.UUID) ([]uuid.UUID, error) {
	return q.ids(ctx, `select session_id from member where person_id = ? order by session_id`, text(person))
}

// ListAllSessions lists all sessions for an operator, the newest first.
func (s *Store) ListAllSessions(ctx context.Context, limit int) ([]bridge.Session, error) {
	return s.sessionList(ctx, `true order by created_at desc, id limit ?`, limit)
}

// ListChanged implements outbox.Queue.
func (q *queries) ListChanged(ctx context.Context, since time.Time) ([]bridge.Change, error) {
	var rows []sessionRow
	err := q.list(ctx, &rows, `select id, head, acl_version from session where changed_at > ?`, micros(since))
	changes := make([]bridge.Change, len(rows))
	for i, r := range rows {
		changes[i] = bridge.Change{Session: uuid.UUID(r.ID), Head: r.Head, ACLVersion: r.ACLVersion}
	}
	return changes, err
}

func (q *queries) ListStartedBy(ctx context.Context, messageID string) ([]uuid.UUID, error) {
	return q.ids(ctx, `select id from session where message_id = ? and message_id <> ''`, messageID)
}

func (q *queries) ids(ctx context.Context, query string, args ...any) ([]uuid.UUID, error) {
	var rows []ID
	err := q.list(ctx, &rows, query, args...)
	ids := make([]uuid.UUID, len(rows))
	for i, r := range rows {
		ids[i] = uuid.UUID(r)
	}
	return ids, err
}

// LockSession implements bridge.Tx. A session that was locked before in this
// transaction is returned as it has become since.
func (t *tx) LockSession(ctx context.Context, id uuid.UUID) (bridge.Session, bool, error) {
	if s := t.sessions[id]; s != nil {
		return s.Session, true, nil
	}
	var r sessionRow
	ok, err := t.get(ctx, &r, `select `+sessionColumns+` from session where id = ?`+t.engine.lock, text(id))
	if err != nil || !ok {
		return bridge.Session{}, false, err
	}
	t.sessions[id] = &lockedSession{Session: t.remembered(ctx, r.session())}
	return t.sessions[id].Session, true, nil
}

func (t *tx) AddSession(ctx context.Context, s bridge.Session) error {
	o := s.Options
	_, err := t.exec(`insert into session (`+sessionColumns+`, changed_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		text(s.ID), t.storedSubject(ctx, s), string(s.State), s.Lang, micros(s.CreatedAt), s.MessageID, s.ACLVersion, s.Head,
		o.OffRecord, s.Keeper, o.MatrixKeeps, o.MembersInvite, o.HideAddresses, o.NewcomersFromNow, o.KeepFor.Microseconds(), micros(o.ExpiresAt), s.OnHold,
		micros(time.Now()))
	return err
}

func (t *tx) SetSession(ctx context.Context, s bridge.Session) error {
	o := s.Options
	_, err := t.exec(`update session set subject = ?, state = ?, acl_version = ?, changed_at = ?,
		members_invite = ?, hide_addresses = ?, newcomers_from_now = ?, keep_for = ?, expires_at = ?, on_hold = ? where id = ?`,
		t.storedSubject(ctx, s), string(s.State), s.ACLVersion, micros(time.Now()),
		o.MembersInvite, o.HideAddresses, o.NewcomersFromNow, o.KeepFor.Microseconds(), micros(o.ExpiresAt), s.OnHold, text(s.ID))
	if locked := t.sessions[s.ID]; locked != nil {
		head := locked.Head
		locked.Session = s
		locked.Head = head
	}
	return err
}

func (q *queries) GetIntake(ctx context.Context, o bridge.Origin) (uuid.UUID, bool, error) {
	var r struct {
		ID ID `db:"session_id"`
	}
	ok, err := q.get(ctx, &r, `select session_id from intake where network = ? and origin_id = ?`, string(o.Network), o.ID)
	return uuid.UUID(r.ID), ok, err
}

func (t *tx) AddIntake(_ context.Context, o bridge.Origin, session uuid.UUID) (bool, error) {
	n, err := t.exec(`insert into intake (network, origin_id, session_id) values (?, ?, ?) on conflict do nothing`,
		string(o.Network), o.ID, text(session))
	return n == 1, err
}

func (q *queries) GetPortal(ctx context.Context, session uuid.UUID, n bridge.Network) (string, bool, error) {
	var r struct {
		Remote string `db:"remote"`
	}
	ok, err := q.get(ctx, &r, `select remote from portal where session_id = ? and network = ?`, text(session), string(n))
	return r.Remote, ok, err
}

func (q *queries) GetRoute(ctx context.Context, n bridge.Network, remote string) (uuid.UUID, bool, error) {
	var r struct {
		ID ID `db:"session_id"`
	}
	ok, err := q.get(ctx, &r, `select session_id from portal where network = ? and remote = ?`, string(n), remote)
	return uuid.UUID(r.ID), ok, err
}

func (t *tx) AddPortal(_ context.Context, session uuid.UUID, n bridge.Network, remote string) (bool, error) {
	rows, err := t.exec(`insert into portal (session_id, network, remote) values (?, ?, ?) on conflict do nothing`,
		text(session), string(n), remote)
	return rows == 1, err
}

type occupantRow struct {
	Session ID     `db:"session_id"`
	Member  ID     `db:"member_id"`
	JID     string `db:"jid"`
	Nick    string `db:"nick"`
	FromSeq int64  `db:"from_seq"`
}

func (q *queries) ListOccupants(ctx context.Context, session uuid.UUID) ([]bridge.Occupant, error) {
	var rows []occupantRow
	err := q.list(ctx, &rows, `select session_id, member_id, jid, nick, from_seq from occupant where session_id = ? order by jid`, text(session))
	occupants := make([]bridge.Occupant, len(rows))
	for i, r := range rows {
		occupants[i] = bridge.Occupant{Session: uuid.UUID(r.Session), Member: uuid.UUID(r.Member), JID: r.JID, Nick: r.Nick, FromSeq: r.FromSeq}
	}
	return occupants, err
}

func (t *tx) SetOccupant(_ context.Context, o bridge.Occupant) error {
	_, err := t.exec(`insert into occupant (session_id, jid, member_id, nick, from_seq) values (?, ?, ?, ?, ?)
		on conflict (session_id, jid) do update set member_id = excluded.member_id, nick = excluded.nick, from_seq = excluded.from_seq`,
		text(o.Session), o.JID, text(o.Member), o.Nick, o.FromSeq)
	return err
}

func (t *tx) DeleteOccupant(_ context.Context, session uuid.UUID, jid string) error {
	_, err := t.exec(`delete from occupant where session_id = ? and jid = ?`, text(session), jid)
	return err
}

// errNotLocked is a fault of the program.
func errNotLocked(session uuid.UUID) error {
	return fmt.Errorf("session %s is not locked in this transaction", session)
}
