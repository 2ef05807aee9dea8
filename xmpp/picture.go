package xmpp

import (
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"mailroom/bridge"
)

// Each client has a picture of the room, which is its own: what it may see of
// the others is decided for its member. We keep what each was told, and send
// what differs from it when the room has changed. So a change that a viewer may
// not see makes no stanza for them, whatever it was.

// picture is what one client was told of the members. Of a member whose sight
// is the zero one it may have been told anything.
type picture map[uuid.UUID]sight

// relink forgets what was told over an earlier link: it may not have arrived.
func (r *room) relink() {
	l, err := r.current()
	if err == nil && l != r.link {
		r.link, r.stale = l, true
		clear(r.pictures)
	}
}

// changes is what the clients inside have to be told by now, in order.
func (r *room) changes() []*element {
	r.relink()
	now := time.Now()
	due := !r.turnsAt.IsZero() && !now.Before(r.turnsAt)
	if !r.stale && !due {
		return nil
	}
	s := r.scene(now)
	out := r.newlyAnonymous(s)
	for _, jid := range r.inside() {
		if viewer, ok := r.session.Member(r.occupants[jid].Member); ok {
			out = append(out, r.catchUp(s, jid, viewer)...)
		}
	}
	r.stale, r.turnsAt = false, s.next()
	return out
}

// inside are the full JIDs of all clients, in order.
func (r *room) inside() []string { return slices.Sorted(maps.Keys(r.occupants)) }

// catchUp makes the picture of one client what it ought to be. Old nicks go
// first: somebody else may have them now.
func (r *room) catchUp(s scene, jid string, viewer bridge.Member) []*element {
	told, ok := r.pictures[jid]
	if !ok {
		told = r.guess(viewer)
		r.pictures[jid] = told
	}
	var renamed, changed []*element
	for _, m := range r.session.Members {
		before, was := told[m.ID]
		now, is := s.of(viewer, m)
		if !was && !is || was && is && now == before {
			continue
		}
		codes := selfCode(viewer, m)
		if before.nick != "" && before.nick != r.nick(m) {
			renamed = append(renamed, r.renamed(m, before.nick, codes...))
			before.nick = ""
		}
		if is {
			changed = append(changed, r.differences(m, before, now, codes)...)
			told[m.ID] = now
		} else {
			// XEP-0045 §9.4: no longer a member, by the name that they have now.
			changed = append(changed, r.unavailable(m, statusNotAllowed))
			delete(told, m.ID)
		}
	}
	return addressed(append(renamed, changed...), jid)
}

func selfCode(viewer, m bridge.Member) []string {
	if m.ID == viewer.ID {
		return []string{statusSelf}
	}
	return nil
}

func addressed(stanzas []*element, to string) []*element {
	for _, s := range stanzas {
		s.set("to", to)
	}
	return stanzas
}

// guess is the picture of a client of which nothing is known, since the bridge
// or the link was begun anew: it may show everybody who is or was in the room.
func (r *room) guess(viewer bridge.Member) picture {
	told := make(picture)
	for _, m := range r.session.Members {
		if shown(viewer, m) || m.Gone() && !m.Blind {
			told[m.ID] = sight{}
		}
	}
	return told
}

// differences are the stanzas that lead from one sight of a member to another.
func (r *room) differences(m bridge.Member, before, now sight, codes []string) (out []*element) {
	if before.presence() != now.presence() {
		out = append(out, r.availability(m, now, codes...))
	}
	if before.typing != now.typing {
		out = append(out, r.chatState(m, now.typing))
	}
	return out
}

// newlyAnonymous tells those inside that the room shows no real JIDs any more
// (XEP-0045 §10.2.1); their pictures follow.
func (r *room) newlyAnonymous(s scene) (out []*element) {
	if s.anonymous && r.showsJIDs {
		change := stanza("message", "groupchat", r.jid, "").set("id", uuid.NewString()).with(el(nsMUCUser, "x").with(
			el(nsMUCUser, "status", "code", statusConfigChanged),
			el(nsMUCUser, "status", "code", statusNowAnonymous),
		))
		out = toEach(change, r.inside())
	}
	r.showsJIDs = !s.anonymous
	return out
}
