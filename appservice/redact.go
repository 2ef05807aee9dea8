package appservice

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// walk says which events of a room are looked at, from its end backwards.
type walk struct {
	types   []event.Type
	senders []id.UserID // empty: everybody's
	since   time.Time   // what was said earlier is not looked at
	page    int         // events per request
}

// maxWalk bounds a walk, in pages: more than a million events.
const maxWalk = 20_000

// redactAll redacts what matches. Repeating it goes on where it was cut off, since what is redacted has nothing left in it that
// could match.
func (d *delivery) redactAll(ctx context.Context, w walk, matches func(*event.Event) bool) error {
	if err := d.awaitShown(ctx); err != nil {
		return err
	}
	filter, from := &mautrix.FilterPart{Types: w.types, Senders: w.senders}, ""
	for range maxWalk {
		page, err := d.pageOf(ctx, d.view.room, from, filter, w.page)
		if err != nil {
			return err
		}
		for _, evt := range page.Chunk {
			if !matches(evt) {
				continue
			}
			if err := d.redact(ctx, evt.ID); err != nil {
				return err
			}
		}
		if page.End == "" || page.End == from || len(page.Chunk) > 0 && isBefore(page.Chunk, w.since) {
			return nil
		}
		from = page.End
	}
	d.log.Error("a room is too long to be looked through; its oldest events were not redacted", "room", d.view.room)
	return nil
}

// awaitShown waits until the homeserver shows everything that it took.
func (d *delivery) awaitShown(ctx context.Context) error {
	sent, err := d.sendProbe(ctx, d.view.room)
	if err == nil {
		_, err = d.pageWith(ctx, d.view.room, sent)
	}
	return err
}

// redact takes the content of an event away (CS "Redactions"). The transaction ID keeps a repeat from being a second redaction.
// An event that the homeserver does not let us redact is left as it is, and told of in the log.
func (d *delivery) redact(ctx context.Context, evt id.EventID) error {
	_, err := d.as(d.bot).RedactEvent(ctx, d.view.room, evt, mautrix.ReqRedact{TxnID: redactionID(evt)})
	if isForbidden(err) {
		if _, err := d.loadSeats(ctx, d.view); err != nil {
			return err
		}
		if d.view.seats[d.bot].membership != event.MembershipJoin {
			return d.errBotGone(d.view.room)
		}
	}
	if isDefinite(err) {
		d.log.Warn("the homeserver does not redact an event", "room", d.view.room, "event", evt, "error", d.hush(err))
		return nil
	}
	if err != nil {
		return fmt.Errorf("redact %s: %w", evt, err)
	}
	return nil
}

func redactionID(evt id.EventID) string {
	sum := sha256.Sum256([]byte("redaction of " + evt))
	return base64.RawURLEncoding.EncodeToString(sum[:18])
}
