package store

import (
	"context"
	"time"

	"mailroom/bridge"

	"github.com/google/uuid"
)

type browserRow struct {
	Session    ID     `db:"session_id"`
	Member     ID     `db:"member_id"`
	Grant      ID     `db:"grant_id"`
	Generation int    `db:"generation"`
	ID         ID     `db:"id"`
	Label      string `db:"label"`
	At         int64  `db:"at"`
}

func (q *queries) GetBrowser(ctx context.Context, hash string) (bridge.BrowserRow, bool, error) {
	var r browserRow
	ok, err := q.get(ctx, &r, `select session_id, member_id, grant_id, generation, id, label, at from browser where hash = ?`, hash)
	return bridge.BrowserRow{
		Session: uuid.UUID(r.Session), Member: uuid.UUID(r.Member), Grant: uuid.UUID(r.Grant), Generation: r.Generation,
		ID: uuid.UUID(r.ID), Label: r.Label,
	}, ok, err
}

func (q *queries) ListBrowsers(ctx context.Context, session, member uuid.UUID) ([]bridge.Browser, error) {
	var rows []browserRow
	err := q.list(ctx, &rows, `select b.session_id, b.member_id, b.grant_id, b.generation, b.id, b.label, b.at from browser b
		join member m on m.session_id = b.session_id and m.id = b.member_id and m.generation = b.generation
		where b.session_id = ? and b.member_id = ? and not m.revoked order by b.at, b.id`, text(session), text(member))
	browsers := make([]bridge.Browser, len(rows))
	for i, r := range rows {
		browsers[i] = bridge.Browser{ID: uuid.UUID(r.ID), Label: r.Label, At: moment(r.At)}
	}
	return browsers, err
}

func (t *tx) AddBrowser(_ context.Context, hash string, b bridge.BrowserRow, at time.Time) error {
	_, err := t.exec(`insert into browser (hash, session_id, member_id, grant_id, generation, id, label, at) values (?, ?, ?, ?, ?, ?, ?, ?)
		on conflict do nothing`,
		hash, text(b.Session), text(b.Member), text(b.Grant), b.Generation, text(b.ID), b.Label, micros(at))
	return err
}

func (t *tx) DeleteBrowser(_ context.Context, session uuid.UUID, hash string) error {
	_, err := t.exec(`delete from browser where hash = ? and session_id = ?`, hash, text(session))
	return err
}

func (t *tx) DeleteBrowsers(_ context.Context, session, member uuid.UUID) error {
	_, err := t.exec(`delete from browser where session_id = ? and member_id = ?`, text(session), text(member))
	return err
}

type codeRow struct {
	Session   ID     `db:"session_id"`
	ID        ID     `db:"id"`
	Member    ID     `db:"member_id"`
	Purpose   string `db:"purpose"`
	ExpiresAt int64  `db:"expires_at"`
	Tries     int    `db:"tries"`
}

func (q *queries) ListCodes(ctx context.Context, session, member uuid.UUID, p bridge.Purpose, after time.Time) ([]bridge.MailedCode, error) {
	var rows []codeRow
	err := q.list(ctx, &rows, `select session_id, id, member_id, purpose, expires_at, tries from code
		where session_id = ? and member_id = ? and purpose = ? and expires_at > ? order by id`,
		text(session), text(member), string(p), micros(after))
	codes := make([]bridge.MailedCode, len(rows))
	for i, r := range rows {
		codes[i] = bridge.MailedCode{
			Session: uuid.UUID(r.Session), ID: uuid.UUID(r.ID), Member: uuid.UUID(r.Member), Purpose: bridge.Purpose(r.Purpose),
			ExpiresAt: moment(r.ExpiresAt), Tries: r.Tries,
		}
	}
	return codes, err
}

func (t *tx) AddCode(_ context.Context, c bridge.MailedCode) error {
	_, err := t.exec(`insert into code (session_id, id, member_id, purpose, expires_at, tries) values (?, ?, ?, ?, ?, ?)`,
		text(c.Session), text(c.ID), text(c.Member), string(c.Purpose), micros(c.ExpiresAt), c.Tries)
	return err
}

func (t *tx) SetCode(_ context.Context, c bridge.MailedCode) error {
	_, err := t.exec(`update code set tries = ?, expires_at = ? where session_id = ? and id = ?`, c.Tries, micros(c.ExpiresAt), text(c.Session), text(c.ID))
	return err
}

type signInRow struct {
	ID        ID     `db:"id"`
	Network   string `db:"network"`
	Address   string `db:"address"`
	Label     string `db:"label"`
	At        int64  `db:"at"`
	ExpiresAt int64  `db:"expires_at"`
}

const signInColumns = `id, network, address, label, at, expires_at`

func (r signInRow) signIn() bridge.SignIn {
	return bridge.SignIn{
		ID: uuid.UUID(r.ID), Address: bridge.Address{Network: bridge.Network(r.Network), ID: r.Address}, Label: r.Label,
		At: moment(r.At), ExpiresAt: moment(r.ExpiresAt),
	}
}

func (q *queries) GetSignIn(ctx context.Context, hash string) (bridge.SignIn, bool, error) {
	var r signInRow
	ok, err := q.get(ctx, &r, `select `+signInColumns+` from sign_in where hash = ?`, hash)
	return r.signIn(), ok, err
}

func (q *queries) ListSignIns(ctx context.Context, addresses []bridge.Address) ([]bridge.SignIn, error) {
	var all []bridge.SignIn
	for _, a := range addresses {
		var rows []signInRow
		err := q.list(ctx, &rows, `select `+signInColumns+` from sign_in where network = ? and address = ? order by at, id`, string(a.Network), a.ID)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			all = append(all, r.signIn())
		}
	}
	return all, nil
}

func (t *tx) AddSignIn(_ context.Context, hash string, in bridge.SignIn) error {
	_, err := t.exec(`insert into sign_in (hash, `+signInColumns+`) values (?, ?, ?, ?, ?, ?, ?)`,
		hash, text(in.ID), string(in.Address.Network), in.Address.ID, in.Label, micros(in.At), micros(in.ExpiresAt))
	return err
}

func (t *tx) DeleteSignIn(_ context.Context, hash string) error {
	_, err := t.exec(`delete from sign_in where hash = ?`, hash)
	return err
}

func (t *tx) DeleteSignIns(_ context.Context, addresses []bridge.Address) error {
	for _, a := range addresses {
		if _, err := t.exec(`delete from sign_in where network = ? and address = ?`, string(a.Network), a.ID); err != nil {
			return err
		}
	}
	return nil
}
