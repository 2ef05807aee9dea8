package xmpp

import (
	"context"

	"mailroom/bridge"
)

// leave takes out a client that goes. Its member stays one.
func (c *Component) leave(ctx context.Context, in incoming) {
	if _, err := c.out(ctx, in); err != nil {
		c.report(ctx, in, err)
	}
}

// out takes out the client that sent a stanza, if it is inside, and tells it so.
func (c *Component) out(ctx context.Context, in incoming, codes ...string) (was bool, err error) {
	err = c.rooms.with(ctx, in.to.session(), func(r *room) error {
		o, inside := r.occupants[in.attr("from")]
		if !inside {
			return nil
		}
		if err := r.refresh(ctx); err != nil {
			return err
		}
		if err := r.remove(ctx, o); err != nil {
			return err
		}
		was = true
		r.reply(append([]*element{r.farewell(o, codes...).identified(in.attr("id"))}, r.changes()...)...)
		return nil
	})
	return was, err
}

// farewell tells a client that it is outside (XEP-0045 §7.14).
func (r *room) farewell(o bridge.Occupant, codes ...string) *element {
	m, _ := r.session.Member(o.Member)
	return r.unavailable(m, append([]string{statusSelf}, codes...)...).sentTo(o.JID)
}

// bounced is a stanza of ours that came back, or an error that somebody made
// up. A client that is no longer there leaves the room by it; an invitation
// has failed.
func (c *Component) bounced(ctx context.Context, in incoming) {
	if !vanished[conditionOf(in.element)] {
		return
	}
	var err error
	if isInvitation(in.attr("id")) {
		err = c.invitationFailed(ctx, in)
	} else {
		err = c.lost(ctx, in)
	}
	if err != nil && bridge.CodeOf(err) != bridge.NotFound {
		c.report(ctx, in, err)
	}
}

// lost takes out a client that bounced. It may be there after all, and not know
// that it could not be reached: so it is told.
func (c *Component) lost(ctx context.Context, in incoming) error {
	in.element = in.sentTo(in.attr("to")).set("id", "") // of our own stanza that came back
	was, err := c.out(ctx, in, statusKicked, statusTechnical)
	if was {
		c.log.Debug("a client is gone", "session", in.to.local, "condition", conditionOf(in.element))
	}
	return err
}
