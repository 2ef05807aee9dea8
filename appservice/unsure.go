package appservice

import (
	"context"
	"fmt"
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

// findOurs collects the markers of our messages that came into the room since then. Only those sent by our own users count:
// anybody can write such a field.
func (g *Gateway) findOurs(ctx context.Context, room id.RoomID, since time.Time) (map[marker]bool, error) {
	found := make(map[marker]bool)
	onlyMessages := &mautrix.FilterPart{Types: []event.Type{event.EventMessage}}
	from := ""
	for range maxLook {
		page, err := g.as(g.bot).Messages(ctx, room, from, "", mautrix.DirectionBackward, onlyMessages, lookPage)
		if err != nil {
			return nil, fmt.Errorf("look for earlier messages in %s: %w", room, err)
		}
		for _, evt := range page.Chunk {
			if name, ok := evt.Content.Raw[markerKey].(string); ok && g.owns(evt.Sender) {
				found[marker(name)] = true
			}
		}
		if len(page.Chunk) == 0 || page.End == "" || page.End == from {
			break
		}
		// What was said before the first record came into being cannot carry it.
		if oldest := page.Chunk[len(page.Chunk)-1]; time.UnixMilli(oldest.Timestamp).Before(since.Add(-clockSlack)) {
			break
		}
		from = page.End
	}
	return found, nil
}
