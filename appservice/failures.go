package appservice

import (
	"context"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"mailroom/bridge"
)

// Whom a mail did not reach is told to the initiator alone (SPEC B5). A room is read by everybody in it, and by whoever comes
// into it later.

// privateKey is the field of what only the initiator may read.
const privateKey = "org.mailroom.initiator_only"

// failure says what could not be delivered, if it is the business of everybody who reads the room.
func (d *delivery) failure(ctx context.Context, r bridge.Record) error {
	readers := expected(d.room)
	for _, m := range readers {
		if !d.room.Concerns(m, r) {
			return nil
		}
	}
	private := r.Destination.Network() == bridge.Mail
	if private && len(readers) == 0 {
		return nil
	}
	d.view.pristine = d.view.pristine && !private
	parts := partsOf(bridge.Body{Text: r.Body.Text}, event.MsgNotice)
	for i := range parts {
		parts[i].Private = private
	}
	return d.sendAll(ctx, speaker{user: d.bot}, r, parts)
}

// takeBackPrivate deletes what only the initiator was told, before somebody else is invited.
func (d *delivery) takeBackPrivate(ctx context.Context, m bridge.Member) error {
	if d.view.pristine || m.Role == bridge.Initiator {
		return nil
	}
	if err := d.redactAll(ctx, walk{senders: []id.UserID{d.bot}, types: []event.Type{event.EventMessage}, page: lookPage}, func(evt *event.Event) bool {
		private, _ := evt.Content.Raw[privateKey].(bool)
		return private
	}); err != nil {
		return err
	}
	d.view.pristine = true
	return nil
}
