package xmpp

import (
	"context"

	"github.com/google/uuid"

	"mailroom/bridge"
)

// chatState is the state of a conversation that a message tells (XEP-0085), ""
// if it tells none.
func (in incoming) chatState() string {
	for _, c := range in.children {
		if c.name.Space == nsChatStates {
			return c.name.Local
		}
	}
	return ""
}

// signal takes a chat state. Who is told of it is decided by the setting of the
// person who types; nothing answers it.
func (c *Component) signal(ctx context.Context, in incoming) {
	if state := in.chatState(); state != "" {
		c.types(ctx, in, state == "composing")
	}
}

// types notes that the sender types, or no more.
func (c *Component) types(ctx context.Context, in incoming, on bool) {
	err := c.service.Signal(ctx, in.to.session(), in.from.identity(), bridge.Typing, on)
	if err != nil && bridge.CodeOf(err) == "" {
		c.report(ctx, in, err)
	}
}

// chatState tells one client that a member types, or no more. It is of the
// moment, and no archive of any server is to keep it (XEP-0085 §5.7).
func (r *room) chatState(m bridge.Member, typing bool) *element {
	state := "active"
	if typing {
		state = "composing"
	}
	return stanza("message", "groupchat", r.as(m), "").set("id", uuid.NewString()).with(
		el(nsChatStates, state), el(nsHints, "no-store"), occupantID(m))
}
