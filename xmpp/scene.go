package xmpp

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"mailroom/bridge"
)

// scene is the room at a moment, with what does not depend on who looks.
type scene struct {
	*room
	now       time.Time
	here      map[uuid.UUID]bool // who has a client inside or is on the page
	anonymous bool
	silent    bool // nothing can be said
}

func (r *room) scene(now time.Time) scene {
	s := scene{r, now, make(map[uuid.UUID]bool), r.anonymous(), r.session.Session.Condition(now) != bridge.IsOpen}
	for _, o := range r.occupants {
		s.here[o.Member] = true
	}
	for member, signs := range r.signs {
		s.here[member] = s.here[member] || signs.Here
	}
	return s
}

// of is what a viewer is shown of a member, and whether at all. Whether the
// member is here, and types, is in it only if the member's own setting lets this
// viewer see it (SPEC F3).
func (s scene) of(viewer, m bridge.Member) (sight, bool) {
	if !shown(viewer, m) {
		return sight{}, false
	}
	seen := s.watch.Sees(viewer.ID, m.ID)
	v := sight{nick: s.nick(m), role: s.role(m), show: notHere, jid: s.address(m)}
	if seen && s.here[m.ID] {
		v.show = ""
	}
	v.typing = seen && m.ID != viewer.ID && s.signs[m.ID].Typing
	return v, true
}

// shown says if a member is an occupant to a viewer: everybody who has joined
// is, by whichever network and wherever they are now. The room is a place that
// all share, hence a blind copy is in it for nobody else.
func shown(viewer, m bridge.Member) bool {
	return m.State == bridge.Joined && (!m.Blind || m.ID == viewer.ID)
}

// role is without voice where nothing can be said: clients hide their input.
func (s scene) role(m bridge.Member) string {
	if s.silent || lapsed(m, s.now) {
		return "visitor"
	}
	return "participant"
}

func lapsed(m bridge.Member, now time.Time) bool {
	return m.Role != bridge.Initiator && !m.Grant.ExpiresAt.IsZero() && !now.Before(m.Grant.ExpiresAt)
}

// address is the real JID by which a member has joined. It is always the bare
// one, although XEP-0045 §7.2.3 shows the full one: who knows the resource of a
// client can ask the client's server if it is there.
func (s scene) address(m bridge.Member) string {
	if s.anonymous {
		return ""
	}
	i := slices.IndexFunc(m.Endpoints, func(e bridge.Endpoint) bool {
		return e.Address.Network == bridge.XMPP && e.State == bridge.EndpointJoined
	})
	if i < 0 {
		return ""
	}
	return m.Endpoints[i].Address.ID
}

// signTime is how often signals that hold are looked at again: they end in silence.
const signTime = time.Second

// next is when the scene changes although nothing happens: a time is over, or a
// signal may be. Zero: never.
func (s scene) next() time.Time {
	var next time.Time
	sooner := func(t time.Time) {
		if t.After(s.now) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	sooner(s.session.Session.Options.ExpiresAt)
	for _, m := range s.session.Members {
		sooner(m.Grant.ExpiresAt)
	}
	if len(s.signs) > 0 {
		sooner(s.now.Add(signTime))
	}
	return next
}
