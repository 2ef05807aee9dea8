package store

import (
	"context"
	"strings"
	"time"

	"mailroom/bridge"

	"github.com/google/uuid"
)

// erasedOrigin takes a client's or a person's own id out of the key of what was
// erased. Event ids and the hashes of mails stay: their repeats must be found.
const erasedOrigin = `case when network in ('web', 'xmpp') then 'erased:' || id else origin_id end`

// EraseRecords implements bridge.Tx.
func (t *tx) EraseRecords(ctx context.Context, session, member uuid.UUID, upTo int64) (int, error) {
	if s := t.sessions[session]; s != nil && s.Keeper != "" {
		return t.eraseRemembered(ctx, s, member, upTo)
	}
	whose, args := "", []any{text(session), upTo}
	if member != uuid.Nil {
		whose, args = ` and member_id = ?`, append(args, text(member))
	}
	for _, query := range []string{
		`delete from received where session_id = ? and seq in (select seq from record where record.session_id = received.session_id and seq <= ?` + whose + `)`,
		`delete from message where session_id = ? and seq <= ?` + whose,
	} {
		if _, err := t.exec(query, args...); err != nil {
			return 0, err
		}
	}
	n, err := t.exec(`update record set text = '', html = '', texts = '', lang = '', erased = true, origin_id = `+erasedOrigin+`
		where session_id = ? and seq <= ?`+whose+` and kind = 'message' and not erased`, args...)
	if err != nil || member == uuid.Nil {
		return int(n), err
	}
	subjects, err := t.exec(`update record set subject = '' where session_id = ? and seq <= ?`+whose+` and kind in ('started', 'subject') and subject <> ''`, args...)
	if err != nil {
		return 0, err
	}
	_, err = t.exec(`delete from held where session_id = ? and member_id = ?`, text(session), text(member))
	return int(n + subjects), err
}

// GetSubject implements bridge.Tx.
func (t *tx) GetSubject(ctx context.Context, session uuid.UUID) (string, error) {
	if s := t.sessions[session]; s != nil && s.Keeper != "" {
		return t.rememberedSubject(ctx, s)
	}
	records, err := t.records(ctx, `select `+recordColumns+` from record where session_id = ? and kind in ('started', 'subject') order by seq desc limit 1`, text(session))
	if err != nil || len(records) == 0 {
		return "", err
	}
	return records[0].Subject, nil
}

// EraseMember implements bridge.Tx.
func (t *tx) EraseMember(_ context.Context, session uuid.UUID, m bridge.Member) error {
	id, destination := text(m.ID), string(bridge.ToMail(m.ID))
	queries := map[string][]any{
		`update member set name = '', address = '', person_id = '', lang = '', state = 'revoked', revoked = true, withheld = false where session_id = ? and id = ?`: {text(session), id},
		`delete from endpoint where session_id = ? and member_id = ? and network = 'mail'`:                                                                          {text(session), id},
		`delete from token where session_id = ? and member_id = ?`:                                                                                                  {text(session), id},
		`delete from browser where session_id = ? and member_id = ?`:                                                                                                {text(session), id},
		`delete from code where session_id = ? and member_id = ?`:                                                                                                   {text(session), id},
		`delete from confirmed where session_id = ? and grant_id = ?`:                                                                                               {text(session), text(m.Grant.ID)},
		`update mail set state = 'withdrawn' where session_id = ? and member_id = ? and state = 'queued'`:                                                           {text(session), id},
		`update record set text = '' where session_id = ? and kind = 'failure' and destination = ?`:                                                                 {text(session), destination},
	}
	if m.Role == bridge.Initiator {
		queries[`update session set message_id = '' where id = ?`] = []any{text(session)}
		queries[`update intake set origin_id = 'erased:' || session_id where session_id = ?`] = []any{text(session)}
	}
	for query, args := range queries {
		if _, err := t.exec(query, args...); err != nil {
			return err
		}
	}
	return nil
}

// FinishErasures forgets the native addresses of members who were erased, once
// their networks have been told, and says how many still wait.
func (s *Store) FinishErasures(ctx context.Context) (waiting int, err error) {
	const erased = ` where exists (select 1 from member m where m.session_id = %.session_id and m.id = %.member_id and m.address = '' and m.person_id = '')`
	const told = ` and not exists (select 1 from lane l join session s on s.id = l.session_id
		where l.session_id = endpoint.session_id and l.network = endpoint.network and l.acked < s.head)`
	var r struct {
		N int `db:"n"`
	}
	if _, err := s.get(ctx, &r, `select count(*) as n from endpoint`+strings.ReplaceAll(erased, "%", "endpoint")); err != nil || r.N == 0 {
		return 0, err
	}
	var gone int64
	err = s.write(ctx, uuid.Nil, func(t *tx) error {
		gone, err = t.exec(`delete from endpoint` + strings.ReplaceAll(erased, "%", "endpoint") + told)
		if err != nil || gone == 0 {
			return err
		}
		_, err = t.exec(`delete from occupant` + strings.ReplaceAll(erased, "%", "occupant"))
		return err
	})
	if err == nil && gone > 0 {
		err = s.Scrub(ctx)
	}
	return r.N - int(gone), err
}

// ErasePerson implements bridge.Tx. Who blocked the person keeps the block.
func (t *tx) ErasePerson(ctx context.Context, person uuid.UUID) error {
	addresses, err := t.ListAddresses(ctx, person)
	if err != nil {
		return err
	}
	for _, a := range addresses {
		if err := t.eraseAddress(a); err != nil {
			return err
		}
	}
	for _, query := range []string{
		`delete from person where id = ?`, `delete from chosen where person_id = ?`, `delete from block where person_id = ?`,
		`delete from person_address where person_id = ?`,
	} {
		if _, err := t.exec(query, text(person)); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) eraseAddress(a bridge.Address) error {
	network, name := string(a.Network), a.String()
	for query, args := range map[string][]any{
		`delete from sign_in where network = ? and address = ?`:              {network, a.ID},
		`delete from api_token where network = ? and address = ?`:            {network, a.ID},
		`delete from chosen where network = ? and address = ?`:               {network, a.ID},
		`delete from account where address = ? and ? = 'mail'`:               {a.ID, network},
		`delete from quota where name like '%' || ? || '%'`:                  {name},
		`update audit set who = 'erased' where who = ?`:                      {name},
		`update audit set about = 'erased' where about like '%' || ? || '%'`: {name},
	} {
		if _, err := t.exec(query, args...); err != nil {
			return err
		}
	}
	return nil
}

// ListPastKeeping implements bridge.Store.
func (q *queries) ListPastKeeping(ctx context.Context, now time.Time, keep time.Duration) (map[uuid.UUID]int64, error) {
	var rows []struct {
		Session ID    `db:"session_id"`
		Seq     int64 `db:"seq"`
	}
	most := keep.Microseconds()
	err := q.list(ctx, &rows, `select r.session_id, max(r.seq) as seq from record r join session s on s.id = r.session_id
		where r.kind = 'message' and not r.erased and not s.on_hold and (s.keep_for > 0 or cast(? as bigint) > 0)
		and r.at < cast(? as bigint) - case when s.keep_for > 0 and (cast(? as bigint) = 0 or s.keep_for < cast(? as bigint)) then s.keep_for else cast(? as bigint) end
		group by r.session_id`, most, micros(now), most, most, most)
	due := make(map[uuid.UUID]int64, len(rows))
	for _, r := range rows {
		due[uuid.UUID(r.Session)] = r.Seq
	}
	return due, err
}

// Scrub implements bridge.Store. SQLite has overwritten what was erased
// (secure_delete), but its log still has it.
func (s *Store) Scrub(ctx context.Context) error {
	if s.engine.name == "postgres" {
		for _, table := range []string{"record", "message", "received", "held", "member", "endpoint", "mail", "session"} {
			if _, err := s.db.ExecContext(ctx, `vacuum `+table); err != nil {
				return err
			}
		}
		return nil
	}
	for try := 0; ; try++ {
		var busy, log, done int
		err := s.db.QueryRowxContext(ctx, `pragma wal_checkpoint(truncate)`).Scan(&busy, &log, &done)
		if err != nil || busy == 0 || try == 50 {
			return err
		}
		select { // a reader is in the way
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}
