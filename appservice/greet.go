package appservice

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"mailroom/bridge"
)

// botName is the bot's display name.
const botName = "Mailroom"

// Pauses between attempts to reach a homeserver that is down; each is up to half longer, so that nodes do not come at once.
const (
	firstPause = time.Second
	lastPause  = time.Minute
)

// greet makes itself known to the homeserver, finds out whether it reaches us, and clears up. It tries until that has worked
// or ctx ends.
func (g *Gateway) greet(ctx context.Context) {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		err := g.hello(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		g.log.Warn("the Matrix homeserver is not ready; what is said meanwhile is kept and sent later", "error", err, "next", pause)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause + rand.N(pause/2)):
		}
	}
}

func (g *Gateway) hello(ctx context.Context) error {
	if err := g.Check(ctx); err != nil {
		return err
	}
	if err := g.introduce(ctx); err != nil {
		return err
	}
	g.log.Info("the Matrix homeserver is ready", "homeserver", g.cfg.Homeserver, "bot", g.bot)
	return g.leaveOrphans(ctx)
}

// introduction is whether the bot has its account and its name.
type introduction struct {
	mu   sync.Mutex
	done bool
}

// introduce registers and names the bot, once.
func (g *Gateway) introduce(ctx context.Context) error {
	g.introduction.mu.Lock()
	defer g.introduction.mu.Unlock()
	if g.introduction.done {
		return nil
	}
	if err := g.register(ctx, g.bot); err != nil {
		return err
	}
	if err := g.as(g.bot).SetDisplayName(ctx, botName); err != nil {
		return fmt.Errorf("name the bot %s: %w", g.bot, err)
	}
	g.introduction.done = true
	return nil
}

// orphanAge is how old a room without a session must be before the bot leaves it: it could be about to be linked by another
// node.
const orphanAge = 10 * time.Minute

// leaveOrphans leaves the rooms that were made just before a crash and never linked to their session. A room in which anybody
// else is or was invited is left alone: it may belong to a database that was restored from a backup.
func (g *Gateway) leaveOrphans(ctx context.Context) error {
	joined, err := g.as(g.bot).JoinedRooms(ctx)
	if err != nil {
		return fmt.Errorf("list the rooms of the bot: %w", err)
	}
	for _, room := range joined.JoinedRooms {
		_, ours, err := g.svc.SessionOf(ctx, bridge.Matrix, room.String())
		if err != nil {
			return fmt.Errorf("find the session of the room %s: %w", room, err)
		}
		if ours {
			continue
		}
		if err := g.leaveOrphan(ctx, room); err != nil {
			g.log.Warn("a room without a session could not be left", "room", room, "error", g.hush(err))
		}
	}
	return nil
}

func (g *Gateway) leaveOrphan(ctx context.Context, room id.RoomID) error {
	bot := g.as(g.bot)
	state, err := bot.State(ctx, room)
	if err != nil {
		return err
	}
	created, ok := state[event.StateCreate][""]
	if !ok || time.Since(time.UnixMilli(created.Timestamp)) < orphanAge || len(state[event.StateMember]) > 1 {
		return nil
	}
	if _, err := bot.LeaveRoom(ctx, room); err != nil {
		return err
	}
	g.log.Info("left a room that belongs to no session", "room", room)
	return nil
}
