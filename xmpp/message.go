package xmpp

import (
	"context"
	"encoding/xml"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"mailroom/bridge"
	"mailroom/content"
)

// groupchat is what a client says in a room. It is posted and nothing more:
// the lane brings it to everybody, its sender too, once it is stored.
func (c *Component) groupchat(ctx context.Context, in incoming) {
	if in.to.resource != "" {
		c.reply(refusal(in.element, badRequest, ""))
		return
	}
	o, inside, err := c.occupant(ctx, in)
	switch {
	case err != nil:
		c.answer(ctx, in, err)
	case !inside:
		c.reply(outside(in.element))
	case in.child(nsOMEMO, "encrypted") != nil || in.child(nsEncryption, "encryption") != nil:
		c.reply(refusal(in.element, notAcceptable, in.sentences().T("xmpp.encrypted")))
	case in.said() != "":
		c.post(ctx, in, o.Member)
	case in.child(nsComponent, "subject") != nil && in.child(nsComponent, "body") == nil:
		c.setSubject(ctx, in)
	default:
		c.signal(ctx, in)
	}
}

// said is the text of a message, of its first body if there are several.
func (in incoming) said() string {
	if body := in.child(nsComponent, "body"); body != nil {
		return body.text
	}
	return ""
}

func (c *Component) post(ctx context.Context, in incoming, member uuid.UUID) {
	id := in.to.session()
	delivered, typing := c.rooms.noted(id, member)
	body := content.FromText(in.said())
	record, err := c.service.Post(ctx, bridge.PostRequest{
		Session: id, By: in.from.identity(), Body: bridge.Body{Text: body.Text, HTML: body.HTML},
		Origin: originOf(in), Received: []byte(in.element.String()),
	})
	if err != nil {
		c.answer(ctx, in, err)
		return
	}
	if typing {
		c.types(ctx, in, false) // what was typed is said
	}
	if record.Seq <= delivered {
		c.reflectAgain(ctx, in, record)
	}
}

// reflectAgain acknowledges a message that was sent again after it had been
// delivered: its sender has missed the reflection.
func (c *Component) reflectAgain(ctx context.Context, in incoming, record bridge.Record) {
	err := c.rooms.with(ctx, record.Session, func(r *room) error {
		if err := r.refresh(ctx); err != nil {
			return err
		}
		c.reply(r.message(record).sentTo(in.attr("from")))
		return nil
	})
	if err != nil {
		c.answer(ctx, in, err)
	}
}

func (c *Component) setSubject(ctx context.Context, in incoming) {
	subject := content.Subject(in.child(nsComponent, "subject").text)
	if _, err := c.service.SetSubject(ctx, in.to.session(), in.from.identity(), subject, originOf(in)); err != nil {
		c.answer(ctx, in, err)
	}
}

// privateMessage is what is written to an occupant, or to a room or the
// component itself in no room's way. There are no private messages: everything
// said is for all. The answer to who is outside is the same for every room.
func (c *Component) privateMessage(ctx context.Context, in incoming) {
	if in.to.local == "" {
		c.reply(refusal(in.element, serviceUnavailable, ""))
		return
	}
	_, inside, err := c.occupant(ctx, in)
	switch {
	case err != nil:
		c.answer(ctx, in, err)
	case !inside:
		c.reply(outside(in.element))
	case in.said() != "":
		c.reply(refusal(in.element, serviceUnavailable, in.sentences().T("xmpp.no_private_messages")))
	}
}

const (
	// lateAfter is the age from which on a message carries the time at which it
	// was said.
	lateAfter = time.Minute
	// MaxOutgoingText is how much of a message's text is written, in bytes as
	// they stand in the stream. All that content lets through fits, and the
	// longest addresses and ids beside it into MaxStanza.
	MaxOutgoingText = 424 << 10
	// MaxLang is the longest tag of a language that is written, in bytes: more
	// than any that is in use (RFC 5646 §4.4.1).
	MaxLang = 35
)

// message is what a member said, as all clients get it. The id is that of the
// client which sent it, if one did; stanza-id and occupant-id are ours, and
// none of the sender's own making is in it.
func (r *room) message(record bridge.Record) *element {
	s := r.say(record).with(el(nsComponent, "body").saying(fit(record.Body.Text)))
	if record.Lang != "" && len(record.Lang) <= MaxLang {
		s.attrs = append(s.attrs, xml.Attr{Name: xml.Name{Space: nsXML, Local: "lang"}, Value: record.Lang})
	}
	id, originID := clientIDs(record.Origin)
	s.identified(id)
	if originID != "" {
		s.with(el(nsStanzaID, "origin-id", "id", originID))
	}
	return r.late(s, record)
}

// late adds the time at which something was said, if that is a while ago.
func (r *room) late(s *element, record bridge.Record) *element {
	if time.Since(record.At) > lateAfter {
		s.with(r.delay(record))
	}
	return s
}

// say begins a message of the record's member; of the room itself, if it has none.
func (r *room) say(record bridge.Record) *element {
	from := r.jid
	m, ok := r.session.Member(record.Member)
	if ok {
		from = r.as(m)
	}
	id := record.ID.String()
	s := stanza("message", "groupchat", from, "").set("id", id)
	s.with(el(nsStanzaID, "stanza-id", "by", r.jid, "id", id))
	if ok {
		s.with(occupantID(m))
	}
	return r.discreet(s)
}

func (r *room) delay(record bridge.Record) *element {
	return el(nsDelay, "delay", "from", r.jid, "stamp", stamp(record.At))
}

// stamp is a time as XEP-0082 writes it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// subject is the room's subject as it is now. It ends every join, also when
// there is none (XEP-0045 §7.2.15).
func (r *room) subject() *element {
	return r.discreet(stanza("message", "groupchat", r.jid, "").with(el(nsComponent, "subject").saying(fit(r.session.Session.Subject))))
}

// fit cuts a text that is too long to be sent.
func fit(text string) string {
	written := 0
	for i, char := range text {
		written += utf8.RuneLen(char)
		switch char {
		case '&', '<', '>', '\'', '"', '\r':
			written += len("&apos;") - 1
		}
		if written > MaxOutgoingText {
			return text[:i] + "…"
		}
	}
	return text
}
