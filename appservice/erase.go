package appservice

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"mailroom/bridge"
)

// erasure is what has to go from a room when something was erased from its session.
type erasure struct {
	*delivery
	member bridge.Member // zero: everybody
	// person: the member was erased as a person, with name and addresses.
	person bool
	// subjects: the member wrote them.
	subjects bool

	events []id.EventID       // what was said natively
	said   map[uuid.UUID]bool // records that we brought, and if they were found
	since  time.Time          // when the first of them was said
}

// erased redacts what a member, or everybody, said up to a record. What was said natively is known by its event ID, what we
// brought by its marker.
func (d *delivery) erased(ctx context.Context, r bridge.Record) error {
	e := &erasure{delivery: d, said: make(map[uuid.UUID]bool), since: r.At}
	if m, ok := d.whole.Member(r.Target); ok {
		e.member = m
		e.person = m.Address.IsZero() && m.Person == uuid.Nil
		e.subjects = m.Role == bridge.Initiator
	}
	if err := e.collect(ctx, r); err != nil {
		return err
	}
	for _, evt := range e.events {
		if err := d.redact(ctx, evt); err != nil {
			return err
		}
	}
	if err := e.unname(ctx); err != nil {
		return err
	}
	if err := e.unsubject(ctx); err != nil {
		return err
	}
	return e.sweep(ctx)
}

// collect reads the log for what the record r erased, and no earlier one did.
func (e *erasure) collect(ctx context.Context, r bridge.Record) error {
	var gone []bridge.Record
	before := make(map[uuid.UUID]int64) // up to where it was erased before, by target
	for after := int64(0); after < r.Seq; {
		records, err := e.svc.Log(ctx, r.Session, after, bridge.MaxPage)
		if err != nil {
			return err
		}
		if len(records) == 0 {
			break
		}
		for _, one := range records {
			if after = one.Seq; one.Kind == bridge.KindErased && one.Seq < r.Seq {
				before[one.Target] = max(before[one.Target], one.Ref)
			}
			if one.Seq <= r.Ref && e.concerned(one, r.Target) {
				gone = append(gone, one)
			}
		}
	}
	for _, one := range gone {
		if one.Kind != bridge.KindMessage || one.Seq > max(before[uuid.Nil], before[one.Member]) {
			e.add(one)
		}
	}
	return nil
}

// concerned says if something of a record has to go: what was said, and of a person also where we named them.
func (e *erasure) concerned(one bridge.Record, target uuid.UUID) bool {
	switch one.Kind {
	case bridge.KindMessage:
		return one.Erased && (target == uuid.Nil || one.Member == target)
	case bridge.KindClosed, bridge.KindReopened:
		return e.person && one.Member == target
	case bridge.KindFailure:
		return e.person && one.Destination.Member() == target
	}
	return false
}

func (e *erasure) add(one bridge.Record) {
	if one.Kind == bridge.KindMessage && one.Via() == bridge.Matrix {
		e.events = append(e.events, id.EventID(one.Origin.ID))
		return
	}
	e.said[one.ID] = false
	if one.At.Before(e.since) {
		e.since = one.At
	}
}

// unname takes the name from the ghost of somebody who was erased, and the ghost out of the room.
func (e *erasure) unname(ctx context.Context) error {
	ghost := e.ghostOf(e.member.ID)
	if _, known := e.view.seats[ghost]; !e.person || !known {
		return nil
	}
	if err := e.prepareGhost(ctx, e.view, ghost, e.neutralName()); err != nil {
		return err
	}
	return e.removeGhost(ctx, e.view, ghost)
}

// neutralName is what is left of a name.
func (e *erasure) neutralName() string { return ghostName(e.say, e.room, e.member, "") }

// unsubject makes the room's name and topic what they are without what the member wrote.
func (e *erasure) unsubject(ctx context.Context) error {
	if !e.subjects {
		return nil
	}
	if err := e.setName(ctx, e.view.room, e.room); err != nil {
		return err
	}
	var now event.TopicEventContent
	bot := e.as(e.bot)
	err := bot.StateEvent(ctx, e.view.room, event.StateTopic, "", &now)
	switch {
	case isNotFound(err), err == nil && now.Topic == topicOf(e.room):
		return nil
	case err == nil:
		_, err = bot.SendStateEvent(ctx, e.view.room, event.StateTopic, "", &event.TopicEventContent{Topic: topicOf(e.room)})
	}
	if err != nil {
		return fmt.Errorf("set the topic of %s: %w", e.view.room, err)
	}
	return nil
}

// sweep walks through the room for what is not known by its event ID. Of two events of equal depth, Dendrite leaves one out
// between two pages; so what was not found is looked for once more, with pages that end elsewhere.
func (e *erasure) sweep(ctx context.Context) error {
	w := walk{types: []event.Type{event.EventMessage}, since: e.since.Add(-clockSlack)}
	if e.person || e.subjects {
		w.types = append(w.types, event.EventSticker, event.EventReaction, event.StateMember, event.StateRoomName, event.StateTopic)
		w.since = time.Time{}
	} else if len(e.said) == 0 {
		return nil
	}
	for _, w.page = range []int{lookPage, lookPage * 2 / 3} {
		if err := e.redactAll(ctx, w, e.matches); err != nil || e.complete() {
			return err
		}
	}
	return nil
}

func (e *erasure) complete() bool {
	for _, found := range e.said {
		if !found {
			return false
		}
	}
	return true
}

// matches says if an event has to go. One that is redacted has nothing left that could.
func (e *erasure) matches(evt *event.Event) bool {
	switch evt.Type.Type {
	case event.StateMember.Type:
		return e.isName(evt)
	case event.StateRoomName.Type:
		return e.isSubject(evt, "name", roomName(e.room))
	case event.StateTopic.Type:
		return e.isSubject(evt, "topic", topicOf(e.room))
	}
	if !e.owns(evt.Sender) {
		return e.person && e.isMember(evt.Sender) && len(evt.Content.Raw) > 0
	}
	return e.isSaid(evt)
}

// isSaid finds the messages that we brought. What the bot says without a marker answers an act, and may name the initiator.
func (e *erasure) isSaid(evt *event.Event) bool {
	name, marked := evt.Content.Raw[markerKey].(string)
	record, _, ok := marker(name).parse()
	if !marked || !ok {
		return e.person && e.subjects && evt.Sender == e.bot && len(evt.Content.Raw) > 0
	}
	if _, wanted := e.said[record]; !wanted {
		return false
	}
	e.said[record] = true
	return true
}

// isName finds the places in which somebody's name stands, and invitations, which have the subject in them.
func (e *erasure) isName(evt *event.Event) bool {
	user, name := id.UserID(evt.GetStateKey()), textIn(evt, "displayname")
	switch {
	case e.person && (user == e.ghostOf(e.member.ID) || e.isMember(user)):
		return name != "" && name != e.neutralName()
	case e.subjects && evt.Sender == e.bot:
		return textIn(evt, "membership") == string(event.MembershipInvite) && textIn(evt, "reason") != ""
	}
	return false
}

func textIn(evt *event.Event, field string) string {
	text, _ := evt.Content.Raw[field].(string)
	return text
}

func (e *erasure) isSubject(evt *event.Event, field, now string) bool {
	if !e.isMember(evt.Sender) && !(e.subjects && e.owns(evt.Sender)) {
		return false
	}
	text := textIn(evt, field)
	return text != "" && text != now
}

// isMember says that a user is the member.
func (e *erasure) isMember(user id.UserID) bool {
	address := nativeOf(e.member).Address
	return !address.IsZero() && address == identityOf(user).Address
}
