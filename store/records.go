package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"mailroom/bridge"

	"github.com/google/uuid"
)

const recordColumns = `session_id, seq, id, kind, member_id, target_id, at, network, origin_id, lang, text, html, texts, subject, destination, ref, erased`

type recordRow struct {
	Session     ID     `db:"session_id"`
	Seq         int64  `db:"seq"`
	ID          ID     `db:"id"`
	Kind        string `db:"kind"`
	Member      ID     `db:"member_id"`
	Target      ID     `db:"target_id"`
	At          int64  `db:"at"`
	Network     string `db:"network"`
	Origin      string `db:"origin_id"`
	Lang        string `db:"lang"`
	Text        string `db:"text"`
	HTML        string `db:"html"`
	Texts       string `db:"texts"`
	Subject     string `db:"subject"`
	Destination string `db:"destination"`
	Ref         int64  `db:"ref"`
	Erased      bool   `db:"erased"`
}

func (r recordRow) record() (bridge.Record, error) {
	texts, err := parseTexts(r.Texts)
	return bridge.Record{
		Session: uuid.UUID(r.Session), Seq: r.Seq, ID: uuid.UUID(r.ID), Kind: bridge.Kind(r.Kind),
		Member: uuid.UUID(r.Member), Target: uuid.UUID(r.Target), At: moment(r.At),
		Origin: bridge.Origin{Network: bridge.Network(r.Network), ID: r.Origin}, Lang: r.Lang,
		Body: bridge.Body{Text: r.Text, HTML: r.HTML}, Texts: texts, Subject: r.Subject,
		Destination: bridge.Destination(r.Destination), Ref: r.Ref, Erased: r.Erased,
	}, err
}

// The bodies in other languages are JSON that no query looks into.
func formatTexts(texts map[string]bridge.Body) (string, error) {
	if len(texts) == 0 {
		return "", nil
	}
	b, err := json.Marshal(texts)
	return string(b), err
}

func parseTexts(s string) (texts map[string]bridge.Body, err error) {
	if s == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(s), &texts); err != nil {
		return nil, fmt.Errorf("reading a record's languages: %w", err)
	}
	return texts, nil
}

func (q *queries) records(ctx context.Context, query string, args ...any) ([]bridge.Record, error) {
	var rows []recordRow
	if err := q.list(ctx, &rows, query, args...); err != nil {
		return nil, err
	}
	records := make([]bridge.Record, len(rows))
	for i, r := range rows {
		record, err := r.record()
		if err != nil {
			return nil, err
		}
		records[i] = record
	}
	return records, nil
}

func (q *queries) ListRecords(ctx context.Context, session uuid.UUID, after int64, limit int) ([]bridge.Record, error) {
	if records, ok, err := q.recall(ctx, session, after, limit); ok || err != nil {
		return records, err
	}
	return q.records(ctx, `select `+recordColumns+` from record where session_id = ? and seq > ? order by seq limit ?`,
		text(session), after, limit)
}

func (q *queries) ListRecordsBefore(ctx context.Context, session uuid.UUID, before int64, limit int) ([]bridge.Record, error) {
	if records, ok, err := q.recallBefore(ctx, session, before, limit); ok || err != nil {
		return records, err
	}
	if before <= 0 {
		before = 1<<63 - 1
	}
	records, err := q.records(ctx, `select `+recordColumns+` from record where session_id = ? and seq < ? order by seq desc limit ?`,
		text(session), before, limit)
	slices.Reverse(records)
	return records, err
}

// Append implements bridge.Tx: two statements for a message; the session's
// head is written once for all that the transaction appends.
func (t *tx) Append(ctx context.Context, r bridge.Record) (bridge.Record, bool, error) {
	s := t.sessions[r.Session]
	if s == nil {
		return r, false, errNotLocked(r.Session)
	}
	if s.Keeper != "" && s.State != bridge.Over {
		return t.remember(ctx, s, r)
	}
	return t.insert(ctx, s, r)
}

// insert writes a record, and a message's state.
func (t *tx) insert(ctx context.Context, s *lockedSession, r bridge.Record) (bridge.Record, bool, error) {
	texts, err := formatTexts(r.Texts)
	if err != nil {
		return r, false, err
	}
	r.Seq = s.Head + 1
	n, err := t.exec(`insert into record (`+recordColumns+`) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		on conflict (session_id, network, origin_id) do nothing`,
		text(r.Session), r.Seq, text(r.ID), string(r.Kind), text(r.Member), text(r.Target), micros(r.At), string(r.Origin.Network), r.Origin.ID,
		r.Lang, r.Body.Text, r.Body.HTML, texts, r.Subject, string(r.Destination), r.Ref, r.Erased)
	if err != nil {
		return r, false, err
	}
	if n == 0 {
		r, err = t.byOrigin(ctx, r)
		return r, true, err
	}
	s.Head, s.grown = r.Seq, true
	if r.Kind != bridge.KindMessage {
		return r, false, nil
	}
	_, err = t.exec(`insert into message (session_id, id, seq, member_id, at, lang, text, html, texts) values (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		text(r.Session), text(r.ID), r.Seq, text(r.Member), micros(r.At), r.Lang, r.Body.Text, r.Body.HTML, texts)
	return r, false, err
}

func (t *tx) byOrigin(ctx context.Context, r bridge.Record) (bridge.Record, error) {
	first, ok, err := t.GetOrigin(ctx, r.Session, r.Origin)
	if err == nil && !ok {
		err = fmt.Errorf("the record of origin %s %q is gone", r.Origin.Network, r.Origin.ID)
	}
	return first, err
}

func (t *tx) GetOrigin(ctx context.Context, session uuid.UUID, o bridge.Origin) (bridge.Record, bool, error) {
	if s := t.sessions[session]; s != nil && s.Keeper != "" {
		return t.find(ctx, s, o)
	}
	records, err := t.records(ctx, `select `+recordColumns+` from record where session_id = ? and network = ? and origin_id = ?`,
		text(session), string(o.Network), o.ID)
	if err != nil || len(records) == 0 {
		return bridge.Record{}, false, err
	}
	return records[0], true, nil
}

func (t *tx) AddReceived(_ context.Context, session uuid.UUID, seq int64, raw []byte) error {
	_, err := t.exec(`insert into received (session_id, seq, raw) values (?, ?, ?)`, text(session), seq, encodeRaw(raw))
	return err
}
