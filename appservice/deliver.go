package appservice

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"mailroom/bridge"
	"mailroom/locales"
)

// oldAfter is the age from which a record is shown with its own time instead of the time at which it is sent.
const oldAfter = time.Minute

// delivery is one call of Deliver.
type delivery struct {
	*Gateway
	view *view
	// room is the session as everybody in the Matrix room may see it; whole has the blind copies, too, for what must be
	// taken away.
	room, whole *bridge.Room
	say         locales.Printer

	// The rest is of natives.go: whether somebody may be waiting, who waits for an invitation, who got one, and who cannot be
	// given one.
	arranged     bool
	waiting, met []bridge.Member
	failed       map[uuid.UUID]bool
}

func (g *Gateway) newDelivery(v *view, whole *bridge.Room) *delivery {
	return &delivery{Gateway: g, view: v, room: whole.Public(), whole: whole, say: printerOf(whole)}
}

// Deliver brings the records into the session's room. It returns how many of them are there, and a *bridge.WaitError when
// nobody in the session is on Matrix or the homeserver wants a pause, a *bridge.RefusedError for a record that the homeserver
// will never take, and any other error for one that is to be tried again. Repeating a delivery shows nothing twice.
func (g *Gateway) Deliver(ctx context.Context, lane bridge.Lane, records []bridge.Record) (accepted int, err error) {
	if len(records) == 0 {
		return 0, nil
	}
	accepted, err = g.deliver(ctx, lane, records)
	return accepted, g.hush(err)
}

func (g *Gateway) deliver(ctx context.Context, lane bridge.Lane, records []bridge.Record) (accepted int, err error) {
	v := g.views.take(lane)
	if v != nil && time.Now().Before(v.quietUntil) {
		g.views.keep(v)
		return 0, &bridge.WaitError{Until: v.quietUntil}
	}
	room, err := g.svc.Room(ctx, lane.Session)
	switch {
	case err != nil:
		return 0, err
	case !hasRoom(room.Session):
		return len(records), nil
	case room.Session.State == bridge.Over:
		return g.end(ctx, room, records)
	}
	if v == nil {
		if v, err = g.open(ctx, room, records); err != nil {
			return 0, err
		}
		v.fence = lane.Fence
	}
	d := g.newDelivery(v, room)
	accepted, err = d.bringAll(ctx, records)
	if accepted > 0 {
		v.acked = records[accepted-1].Seq
	}
	return accepted, d.conclude(err)
}

// open finds the room and looks what it holds, or makes it.
func (g *Gateway) open(ctx context.Context, room *bridge.Room, records []bridge.Record) (*view, error) {
	session := room.Session.ID
	portal, ok, err := g.svc.Portal(ctx, session, bridge.Matrix)
	if err != nil {
		return nil, err
	}
	if ok {
		return g.lookInto(ctx, session, id.RoomID(portal), records)
	}
	there, err := g.anybodyThere(ctx, room)
	if err != nil {
		return nil, err
	}
	if !there {
		return nil, &bridge.WaitError{}
	}
	made, err := g.createRoom(ctx, room)
	if err != nil {
		return nil, err
	}
	return g.newView(session, made), nil
}

func (d *delivery) bringAll(ctx context.Context, records []bridge.Record) (accepted int, err error) {
	if err := d.arrangeNatives(ctx); err != nil {
		return 0, err
	}
	for i, r := range records {
		if err := d.bring(ctx, r); err != nil {
			return i, err
		}
	}
	return len(records), nil
}

// bring makes of one record what it is in the room. Nobody is invited before the room says what is kept of it.
func (d *delivery) bring(ctx context.Context, r bridge.Record) error {
	if r.Kind == bridge.KindStarted {
		if err := d.warn(ctx, r); err != nil {
			return err
		}
	}
	if err := d.inviteNatives(ctx, r.Seq); err != nil {
		return err
	}
	if do, ok := kinds[r.Kind]; ok {
		return do(d, ctx, r)
	}
	return nil
}

// conclude keeps the view if it is still certain what the room holds, and tells the outbox what an error means.
func (d *delivery) conclude(err error) error {
	var refused *bridge.RefusedError
	pause, limited := limitOf(err)
	switch {
	case err == nil:
	case limited:
		d.view.quietUntil = time.Now().Add(pause)
		err = &bridge.WaitError{Until: d.view.quietUntil}
	case !errors.As(err, &refused):
		return err
	}
	d.views.keep(d.view)
	return err
}

// kinds is what each kind of record does in the room; the others do nothing there.
var kinds = map[bridge.Kind]func(*delivery, context.Context, bridge.Record) error{
	bridge.KindStarted:  (*delivery).joined,
	bridge.KindInvited:  (*delivery).invited,
	bridge.KindJoined:   (*delivery).joined,
	bridge.KindLeft:     (*delivery).left,
	bridge.KindRevoked:  (*delivery).revoked,
	bridge.KindDeclined: (*delivery).left,
	bridge.KindMessage:  (*delivery).message,
	bridge.KindSubject:  (*delivery).subject,
	bridge.KindClosed:   (*delivery).closed,
	bridge.KindReopened: (*delivery).reopened,
	bridge.KindFailure:  (*delivery).failure,
	bridge.KindOptions:  (*delivery).options,
	bridge.KindErased:   (*delivery).erased,
}

// invited shows who was invited. Native members are invited natively (natives.go); somebody whose grant has ended meanwhile is
// not shown any more.
func (d *delivery) invited(ctx context.Context, r bridge.Record) error {
	m, ok := d.room.Member(r.Target)
	if !ok || d.isNative(m) || m.State == bridge.Revoked || m.State == bridge.Declined {
		return nil
	}
	return d.inviteGhost(ctx, d.view, d.ghostOf(m.ID), ghostName(d.say, d.room, m, r.Via()))
}

// joined brings the member's ghost in. Who joins natively needs none from then on.
func (d *delivery) joined(ctx context.Context, r bridge.Record) error {
	m, ok := d.room.Member(r.Member)
	switch {
	case !ok:
		return nil
	case m.JoinedBy(bridge.Matrix):
		return d.removeGhost(ctx, d.view, d.ghostOf(m.ID))
	case d.isNative(m):
		return nil
	}
	return d.joinGhost(ctx, d.view, d.ghostOf(m.ID), ghostName(d.say, d.room, m, r.Via()))
}

// left takes the member's ghost out. Natively they were taken out before (natives.go).
func (d *delivery) left(ctx context.Context, r bridge.Record) error {
	return d.removeGhost(ctx, d.view, d.ghostOf(r.Member))
}

// revoked is left of somebody else, who may have come back by means that we do not see: so it is looked once more.
func (d *delivery) revoked(ctx context.Context, r bridge.Record) error {
	m, ok := d.whole.Member(r.Target)
	if !ok {
		return nil
	}
	if err := d.removeGhost(ctx, d.view, d.ghostOf(m.ID)); err != nil || !m.Gone() {
		return err
	}
	if e, ok := m.Endpoint(bridge.Matrix); ok {
		return d.kick(ctx, d.view.room, id.UserID(e.Address.ID), farewells[m.State](d.say))
	}
	return nil
}

// message lets the member's ghost say it, unless it was said in this room, or was taken away since.
func (d *delivery) message(ctx context.Context, r bridge.Record) error {
	if r.Via() == bridge.Matrix || r.Erased {
		return nil
	}
	parts := partsOf(r.Body, event.MsgText)
	m, ok := d.room.Member(r.Member)
	if !ok {
		return d.sendAll(ctx, speaker{user: d.bot}, r, parts)
	}
	ghost := speaker{d.ghostOf(m.ID), ghostName(d.say, d.room, m, r.Via())}
	if err := d.joinGhost(ctx, d.view, ghost.user, ghost.name); err != nil {
		return err
	}
	return d.sendAll(ctx, ghost, r, parts)
}

func (d *delivery) subject(ctx context.Context, _ bridge.Record) error {
	return d.setName(ctx, d.view.room, d.room)
}

func (d *delivery) closed(ctx context.Context, r bridge.Record) error {
	if err := d.setTalking(ctx, d.view.room, false); err != nil {
		return err
	}
	return d.notice(ctx, r, d.say.T("room.closed", "Name", d.nameOf(r.Member)))
}

func (d *delivery) reopened(ctx context.Context, r bridge.Record) error {
	if err := d.setTalking(ctx, d.view.room, true); err != nil {
		return err
	}
	return d.notice(ctx, r, d.say.T("room.reopened", "Name", d.nameOf(r.Member)))
}

// options lets newcomers see what the session now lets them see. Nothing else that a session allows shows in its room.
func (d *delivery) options(ctx context.Context, _ bridge.Record) error {
	return d.setVisibility(ctx, d.view.room, d.room.Session.Options)
}

// nameOf is the name of the member who did something, or the bot's for an operator who is no member.
func (d *delivery) nameOf(member uuid.UUID) string {
	if m, ok := d.room.Member(member); ok {
		return d.room.DisplayName(m)
	}
	return botName
}

// notice is something that the bot says.
func (d *delivery) notice(ctx context.Context, r bridge.Record, text string) error {
	return d.sendAll(ctx, speaker{user: d.bot}, r, partsOf(bridge.Body{Text: text}, event.MsgNotice))
}

// speaker is the bot, or a ghost with its name.
type speaker struct {
	user id.UserID
	name string
}

// sendAll sends the parts of a record that are not in the room yet.
func (d *delivery) sendAll(ctx context.Context, who speaker, r bridge.Record, parts []said) error {
	for i, part := range parts {
		part.Record = markerOf(r.ID, i)
		if d.view.last.covers(place{r.Seq, i}) {
			continue
		}
		if err := d.send(ctx, who, r, part); err != nil {
			return err
		}
	}
	return nil
}

// send sends one message. A ghost that may not talk has lost its place: it takes it again, once.
func (d *delivery) send(ctx context.Context, who speaker, r bridge.Record, part said) error {
	err := d.put(ctx, who.user, r, part)
	if isForbidden(err) && who.user != d.bot {
		if err := d.reseat(ctx, who); err != nil {
			return err
		}
		if err = d.put(ctx, who.user, r, part); isForbidden(err) {
			return &bridge.RefusedError{Reason: d.say.T("room.refused"), Err: d.hush(err)}
		}
	}
	switch {
	case err == nil:
		return nil
	case isTooLarge(err):
		return &bridge.RefusedError{Reason: d.say.T("room.too_large"), Err: d.hush(err)}
	case isMalformed(err):
		return &bridge.RefusedError{Reason: d.say.T("room.refused"), Err: d.hush(err)}
	default:
		return fmt.Errorf("send record %d as %s: %w", r.Seq, who.user, err)
	}
}

func (d *delivery) reseat(ctx context.Context, who speaker) error {
	if _, err := d.loadSeats(ctx, d.view); err != nil {
		return err
	}
	if d.view.seats[d.bot].membership != event.MembershipJoin {
		return d.errBotGone(d.view.room)
	}
	return d.joinGhost(ctx, d.view, who.user, who.name)
}

func (d *delivery) put(ctx context.Context, user id.UserID, r bridge.Record, part said) error {
	request := mautrix.ReqSendEvent{TransactionID: transactionID(user, r, part.Record)}
	if time.Since(r.At) > oldAfter {
		request.Timestamp = r.At.UnixMilli() // AS "Timestamp massaging"
	}
	sent, err := d.as(user).SendMessageEvent(ctx, d.view.room, event.EventMessage, part, request)
	if err != nil {
		return err
	}
	d.noteEcho(ctx, d.view.room, part.Record, sent.EventID)
	return nil
}

// transactionID is the same for every attempt to send a message. It names the ghost, because homeservers keep the IDs of all
// ghosts in one list.
func transactionID(user id.UserID, r bridge.Record, m marker) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %d %s", user, r.Session, r.Seq, m))
	return base64.RawURLEncoding.EncodeToString(sum[:18])
}
