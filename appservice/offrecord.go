package appservice

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"mailroom/bridge"
)

// What is off the record has no room here, because homeservers keep what is said in one; unless who started the session
// accepts that. Then everybody is told, and the room ends with the session.

// hasRoom says if what is said in a session may reach a homeserver.
func hasRoom(s bridge.Session) bool { return !s.Options.OffRecord || s.Options.MatrixKeeps }

// warn says first of all in a room what is kept and what is not.
func (d *delivery) warn(ctx context.Context, started bridge.Record) error {
	if !d.room.Session.Options.OffRecord {
		return nil
	}
	return d.notice(ctx, started, d.say.T("room.off_record"))
}

// end says that the session is over and empties its room, the bot last. Nothing of it is remembered here then. What the lane
// has not brought there by now is gone. Repeating it finds what is left to do, at last that the bot is out.
func (g *Gateway) end(ctx context.Context, room *bridge.Room, records []bridge.Record) (accepted int, err error) {
	over := slices.IndexFunc(records, func(r bridge.Record) bool { return r.Kind == bridge.KindOver })
	portal, ok, err := g.svc.Portal(ctx, room.Session.ID, bridge.Matrix)
	switch {
	case err != nil:
		return 0, err
	case !ok || over < 0:
		return len(records), nil
	}
	err = g.empty(ctx, room, id.RoomID(portal), records[over])
	var gone *botGoneError
	pause, limited := limitOf(err)
	switch {
	case limited:
		return 0, &bridge.WaitError{Until: time.Now().Add(pause)}
	case err != nil && !errors.As(err, &gone):
		return 0, err
	}
	g.portals.forget(id.RoomID(portal))
	g.typists.forget(room.Session.ID, id.RoomID(portal))
	return len(records), nil
}

func (g *Gateway) empty(ctx context.Context, room *bridge.Room, remote id.RoomID, over bridge.Record) error {
	v := &view{session: room.Session.ID, room: remote}
	var err error
	if v.last, err = g.findLast(ctx, remote, []bridge.Record{over}); err != nil {
		return err
	}
	natives, err := g.loadSeats(ctx, v)
	if err != nil {
		return err
	}
	d := g.newDelivery(v, room)
	if err := d.setTalking(ctx, remote, false); err != nil {
		return err
	}
	if err := d.notice(ctx, over, d.say.T("room.over")); err != nil {
		return err
	}
	return d.clear(ctx, natives)
}

// clear takes everybody out of the room.
func (d *delivery) clear(ctx context.Context, natives []id.UserID) error {
	for _, user := range natives {
		if err := d.kick(ctx, d.view.room, user, d.say.T("room.over")); err != nil {
			return err
		}
	}
	for user := range d.view.seats {
		if user == d.bot {
			continue
		}
		if err := d.removeGhost(ctx, d.view, user); err != nil {
			return err
		}
	}
	if _, err := d.as(d.bot).LeaveRoom(ctx, d.view.room); unlessForbidden(err) != nil {
		return fmt.Errorf("leave %s: %w", d.view.room, err)
	}
	d.view.seat(d.bot, event.MembershipLeave)
	return nil
}
