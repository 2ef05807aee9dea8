package appservice

import (
	"context"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"mailroom/bridge"
)

// movements is what a change of membership does, by what the user is after it. A ban is a leave that lasts; nobody can knock at
// a room that is by invitation.
var movements = map[event.Membership]func(*Gateway, context.Context, incoming, id.UserID) error{
	event.MembershipJoin:   (*Gateway).takeJoin,
	event.MembershipLeave:  (*Gateway).takeLeave,
	event.MembershipBan:    (*Gateway).takeLeave,
	event.MembershipInvite: (*Gateway).takeInvite,
}

// takeMember handles what a native user did to their own membership or to somebody's. What the bot does to native users follows
// from the session and never comes here.
func (g *Gateway) takeMember(ctx context.Context, in incoming) error {
	user := id.UserID(in.GetStateKey())
	if g.owns(user) {
		// A ghost that was thrown out comes back with what it has to say next.
		g.log.Info("somebody on Matrix changed the place of one of our users", "session", in.session, "user", g.hushed(user), "by", g.hushed(in.Sender))
		return nil
	}
	move, ok := movements[in.Content.AsMember().Membership]
	if !ok {
		return nil
	}
	return move(g, ctx, in, user)
}

// takeJoin lets a native user in whom the session knows. A repeat, or a change of name, finds them inside already.
func (g *Gateway) takeJoin(ctx context.Context, in incoming, user id.UserID) error {
	_, _, err := g.svc.Join(ctx, in.session, identityOf(user))
	switch bridge.CodeOf(err) {
	case "":
		return err
	case bridge.NotFound, bridge.Forbidden:
		g.turnAway(ctx, in.session, in.RoomID, user)
	default:
		g.log.Info("a join on Matrix was refused", "session", in.session, "user", g.hushed(user), "code", bridge.CodeOf(err))
	}
	return nil
}

// takeLeave notes that a native user is out. Homeservers repeat events, perhaps after the user has come back: so it is asked
// how things stand. If that cannot be found out, the event is believed: a room that is broken at the homeserver must not hold
// up the events of all others.
func (g *Gateway) takeLeave(ctx context.Context, in incoming, user id.UserID) error {
	brief, cancel := briefly(ctx)
	defer cancel()
	membership, err := g.membership(brief, in.RoomID, user)
	if err != nil {
		g.log.Warn("it could not be found out if somebody is still in a room", "room", in.RoomID, "user", g.hushed(user), "error", g.hush(err))
	}
	if membership == event.MembershipJoin {
		return nil
	}
	err = g.svc.EndpointLeft(ctx, in.session, identityOf(user))
	if bridge.CodeOf(err) != "" {
		g.log.Info("somebody without permission left a room", "session", in.session, "user", g.hushed(user))
		return nil
	}
	return err
}

// takeInvite takes the invitation of somebody without permission back. The room lets only the bot invite, but administrators of
// a homeserver have other means.
func (g *Gateway) takeInvite(ctx context.Context, in incoming, user id.UserID) error {
	g.checkGuest(ctx, in.session, in.RoomID, user)
	return nil
}
