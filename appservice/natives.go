package appservice

import (
	"context"
	"fmt"
	"net/http"

	"github.com/google/uuid"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"mailroom/bridge"
)

// expected are the native endpoints of a session that its room is for.
func expected(room *bridge.Room) []bridge.Endpoint {
	var endpoints []bridge.Endpoint
	for _, m := range room.Members {
		e, _ := m.Endpoint(bridge.Matrix)
		if onMatrix(m) && m.State != bridge.Revoked && m.State != bridge.Left {
			endpoints = append(endpoints, e)
		}
	}
	return endpoints
}

// anybodyThere says if a native account exists for which a room would be made, and marks those that do not exist.
func (g *Gateway) anybodyThere(ctx context.Context, room *bridge.Room) (bool, error) {
	there := false
	for _, e := range expected(room) {
		exists, err := g.accountExists(ctx, id.UserID(e.Address.ID))
		if err != nil {
			return false, err
		}
		if exists {
			there = true
		} else if err := g.markFailed(ctx, room, e.Address, "the homeserver knows no such account"); err != nil {
			return false, err
		}
	}
	return there, nil
}

func (g *Gateway) markFailed(ctx context.Context, room *bridge.Room, address bridge.Address, why string) error {
	g.log.Info("a member cannot be invited on Matrix", "session", room.Session.ID, "user", address.ID, "reason", why)
	return g.svc.SetEndpoint(ctx, room.Session.ID, address, bridge.EndpointFailed)
}

// accountExists asks our own homeserver about its own users; about others it may have to guess, and they are just invited.
// Synapse can be told to hide profiles, which is no answer either.
func (g *Gateway) accountExists(ctx context.Context, user id.UserID) (bool, error) {
	if user.Homeserver() != g.cfg.Domain {
		return true, nil
	}
	_, err := g.as(g.bot).GetProfile(ctx, user)
	switch {
	case err == nil || isForbidden(err):
		return true, nil
	case isNotFound(err):
		return false, nil
	default:
		return false, fmt.Errorf("look for the account %s: %w", user, err)
	}
}

// inviteNatives invites the native members who are not invited yet.
func (d *delivery) inviteNatives(ctx context.Context) error {
	if d.view.aclVersion == d.room.Session.ACLVersion {
		return nil
	}
	for _, e := range expected(d.room) {
		if e.State != bridge.EndpointMapped {
			continue
		}
		if err := d.inviteNative(ctx, e.Address); err != nil {
			return err
		}
	}
	d.view.aclVersion = d.room.Session.ACLVersion
	return nil
}

func (d *delivery) inviteNative(ctx context.Context, address bridge.Address) error {
	user := id.UserID(address.ID)
	membership, err := d.membership(ctx, d.view.room, user)
	if err != nil {
		return err
	}
	switch membership {
	case event.MembershipJoin:
		return d.svc.SetEndpoint(ctx, d.room.Session.ID, address, bridge.EndpointJoined)
	case event.MembershipInvite:
		return d.svc.SetEndpoint(ctx, d.room.Session.ID, address, bridge.EndpointInvited)
	}
	exists, err := d.accountExists(ctx, user)
	if err != nil {
		return err
	}
	if !exists {
		return d.markFailed(ctx, d.room, address, "the homeserver knows no such account")
	}
	_, err = d.as(d.bot).InviteUser(ctx, d.view.room, &mautrix.ReqInviteUser{UserID: user, Reason: d.invitation()})
	switch {
	case err == nil:
		return d.svc.SetEndpoint(ctx, d.room.Session.ID, address, bridge.EndpointInvited)
	case d.cannotBeInvited(user, err):
		return d.markFailed(ctx, d.room, address, err.Error())
	default:
		return fmt.Errorf("invite %s: %w", user, err)
	}
}

// cannotBeInvited says that the invitation by mail must do. A server of somebody else's that does not answer must not hold up
// the session either.
func (d *delivery) cannotBeInvited(user id.UserID, err error) bool {
	if isDefinite(err) {
		return true
	}
	return user.Homeserver() != d.cfg.Domain && statusOf(err) >= http.StatusInternalServerError
}

// invitation is what a native user reads beside the invitation.
func (d *delivery) invitation() string {
	return d.say.T("room.invitation", "Name", d.room.DisplayName(d.room.Initiator()), "Subject", roomName(d.room))
}

// removeNative takes a native member out of the room, who has no business there any more.
func (d *delivery) removeNative(ctx context.Context, m bridge.Member, reason string) error {
	e, ok := m.Endpoint(bridge.Matrix)
	if !ok {
		return nil
	}
	return d.kick(ctx, d.view.room, id.UserID(e.Address.ID), reason)
}

// kick takes somebody out of a room, or an invitation back. Whoever is not there is left alone.
func (g *Gateway) kick(ctx context.Context, room id.RoomID, user id.UserID, reason string) error {
	membership, err := g.membership(ctx, room, user)
	if err != nil || !membership.IsInviteOrJoin() {
		return err
	}
	if _, err := g.as(g.bot).KickUser(ctx, room, &mautrix.ReqKickUser{UserID: user, Reason: reason}); err != nil {
		return fmt.Errorf("remove %s from %s: %w", user, room, err)
	}
	return nil
}

// membership asks the homeserver how somebody stands to a room at this moment.
func (g *Gateway) membership(ctx context.Context, room id.RoomID, user id.UserID) (event.Membership, error) {
	var member event.MemberEventContent
	err := g.as(g.bot).StateEvent(ctx, room, event.StateMember, user.String(), &member)
	switch {
	case isNotFound(err):
		return event.MembershipLeave, nil
	case err != nil:
		return "", fmt.Errorf("ask for %s in %s: %w", user, room, err)
	}
	return member.Membership, nil
}

// checkGuest removes a native user who has no grant. A failure is only logged: it must not hold up those who have one.
func (g *Gateway) checkGuest(ctx context.Context, session uuid.UUID, room id.RoomID, user id.UserID) {
	_, _, err := g.svc.View(ctx, session, identityOf(user))
	switch bridge.CodeOf(err) {
	case bridge.NotFound, bridge.Forbidden:
		g.turnAway(ctx, session, room, user)
	case "":
		if err != nil {
			g.log.Error("could not find out if somebody may be in a room", "room", room, "user", user, "error", err)
		}
	}
}

// turnAway removes somebody who has no grant and tells why.
func (g *Gateway) turnAway(ctx context.Context, session uuid.UUID, room id.RoomID, user id.UserID) {
	ctx, cancel := briefly(ctx)
	defer cancel()
	snapshot, err := g.svc.Room(ctx, session)
	if err == nil {
		err = g.kick(ctx, room, user, printerOf(snapshot).T("room.no_permission"))
	}
	if err != nil {
		g.log.Error("somebody without permission could not be removed from a room", "room", room, "user", user, "error", err)
		return
	}
	g.log.Info("removed somebody without permission from a room", "room", room, "user", user)
}

// identityOf is who the homeserver proves somebody to be.
func identityOf(user id.UserID) bridge.Identity {
	return bridge.Identity{Via: bridge.Matrix, Address: bridge.MatrixAddress(user.String())}
}
