package appservice

import (
	"context"
	"strings"
	"sync"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// A homeserver that is stopped while it takes a message may bring it into the room later, when it was long sent again: Dendrite
// 0.15 gives what it had begun another half minute, or five. Nobody can see that coming. So we look at our own messages when
// the homeserver pushes them to us, and delete a second one that says the same.

// echoes remembers which event says which message of ours.
type echoes struct {
	mu         sync.Mutex
	young, old map[marker]id.EventID
}

// echoGeneration is after how many messages the older half of the memory is given up.
const echoGeneration = 10_000

// isSecond remembers an event, unless another one says the same.
func (e *echoes) isSecond(m marker, evt id.EventID) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	known, ok := e.young[m]
	if !ok {
		known, ok = e.old[m]
	}
	if ok {
		return known != evt
	}
	if len(e.young) >= echoGeneration || e.young == nil {
		e.young, e.old = make(map[marker]id.EventID), e.young
	}
	e.young[m] = evt
	return false
}

// takeEcho looks at an event of our own.
func (g *Gateway) takeEcho(ctx context.Context, evt *event.Event) {
	if m, ok := evt.Content.Raw[markerKey].(string); ok && evt.Type == event.EventMessage {
		g.noteEcho(ctx, evt.RoomID, marker(m), evt.ID)
	}
}

// noteEcho deletes an event that says what another one has said.
func (g *Gateway) noteEcho(ctx context.Context, room id.RoomID, m marker, evt id.EventID) {
	if !g.echoes.isSecond(m, evt) {
		return
	}
	ctx, cancel := briefly(ctx)
	defer cancel()
	_, err := g.as(g.bot).RedactEvent(ctx, room, evt, mautrix.ReqRedact{TxnID: "twice-" + strings.TrimPrefix(evt.String(), "$")})
	g.log.Warn("the homeserver brought a message twice; the second was deleted", "room", room, "event", evt, "error", g.hush(err))
}
