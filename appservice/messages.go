package appservice

import (
	"context"
	"strings"

	"maunium.net/go/mautrix/event"

	"mailroom/bridge"
	"mailroom/content"
	"mailroom/locales"
)

// defaultPrinter speaks where the language of the other side is not known.
var defaultPrinter = locales.Default().For()

// takeMessage posts what a native user said.
func (g *Gateway) takeMessage(ctx context.Context, in incoming) error {
	said := in.Content.AsMessage()
	if said.MsgType == event.MsgNotice || strings.HasPrefix(string(said.MsgType), "m.key.verification.") {
		return nil // bots talk by notices, and must not be answered; devices verify each other
	}
	body, err := g.read(ctx, in, said)
	if err != nil {
		return err
	}
	if body.Empty() {
		g.log.Info("a message of Matrix has nothing to read in it", "session", in.session, "event", in.ID)
		return nil
	}
	_, err = g.svc.Post(ctx, bridge.PostRequest{Session: in.session, By: in.by(), Body: bridge.Body(body), Origin: in.origin()})
	return g.unlessRefused(ctx, in, err, nil)
}

// read makes a body of a message. Only what needs our own words asks for the session, for its language.
func (g *Gateway) read(ctx context.Context, in incoming, said *event.MessageEventContent) (content.Body, error) {
	edit := isEdit(said)
	if _, special := readers[said.MsgType]; !special && !edit {
		return textOf(said), nil
	}
	room, err := g.svc.Room(ctx, in.session)
	if err != nil {
		return content.Body{}, err
	}
	r := reading{printerOf(room), nameIn(room, in)}
	if edit {
		return r.correction(said.NewContent), nil
	}
	return r.body(said), nil
}

// nameIn is the sender's name in the session.
func nameIn(room *bridge.Room, in incoming) string {
	if m, ok := room.ByAddress(in.by().Address); ok {
		return room.DisplayName(m)
	}
	return in.Sender.Localpart()
}

// reading is what turning a message into a body needs beside the message.
type reading struct {
	say  locales.Printer
	name string
}

// readers are how the kinds of messages are read that are more than text (CS "m.room.message msgtypes").
var readers = map[event.MessageType]func(reading, *event.MessageEventContent) content.Body{
	event.MsgEmote:    reading.emote,
	event.MsgImage:    reading.file,
	event.MsgVideo:    reading.file,
	event.MsgAudio:    reading.file,
	event.MsgFile:     reading.file,
	event.MsgLocation: reading.location,
}

func (r reading) body(said *event.MessageEventContent) content.Body {
	if read, ok := readers[said.MsgType]; ok {
		return read(r, said)
	}
	return textOf(said)
}

func isEdit(said *event.MessageEventContent) bool {
	return said.NewContent != nil && said.RelatesTo.GetReplaceID() != ""
}

// correction says the new text of an edited message.
func (r reading) correction(said *event.MessageEventContent) content.Body {
	corrected := r.body(said)
	if corrected.Empty() {
		return corrected
	}
	return content.FromText(r.say.T("room.corrected", "Text", corrected.Text))
}

// textOf is the text of a message, without the quote of the message that it answers.
func textOf(said *event.MessageEventContent) content.Body {
	text, formatted := said.Body, ""
	if said.Format == event.FormatHTML {
		formatted = said.FormattedBody
	}
	if said.RelatesTo.GetReplyTo() != "" {
		text = event.TrimReplyFallbackText(text)
	}
	return content.FromMatrix(text, formatted)
}

// emote is something that the sender does, told in the third person.
func (r reading) emote(said *event.MessageEventContent) content.Body {
	text := textOf(said)
	if text.Empty() {
		return text
	}
	return content.FromText(r.say.T("room.emote", "Name", r.name, "Text", text.Text))
}

// file tells of a file that is not carried over yet, and says its caption.
func (r reading) file(said *event.MessageEventContent) content.Body {
	name := content.OneLine(said.GetFileName(), maxFileName)
	if name == "" {
		name = r.say.T("room.file_unnamed")
	}
	sentence := r.say.T("room.file", "Name", name)
	if caption := said.GetCaption(); caption != "" {
		sentence += "\n" + caption
	}
	return content.FromText(sentence)
}

// maxFileName is the most of a file's name that is shown, in runes.
const maxFileName = 120

// location is a place as text, with its coordinates (RFC 5870).
func (r reading) location(said *event.MessageEventContent) content.Body {
	return content.FromText(strings.TrimSpace(said.Body + "\n" + said.GeoURI))
}

// cleanSubject makes a subject of what somebody called the room.
func cleanSubject(name string) string { return content.OneLine(name, maxSubject) }

// maxSubject is the longest subject, in runes.
const maxSubject = 200
