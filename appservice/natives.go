package appservice

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/google/uuid"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"mailroom/bridge"
	"mailroom/locales"
)

// expected are the members whom the session's room is for: who is on Matrix, has a part in the session, and may be seen
// there. room is as everybody sees it.
func expected(room *bridge.Room) []bridge.Member {
	var members []bridge.Member
	for _, m := range room.Members {
		if onMatrix(m) && !m.Gone() {
			members = append(members, m)
		}
	}
	return members
}

func nativeOf(m bridge.Member) bridge.Endpoint {
	e, _ := m.Endpoint(bridge.Matrix)
	return e
}

// anybodyThere says if a native account exists for which a room would be made, and marks those that do not exist.
func (g *Gateway) anybodyThere(ctx context.Context, room *bridge.Room) (bool, error) {
	there := false
	for _, m := range expected(room.Public()) {
		address := nativeOf(m).Address
		exists, err := g.accountExists(ctx, id.UserID(address.ID))
		if err != nil {
			return false, err
		}
		if exists {
			there = true
		} else if err := g.markFailed(ctx, room, address, "the homeserver knows no such account"); err != nil {
			return false, err
		}
	}
	return there, nil
}

func (g *Gateway) markFailed(ctx context.Context, room *bridge.Room, address bridge.Address, why string) error {
	g.log.Info("a member cannot be invited on Matrix", "session", room.Session.ID, "user", g.hushed(id.UserID(address.ID)), "reason", why)
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

// arrangeNatives takes out of the room who has no part in the session any more, before anything else is brought there: what
// was said after a revocation comes later in the log, and finds them gone. It notes who is still to be invited.
func (d *delivery) arrangeNatives(ctx context.Context) error {
	if d.view.aclVersion == d.room.Session.ACLVersion {
		return nil
	}
	d.view.aclVersion = noVersion
	for _, m := range d.whole.Members {
		if !m.Gone() {
			delete(d.view.out, id.UserID(nativeOf(m).Address.ID))
		} else if err := d.removeNative(ctx, m); err != nil {
			return err
		}
	}
	for _, m := range expected(d.room) {
		if nativeOf(m).State == bridge.EndpointMapped {
			d.waiting = append(d.waiting, m)
		}
	}
	d.arranged = true
	return nil
}

// inviteNatives invites those who may see the record seq. Somebody whose time begins later waits for it: what is said after
// an invitation can be read by whom it invites.
func (d *delivery) inviteNatives(ctx context.Context, seq int64) error {
	if !d.arranged {
		return nil
	}
	var later []bridge.Member
	for _, m := range d.waiting {
		if m.FromSeq >= seq {
			later = append(later, m)
		} else if err := d.inviteNative(ctx, m); err != nil {
			return err
		}
	}
	if d.waiting = later; len(later) == 0 {
		d.view.aclVersion, d.arranged = d.room.Session.ACLVersion, false
	}
	return nil
}

func (d *delivery) inviteNative(ctx context.Context, m bridge.Member) error {
	address := nativeOf(m).Address
	user := id.UserID(address.ID)
	delete(d.view.out, user)
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
	switch {
	case err != nil:
		return err
	case !exists:
		return d.leaveOut(ctx, m, "the homeserver knows no such account")
	case d.mustNotMeet(m):
		return d.leaveOut(ctx, m, "the session hides addresses, and the room would show this one")
	}
	if err := d.takeBackPrivate(ctx, m); err != nil {
		return err
	}
	d.met = append(d.met, m)
	return d.sendInvitation(ctx, m, user)
}

// leaveOut gives a member up who cannot be invited: a ghost stands for them.
func (d *delivery) leaveOut(ctx context.Context, m bridge.Member, why string) error {
	if d.failed == nil {
		d.failed = make(map[uuid.UUID]bool)
	}
	d.failed[m.ID] = true
	return d.markFailed(ctx, d.room, nativeOf(m).Address, why)
}

// isNative says that a member needs no ghost to be seen.
func (d *delivery) isNative(m bridge.Member) bool { return onMatrix(m) && !d.failed[m.ID] }

// mustNotMeet says that a member may not be invited although they have an account, since a room shows the user IDs of
// everybody in it to everybody there: if the session hides addresses, only those are in it who know each other's. The others
// take part by mail and page, with a ghost.
func (d *delivery) mustNotMeet(m bridge.Member) bool {
	if !d.room.Session.Options.HideAddresses {
		return false
	}
	others := slices.Concat(d.met, slices.DeleteFunc(slices.Clone(d.whole.Members), neverThere))
	return slices.ContainsFunc(others, func(other bridge.Member) bool {
		return !d.whole.ShowsAddress(m, other) || !d.whole.ShowsAddress(other, m)
	})
}

// neverThere says that a member's user ID has not been in the room.
func neverThere(m bridge.Member) bool {
	e, ok := m.Endpoint(bridge.Matrix)
	return !ok || e.State == bridge.EndpointMapped || e.State == bridge.EndpointFailed
}

func (d *delivery) sendInvitation(ctx context.Context, m bridge.Member, user id.UserID) error {
	_, err := d.as(d.bot).InviteUser(ctx, d.view.room, &mautrix.ReqInviteUser{UserID: user, Reason: d.invitation()})
	switch {
	case err == nil:
		return d.svc.SetEndpoint(ctx, d.room.Session.ID, nativeOf(m).Address, bridge.EndpointInvited)
	case d.cannotBeInvited(user, err):
		return d.leaveOut(ctx, m, d.hush(err).Error())
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
	name, subject := d.room.DisplayName(d.room.Initiator()), roomName(d.room)
	if d.room.Session.Options.OffRecord {
		return d.say.T("room.invitation_off_record", "Name", name, "Subject", subject)
	}
	return d.say.T("room.invitation", "Name", name, "Subject", subject)
}

// farewells are what somebody reads who is taken out of the room.
var farewells = map[bridge.MemberState]func(locales.Printer) string{
	bridge.Revoked:  func(p locales.Printer) string { return p.T("room.revoked") },
	bridge.Declined: func(p locales.Printer) string { return p.T("room.declined") },
	bridge.Left:     func(p locales.Printer) string { return p.T("room.left_elsewhere") },
}

// removeNative takes a native member out of the room, who has no business there any more. It is asked once how they stand, and
// only if they were not inside for all we know: each request less is a sooner end.
func (d *delivery) removeNative(ctx context.Context, m bridge.Member) error {
	e, ok := m.Endpoint(bridge.Matrix)
	user := id.UserID(e.Address.ID)
	if !ok || d.view.out[user] {
		return nil
	}
	remove := d.kick
	if e.State == bridge.EndpointJoined || e.State == bridge.EndpointInvited {
		remove = d.kickAtOnce
	}
	if err := remove(ctx, d.view.room, user, farewells[m.State](d.say)); err != nil {
		return err
	}
	if d.view.out == nil {
		d.view.out = make(map[id.UserID]bool)
	}
	d.view.out[user] = true
	return nil
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

// kickAtOnce is kick of somebody who should be there: it is asked how they stand only if they cannot be kicked.
func (g *Gateway) kickAtOnce(ctx context.Context, room id.RoomID, user id.UserID, reason string) error {
	_, err := g.as(g.bot).KickUser(ctx, room, &mautrix.ReqKickUser{UserID: user, Reason: reason})
	if err == nil {
		return nil
	}
	return g.kick(ctx, room, user, reason)
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
			g.log.Error("could not find out if somebody may be in a room", "room", room, "user", g.hushed(user), "error", g.hush(err))
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
		g.log.Error("somebody without permission could not be removed from a room", "room", room, "user", g.hushed(user), "error", g.hush(err))
		return
	}
	g.log.Info("removed somebody without permission from a room", "room", room, "user", g.hushed(user))
}

// identityOf is who the homeserver proves somebody to be.
func identityOf(user id.UserID) bridge.Identity {
	return bridge.Identity{Via: bridge.Matrix, Address: bridge.MatrixAddress(user.String())}
}
