package appservice

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
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

// findOurs collects the markers of our messages that came into the room since then. Only those sent by our own users count:
// anybody can write such a field.
func (g *Gateway) findOurs(ctx context.Context, room id.RoomID, since time.Time) (map[marker]bool, error) {
	last, err := g.sendProbe(ctx, room)
	if err != nil {
		return nil, err
	}
	page, err := g.pageWith(ctx, room, last)
	if err != nil {
		return nil, err
	}
	found := make(map[marker]bool)
	for range maxLook {
		if err := g.collect(ctx, room, page.Chunk, found); err != nil {
			return nil, err
		}
		if len(page.Chunk) == 0 || page.End == "" || isBefore(page.Chunk, since.Add(-clockSlack)) {
			break
		}
		if page, err = g.page(ctx, room, page.End); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func (g *Gateway) collect(ctx context.Context, room id.RoomID, events []*event.Event, found map[marker]bool) error {
	for _, evt := range events {
		name, ok := evt.Content.Raw[markerKey].(string)
		if !ok || !g.owns(evt.Sender) {
			continue
		}
		found[marker(name)] = true
		if err := g.noteEcho(ctx, room, marker(name), evt.ID); err != nil {
			return err
		}
	}
	return nil
}

// isBefore says that the oldest event of a page is older than the first record: what was said earlier cannot carry it.
func isBefore(events []*event.Event, first time.Time) bool {
	return time.UnixMilli(events[len(events)-1].Timestamp).Before(first)
}

// page reads messages and probes backwards, from the end of the room if from is empty.
func (g *Gateway) page(ctx context.Context, room id.RoomID, from string) (*mautrix.RespMessages, error) {
	filter := &mautrix.FilterPart{Types: []event.Type{event.EventMessage, probe}}
	page, err := g.as(g.bot).Messages(ctx, room, from, "", mautrix.DirectionBackward, filter, lookPage)
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
