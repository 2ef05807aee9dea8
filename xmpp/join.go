package xmpp

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/google/uuid"

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
	if err == nil {
		err = c.rooms.with(ctx, session.Session.ID, func(r *room) error {
			r.see(session)
			return r.enter(ctx, in, member)
		})
	}
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

// occupant is the client that sent a stanza, if it is inside the room.
func (c *Component) occupant(ctx context.Context, in incoming) (o bridge.Occupant, inside bool, err error) {
	err = c.rooms.with(ctx, in.to.session(), func(r *room) error {
		o, inside = r.occupants[in.attr("from")]
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
	before, first := r.shownAs(m), len(r.clients(m.ID)) == 0
	m, past, err := r.admit(ctx, in, m, nick)
	if err != nil {
		return err
	}
	out := r.roster(m.ID, full)
	if first {
		out = append(out, r.arrival(m, before)...)
	}
	out = append(out, r.self(m, in))
	for _, message := range past {
		out = append(out, message.sentTo(full))
	}
	r.reply(append(out, r.subject().sentTo(full))...)
	return nil
}

// admit makes the client an occupant and reads what it will be shown of the
// past. With an error, also one of a store that may have noted it nevertheless,
// it is taken out again: it will be told that it is outside. If the store is down
// for that too it stays, here as there, until it bounces, leaves or joins again.
func (r *room) admit(ctx context.Context, in incoming, m bridge.Member, nick string) (bridge.Member, []*element, error) {
	full, by := in.attr("from"), in.from.identity()
	by.Name = content.Name(nick)
	_, inside := r.occupants[full]
	known := r.nicks[m.ID]
	session, entered, o, err := r.service.Enter(ctx, r.id, by, full, nick)
	if bridge.CodeOf(err) != "" {
		return m, nil, err
	}
	var past []*element
	if err == nil {
		r.nicks[m.ID], r.occupants[full] = nick, o
		r.see(session)
		past, err = r.history(ctx, by, o, historyAsked(in.child(nsMUC, "x")))
	}
	if err != nil {
		r.nicks[m.ID] = known
		o = bridge.Occupant{Session: r.id, Member: m.ID, JID: full, Nick: nick}
		return m, nil, errors.Join(err, r.takeBack(ctx, o, inside))
	}
	return entered, past, nil
}

// takeBack takes out a client that could not enter. The others see it go only if
// they had seen it before.
func (r *room) takeBack(ctx context.Context, o bridge.Occupant, shown bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), exitTimeout)
	defer cancel()
	seen, err := r.remove(ctx, o)
	if shown {
		r.reply(seen...)
	}
	return err
}

// chooseNick is the nick under which a member enters: the one asked for, or
// the one that another client of theirs has, since one person has one nick.
// It is not ok if it is another member's.
func (r *room) chooseNick(m bridge.Member, asked string) (nick string, ok bool) {
	if len(r.clients(m.ID)) > 0 {
		return r.nicks[m.ID], true
	}
	return asked, !r.taken(asked, m.ID)
}

// shownAs is the nick under which the others see a member now, "" if they do not.
func (r *room) shownAs(m bridge.Member) string {
	if !r.present(m) {
		return ""
	}
	return r.nick(m)
}

// roster is the presence of everybody else, for one who enters.
func (r *room) roster(member uuid.UUID, to string) []*element {
	var out []*element
	for _, other := range r.session.Members {
		if other.ID != member && r.present(other) {
			out = append(out, r.availability(other).sentTo(to))
		}
	}
	return out
}

// arrival is what the others see of a member whose first client has entered,
// and who was shown to them under the nick before, or not at all.
func (r *room) arrival(m bridge.Member, before string) []*element {
	others := r.others(m.ID)
	now := r.nick(m)
	switch {
	case before == now && r.anonymous():
		return nil
	case before == "" || before == now:
		return toEach(r.availability(m), others)
	}
	return append(toEach(r.renamed(m, before), others), toEach(r.availability(m), others)...)
}

// self tells a client that it is inside: its own presence, with the id of its
// join and the codes that describe the room.
func (r *room) self(m bridge.Member, in incoming) *element {
	codes := []string{statusSelf, statusLogged}
	if !r.anonymous() {
		codes = append(codes, statusNonAnonymous)
	}
	if r.nick(m) != in.to.resource {
		codes = append(codes, statusNickAssigned)
	}
	return r.availability(m, codes...).sentTo(in.attr("from")).identified(in.attr("id"))
}
