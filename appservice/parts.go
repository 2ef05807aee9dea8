package appservice

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"maunium.net/go/mautrix/event"

	"mailroom/bridge"
	"mailroom/content"
)

// said is the content of a message that we send.
type said struct {
	MsgType       event.MessageType `json:"msgtype"`
	Body          string            `json:"body"`
	Format        event.Format      `json:"format,omitempty"`
	FormattedBody string            `json:"formatted_body,omitempty"`
	Record        marker            `json:"org.mailroom.record"`
	Private       bool              `json:"org.mailroom.initiator_only,omitempty"`
}

// An event may have 65,536 bytes (CS "Size limits"), with a few hundred around its content.
const (
	maxContent = 60_000
	// alwaysFits is text that fits however much of it JSON has to escape.
	alwaysFits = maxContent / 7
	// maxPart is how much of a long text goes into one event, so that it fits if half of it has to be escaped.
	maxPart = 28_000
)

// partsOf makes the messages that say a body: one, if it fits an event with its formatting or else without, or several.
func partsOf(body bridge.Body, kind event.MessageType) []said {
	text := content.XMLSafe(body.Text)
	whole := said{MsgType: kind, Body: text}
	if formatted, ok := content.Body(body).MatrixHTML(); ok {
		rich := whole
		rich.Format, rich.FormattedBody = event.FormatHTML, formatted
		if fits(rich) {
			return []said{rich}
		}
	}
	if fits(whole) {
		return []said{whole}
	}
	var parts []said
	for text != "" {
		var part string
		part, text = cut(text, maxPart)
		parts = append(parts, said{MsgType: kind, Body: part})
	}
	return parts
}

func fits(s said) bool {
	if len(s.Body)+len(s.FormattedBody) <= alwaysFits {
		return true
	}
	var size counter
	encoder := json.NewEncoder(&size)
	encoder.SetEscapeHTML(false) // as canonical JSON has it
	return encoder.Encode(s) == nil && size <= maxContent
}

type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// cut takes at most max bytes from the front, up to the end of a line if there is one in the second half.
func cut(text string, max int) (front, rest string) {
	if len(text) <= max {
		return text, ""
	}
	end := max
	for !utf8.RuneStart(text[end]) {
		end--
	}
	if line := strings.LastIndexByte(text[:end], '\n'); line > max/2 {
		return text[:line], text[line+1:]
	}
	return text[:end], text[end:]
}
