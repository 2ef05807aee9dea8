package xmpp

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"mailroom/bridge"
)

const (
	// MaxHistory is how many messages one who enters is shown, unless the client
	// asks for fewer. It is much, so that whoever was cut off and joins again has
	// missed nothing, also with a client that does not say since when.
	MaxHistory = 1000
	// MaxHistorySize is how much of the past is sent to one who enters, in
	// characters of the stream.
	MaxHistorySize = 4 << 20
	// historyPage is how many records are read at a time.
	historyPage = 200
)

// wanted is how much of the past a client asked for (XEP-0045 §7.2.13).
type wanted struct {
	messages int
	chars    int // of whole stanzas
	since    time.Time
}

// historyAsked reads the history element of a join. What cannot be read does
// not limit.
func historyAsked(x *element) wanted {
	w := wanted{messages: MaxHistory, chars: MaxHistorySize}
	h := x.child(nsMUC, "history")
	if h == nil {
		return w
	}
	if since, err := time.Parse(time.RFC3339, h.attr("since")); err == nil {
		w.since = since
	}
	if seconds, ok := number(h.attr("seconds")); ok {
		if since := time.Now().Add(-time.Duration(seconds) * time.Second); since.After(w.since) {
			w.since = since
		}
	}
	if n, ok := number(h.attr("maxstanzas")); ok {
		w.messages = min(n, MaxHistory)
	}
	if n, ok := number(h.attr("maxchars")); ok {
		w.chars = min(n, MaxHistorySize)
	}
	return w
}

// number reads a count; one beyond all use does not limit either.
func number(s string) (int, bool) {
	n, err := strconv.ParseUint(s, 10, 31)
	return int(n), err == nil
}

// history is what was said before the client entered, oldest first: the last
// messages that fit into what was asked for. The page shows the whole.
func (r *room) history(ctx context.Context, by bridge.Identity, o bridge.Occupant, w wanted) ([]*element, error) {
	var out []*element
	before := o.FromSeq + 1
	for before > 1 && len(out) < w.messages && w.chars > 0 {
		page, err := r.service.RecordsBefore(ctx, r.id, by, before, historyPage)
		if err != nil {
			return nil, fmt.Errorf("read the history: %w", err)
		}
		if len(page) == 0 {
			break
		}
		var full bool
		if out, full = r.addHistory(out, page, &w); full {
			break
		}
		before = page[0].Seq
	}
	slices.Reverse(out)
	return out, nil
}

// addHistory adds a page, newest first, and says if there is no room for more.
func (r *room) addHistory(out []*element, page []bridge.Record, w *wanted) (_ []*element, full bool) {
	for _, record := range slices.Backward(page) {
		if record.Kind != bridge.KindMessage || record.Erased {
			continue
		}
		s := r.said(record)
		w.chars -= size(s)
		if len(out) == w.messages || record.At.Before(w.since) || w.chars < 0 {
			return out, true
		}
		out = append(out, s)
	}
	return out, false
}

// said is a message of the past: always with its time.
func (r *room) said(record bridge.Record) *element {
	s := r.message(record)
	if s.child(nsDelay, "delay") == nil {
		s.with(r.delay(record))
	}
	return s
}

// size is how many characters a stanza has in the stream.
func size(s *element) int {
	var b bytes.Buffer
	s.encode(&b)
	return utf8.RuneCount(b.Bytes())
}
