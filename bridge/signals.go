package bridge

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// SignalKind is something of a moment: it is told to whom the person's setting
// lets see them, and stored nowhere.
type SignalKind string

const (
	Typing SignalKind = "typing"
	Here   SignalKind = "here" // a real gesture on the page, or a client inside
)

// How long a signal holds without being given again.
const (
	TypingTime = 10 * time.Second
	HereTime   = 75 * time.Second
)

// Signs are what one member may see of another now.
type Signs struct {
	Member uuid.UUID
	Typing bool
	Here   bool
	// Until is when the first of them runs out, unless it is given again.
	Until time.Time
}

// signals has the moments of the members of the sessions that are awake.
type signals struct {
	mu       sync.Mutex
	sessions map[uuid.UUID]map[uuid.UUID]moments
	hub      *Hub
}

type moments struct{ typing, here time.Time } // until when

func newSignals() *signals {
	return &signals{sessions: make(map[uuid.UUID]map[uuid.UUID]moments), hub: NewHub()}
}

// note writes a signal down; a zero until ends it.
func (s *signals) note(session, member uuid.UUID, kind SignalKind, until, now time.Time) {
	s.mu.Lock()
	members := s.sessions[session]
	if members == nil {
		members = make(map[uuid.UUID]moments)
		s.sessions[session] = members
	}
	m := members[member]
	if kind == Typing {
		m.typing = until
	} else {
		m.here = until
	}
	members[member] = m
	s.forget(session, now)
	s.mu.Unlock()
	s.hub.Publish(session)
}

// forget drops what is over.
func (s *signals) forget(session uuid.UUID, now time.Time) {
	for member, m := range s.sessions[session] {
		if !now.Before(m.typing) && !now.Before(m.here) {
			delete(s.sessions[session], member)
		}
	}
	if len(s.sessions[session]) == 0 {
		delete(s.sessions, session)
	}
}

// sweep drops what is over in all sessions.
func (s *signals) sweep(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for session := range s.sessions {
		s.forget(session, now)
	}
}

func (s *signals) of(session uuid.UUID, now time.Time) []Signs {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(session, now)
	var all []Signs
	for member, m := range s.sessions[session] {
		all = append(all, m.signs(member, now))
	}
	return all
}

func (m moments) signs(member uuid.UUID, now time.Time) Signs {
	s := Signs{Member: member, Typing: now.Before(m.typing), Here: now.Before(m.here), Until: m.here}
	if s.Typing && (!s.Here || m.typing.Before(m.here)) {
		s.Until = m.typing
	}
	return s
}

// Signal says that a member types or is here, or (on false) no more. It is told
// to other nodes, too. Errors: NotFound, Closed.
func (s *Service) Signal(ctx context.Context, session uuid.UUID, by Identity, kind SignalKind, on bool) error {
	_, m, err := s.look(ctx, session, by, ActSignal)
	if err != nil {
		return err
	}
	s.signals.note(session, m.ID, kind, s.signalUntil(kind, on), s.now())
	state := "off"
	if on {
		state = "on"
	}
	s.store.Spread(strings.Join([]string{session.String(), m.ID.String(), string(kind), state}, " "))
	return nil
}

func (s *Service) signalUntil(kind SignalKind, on bool) time.Time {
	switch {
	case !on:
		return time.Time{}
	case kind == Typing:
		return s.now().Add(TypingTime)
	}
	return s.now().Add(HereTime)
}

// Heard takes a signal that another node has spread.
func (s *Service) Heard(text string) {
	parts := strings.Fields(text)
	if len(parts) != 4 {
		return
	}
	session, err := uuid.Parse(parts[0])
	member, failed := uuid.Parse(parts[1])
	kind := SignalKind(parts[2])
	if err != nil || failed != nil || kind != Typing && kind != Here {
		return
	}
	s.signals.note(session, member, kind, s.signalUntil(kind, parts[3] == "on"), s.now())
}

// Signals are what a reader may see of the others now. Errors: NotFound.
func (s *Service) Signals(ctx context.Context, session uuid.UUID, by Identity) ([]Signs, error) {
	room, me, err := s.look(ctx, session, by, ActRead)
	if err != nil {
		return nil, err
	}
	return s.SignsFor(ctx, room, me)
}

// SignsOf are the signals of everybody in a session, for a gateway that serves it
// and decides by Watch who is shown which. It asks no permission.
func (s *Service) SignsOf(session uuid.UUID) []Signs { return s.signals.of(session, s.now()) }

// SignsFor are what one member may see of the others, for a gateway that serves
// the session.
func (s *Service) SignsFor(ctx context.Context, room *Room, me Member) ([]Signs, error) {
	all := s.signals.of(room.Session.ID, s.now())
	if len(all) == 0 {
		return nil, nil
	}
	watch, err := s.Watch(ctx, room)
	if err != nil {
		return nil, err
	}
	var shown []Signs
	for _, sign := range all {
		m, ok := room.Member(sign.Member)
		if ok && m.ID != me.ID && room.ShowsMember(me, m) && watch.Sees(me.ID, m.ID) {
			shown = append(shown, sign)
		}
	}
	return shown, nil
}

// SubscribeSignals returns a channel that holds a hint while signals of the
// session have changed since the last receive.
func (s *Service) SubscribeSignals(session uuid.UUID) (changed <-chan struct{}, cancel func()) {
	return s.signals.hub.Subscribe(session)
}

// OnSignal has f called for each hint of a signal; f must not block.
func (s *Service) OnSignal(f func(session uuid.UUID)) { s.signals.hub.OnPublish(f) }
