package xmpp

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

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

	linked chan struct{} // holds a hint when there is a new link
	cancel func()        // ends attend; nil while nobody attends; guarded by rooms.mu

	mu        sync.Mutex // guards all below
	loaded    bool
	session   *bridge.Room               // the latest snapshot of the whole; nil before refresh
	watch     bridge.Watch               // who may see whom, as of that snapshot
	signs     map[uuid.UUID]bridge.Signs // by member
	occupants map[string]bridge.Occupant // by full JID
	names     map[uuid.UUID]name         // by member; kept as long as the room is open
	inviting  map[bridge.Address]bool    // invitations on their way, see invite.go
	delivered int64                      // seq of the last record that Deliver sent
	retracted map[uuid.UUID]int64        // up to which seq erasures were told, by whose words; uuid.Nil: everybody's

	// What those inside were told, see picture.go.
	pictures  map[string]picture // by full JID
	link      *link              // over which they were
	stale     bool               // they may have to be told something
	turnsAt   time.Time          // when they will, although nothing happens; zero: never
	showsJIDs bool               // they were told that real JIDs are shown
}

func newRoom(c *Component, id uuid.UUID) *room {
	return &room{
		Component: c, id: id, jid: id.String() + "@" + c.config.Component,
		linked:    make(chan struct{}, 1),
		occupants: make(map[string]bridge.Occupant),
		names:     make(map[uuid.UUID]name),
		inviting:  make(map[bridge.Address]bool),
		retracted: make(map[uuid.UUID]int64),
		pictures:  make(map[string]picture),
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
		r.names[o.Member] = name{nick: o.Nick}
	}
	r.loaded = true
	return nil
}

// refresh reads what the room is now.
func (r *room) refresh(ctx context.Context) error {
	session, err := r.service.Room(ctx, r.id)
	if err != nil {
		return fmt.Errorf("read the room: %w", err)
	}
	return r.see(ctx, session)
}

// see takes a newer snapshot of the whole room. Settings of presence count as of
// its version: it grows when one of them changes.
func (r *room) see(ctx context.Context, session *bridge.Room) error {
	if r.session == nil || r.session.Session.ACLVersion != session.Session.ACLVersion {
		watch, err := r.service.Watch(ctx, session)
		if err != nil {
			return fmt.Errorf("read who may see whom: %w", err)
		}
		r.watch, r.stale = watch, true
	}
	r.session = session
	r.nameAll()
	signs := make(map[uuid.UUID]bridge.Signs)
	for _, s := range r.service.SignsOf(r.id) {
		signs[s.Member] = s
	}
	if !maps.Equal(signs, r.signs) {
		r.signs, r.stale = signs, true
	}
	return nil
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

// as is the room JID of a member: who speaks.
func (r *room) as(m bridge.Member) string { return r.jid + "/" + r.nick(m) }

// remove takes a client out of the room. Nobody else can tell: its member stays.
func (r *room) remove(ctx context.Context, o bridge.Occupant) error {
	if err := r.service.Exit(ctx, r.id, o.JID); err != nil {
		return fmt.Errorf("exit: %w", err)
	}
	delete(r.occupants, o.JID)
	delete(r.pictures, o.JID)
	r.stale = true
	return nil
}

// turnOut takes out the clients of those who have no place in the room any more:
// they left or gave their grant back, it was revoked, or the session is over.
// What it returns tells them; with an error, those who are out already.
func (r *room) turnOut(ctx context.Context) (out []*element, err error) {
	over := r.session.Session.State == bridge.Over
	for _, jid := range r.inside() {
		o := r.occupants[jid]
		if !over && r.hasPlace(o) {
			continue
		}
		if err := r.remove(ctx, o); err != nil {
			return out, err
		}
		if over {
			out = append(out, r.destruction(o)...)
		} else {
			out = append(out, r.farewell(o, statusNotAllowed))
		}
	}
	return out, nil
}

// hasPlace says if the client's member takes part and holds a grant, be it one
// that has run out: they may still read.
func (r *room) hasPlace(o bridge.Occupant) bool {
	m, ok := r.session.Member(o.Member)
	return ok && m.State == bridge.Joined && !m.Grant.Revoked
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

// anonymous says if real JIDs are hidden: so they are where the session does not
// show everybody's address to everybody, and among strangers. What was hidden
// once stays so: who is in a session is never removed from it, addresses that
// were hidden stay hidden, and who was erased counts as a stranger, since one may
// have been.
func (r *room) anonymous() bool {
	if r.config.Anonymity == AnonymityAlways || !r.session.ShowsAllAddresses() {
		return true
	}
	return slices.ContainsFunc(r.session.Members, func(m bridge.Member) bool { return erased(m) || r.stranger(m) })
}

func (r *room) stranger(m bridge.Member) bool {
	return slices.ContainsFunc(m.Endpoints, func(e bridge.Endpoint) bool {
		return e.Address.Network == bridge.XMPP && !r.own(e.Address.Domain())
	})
}

// erased says if a member's data was taken away: nobody else is without address.
func erased(m bridge.Member) bool { return m.Address.IsZero() }

func (r *room) own(domain string) bool {
	return slices.ContainsFunc(r.config.Domains, func(d string) bool { return strings.EqualFold(d, domain) })
}
