package store

import (
	"context"

	"mailroom/bridge"

	"github.com/google/uuid"
)

const memberColumns = `id, person_id, number, name, network, address, role, state, lang, read_seq, no_mail, grant_id, generation, revoked, expires_at, inviter_id, round, from_seq, blind, withheld`

type memberRow struct {
	ID         ID     `db:"id"`
	Person     ID     `db:"person_id"`
	Number     int    `db:"number"`
	Name       string `db:"name"`
	Network    string `db:"network"`
	Address    string `db:"address"`
	Role       string `db:"role"`
	State      string `db:"state"`
	Lang       string `db:"lang"`
	ReadSeq    int64  `db:"read_seq"`
	NoMail     bool   `db:"no_mail"`
	Grant      ID     `db:"grant_id"`
	Generation int    `db:"generation"`
	Revoked    bool   `db:"revoked"`
	ExpiresAt  int64  `db:"expires_at"`
	Inviter    ID     `db:"inviter_id"`
	Round      int    `db:"round"`
	FromSeq    int64  `db:"from_seq"`
	Blind      bool   `db:"blind"`
	Withheld   bool   `db:"withheld"`
}

func (r memberRow) member() bridge.Member {
	return bridge.Member{
		ID: uuid.UUID(r.ID), Person: uuid.UUID(r.Person), Number: r.Number, Name: r.Name,
		Address: bridge.Address{Network: bridge.Network(r.Network), ID: r.Address},
		Role:    bridge.Role(r.Role), State: bridge.MemberState(r.State), Lang: r.Lang,
		ReadSeq: r.ReadSeq, NoMail: r.NoMail,
		Grant:   bridge.Grant{ID: uuid.UUID(r.Grant), Generation: r.Generation, Revoked: r.Revoked, ExpiresAt: moment(r.ExpiresAt)},
		Inviter: uuid.UUID(r.Inviter), Round: r.Round, FromSeq: r.FromSeq, Blind: r.Blind, Withheld: r.Withheld,
	}
}

type endpointRow struct {
	Member  ID     `db:"member_id"`
	Network string `db:"network"`
	Address string `db:"address"`
	State   string `db:"state"`
}

// ListMembers lists the members with their endpoints, by number.
func (q *queries) ListMembers(ctx context.Context, session uuid.UUID) ([]bridge.Member, error) {
	var rows []memberRow
	if err := q.list(ctx, &rows, `select `+memberColumns+` from member where session_id = ? order by number`, text(session)); err != nil {
		return nil, err
	}
	var endpoints []endpointRow
	err := q.list(ctx, &endpoints, `select member_id, network, address, state from endpoint where session_id = ? order by network, address`, text(session))
	if err != nil {
		return nil, err
	}
	members := make([]bridge.Member, len(rows))
	at := make(map[uuid.UUID]*bridge.Member, len(rows))
	for i, r := range rows {
		members[i] = r.member()
		at[members[i].ID] = &members[i]
	}
	for _, e := range endpoints {
		if m := at[uuid.UUID(e.Member)]; m != nil {
			a := bridge.Address{Network: bridge.Network(e.Network), ID: e.Address}
			m.Endpoints = append(m.Endpoints, bridge.Endpoint{Address: a, State: bridge.EndpointState(e.State)})
		}
	}
	return members, nil
}

func (t *tx) AddMember(ctx context.Context, session uuid.UUID, m bridge.Member) error {
	_, err := t.exec(`insert into member (session_id, `+memberColumns+`) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		text(session), text(m.ID), text(m.Person), m.Number, m.Name, string(m.Address.Network), m.Address.ID, string(m.Role), string(m.State),
		m.Lang, m.ReadSeq, m.NoMail, text(m.Grant.ID), m.Grant.Generation, m.Grant.Revoked, micros(m.Grant.ExpiresAt),
		text(m.Inviter), m.Round, m.FromSeq, m.Blind, m.Withheld)
	if err != nil {
		return err
	}
	for _, e := range m.Endpoints {
		if err := t.AddEndpoint(ctx, session, m.ID, e); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) SetMember(_ context.Context, session uuid.UUID, m bridge.Member) error {
	_, err := t.exec(`update member set state = ?, name = ?, lang = ?, no_mail = ?, generation = ?, revoked = ?, expires_at = ?,
		inviter_id = ?, blind = ?, withheld = ? where session_id = ? and id = ?`,
		string(m.State), m.Name, m.Lang, m.NoMail, m.Grant.Generation, m.Grant.Revoked, micros(m.Grant.ExpiresAt),
		text(m.Inviter), m.Blind, m.Withheld, text(session), text(m.ID))
	return err
}

func (t *tx) SetReadSeq(_ context.Context, session, member uuid.UUID, seq int64) error {
	_, err := t.exec(`update member set read_seq = ? where session_id = ? and id = ? and read_seq < ?`, seq, text(session), text(member), seq)
	return err
}

func (t *tx) AddEndpoint(_ context.Context, session, member uuid.UUID, e bridge.Endpoint) error {
	_, err := t.exec(`insert into endpoint (session_id, network, address, member_id, state) values (?, ?, ?, ?, ?)`,
		text(session), string(e.Address.Network), e.Address.ID, text(member), string(e.State))
	return err
}

func (t *tx) SetEndpoint(_ context.Context, session uuid.UUID, e bridge.Endpoint) error {
	_, err := t.exec(`update endpoint set state = ? where session_id = ? and network = ? and address = ?`,
		string(e.State), text(session), string(e.Address.Network), e.Address.ID)
	return err
}
