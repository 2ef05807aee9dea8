package appservice

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"mailroom/bridge"
)

// maxViews is how many rooms are remembered. A forgotten one costs two requests when its session wakes.
const maxViews = 1000

// view is what we know of a session's room. Only one delivery has it at a time. It is thrown away when a delivery fails, when
// another node has had the lane, and when the lane has gone back: nobody knows then what the room holds. So a view is always
// certain.
type view struct {
	session uuid.UUID
	room    id.RoomID
	fence   int64 // of the lane
	acked   int64 // the last record that is in the room for certain
	// seats are the places of the bot and of the ghosts.
	seats map[id.UserID]seat
	// last is the last of the undelivered messages that was found in the room when it was looked into.
	last place
	// aclVersion is that under which all native members were where they belong.
	aclVersion int64
	// out are the native users who have no part in the session any more and were seen outside.
	out map[id.UserID]bool
	// pristine: nothing in the room is meant for the initiator alone.
	pristine bool
	// quietUntil is when the homeserver takes more, after it has limited us.
	quietUntil time.Time
}

type seat struct {
	membership event.Membership
	name       string
}

func (v *view) seat(user id.UserID, membership event.Membership) {
	s := v.seats[user]
	s.membership = membership
	v.seats[user] = s
}

// views keeps the views that no delivery has.
type views struct {
	mu   sync.Mutex
	kept map[uuid.UUID]*view
}

// take hands out the view for a lane; nil if there is none that is still certain.
func (vs *views) take(lane bridge.Lane) *view {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	v := vs.kept[lane.Session]
	delete(vs.kept, lane.Session)
	if v == nil || v.fence != lane.Fence || v.acked > lane.Acked {
		return nil
	}
	return v
}

func (vs *views) keep(v *view) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	if vs.kept == nil {
		vs.kept = make(map[uuid.UUID]*view)
	}
	for session := range vs.kept {
		if len(vs.kept) < maxViews {
			break
		}
		delete(vs.kept, session)
	}
	vs.kept[v.session] = v
}

// newView is the view of a room that was just made.
func (g *Gateway) newView(session uuid.UUID, room id.RoomID) *view {
	seats := map[id.UserID]seat{g.bot: {membership: event.MembershipJoin}}
	return &view{session: session, room: room, seats: seats, aclVersion: noVersion, pristine: true}
}

// noVersion is the ACLVersion of a view whose native members are still to be invited.
const noVersion = -1

// lookInto makes the view of a room that may hold some of the records already.
func (g *Gateway) lookInto(ctx context.Context, session uuid.UUID, room id.RoomID, records []bridge.Record) (*view, error) {
	v := &view{session: session, room: room, aclVersion: noVersion}
	var err error
	if v.last, err = g.findLast(ctx, room, records); err != nil {
		return nil, err
	}
	natives, err := g.loadSeats(ctx, v)
	if err != nil {
		return nil, err
	}
	for _, user := range natives {
		g.checkGuest(ctx, session, room, user)
	}
	return v, nil
}

// loadSeats reads who is in the room, and returns the native users who are inside or invited.
func (g *Gateway) loadSeats(ctx context.Context, v *view) (natives []id.UserID, err error) {
	members, err := g.as(g.bot).Members(ctx, v.room)
	if err != nil {
		return nil, fmt.Errorf("read the members of %s: %w", v.room, err)
	}
	v.seats = make(map[id.UserID]seat)
	for _, evt := range members.Chunk {
		user, member := id.UserID(evt.GetStateKey()), evt.Content.AsMember()
		switch {
		case g.owns(user):
			v.seats[user] = seat{member.Membership, member.Displayname}
		case member.Membership.IsInviteOrJoin():
			natives = append(natives, user)
		}
	}
	return natives, nil
}

// errBotGone is for the administrator, who alone can help. The outbox tries again meanwhile.
func (g *Gateway) errBotGone(room id.RoomID) error { return &botGoneError{g.bot, room} }

type botGoneError struct {
	bot  id.UserID
	room id.RoomID
}

func (e *botGoneError) Error() string {
	return fmt.Sprintf("the bot %s is not in the room %s any more; bring it back there as an administrator of the homeserver", e.bot, e.room)
}
