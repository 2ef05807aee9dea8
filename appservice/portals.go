package appservice

import (
	"context"
	"sync"

	"github.com/google/uuid"
	"maunium.net/go/mautrix/id"

	"mailroom/bridge"
)

// portals remembers which room belongs to which session. A link never changes.
type portals struct {
	mu       sync.Mutex
	sessions map[id.RoomID]uuid.UUID
	spares   map[uuid.UUID]id.RoomID // rooms made but not linked yet
}

// maxPortals is how many links are remembered; a forgotten one is read again.
const maxPortals = 10_000

// sessionOf is the session of a room, if it is one of ours.
func (g *Gateway) sessionOf(ctx context.Context, room id.RoomID) (uuid.UUID, bool, error) {
	p := &g.portals
	p.mu.Lock()
	session, known := p.sessions[room]
	p.mu.Unlock()
	if known {
		return session, true, nil
	}
	session, ok, err := g.svc.SessionOf(ctx, bridge.Matrix, room.String())
	if err != nil || !ok {
		return uuid.Nil, false, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sessions == nil || len(p.sessions) >= maxPortals {
		p.sessions = make(map[id.RoomID]uuid.UUID)
	}
	p.sessions[room] = session
	return session, true, nil
}

func (p *portals) spare(session uuid.UUID) (id.RoomID, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	room, ok := p.spares[session]
	return room, ok
}

func (p *portals) made(session uuid.UUID, room id.RoomID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.spares == nil {
		p.spares = make(map[uuid.UUID]id.RoomID)
	}
	p.spares[session] = room
}

func (p *portals) used(session uuid.UUID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.spares, session)
}

// forget drops the link of a room that is at its end.
func (p *portals) forget(room id.RoomID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.sessions, room)
}
