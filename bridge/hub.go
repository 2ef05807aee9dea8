package bridge

import (
	"sync"

	"github.com/google/uuid"
)

// Hub carries hints within one node: "this session has changed, read its log
// again". A hint has no content, so losing or doubling one loses nothing.
type Hub struct {
	mu       sync.Mutex
	sessions map[uuid.UUID]map[chan struct{}]bool
	all      []func(uuid.UUID)
}

// NewHub makes an empty hub.
func NewHub() *Hub { return &Hub{sessions: make(map[uuid.UUID]map[chan struct{}]bool)} }

// Publish wakes everybody who waits for the session. It never blocks.
func (h *Hub) Publish(session uuid.UUID) {
	h.mu.Lock()
	all := h.all
	for c := range h.sessions[session] {
		select {
		case c <- struct{}{}:
		default: // a hint is waiting there already
		}
	}
	h.mu.Unlock()
	for _, f := range all {
		f(session)
	}
}

// Subscribe returns a channel that holds a hint while the session has changed
// since the last receive. Call cancel when done.
func (h *Hub) Subscribe(session uuid.UUID) (changed <-chan struct{}, cancel func()) {
	c := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sessions[session] == nil {
		h.sessions[session] = make(map[chan struct{}]bool)
	}
	h.sessions[session][c] = true
	return c, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.sessions[session], c)
		if len(h.sessions[session]) == 0 {
			delete(h.sessions, session)
		}
	}
}

// OnPublish has f called for each hint of every session, on the publisher's
// goroutine: f must not block.
func (h *Hub) OnPublish(f func(session uuid.UUID)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, f)
}
