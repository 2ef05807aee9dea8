package xmpp

import (
	"context"

	"mailroom/bridge"
)

// asked is the question of an iq: its type and the name of its payload.
func (in incoming) asked() string {
	p := in.payload()
	return in.kind + " " + p.name.Space + " " + p.name.Local
}

// result answers an iq; payload may be nil.
func result(in incoming, payload *element) *element {
	s := stanza("iq", "result", in.attr("to"), in.attr("from")).identified(in.attr("id"))
	if payload != nil {
		s.with(payload)
	}
	return s
}

// hostIQ answers what is asked of the component itself. The rooms are not
// listed: nobody is told that a session exists.
func (c *Component) hostIQ(in incoming) {
	answers := map[string]func() *element{
		"get " + nsPing + " ping":        func() *element { return nil },
		"get " + nsDiscoInfo + " query":  hostInfo,
		"get " + nsDiscoItems + " query": noItems,
	}
	answer, ok := answers[in.asked()]
	if !ok {
		c.reply(refusal(in.element, serviceUnavailable, ""))
		return
	}
	c.reply(result(in, answer()))
}

func noItems() *element { return el(nsDiscoItems, "query") }

// roomIQ answers what is asked of a room, to its members alone.
func (c *Component) roomIQ(ctx context.Context, in incoming) {
	session, member, err := c.service.View(ctx, in.to.session(), in.from.identity())
	if err == nil {
		err = c.rooms.with(ctx, session.Session.ID, func(r *room) error {
			if err := r.refresh(ctx); err != nil {
				return err
			}
			c.reply(r.respond(in, member))
			return nil
		})
	}
	if err != nil {
		c.answer(ctx, in, err)
	}
}

func (r *room) respond(in incoming, member bridge.Member) *element {
	if space := in.payload().name.Space; space == nsMUCOwner || space == nsMUCAdmin || space == nsModerate {
		// Who is in a session is decided by its initiator's mail, not by the
		// room's forms and lists, and nobody moderates it from here.
		return refusal(in.element, forbidden, "")
	}
	answers := map[string]func() *element{
		"get " + nsPing + " ping":        func() *element { return nil },
		"get " + nsDiscoInfo + " query":  func() *element { return r.info(member, in.sentences()) },
		"get " + nsDiscoItems + " query": noItems,
	}
	answer, ok := answers[in.asked()]
	if !ok {
		return refusal(in.element, serviceUnavailable, "")
	}
	return result(in, answer())
}

// occupantIQ answers what is asked of an occupant. Nothing is passed on to a
// member's client: what it says of itself is nobody's here.
func (c *Component) occupantIQ(ctx context.Context, in incoming) {
	o, inside, err := c.occupant(ctx, in)
	switch {
	case err != nil:
		c.answer(ctx, in, err)
	case !inside:
		c.reply(outside(in.element))
	case in.asked() == "get "+nsPing+" ping" && foldNick(o.Nick) == foldNick(in.to.resource):
		c.reply(result(in, nil)) // XEP-0410 §3: still inside
	default:
		c.reply(refusal(in.element, serviceUnavailable, ""))
	}
}
