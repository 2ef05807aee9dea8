package appservice

import (
	"context"
	"fmt"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"mailroom/bridge"
	"mailroom/locales"
)

// Power levels of our rooms. The bot has the creator's level. Everybody may talk, and try to change the name: the session
// decides whether that holds (members.go). Nobody but the bot lets people in or out.
const (
	levelUser = 0
	levelMute = 50 // what talking needs in a closed session
	levelBot  = 100
)

// powerLevels leaves out who has which level: the creator's place depends on the version of the room, which the homeserver
// chooses. The topic of a room that is off the record says so, and stays.
func powerLevels(o bridge.Options) *event.PowerLevelsEventContent {
	bot, topic := levelBot, levelUser
	if o.OffRecord {
		topic = levelBot
	}
	return &event.PowerLevelsEventContent{
		InvitePtr: &bot, KickPtr: &bot, BanPtr: &bot, RedactPtr: &bot, StateDefaultPtr: &bot,
		Events: map[string]int{
			event.StateRoomName.Type: levelUser,
			event.StateTopic.Type:    topic,
		},
	}
}

// visibilityOf is what somebody who comes later can read: everything, or what was said since they were invited (CS "Room
// history visibility").
func visibilityOf(o bridge.Options) event.HistoryVisibility {
	if o.NewcomersFromNow {
		return event.HistoryVisibilityInvited
	}
	return event.HistoryVisibilityShared
}

// createRoom makes the room of a session, and links both before anybody is invited: after a crash in between, an empty room is
// left that nobody sees, and leaveOrphans takes the bot out of it.
func (g *Gateway) createRoom(ctx context.Context, room *bridge.Room) (id.RoomID, error) {
	if err := g.introduce(ctx); err != nil {
		return "", err
	}
	session := room.Session.ID
	made, err := g.spareRoom(ctx, room)
	if err != nil {
		return "", err
	}
	if err := g.svc.SetPortal(ctx, session, bridge.Matrix, made.String()); err != nil {
		return "", fmt.Errorf("link the room %s: %w", made, err)
	}
	g.portals.used(session)
	g.log.Info("made a Matrix room", "session", session, "room", made)
	return made, nil
}

// spareRoom is a room that was made for the session but could not be linked yet, or else a new one.
func (g *Gateway) spareRoom(ctx context.Context, room *bridge.Room) (id.RoomID, error) {
	if spare, ok := g.portals.spare(room.Session.ID); ok {
		return spare, nil
	}
	created, err := g.as(g.bot).CreateRoom(ctx, &mautrix.ReqCreateRoom{
		Visibility: "private",
		Preset:     "private_chat", // which lets in who was invited, and nobody else
		Name:       roomName(room),
		Topic:      topicOf(room),
		InitialState: []*event.Event{
			{Type: event.StateHistoryVisibility, Content: event.Content{Parsed: &event.HistoryVisibilityEventContent{HistoryVisibility: visibilityOf(room.Session.Options)}}},
			{Type: event.StateGuestAccess, Content: event.Content{Parsed: &event.GuestAccessEventContent{GuestAccess: event.GuestAccessForbidden}}},
		},
		PowerLevelOverride: powerLevels(room.Session.Options),
	})
	if err != nil {
		return "", fmt.Errorf("create a room: %w", err)
	}
	g.portals.made(room.Session.ID, created.RoomID)
	return created.RoomID, nil
}

// topicOf is what a room says of itself: only one that is off the record has something to say.
func topicOf(room *bridge.Room) string {
	if room.Session.Options.OffRecord {
		return printerOf(room).T("room.off_record_topic")
	}
	return ""
}

// roomName is the subject, or a general name if there is none.
func roomName(room *bridge.Room) string {
	if room.Session.Subject != "" {
		return room.Session.Subject
	}
	return printerOf(room).T("room.unnamed")
}

// printerOf speaks the language of the session: what is said in a room is read by everybody there.
func printerOf(room *bridge.Room) locales.Printer { return locales.Default().For(room.Session.Lang) }

// setName makes the room's name what the session's subject is. An equal name makes no new event.
func (g *Gateway) setName(ctx context.Context, v id.RoomID, room *bridge.Room) error {
	_, err := g.as(g.bot).SendStateEvent(ctx, v, event.StateRoomName, "", &event.RoomNameEventContent{Name: roomName(room)})
	if err != nil {
		return fmt.Errorf("name the room %s: %w", v, err)
	}
	return nil
}

// setTalking lets everybody talk or only the bot.
func (g *Gateway) setTalking(ctx context.Context, room id.RoomID, allowed bool) error {
	level := levelUser
	if !allowed {
		level = levelMute
	}
	var levels event.PowerLevelsEventContent
	bot := g.as(g.bot)
	if err := bot.StateEvent(ctx, room, event.StatePowerLevels, "", &levels); err != nil {
		return fmt.Errorf("read the power levels of %s: %w", room, err)
	}
	if levels.EventsDefault == level {
		return nil
	}
	levels.EventsDefault = level
	if _, err := bot.SendStateEvent(ctx, room, event.StatePowerLevels, "", &levels); err != nil {
		return fmt.Errorf("set the power levels of %s: %w", room, err)
	}
	return nil
}

// setVisibility changes what newcomers can read of what is said from now on.
func (g *Gateway) setVisibility(ctx context.Context, room id.RoomID, o bridge.Options) error {
	var now event.HistoryVisibilityEventContent
	bot, wanted := g.as(g.bot), visibilityOf(o)
	if err := bot.StateEvent(ctx, room, event.StateHistoryVisibility, "", &now); err != nil && !isNotFound(err) {
		return fmt.Errorf("read the history visibility of %s: %w", room, err)
	}
	if now.HistoryVisibility == wanted {
		return nil
	}
	_, err := bot.SendStateEvent(ctx, room, event.StateHistoryVisibility, "", &event.HistoryVisibilityEventContent{HistoryVisibility: wanted})
	if err != nil {
		return fmt.Errorf("set the history visibility of %s: %w", room, err)
	}
	return nil
}
