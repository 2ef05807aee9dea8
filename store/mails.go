package store

import (
	"context"
	"time"

	"mailroom/bridge"

	"github.com/google/uuid"
)

const mailColumns = `session_id, id, member_id, kind, from_seq, to_seq, held_id, state, created_at, next_try, attempts`

type mailRow struct {
	Session   ID     `db:"session_id"`
	ID        ID     `db:"id"`
	Member    ID     `db:"member_id"`
	Kind      string `db:"kind"`
	From      int64  `db:"from_seq"`
	To        int64  `db:"to_seq"`
	Held      ID     `db:"held_id"`
	State     string `db:"state"`
	CreatedAt int64  `db:"created_at"`
	NextTry   int64  `db:"next_try"`
	Attempts  int    `db:"attempts"`
}

func (r mailRow) mail() bridge.Mailing {
	return bridge.Mailing{
		Session: uuid.UUID(r.Session), ID: uuid.UUID(r.ID), Member: uuid.UUID(r.Member), Kind: bridge.LetterKind(r.Kind),
		From: r.From, To: r.To, Held: uuid.UUID(r.Held), State: bridge.MailState(r.State),
		CreatedAt: moment(r.CreatedAt), NextTry: moment(r.NextTry), Attempts: r.Attempts,
	}
}

func (q *queries) mails(ctx context.Context, query string, args ...any) ([]bridge.Mailing, error) {
	var rows []mailRow
	err := q.list(ctx, &rows, query, args...)
	mails := make([]bridge.Mailing, len(rows))
	for i, r := range rows {
		mails[i] = r.mail()
	}
	return mails, err
}

func (q *queries) ListMails(ctx context.Context, session, member uuid.UUID) ([]bridge.Mailing, error) {
	return q.mails(ctx, `select `+mailColumns+` from mail where session_id = ? and member_id = ? order by id`, text(session), text(member))
}

// AddMail implements bridge.Tx.
func (t *tx) AddMail(ctx context.Context, m bridge.Mailing) (bridge.Mailing, error) {
	_, err := t.exec(`insert into mail (`+mailColumns+`, owner, fence) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', 0) on conflict do nothing`,
		text(m.Session), text(m.ID), text(m.Member), string(m.Kind), m.From, m.To, text(m.Held), string(m.State),
		micros(m.CreatedAt), micros(m.NextTry), m.Attempts)
	if err != nil {
		return m, err
	}
	var r mailRow
	_, err = t.get(ctx, &r, `select `+mailColumns+` from mail where session_id = ? and member_id = ? and kind = ? and from_seq = ? and held_id = ?`,
		text(m.Session), text(m.Member), string(m.Kind), m.From, text(m.Held))
	return r.mail(), err
}

// ListDueMails implements outbox.Queue: of each member's mails the first one
// that is unsent, when its time has come.
func (q *queries) ListDueMails(ctx context.Context, now time.Time, limit int) ([]bridge.Mailing, error) {
	return q.mails(ctx, `select `+mailColumns+` from mail m where state = 'queued' and next_try <= ? and not exists (
		select 1 from mail earlier where earlier.session_id = m.session_id and earlier.member_id = m.member_id
		and earlier.state = 'queued' and earlier.id < m.id) order by next_try limit ?`, micros(now), limit)
}

func (s *Store) ClaimMail(ctx context.Context, m bridge.Mailing, owner string) (fence int64, ok bool, err error) {
	err = s.write(ctx, m.Session, func(t *tx) error {
		var r struct {
			Fence int64 `db:"fence"`
		}
		ok, err = t.get(ctx, &r, `update mail set owner = ?, fence = fence + 1 where session_id = ? and id = ? and state = 'queued'
			and next_try <= ? and (owner = '' or owner = ? or not `+t.alive(`mail.owner`)+`) returning fence`,
			owner, text(m.Session), text(m.ID), micros(time.Now()), owner)
		t.wrote = true
		fence = r.Fence
		return err
	})
	return fence, ok, err
}

func (s *Store) SetMail(ctx context.Context, m bridge.Mailing, fence int64) error {
	return s.write(ctx, m.Session, func(t *tx) error {
		n, err := t.exec(`update mail set state = ?, next_try = ?, attempts = ?, owner = '' where session_id = ? and id = ? and fence = ?`,
			string(m.State), micros(m.NextTry), m.Attempts, text(m.Session), text(m.ID), fence)
		if err == nil && n == 0 {
			return bridge.ErrFenced
		}
		return err
	})
}

type heldRow struct {
	Session ID     `db:"session_id"`
	ID      ID     `db:"id"`
	Member  ID     `db:"member_id"`
	Sender  string `db:"sender"`
	At      int64  `db:"at"`
	Lang    string `db:"lang"`
	Text    string `db:"text"`
	HTML    string `db:"html"`
	Network string `db:"network"`
	Origin  string `db:"origin_id"`
	State   string `db:"state"`
	Raw     string `db:"raw"`
}

const heldColumns = `session_id, id, member_id, sender, at, lang, text, html, network, origin_id, state, raw`

func (r heldRow) held() (bridge.Held, error) {
	raw, err := decodeRaw(r.Raw)
	return bridge.Held{
		Session: uuid.UUID(r.Session), ID: uuid.UUID(r.ID), Member: uuid.UUID(r.Member), Sender: bridge.EmailAddress(r.Sender),
		At: moment(r.At), Lang: r.Lang, Body: bridge.Body{Text: r.Text, HTML: r.HTML},
		Origin: bridge.Origin{Network: bridge.Network(r.Network), ID: r.Origin}, State: bridge.HeldState(r.State), Received: raw,
	}, err
}

func (q *queries) GetHeld(ctx context.Context, session, id uuid.UUID) (bridge.Held, bool, error) {
	var r heldRow
	ok, err := q.get(ctx, &r, `select `+heldColumns+` from held where session_id = ? and id = ?`, text(session), text(id))
	if err != nil || !ok {
		return bridge.Held{}, false, err
	}
	held, err := r.held()
	return held, true, err
}

func (q *queries) ListHeld(ctx context.Context, session, member uuid.UUID) ([]bridge.Held, error) {
	var rows []heldRow
	err := q.list(ctx, &rows, `select `+heldColumns+` from held where session_id = ? and member_id = ? and state = ? order by id`,
		text(session), text(member), string(bridge.HeldWaiting))
	held := make([]bridge.Held, len(rows))
	for i, r := range rows {
		if held[i], err = r.held(); err != nil {
			return nil, err
		}
	}
	return held, err
}

func (t *tx) AddHeld(_ context.Context, h bridge.Held, o bridge.Origin) (bool, error) {
	n, err := t.exec(`insert into held (`+heldColumns+`)
		values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing`,
		text(h.Session), text(h.ID), text(h.Member), h.Sender.ID, micros(h.At), h.Lang, h.Body.Text, h.Body.HTML,
		string(o.Network), o.ID, string(h.State), encodeRaw(h.Received))
	return n == 1, err
}

func (t *tx) SetHeld(_ context.Context, session, id uuid.UUID, state bridge.HeldState) error {
	_, err := t.exec(`update held set state = ? where session_id = ? and id = ?`, string(state), text(session), text(id))
	return err
}

func (q *queries) IsConfirmed(ctx context.Context, session, grant uuid.UUID, sender bridge.Address) (bool, error) {
	var r struct {
		N int `db:"n"`
	}
	_, err := q.get(ctx, &r, `select count(*) as n from confirmed where session_id = ? and grant_id = ? and sender = ?`, text(session), text(grant), sender.ID)
	return r.N > 0, err
}

func (t *tx) AddConfirmed(_ context.Context, session, grant uuid.UUID, sender bridge.Address) error {
	_, err := t.exec(`insert into confirmed (session_id, grant_id, sender) values (?, ?, ?) on conflict do nothing`, text(session), text(grant), sender.ID)
	return err
}

func (t *tx) WithdrawMails(_ context.Context, session, member uuid.UUID) error {
	query, args := `update mail set state = 'withdrawn' where session_id = ? and state = 'queued'`, []any{text(session)}
	if member != uuid.Nil {
		query, args = query+` and member_id = ?`, append(args, text(member))
	}
	_, err := t.exec(query, args...)
	return err
}

func (q *queries) CountInvitations(ctx context.Context, a bridge.Address, since time.Time) (int, error) {
	var r struct {
		N int `db:"n"`
	}
	_, err := q.get(ctx, &r, `select count(*) as n from mail m join endpoint e on e.session_id = m.session_id and e.member_id = m.member_id
		where e.network = ? and e.address = ? and m.kind = ? and m.created_at > ?`, string(a.Network), a.ID, string(bridge.LetterInvitation), micros(since))
	return r.N, err
}
