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
	ctx       context.Context // of the Run that serves them
	attending sync.WaitGroup
}

// begin drops all rooms, since another node may have served them meanwhile. end
// returns when nobody attends to one any more.
func (t *rooms) begin(ctx context.Context) (end func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	t.open, t.ctx = make(map[uuid.UUID]*room), ctx
	return func() {
		t.mu.Lock()
		cancel()
		t.mu.Unlock()
		t.attending.Wait()
	}
}

// relinked tells all rooms that there is a new link.
func (t *rooms) relinked() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range t.open {
		select {
		case r.linked <- struct{}{}:
		default: // a hint is waiting there already
		}
	}
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
	if r.users > 0 || t.open[r.id] != r {
		return
	}
	if len(r.occupants) > 0 {
		t.attend(r)
		return
	}
	delete(t.open, r.id)
	if r.cancel != nil {
		r.cancel()
	}
}

// attend begins to look after a room that somebody is inside of.
func (t *rooms) attend(r *room) {
	if r.cancel != nil || t.ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithCancel(t.ctx)
	r.cancel = cancel
	t.attending.Go(func() { t.component.attend(ctx, r) })
}

// with runs do on the room, which nobody else touches meanwhile: a join and
// the delivery of a message never interleave. It does not ask if there is such
// a session; what is loaded of an unknown one is an empty room.
func (t *rooms) with(ctx context.Context, id uuid.UUID, do func(*room) error) error {
	r := t.acquire(id)
	defer t.release(r)
	return r.locked(ctx, func() error { return do(r) })
}

// noted is what an open room knows without asking: the seq of the last record
// that its clients were sent, 0 if it is not known, and if a member types.
func (t *rooms) noted(id, member uuid.UUID) (delivered int64, typing bool) {
	t.mu.Lock()
	r, ok := t.open[id]
	t.mu.Unlock()
	if !ok {
		return 0, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.delivered, r.signs[member].Typing
}
