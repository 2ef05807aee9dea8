package appservice

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"mailroom/bridge"
	"mailroom/content"
	"mailroom/locales"
)

// ghostOf is the user who stands for a member. It names nobody: a member ID belongs to one session and has no address in it.
func (g *Gateway) ghostOf(member uuid.UUID) id.UserID {
	return id.NewUserID(reservedPrefix+member.String(), g.cfg.Domain)
}

// owns says that a user is our bot or in our namespace.
func (g *Gateway) owns(user id.UserID) bool {
	return user == g.bot || strings.HasPrefix(user.String(), "@"+reservedPrefix) && user.Homeserver() == g.cfg.Domain
}

// badges tell by what somebody talks; one of a native member tells by what they talk this time.
var badges = map[bridge.Network]func(p locales.Printer, name string) string{
	bridge.Mail:   func(p locales.Printer, name string) string { return p.T("room.name_mail", "Name", name) },
	bridge.Web:    func(p locales.Printer, name string) string { return p.T("room.name_web", "Name", name) },
	bridge.XMPP:   func(p locales.Printer, name string) string { return p.T("room.name_xmpp", "Name", name) },
	bridge.Matrix: func(_ locales.Printer, name string) string { return name },
}

// ghostName is what the ghost of a member is called, who speaks by the network via. A name that is taken in the session has a
// number already; the badge comes last, so that a name cannot imitate one.
func ghostName(p locales.Printer, room *bridge.Room, m bridge.Member, via bridge.Network) string {
	shown := m.Address.Network
	if onMatrix(m) {
		shown = via
	}
	name := content.Name(room.DisplayName(m))
	if badge, ok := badges[shown]; ok {
		return badge(p, name)
	}
	return name
}

// onMatrix says that a member takes part natively, or will as soon as the invitation is accepted.
func onMatrix(m bridge.Member) bool {
	e, ok := m.Endpoint(bridge.Matrix)
	return ok && (e.State == bridge.EndpointMapped || e.State == bridge.EndpointInvited || e.State == bridge.EndpointJoined)
}

// register makes the account of a ghost or of the bot, unless there is one (CS "Registration", AS "Server admin style
// permissions").
func (g *Gateway) register(ctx context.Context, user id.UserID) error {
	_, _, err := g.as(user).Register(ctx, &mautrix.ReqRegister[any]{
		Type: mautrix.AuthTypeAppservice, Username: user.Localpart(), InhibitLogin: true,
	})
	if err != nil && !errors.Is(err, mautrix.MUserInUse) {
		return fmt.Errorf("register %s: %w", user, err)
	}
	return nil
}

// prepareGhost registers a ghost and names it. The room's own list of members tells whether that was done before.
func (g *Gateway) prepareGhost(ctx context.Context, v *view, user id.UserID, name string) error {
	seat, known := v.seats[user]
	if known && seat.name == name {
		return nil
	}
	if !known {
		if err := g.register(ctx, user); err != nil {
			return err
		}
	}
	if err := g.as(user).SetDisplayName(ctx, name); err != nil {
		return fmt.Errorf("name %s: %w", user, err)
	}
	seat.name = name
	v.seats[user] = seat
	return nil
}

// inviteGhost shows in the room that somebody was invited.
func (g *Gateway) inviteGhost(ctx context.Context, v *view, user id.UserID, name string) error {
	if v.seats[user].membership.IsInviteOrJoin() {
		return nil
	}
	if err := g.prepareGhost(ctx, v, user, name); err != nil {
		return err
	}
	if v.seats[user].membership == event.MembershipBan {
		if _, err := g.as(g.bot).UnbanUser(ctx, v.room, &mautrix.ReqUnbanUser{UserID: user}); err != nil {
			return fmt.Errorf("unban %s: %w", user, err)
		}
	}
	if _, err := g.as(g.bot).InviteUser(ctx, v.room, &mautrix.ReqInviteUser{UserID: user}); err != nil {
		return fmt.Errorf("invite %s: %w", user, err)
	}
	v.seat(user, event.MembershipInvite)
	return nil
}

// joinGhost brings a ghost into the room.
func (g *Gateway) joinGhost(ctx context.Context, v *view, user id.UserID, name string) error {
	if err := g.inviteGhost(ctx, v, user, name); err != nil {
		return err
	}
	if err := g.prepareGhost(ctx, v, user, name); err != nil {
		return err
	}
	if v.seats[user].membership == event.MembershipJoin {
		return nil
	}
	if _, err := g.as(user).JoinRoomByID(ctx, v.room); err != nil {
		return fmt.Errorf("join as %s: %w", user, err)
	}
	v.seat(user, event.MembershipJoin)
	return nil
}

// removeGhost takes a ghost out of the room, or its invitation back.
func (g *Gateway) removeGhost(ctx context.Context, v *view, user id.UserID) error {
	if !v.seats[user].membership.IsInviteOrJoin() {
		return nil
	}
	if _, err := g.as(user).LeaveRoom(ctx, v.room); unlessForbidden(err) != nil {
		return fmt.Errorf("leave as %s: %w", user, err)
	}
	v.seat(user, event.MembershipLeave)
	return nil
}
