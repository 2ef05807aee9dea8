package appservice

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// A homeserver that is stopped while it takes a message may bring it into the room minutes later, when it was long sent again:
// Dendrite 0.15 gives what it had begun another five minutes. Nobody can see that coming. So we look at our own messages when
// the homeserver pushes them to us, and delete one of two that say the same record.

// echoes remembers which event says which message of ours.
type echoes struct {
	mu         sync.Mutex
	young, old map[marker]id.EventID
}

// echoGeneration is after how many messages the older half of the memory is given up.
const echoGeneration = 10_000

// note remembers an event. If another event says the same, it returns the one of both that is to go: every node must choose
// the same one.
func (e *echoes) note(m marker, evt id.EventID) (surplus id.EventID, twice bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	known, ok := e.young[m]
	if !ok {
		known, ok = e.old[m]
	}
	if ok && known != evt {
		return max(known, evt), true
	}
	if len(e.young) >= echoGeneration || e.young == nil {
		e.young, e.old = make(map[marker]id.EventID), e.young
	}
	e.young[m] = evt
	return "", false
}

// takeEcho looks at an event of our own. What cannot be deleted is found again when the room is looked into.
func (g *Gateway) takeEcho(ctx context.Context, evt *event.Event) {
	m, ok := evt.Content.Raw[markerKey].(string)
	if !ok || evt.Type != event.EventMessage {
		return
	}
	ctx, cancel := briefly(ctx)
	defer cancel()
	if err := g.noteEcho(ctx, evt.RoomID, marker(m), evt.ID); err != nil {
		g.log.Warn("a message that the homeserver shows twice could not be deleted", "room", evt.RoomID, "event", evt.ID, "error", err)
	}
}

func (g *Gateway) noteEcho(ctx context.Context, room id.RoomID, m marker, evt id.EventID) error {
	surplus, twice := g.echoes.note(m, evt)
	if !twice {
		return nil
	}
	_, err := g.as(g.bot).RedactEvent(ctx, room, surplus, mautrix.ReqRedact{TxnID: "twice-" + strings.TrimPrefix(surplus.String(), "$")})
	if err != nil && !isDefinite(err) {
		return fmt.Errorf("delete the second of two equal messages in %s: %w", room, err)
	}
	g.log.Warn("the homeserver showed a message twice; one was deleted", "room", room, "event", surplus, "error", err)
	return nil
}
