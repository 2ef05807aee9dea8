package appservice

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/google/uuid"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"mailroom/bridge"
)

// typists is who types where, as far as it was told on.
type typists struct {
	mu     sync.Mutex
	woken  map[uuid.UUID]bool                    // sessions whose signals have changed
	hints  chan struct{}                         // holds one while woken has something
	shown  map[uuid.UUID]map[uuid.UUID]time.Time // when a member's ghost was last shown typing, by session
	native map[id.RoomID]map[id.UserID]bool      // who types natively
}

// maxTyping bounds what is believed of one room, and maxTypingRooms of how many.
const (
	maxTyping      = 50
	maxTypingRooms = 10_000
)

// wake notes that the signals of a session have changed.
func (t *typists) wake(session uuid.UUID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.woken == nil {
		t.woken = make(map[uuid.UUID]bool)
	}
	t.woken[session] = true
	select {
	case t.hints <- struct{}{}:
	default: // one is waiting there already
	}
}

func (t *typists) take() map[uuid.UUID]bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	woken := t.woken
	t.woken = nil
	return woken
}

func (t *typists) forget(session uuid.UUID, room id.RoomID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.shown, session)
	delete(t.native, room)
}

// changes notes which members of a session are shown typing, and says whose ghost has to begin, or to go on, and whose to end.
func (t *typists) changes(session uuid.UUID, typing map[uuid.UUID]bool, now time.Time) (on, off []uuid.UUID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	shown := t.shown[session]
	for member, at := range shown {
		if !typing[member] {
			off = append(off, member)
			delete(shown, member)
		} else if now.Sub(at) < bridge.TypingTime/2 {
			delete(typing, member)
		}
	}
	for member := range typing {
		on = append(on, member)
		if shown == nil {
			shown = make(map[uuid.UUID]time.Time)
		}
		shown[member] = now
	}
	if t.shown == nil {
		t.shown = make(map[uuid.UUID]map[uuid.UUID]time.Time)
	}
	if t.shown[session] = shown; len(shown) == 0 {
		delete(t.shown, session)
	}
	return on, off
}

// showTyping lets ghosts type while their members do, until ctx ends.
func (g *Gateway) showTyping(ctx context.Context) {
	g.svc.OnSignal(g.typists.wake)
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.typists.hints:
		}
		for session := range g.typists.take() {
			if err := g.showTypingIn(ctx, session); err != nil && ctx.Err() == nil {
				g.log.Debug("who types cannot be shown on Matrix", "session", session, "error", g.hush(err))
			}
		}
	}
}

func (g *Gateway) showTypingIn(ctx context.Context, session uuid.UUID) error {
	ctx, cancel := briefly(ctx)
	defer cancel()
	room, err := g.svc.Room(ctx, session)
	if err != nil {
		return err
	}
	typing, err := g.typingToAll(ctx, room)
	if err != nil {
		return err
	}
	on, off := g.typists.changes(session, typing, time.Now())
	if len(on)+len(off) == 0 {
		return nil
	}
	portal, ok, err := g.svc.Portal(ctx, session, bridge.Matrix)
	if err != nil || !ok {
		return err
	}
	for _, member := range on {
		err = firstOf(err, g.setTyping(ctx, id.RoomID(portal), member, true))
	}
	for _, member := range off {
		err = firstOf(err, g.setTyping(ctx, id.RoomID(portal), member, false))
	}
	return err
}

func firstOf(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

// typingToAll is who types, and is seen by every native member who is in the room: a room shows it to all of them or to none.
func (g *Gateway) typingToAll(ctx context.Context, room *bridge.Room) (map[uuid.UUID]bool, error) {
	public, viewers, seen := room.Public(), 0, make(map[uuid.UUID]int)
	for _, viewer := range room.Members {
		if !viewer.JoinedBy(bridge.Matrix) || viewer.Gone() {
			continue
		}
		viewers++
		signs, err := g.svc.SignsFor(ctx, room, viewer)
		if err != nil {
			return nil, err
		}
		for _, sign := range signs {
			if sign.Typing {
				seen[sign.Member]++
			}
		}
	}
	typing := make(map[uuid.UUID]bool)
	for member, by := range seen {
		// Who is in the room natively types there natively.
		if m, ok := public.Member(member); ok && by == viewers && !m.JoinedBy(bridge.Matrix) {
			typing[member] = true
		}
	}
	return typing, nil
}

// setTyping shows a ghost typing (CS "Typing Notifications"). One that is not in the room is not shown.
func (g *Gateway) setTyping(ctx context.Context, room id.RoomID, member uuid.UUID, on bool) error {
	_, err := g.as(g.ghostOf(member)).UserTyping(ctx, room, on, bridge.TypingTime)
	return unlessForbidden(err)
}

// takeEphemeral takes what the homeserver pushes beside events (AS "Pushing ephemeral data"). It is of the moment: what cannot
// be taken is not asked for again. Dendrite 0.15 pushes none.
func (g *Gateway) takeEphemeral(ctx context.Context, raw []json.RawMessage) {
	for _, text := range raw {
		var typing struct {
			Type    string    `json:"type"`
			Room    id.RoomID `json:"room_id"`
			Content struct {
				Users []id.UserID `json:"user_ids"`
			} `json:"content"`
		}
		if err := json.Unmarshal(text, &typing); err != nil || typing.Type != event.EphemeralEventTyping.Type {
			continue
		}
		if err := g.takeTyping(ctx, typing.Room, typing.Content.Users); err != nil {
			g.log.Debug("who types on Matrix could not be told on", "room", typing.Room, "error", g.hush(err))
		}
	}
}

func (g *Gateway) takeTyping(ctx context.Context, room id.RoomID, users []id.UserID) error {
	session, ours, err := g.sessionOf(ctx, room)
	if err != nil || !ours {
		return err
	}
	on, off := g.typists.heard(room, g.nativesOf(users))
	for _, user := range on {
		err = firstOf(err, g.signalTyping(ctx, session, user, true))
	}
	for _, user := range off {
		err = firstOf(err, g.signalTyping(ctx, session, user, false))
	}
	return err
}

// nativesOf are those users who are not ours.
func (g *Gateway) nativesOf(users []id.UserID) map[id.UserID]bool {
	natives := make(map[id.UserID]bool)
	for _, user := range users {
		if !g.owns(user) && len(user) <= maxID && len(natives) < maxTyping {
			natives[user] = true
		}
	}
	return natives
}

// heard notes who types natively in a room, and says who does so now and who has stopped.
func (t *typists) heard(room id.RoomID, typing map[id.UserID]bool) (on, off []id.UserID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for user := range t.native[room] {
		if !typing[user] {
			off = append(off, user)
		}
	}
	for user := range typing {
		on = append(on, user)
	}
	if t.native == nil || len(t.native) >= maxTypingRooms {
		t.native = make(map[id.RoomID]map[id.UserID]bool)
	}
	if t.native[room] = typing; len(typing) == 0 {
		delete(t.native, room)
	}
	return on, off
}

// signalTyping tells the session. Who has no permission is not heard.
func (g *Gateway) signalTyping(ctx context.Context, session uuid.UUID, user id.UserID, on bool) error {
	err := g.svc.Signal(ctx, session, identityOf(user), bridge.Typing, on)
	if bridge.CodeOf(err) != "" {
		return nil
	}
	return err
}
