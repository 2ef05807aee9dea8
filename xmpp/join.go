package xmpp

import (
	"context"
	"errors"
	"strconv"
	"time"

	"mailroom/bridge"
	"mailroom/content"
)

// available is a client's presence: with a muc element it enters, without one
// it tells its state, which concerns nobody here.
func (c *Component) available(ctx context.Context, in incoming) {
	switch {
	case in.to.local == "":
		return
	case in.to.resource == "":
		c.reply(refusal(in.element, jidMalformed, in.sentences().T("xmpp.no_nick")))
	case in.child(nsMUC, "x") != nil:
		c.join(ctx, in)
	default:
		c.update(ctx, in)
	}
}

// join lets a client in whose owner has a grant. The gate is asked before the
// room is looked at, so that a stranger meets the same answer in the same time.
func (c *Component) join(ctx context.Context, in incoming) {
	session, member, err := c.service.View(ctx, in.to.session(), in.from.identity())
	switch {
	case err != nil:
		c.answer(ctx, in, err)
		return
	case session.Session.State == bridge.Over:
		c.reply(refusal(in.element, gone, in.sentences().T("xmpp.over")))
		return
	}
	err = c.rooms.with(ctx, session.Session.ID, func(r *room) error {
		if err := r.refresh(ctx); err != nil {
			return err
		}
		return r.enter(ctx, in, member)
	})
	if err != nil {
		c.answer(ctx, in, err)
	}
}

// update is presence from a client that may think it is inside. One that is
// not learns so and joins again; the answer is the same for every room. Nicks
// are not changed inside (XEP-0045 §7.6): people are known by them elsewhere.
func (c *Component) update(ctx context.Context, in incoming) {
	o, inside, err := c.occupant(ctx, in)
	switch {
	case err != nil:
		c.report(ctx, in, err)
		return
	case inside && o.Nick == in.to.resource:
		return
	case inside:
		c.reply(refusal(in.element, notAcceptable, in.sentences().T("xmpp.nick_stays")))
		return
	}
	out := stanza("presence", "unavailable", in.attr("to"), in.attr("from"))
	c.reply(out.with(el(nsMUCUser, "x").with(
		el(nsMUCUser, "item", "affiliation", "none", "role", "none"),
		el(nsMUCUser, "status", "code", statusSelf),
		el(nsMUCUser, "status", "code", statusKicked),
		el(nsMUCUser, "status", "code", statusTechnical),
	)))
}

// occupant is the client that sent a stanza, if it is inside the room, with the
// nick that its member has now. The gate is asked first: the room of a session
// that is known is not to take another time to say no than one that is not.
func (c *Component) occupant(ctx context.Context, in incoming) (o bridge.Occupant, inside bool, err error) {
	_, _, err = c.service.View(ctx, in.to.session(), in.from.identity())
	switch {
	case bridge.CodeOf(err) == bridge.NotFound:
		return o, false, nil
	case err != nil:
		return o, false, err
	}
	err = c.rooms.with(ctx, in.to.session(), func(r *room) error {
		if o, inside = r.occupants[in.attr("from")]; inside {
			o.Nick = r.names[o.Member].nick
		}
		return nil
	})
	return o, inside, err
}

const (
	// MaxClients is how many clients of one member may be inside one room:
	// everything said is sent to each.
	MaxClients = 32
	// exitTimeout is how long the store may take to forget a client that could
	// not enter, also while the component stops.
	exitTimeout = 5 * time.Second
)

var errTooManyClients = &bridge.Error{
	Code:    bridge.TooMany,
	Message: "You are inside with " + strconv.Itoa(MaxClients) + " clients already, and more are not let in. Leave the room with one of them and join again.",
}

// enter shows a client the room in the order of XEP-0045 §7.1: the others, the
// client itself, history, subject. Nothing live comes between, since the room
// is locked. Errors: errTooManyClients, and those of the service.
func (r *room) enter(ctx context.Context, in incoming, m bridge.Member) error {
	full := in.attr("from")
	if _, inside := r.occupants[full]; !inside && len(r.clients(m.ID)) >= MaxClients {
		return errTooManyClients
	}
	nick, ok := r.chooseNick(m, in.to.resource)
	if !ok {
		r.reply(refusal(in.element, conflict, in.sentences().T("xmpp.nick_taken")))
		return nil
	}
	m, past, err := r.admit(ctx, in, m, nick)
	if err != nil {
		return err
	}
	out := r.welcome(m, in)
	for _, message := range append(past, r.subject()) {
		out = append(out, message.sentTo(full))
	}
	if warning := r.warning(m, in.lang()); warning != nil {
		out = append(out, warning.sentTo(full))
	}
	r.reply(append(out, r.changes()...)...)
	return nil
}

// welcome shows a client the others, and then that it is inside itself: that has
// the id of the join and the codes that describe the room.
func (r *room) welcome(m bridge.Member, in incoming) []*element {
	full := in.attr("from")
	r.relink()
	s := r.scene(time.Now())
	self, _ := s.of(m, m)
	r.pictures[full] = picture{m.ID: self}
	out := r.catchUp(s, full, m)
	codes := []string{statusSelf}
	if !r.session.Session.Options.OffRecord {
		codes = append(codes, statusLogged)
	}
	if !s.anonymous {
		codes = append(codes, statusNonAnonymous)
	}
	if self.nick != in.to.resource {
		codes = append(codes, statusNickAssigned)
	}
	return append(out, r.availability(m, self, codes...).sentTo(full).identified(in.attr("id")))
}

// admit makes the client an occupant and reads what it will be shown of the
// past. With an error, also one of a store that may have noted it nevertheless,
// it is taken out again: it will be told that it is outside. If the store is down
// for that too it stays, here as there, until it bounces, leaves or joins again.
func (r *room) admit(ctx context.Context, in incoming, m bridge.Member, nick string) (bridge.Member, []*element, error) {
	full, by := in.attr("from"), in.from.identity()
	by.Name = content.Name(nick)
	known := r.names[m.ID]
	session, entered, o, err := r.service.Enter(ctx, r.id, by, full, nick)
	if bridge.CodeOf(err) != "" {
		return m, nil, err
	}
	var past []*element
	if err == nil {
		r.names[m.ID], r.occupants[full], r.stale = name{nick, m.Blind, false}, o, true
		if err = r.see(ctx, session); err == nil {
			past, err = r.history(ctx, by, o, historyAsked(in.child(nsMUC, "x")))
		}
	}
	if err != nil {
		r.names[m.ID] = known
		return m, nil, errors.Join(err, r.takeBack(ctx, bridge.Occupant{Session: r.id, Member: m.ID, JID: full, Nick: nick}))
	}
	return entered, past, nil
}

// takeBack takes out a client that could not enter.
func (r *room) takeBack(ctx context.Context, o bridge.Occupant) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), exitTimeout)
	defer cancel()
	err := r.remove(ctx, o)
	r.reply(r.changes()...)
	return err
}

// chooseNick is the nick under which a member enters: the one asked for, or the
// one under which the others see them already. It stays then, since a new one
// would tell everybody that a client of theirs comes in. It is not ok if it is
// another member's.
func (r *room) chooseNick(m bridge.Member, asked string) (nick string, ok bool) {
	if m.State == bridge.Joined {
		return r.nick(m), true
	}
	return asked, !r.taken(asked, m.ID)
}
