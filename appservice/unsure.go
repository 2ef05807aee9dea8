package appservice

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"mailroom/bridge"
)

// A homeserver remembers transaction IDs for half an hour or until it is restarted, and a record may have been sent just
// before we were stopped. So each message carries its record's ID, and whoever is unsure looks for it in the room first.

// markerKey is the field of a message's content that holds its marker.
const markerKey = "org.mailroom.record"

// marker names one message of ours: the record's ID, and for the further parts of a long text the number of the part.
type marker string

func markerOf(record uuid.UUID, part int) marker {
	if part == 0 {
		return marker(record.String())
	}
	return marker(record.String() + "/" + strconv.Itoa(part))
}

// parse is the reverse of markerOf.
func (m marker) parse() (record uuid.UUID, part int, ok bool) {
	name, number, more := strings.Cut(string(m), "/")
	record, err := uuid.Parse(name)
	if err == nil && more {
		part, err = strconv.Atoi(number)
	}
	return record, part, err == nil
}

// place is where one of our messages stands in the order in which they are sent.
type place struct {
	seq  int64
	part int
}

// covers says that a message is in the room if the one at p is: each is sent only when all before it are there.
func (p place) covers(q place) bool { return q.seq < p.seq || q.seq == p.seq && q.part <= p.part }

const (
	lookPage = 100 // events per request
	// maxLook bounds how far back is looked, in pages.
	maxLook = 50
	// clockSlack is by how much the clocks of the homeserver and of ours may differ.
	clockSlack = 10 * time.Minute
)

// probe is a kind of event that no client shows.
var probe = event.Type{Type: "org.mailroom.probe", Class: event.MessageEventType}

// Bounds of waiting for a probe to be seen.
const (
	probePause   = 20 * time.Millisecond
	probeTimeout = 10 * time.Second
)

// sendProbe puts a probe at the end of a room. What the homeserver accepted earlier, perhaps without having been able to tell
// us, stands before it. A homeserver that was killed goes on with what it had accepted only some time after it answers again
// (Dendrite: roomserver and sync API are two queues), so looking at once would find too little.
func (g *Gateway) sendProbe(ctx context.Context, room id.RoomID) (id.EventID, error) {
	sent, err := g.as(g.bot).SendMessageEvent(ctx, room, probe, struct{}{}, mautrix.ReqSendEvent{TransactionID: rand.Text()})
	if isForbidden(err) {
		return "", g.errBotGone(room)
	}
	if err != nil {
		return "", fmt.Errorf("probe the room %s: %w", room, err)
	}
	return sent.EventID, nil
}

// findLast finds the last message in the room that says one of the records; the zero place if there is none. The last tells
// enough, and looking for each record would not do: of two events of equal depth, Dendrite leaves one out between two pages.
func (g *Gateway) findLast(ctx context.Context, room id.RoomID, records []bridge.Record) (place, error) {
	sent, err := g.sendProbe(ctx, room)
	if err != nil {
		return place{}, err
	}
	page, err := g.pageWith(ctx, room, sent)
	if err != nil {
		return place{}, err
	}
	seqs := make(map[uuid.UUID]int64, len(records))
	for _, r := range records {
		seqs[r.ID] = r.Seq
	}
	var last place
	for range maxLook {
		last = g.lastOf(page.Chunk, seqs, last)
		if len(page.Chunk) == 0 || page.End == "" || isBefore(page.Chunk, records[0].At.Add(-clockSlack)) {
			break
		}
		if page, err = g.page(ctx, room, page.End); err != nil {
			return place{}, err
		}
	}
	return last, nil
}

// lastOf is the last place of those of a page and last. Only events of our own users count: anybody can write such a field.
func (g *Gateway) lastOf(events []*event.Event, seqs map[uuid.UUID]int64, last place) place {
	for _, evt := range events {
		name, ok := evt.Content.Raw[markerKey].(string)
		if !ok || !g.owns(evt.Sender) {
			continue
		}
		record, part, ok := marker(name).parse()
		seq, known := seqs[record]
		if found := (place{seq, part}); ok && known && !last.covers(found) {
			last = found
		}
	}
	return last
}

// isBefore says that the oldest event of a page is older than the first record: what was said earlier cannot carry it.
func isBefore(events []*event.Event, first time.Time) bool {
	return time.UnixMilli(events[len(events)-1].Timestamp).Before(first)
}

// page reads messages and probes backwards, from the end of the room if from is empty.
func (g *Gateway) page(ctx context.Context, room id.RoomID, from string) (*mautrix.RespMessages, error) {
	return g.pageOf(ctx, room, from, &mautrix.FilterPart{Types: []event.Type{event.EventMessage, probe}}, lookPage)
}

func (g *Gateway) pageOf(ctx context.Context, room id.RoomID, from string, filter *mautrix.FilterPart, size int) (*mautrix.RespMessages, error) {
	page, err := g.as(g.bot).Messages(ctx, room, from, "", mautrix.DirectionBackward, filter, size)
	if err != nil {
		return nil, fmt.Errorf("look for earlier messages in %s: %w", room, err)
	}
	return page, nil
}

// pageWith reads the last page as soon as the probe can be seen in it.
func (g *Gateway) pageWith(ctx context.Context, room id.RoomID, probe id.EventID) (*mautrix.RespMessages, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	for {
		page, err := g.page(ctx, room, "")
		if err != nil || slices.ContainsFunc(page.Chunk, func(evt *event.Event) bool { return evt.ID == probe }) {
			return page, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("the homeserver does not show what it took in %s: %w", room, ctx.Err())
		case <-time.After(probePause):
		}
	}
}
