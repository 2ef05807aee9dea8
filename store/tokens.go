package store

import (
	"context"
	"time"

	"mailroom/bridge"

	"github.com/google/uuid"
)

type tokenRow struct {
	Session    ID     `db:"session_id"`
	Member     ID     `db:"member_id"`
	Grant      ID     `db:"grant_id"`
	Grants     string `db:"grants"`
	Generation int    `db:"generation"`
	Held       ID     `db:"held_id"`
}

// GetToken is one statement also for the tokens of grants that live no more.
func (q *queries) GetToken(ctx context.Context, hash string) (bridge.TokenRow, bool, error) {
	var r tokenRow
	ok, err := q.get(ctx, &r, `select token.session_id, member_id, token.grant_id, grants, token.generation, held_id
		from token join member on member.session_id = token.session_id and member.id = member_id
		where hash = ? and token.generation = member.generation and not revoked`, hash)
	return bridge.TokenRow{
		Session: uuid.UUID(r.Session), Member: uuid.UUID(r.Member), Grant: uuid.UUID(r.Grant),
		Right: bridge.Right(r.Grants), Generation: r.Generation, Held: uuid.UUID(r.Held),
	}, ok, err
}

func (t *tx) AddToken(_ context.Context, hash string, r bridge.TokenRow) error {
	_, err := t.exec(`insert into token (hash, session_id, member_id, grant_id, grants, generation, held_id) values (?, ?, ?, ?, ?, ?, ?)
		on conflict do nothing`,
		hash, text(r.Session), text(r.Member), text(r.Grant), string(r.Right), r.Generation, text(r.Held))
	return err
}

func (q *queries) GetAPIToken(ctx context.Context, hash string) (a bridge.Address, admin, ok bool, err error) {
	var r struct {
		Network string `db:"network"`
		Address string `db:"address"`
		Admin   bool   `db:"admin"`
	}
	ok, err = q.get(ctx, &r, `select network, address, admin from api_token where hash = ?`, hash)
	return bridge.Address{Network: bridge.Network(r.Network), ID: r.Address}, r.Admin, ok, err
}

func (t *tx) AddAPIToken(_ context.Context, hash string, a bridge.Address, admin bool, at time.Time) error {
	_, err := t.exec(`insert into api_token (hash, network, address, admin, at) values (?, ?, ?, ?, ?) on conflict do nothing`,
		hash, string(a.Network), a.ID, admin, micros(at))
	return err
}

func (q *queries) GetAccount(ctx context.Context, a bridge.Address) (string, bool, error) {
	var r struct {
		Hash string `db:"hash"`
	}
	ok, err := q.get(ctx, &r, `select hash from account where address = ?`, a.ID)
	return r.Hash, ok, err
}

func (t *tx) SetAccount(_ context.Context, a bridge.Address, hash string, at time.Time) error {
	_, err := t.exec(`insert into account (address, hash, at) values (?, ?, ?)
		on conflict (address) do update set hash = excluded.hash, at = excluded.at`, a.ID, hash, micros(at))
	return err
}

// AddSetting implements bridge.Tx.
func (t *tx) AddSetting(ctx context.Context, key, value string) (string, error) {
	if _, err := t.exec(`insert into setting (key, value) values (?, ?) on conflict do nothing`, key, value); err != nil {
		return "", err
	}
	var r struct {
		Value string `db:"value"`
	}
	_, err := t.get(ctx, &r, `select value from setting where key = ?`, key)
	return r.Value, err
}
