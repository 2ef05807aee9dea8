package xmpp

import (
	"context"
	"sync"

	"github.com/google/uuid"
)

// rooms are those that somebody is inside of or that are being worked on. A
// room with nobody in it takes no memory.
type rooms struct {
	component *Component
	mu        sync.Mutex
	open      map[uuid.UUID]*room
}

// forget drops all rooms: another node may have served them meanwhile.
func (t *rooms) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open = make(map[uuid.UUID]*room)
}

// acquire finds or makes the room; each acquire needs a release.
func (t *rooms) acquire(id uuid.UUID) *room {
	t.mu.Lock()
	defer t.mu.Unlock()
	r, ok := t.open[id]
	if !ok {
		r = newRoom(t.component, id)
		t.open[id] = r
	}
	r.users++
	return r
}

func (t *rooms) release(r *room) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r.users--
	if r.users == 0 && len(r.occupants) == 0 && t.open[r.id] == r {
		delete(t.open, r.id)
	}
}

// with runs do on the room, which nobody else touches meanwhile: a join and
// the delivery of a message never interleave. It does not ask if there is such
// a session; what is loaded of an unknown one is an empty room.
func (t *rooms) with(ctx context.Context, id uuid.UUID, do func(*room) error) error {
	r := t.acquire(id)
	defer t.release(r)
	return r.locked(ctx, func() error { return do(r) })
}

// delivered is the seq of the last record that an open room's clients were
// sent, 0 if it is not known.
func (t *rooms) delivered(id uuid.UUID) int64 {
	t.mu.Lock()
	r, ok := t.open[id]
	t.mu.Unlock()
	if !ok {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.delivered
}
