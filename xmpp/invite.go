package xmpp

import (
	"context"
	"strings"

	"mailroom/bridge"
	"mailroom/locales"
)

const invitationID = "invite-"

// isInvitation says if the id of a stanza that came back is an invitation's.
func isInvitation(id string) bool { return strings.HasPrefix(id, invitationID) }

// invite asks a member to come in, on each of their XMPP addresses that was
// not asked yet. It is noted as on its way until the barrier is passed.
func (r *room) invite(d *delivery, record bridge.Record, target bridge.Member) {
	by, ok := r.session.Member(record.Member)
	if !ok {
		by = r.session.Initiator() // an operator did it for them
	}
	if target.State != bridge.Invited && target.State != bridge.Joined {
		return
	}
	for _, e := range target.Endpoints {
		if e.Address.Network == bridge.XMPP && e.State == bridge.EndpointMapped && !r.inviting[e.Address] {
			d.inviting = append(d.inviting, e.Address)
			d.send(r.invitation(by, target, e.Address))
		}
	}
}

// invitation says it in three ways in one stanza, since clients differ: from
// the room (XEP-0045 §7.8.2), directly (XEP-0249), and in words. The server of
// the invited keeps it, hence off the record it has no subject.
func (r *room) invitation(by, target bridge.Member, to bridge.Address) *element {
	subject := r.session.Session.Subject
	if r.session.Session.Options.OffRecord {
		subject = ""
	}
	invite, direct := el(nsMUCUser, "invite", "from", r.as(by)), el(nsConference, "x", "jid", r.jid)
	if subject != "" {
		invite.with(el(nsMUCUser, "reason").saying(subject))
		direct.set("reason", subject)
	}
	return stanza("message", "normal", r.jid, to.ID).set("id", invitationID+target.ID.String()).with(
		el(nsMUCUser, "x").with(invite), direct,
		el(nsComponent, "body").saying(r.asksIn(by, target, subject)),
	)
}

// asksIn are the words of an invitation; who began the session elsewhere is told
// where it is.
func (r *room) asksIn(by, target bridge.Member, subject string) string {
	p, link := locales.Default().For(target.Lang, r.session.Session.Lang), "xmpp:"+r.jid+"?join"
	name := r.session.DisplayName(by)
	switch own := by.ID == target.ID; {
	case r.session.Session.Options.OffRecord && own:
		return p.T("xmpp.started_off_record", "Link", link)
	case r.session.Session.Options.OffRecord:
		return p.T("xmpp.invitation_off_record", "Name", name, "Link", link)
	case own:
		return p.T("xmpp.started", "Subject", subject, "Link", link)
	}
	return p.T("xmpp.invitation", "Name", name, "Subject", subject, "Link", link)
}

// invited notes the invitations that the server has read. One that came back
// meanwhile is not among them any more, and one who has come in stays so.
func (r *room) invited(ctx context.Context) error {
	if len(r.inviting) == 0 {
		return nil
	}
	if err := r.refresh(ctx); err != nil {
		return err
	}
	for address := range r.inviting {
		if r.endpoint(address) == bridge.EndpointMapped {
			if err := r.service.SetEndpoint(ctx, r.id, address, bridge.EndpointInvited); err != nil {
				return err
			}
		}
		delete(r.inviting, address)
	}
	return nil
}

// endpoint is how far an address has come, "" if it is no member's.
func (r *room) endpoint(a bridge.Address) bridge.EndpointState {
	m, _ := r.session.ByAddress(a)
	for _, e := range m.Endpoints {
		if e.Address == a {
			return e.State
		}
	}
	return ""
}

// invitationFailed notes that there is no such account, or none that can be
// reached: the mail follows. Only the address itself can say so of itself.
func (c *Component) invitationFailed(ctx context.Context, in incoming) error {
	address := in.from.identity().Address
	return c.rooms.with(ctx, in.to.session(), func(r *room) error {
		if err := r.refresh(ctx); err != nil {
			return err
		}
		state := r.endpoint(address)
		if state != bridge.EndpointInvited && !r.inviting[address] {
			return nil
		}
		delete(r.inviting, address)
		return c.service.SetEndpoint(ctx, r.id, address, bridge.EndpointFailed)
	})
}
