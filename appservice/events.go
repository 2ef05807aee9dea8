package appservice

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"mailroom/bridge"
)

// maxID is the longest user, room or event ID, in bytes (Appendices "Common Namespaced ID Format").
const maxID = 255

// parseEvent reads an event as the homeserver sends it. Everything in it but its shape comes from strangers.
func parseEvent(text json.RawMessage) (*event.Event, error) {
	var evt event.Event
	if err := json.Unmarshal(text, &evt); err != nil {
		return nil, err
	}
	for _, name := range []string{evt.ID.String(), evt.RoomID.String(), evt.Sender.String()} {
		if name == "" || len(name) > maxID || strings.ContainsFunc(name, isControl) {
			return nil, fmt.Errorf("the ID of it, of its room or of its sender is missing, longer than %d bytes, or has control characters in it", maxID)
		}
	}
	evt.Type.Class = event.MessageEventType
	if evt.StateKey != nil {
		evt.Type.Class = event.StateEventType
	}
	err := evt.Content.ParseRaw(evt.Type)
	if err != nil && !errors.Is(err, event.ErrUnsupportedContentType) {
		return nil, fmt.Errorf("the content of %s: %w", evt.ID, err)
	}
	return &evt, nil
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }

// incoming is an event in the room of a session, sent by somebody who is not ours.
type incoming struct {
	*event.Event
	session uuid.UUID
}

func (in incoming) by() bridge.Identity { return identityOf(in.Sender) }

func (in incoming) origin() bridge.Origin {
	return bridge.Origin{Network: bridge.Matrix, ID: in.ID.String()}
}

// takers is what each kind of event does; the others do nothing yet.
var takers = map[event.Type]func(*Gateway, context.Context, incoming) error{
	event.EventMessage:   (*Gateway).takeMessage,
	event.EventSticker:   (*Gateway).takeMessage,
	event.EventRedaction: (*Gateway).takeRedaction,
	event.StateMember:    (*Gateway).takeMember,
	event.StateRoomName:  (*Gateway).takeName,
	event.StateTopic:     (*Gateway).takeTopic,
}

// handle takes one event. An error means that it could not be stored, and has to come again.
func (g *Gateway) handle(ctx context.Context, evt *event.Event) error {
	if g.owns(evt.Sender) {
		g.takeEcho(ctx, evt)
		return nil
	}
	session, ours, err := g.sessionOf(ctx, evt.RoomID)
	if err != nil {
		return err
	}
	if !ours {
		g.takeForeign(ctx, evt)
		return nil
	}
	taker, ok := takers[evt.Type]
	if !ok {
		g.log.Debug("an event of Matrix has no meaning here", "type", evt.Type.Type, "event", evt.ID)
		return nil
	}
	return taker(g, ctx, incoming{evt, session})
}

// takeForeign refuses invitations into rooms that belong to no session. Who was never a ghost has no account to refuse with,
// and gets none here: an account would tell that somebody asked for that name, and strangers could make any number.
func (g *Gateway) takeForeign(ctx context.Context, evt *event.Event) {
	user := id.UserID(evt.GetStateKey())
	if evt.Type != event.StateMember || evt.Content.AsMember().Membership != event.MembershipInvite || !g.owns(user) {
		return
	}
	ctx, cancel := briefly(ctx)
	defer cancel()
	_, err := g.as(user).LeaveRoom(ctx, evt.RoomID, &mautrix.ReqLeave{Reason: defaultPrinter.T("room.foreign")})
	if unlessForbidden(err) != nil {
		g.log.Warn("an invitation into a foreign room could not be refused", "room", evt.RoomID, "user", g.hushed(user), "error", g.hush(err))
	}
}

func (g *Gateway) takeRedaction(_ context.Context, in incoming) error {
	g.log.Info("a deletion on Matrix is not carried to the other networks yet", "session", in.session, "event", in.ID)
	return nil
}

// takeName sets the subject. If the session does not let the sender do that, the name is put back.
func (g *Gateway) takeName(ctx context.Context, in incoming) error {
	return g.takeSubject(ctx, in, in.Content.AsRoomName().Name, func(ctx context.Context, room *bridge.Room) error {
		return g.setName(ctx, in.RoomID, room)
	})
}

// takeTopic takes the room's topic for the subject, which is what people who change it mean. Only rooms that are off the record
// have a topic of their own, and nobody can change that.
func (g *Gateway) takeTopic(ctx context.Context, in incoming) error {
	topic := in.Content.AsTopic().Topic
	if topic == "" {
		return nil
	}
	return g.takeSubject(ctx, in, topic, func(ctx context.Context, room *bridge.Room) error {
		_, err := g.as(g.bot).SendStateEvent(ctx, in.RoomID, event.StateTopic, "", &event.TopicEventContent{Topic: topicOf(room)})
		return err
	})
}

func (g *Gateway) takeSubject(ctx context.Context, in incoming, subject string, undo func(context.Context, *bridge.Room) error) error {
	_, err := g.svc.SetSubject(ctx, in.session, in.by(), cleanSubject(subject), in.origin())
	return g.unlessRefused(ctx, in, err, undo)
}

// unlessRefused lets an internal error through, so that the event is repeated. An act that the session does not allow is
// undone and explained to the room, as well as that works, and is settled then.
func (g *Gateway) unlessRefused(ctx context.Context, in incoming, err error, undo func(context.Context, *bridge.Room) error) error {
	if err == nil || bridge.CodeOf(err) == "" {
		return err
	}
	g.log.Info("an act on Matrix was refused", "session", in.session, "event", in.ID, "type", in.Type.Type, "code", bridge.CodeOf(err))
	if bridge.CodeOf(err) == bridge.NotFound {
		g.turnAway(ctx, in.session, in.RoomID, in.Sender)
		return nil
	}
	ctx, cancel := briefly(ctx)
	defer cancel()
	room, failed := g.svc.Room(ctx, in.session)
	if failed == nil && undo != nil {
		failed = undo(ctx, room)
	}
	if failed == nil {
		failed = g.explainTo(ctx, in, room, err)
	}
	if failed != nil {
		g.log.Warn("a refusal could not be explained on Matrix", "session", in.session, "event", in.ID, "error", g.hush(failed))
	}
	return nil
}

// explainTo says in the room why something was not taken. Its transaction ID keeps a repeated event from a second answer.
func (g *Gateway) explainTo(ctx context.Context, in incoming, room *bridge.Room, refusal error) error {
	notice := &event.MessageEventContent{
		MsgType:   event.MsgNotice,
		Body:      printerOf(room).T("room.not_taken", "Reason", bridge.SentenceOf(refusal)),
		RelatesTo: (&event.RelatesTo{}).SetReplyTo(in.ID),
	}
	_, err := g.as(g.bot).SendMessageEvent(ctx, in.RoomID, event.EventMessage, notice,
		mautrix.ReqSendEvent{TransactionID: "refused-" + strings.TrimPrefix(in.ID.String(), "$")})
	return err
}
