package xmpp

import (
	"context"

	"mailroom/bridge"
)

// leave takes out a client that goes. Its member stays one.
func (c *Component) leave(ctx context.Context, in incoming) {
	err := c.rooms.with(ctx, in.to.session(), func(r *room) error {
		o, inside := r.occupants[in.attr("from")]
		if !inside {
			return nil
		}
		seen, err := r.remove(ctx, o)
		if err != nil {
			return err
		}
		r.reply(append([]*element{r.farewell(o).identified(in.attr("id"))}, seen...)...)
		return nil
	})
	if err != nil {
		c.report(ctx, in, err)
	}
}

// farewell tells a client that it is outside (XEP-0045 §7.14).
func (r *room) farewell(o bridge.Occupant, codes ...string) *element {
	m, _ := r.session.Member(o.Member)
	p := r.unavailable(m, append([]string{statusSelf}, codes...)...).sentTo(o.JID)
	return p.set("from", r.jid+"/"+o.Nick)
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

func (c *Component) lost(ctx context.Context, in incoming) error {
	return c.rooms.with(ctx, in.to.session(), func(r *room) error {
		o, inside := r.occupants[in.attr("from")]
		if !inside {
			return nil
		}
		c.log.Debug("a client is gone", "session", r.id, "condition", conditionOf(in.element))
		seen, err := r.remove(ctx, o, statusKicked, statusTechnical)
		if err != nil {
			return err
		}
		// It may be there after all, and not know that it could not be reached.
		r.reply(append([]*element{r.farewell(o, statusKicked, statusTechnical)}, seen...)...)
		return nil
	})
}
