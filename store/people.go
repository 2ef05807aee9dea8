package store

import (
	"context"
	"time"

	"mailroom/bridge"

	"github.com/google/uuid"
)

func (q *queries) GetPerson(ctx context.Context, a bridge.Address) (uuid.UUID, bool, error) {
	var r struct {
		ID ID `db:"person_id"`
	}
	ok, err := q.get(ctx, &r, `select person_id from person_address where network = ? and address = ?`, string(a.Network), a.ID)
	return uuid.UUID(r.ID), ok, err
}

func (t *tx) AddAddress(_ context.Context, person uuid.UUID, a bridge.Address, how string, at time.Time) (bool, error) {
	n, err := t.exec(`insert into person_address (network, address, person_id, how, at) values (?, ?, ?, ?, ?) on conflict do nothing`,
		string(a.Network), a.ID, text(person), how, micros(at))
	return n == 1, err
}

// addressRow is an address in a list.
type addressRow struct {
	Network string `db:"network"`
	Address string `db:"address"`
	At      int64  `db:"at"`
}

func (r addressRow) address() bridge.Address {
	return bridge.Address{Network: bridge.Network(r.Network), ID: r.Address}
}

func (q *queries) addresses(ctx context.Context, query string, person uuid.UUID) ([]bridge.Address, error) {
	var rows []addressRow
	err := q.list(ctx, &rows, query, text(person))
	addresses := make([]bridge.Address, len(rows))
	for i, r := range rows {
		addresses[i] = r.address()
	}
	return addresses, err
}

func (q *queries) ListAddresses(ctx context.Context, person uuid.UUID) ([]bridge.Address, error) {
	return q.addresses(ctx, `select network, address, at from person_address where person_id = ? order by network, address`, person)
}

func (q *queries) ListChosen(ctx context.Context, person uuid.UUID) ([]bridge.Address, error) {
	return q.addresses(ctx, `select network, address, 0 as at from chosen where person_id = ? order by network, address`, person)
}

func (q *queries) ListBlocks(ctx context.Context, person uuid.UUID) ([]bridge.Blocked, error) {
	var rows []addressRow
	err := q.list(ctx, &rows, `select network, address, at from block where person_id = ? order by at, network, address`, text(person))
	blocks := make([]bridge.Blocked, len(rows))
	for i, r := range rows {
		blocks[i] = bridge.Blocked{Address: r.address(), At: moment(r.At)}
	}
	return blocks, err
}

func (q *queries) GetPresence(ctx context.Context, person uuid.UUID) (bridge.PresenceSetting, error) {
	var r struct {
		Presence string `db:"presence"`
	}
	ok, err := q.get(ctx, &r, `select presence from person where id = ?`, text(person))
	if !ok {
		r.Presence = string(bridge.SeenByNobody)
	}
	return bridge.PresenceSetting(r.Presence), err
}

func (q *queries) ListPresences(ctx context.Context, session uuid.UUID) (map[uuid.UUID]bridge.PresenceSetting, error) {
	var rows []struct {
		ID       ID     `db:"id"`
		Presence string `db:"presence"`
	}
	err := q.list(ctx, &rows, `select distinct p.id, p.presence from member m join person p on p.id = m.person_id
		where m.session_id = ? and p.presence <> ?`, text(session), string(bridge.SeenByNobody))
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	settings := make(map[uuid.UUID]bridge.PresenceSetting, len(rows))
	for _, r := range rows {
		settings[uuid.UUID(r.ID)] = bridge.PresenceSetting(r.Presence)
	}
	return settings, nil
}

func (q *queries) ListMailed(ctx context.Context, person uuid.UUID) ([]uuid.UUID, error) {
	return q.ids(ctx, `select distinct m.person_id from member i join member m on m.session_id = i.session_id and m.inviter_id = i.id
		where i.person_id = ?`, text(person))
}

func (t *tx) SetPresence(_ context.Context, person uuid.UUID, p bridge.PresenceSetting) error {
	_, err := t.exec(`insert into person (id, presence) values (?, ?) on conflict (id) do update set presence = excluded.presence`, text(person), string(p))
	return err
}

func (t *tx) SetChosen(_ context.Context, person uuid.UUID, chosen []bridge.Address) error {
	if _, err := t.exec(`delete from chosen where person_id = ?`, text(person)); err != nil {
		return err
	}
	for _, a := range chosen {
		_, err := t.exec(`insert into chosen (person_id, network, address) values (?, ?, ?) on conflict do nothing`, text(person), string(a.Network), a.ID)
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) AddBlock(_ context.Context, person uuid.UUID, b bridge.Blocked) error {
	_, err := t.exec(`insert into block (person_id, network, address, at) values (?, ?, ?, ?) on conflict do nothing`,
		text(person), string(b.Address.Network), b.Address.ID, micros(b.At))
	return err
}

func (t *tx) DeleteBlock(_ context.Context, person uuid.UUID, whom bridge.Address) error {
	_, err := t.exec(`delete from block where person_id = ? and network = ? and address = ?`, text(person), string(whom.Network), whom.ID)
	return err
}
