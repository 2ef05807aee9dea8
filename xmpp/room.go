package xmpp

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/google/uuid"

	"mailroom/bridge"
)

// room is one session's MUC: the clients that are inside, and the nicks by
// which they know the members.
type room struct {
	*Component
	id    uuid.UUID
	jid   string // bare
	users int    // how many hold it; guarded by rooms.mu

	mu        sync.Mutex // guards all below
	loaded    bool
	session   *bridge.Room               // the latest snapshot; nil before refresh
	occupants map[string]bridge.Occupant // by full JID
	nicks     map[uuid.UUID]string       // by member; kept as long as the room is open
	inviting  map[bridge.Address]bool    // invitations on their way, see invite.go
	delivered int64                      // seq of the last record that Deliver sent
}

func newRoom(c *Component, id uuid.UUID) *room {
	return &room{
		Component: c, id: id, jid: id.String() + "@" + c.config.Component,
		occupants: make(map[string]bridge.Occupant),
		nicks:     make(map[uuid.UUID]string),
		inviting:  make(map[bridge.Address]bool),
	}
}

// locked runs do with the room loaded and locked.
func (r *room) locked(ctx context.Context, do func() error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.load(ctx); err != nil {
		return err
	}
	return do()
}

// load brings the occupants back after a restart.
func (r *room) load(ctx context.Context) error {
	if r.loaded {
		return nil
	}
	occupants, err := r.service.Occupants(ctx, r.id)
	if err != nil {
		return fmt.Errorf("list the occupants: %w", err)
	}
	for _, o := range occupants {
		r.occupants[o.JID] = o
		r.nicks[o.Member] = o.Nick
	}
	r.loaded = true
	return nil
}

func (r *room) refresh(ctx context.Context) error {
	session, err := r.service.Room(ctx, r.id)
	if err != nil {
		return fmt.Errorf("read the room: %w", err)
	}
	r.see(session)
	return nil
}

// see takes a newer snapshot, and gives each new member a nick in order of
// their number, so that what one chooses cannot be another's.
func (r *room) see(session *bridge.Room) {
	r.session = session
	for _, m := range session.Members {
		r.nick(m)
	}
}

// clients are the full JIDs of a member's clients inside, in order.
func (r *room) clients(member uuid.UUID) []string {
	var jids []string
	for _, o := range r.occupants {
		if o.Member == member {
			jids = append(jids, o.JID)
		}
	}
	slices.Sort(jids)
	return jids
}

// others are all clients inside but those of one member.
func (r *room) others(member uuid.UUID) []string {
	var jids []string
	for _, o := range r.occupants {
		if o.Member != member {
			jids = append(jids, o.JID)
		}
	}
	return jids
}

// present says if a member is shown as an occupant: one who has a client
// inside, and one whom what is said here reaches on another network. So
// nobody sees if a member of both has the client running.
func (r *room) present(m bridge.Member) bool {
	return m.State == bridge.Joined && (len(r.clients(m.ID)) > 0 || reachedElsewhere(m))
}

func reachedElsewhere(m bridge.Member) bool {
	return slices.ContainsFunc(m.Endpoints, func(e bridge.Endpoint) bool {
		return e.Address.Network != bridge.XMPP && e.State != bridge.EndpointFailed && e.State != bridge.EndpointLeft
	})
}

// nick is the member's nick, made when it is first asked for.
func (r *room) nick(m bridge.Member) string {
	if nick, ok := r.nicks[m.ID]; ok {
		return nick
	}
	base := safeNick(r.session.DisplayName(m), guestNick(m.ID))
	nick := base
	for n := 2; r.taken(nick, m.ID); n++ {
		nick = numbered(base, n)
	}
	r.nicks[m.ID] = nick
	return nick
}

// taken says if a nick is that of another member, by what it looks like.
func (r *room) taken(nick string, member uuid.UUID) bool {
	folded := foldNick(nick)
	for id, other := range r.nicks {
		if id != member && foldNick(other) == folded {
			return true
		}
	}
	return false
}

// as is the room JID of a member: who speaks.
func (r *room) as(m bridge.Member) string { return r.jid + "/" + r.nick(m) }

// visitors says that nothing can be said in the room.
func (r *room) visitors() bool { return r.session.Session.State != bridge.Open }

// remove takes a client out of the room and returns what the others see of it.
func (r *room) remove(ctx context.Context, o bridge.Occupant, codes ...string) ([]*element, error) {
	if err := r.service.Exit(ctx, r.id, o.JID); err != nil {
		return nil, fmt.Errorf("exit: %w", err)
	}
	delete(r.occupants, o.JID)
	if err := r.refresh(ctx); err != nil {
		return nil, err
	}
	m, ok := r.session.Member(o.Member)
	switch {
	case !ok || len(r.clients(m.ID)) > 0:
		return nil, nil
	case !r.present(m):
		return toEach(r.unavailable(m, codes...), r.others(m.ID)), nil
	case !r.anonymous():
		return toEach(r.availability(m), r.others(m.ID)), nil // no longer with a JID
	}
	return nil, nil
}

// toEach is one copy of a stanza for each receiver.
func toEach(s *element, receivers []string) []*element {
	copies := make([]*element, 0, len(receivers))
	for _, to := range receivers {
		copies = append(copies, s.sentTo(to))
	}
	return copies
}

// AnonymityAuto shows real JIDs while all who are invited over XMPP belong to
// the operator's own domains; clients then take the room for a private group
// and tell of every message. AnonymityAlways never shows them.
const (
	AnonymityAuto   = "auto"
	AnonymityAlways = "always"
)

// anonymous says if real JIDs are hidden. Members are never removed from a
// session, so that what was hidden once stays so.
func (r *room) anonymous() bool {
	if r.config.Anonymity == AnonymityAlways {
		return true
	}
	for _, m := range r.session.Members {
		for _, e := range m.Endpoints {
			if e.Address.Network == bridge.XMPP && !r.own(e.Address.Domain()) {
				return true
			}
		}
	}
	return false
}

func (r *room) own(domain string) bool {
	return slices.ContainsFunc(r.config.Domains, func(d string) bool { return strings.EqualFold(d, domain) })
}
