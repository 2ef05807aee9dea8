package mailin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"mailroom/bridge"
)

// delivery is the work on one mail. What several recipients need, who sent it
// and what it says, is found out once.
type delivery struct {
	server  *Server
	ctx     context.Context
	peer    peer
	env     envelope
	message *message
	bcc     []string // values of Bcc, only from who has signed in
	class   class
	why     string // the sign that told the class
	size    int
	started time.Time

	verdict  *verdict
	verified *refusal
	content  *parsed
	parsing  *refusal
}

// action is what is done for one recipient, after everything that can be refused
// was looked at: it commits. done says for the log what became of the mail.
type action func() (done string, refused *refusal)

// deliver does what a mail asks for, for each recipient. With all it refuses a
// mail for all its recipients if one of them must be refused: SMTP has one answer
// only. What was done before a late fault is not done again when the mail comes
// again, since bridge knows it by its origin.
func (s *Server) deliver(ctx context.Context, p peer, env envelope, raw []byte, all bool) ([]*refusal, *refusal) {
	d := &delivery{server: s, ctx: ctx, peer: p, env: env, size: len(raw), started: time.Now()}
	message, refused := prescan(raw, s.config.Limits)
	if refused != nil {
		s.note(p, d, refused)
		return nil, refused
	}
	d.message = message
	if p.Account != "" {
		d.takeBcc()
	}
	if refused := d.checkForeign(); refused != nil {
		s.note(p, d, refused)
		return nil, refused
	}
	d.class, d.why = classify(env, message.Header)
	answers := make([]*refusal, len(env.Recipients))
	actions := make([]action, len(env.Recipients))
	for i, r := range env.Recipients {
		actions[i], answers[i] = d.prepare(r)
		if answers[i] != nil && all {
			s.noteRecipient(d, r, "", answers[i])
			return nil, answers[i]
		}
	}
	for i, r := range env.Recipients {
		done := ""
		if answers[i] == nil {
			done, answers[i] = actions[i]()
		}
		s.noteRecipient(d, r, done, answers[i])
		if answers[i] != nil && all {
			return nil, answers[i]
		}
	}
	return answers, nil
}

func (d *delivery) prepare(r recipient) (action, *refusal) {
	switch r.For {
	case toNew, toOff:
		return d.prepareStart(r.For)
	case toReply:
		return d.prepareAnswer(r.Token)
	case toBounce:
		return d.prepareReport(r.Token)
	default:
		return d.prepareUnsubscribe(r.Token)
	}
}

// sender is who sent the mail, verified once.
func (d *delivery) sender() (verdict, *refusal) {
	if d.verdict == nil && d.verified == nil {
		v, refused := d.server.verify(d.ctx, d.peer, d.env, d.message)
		d.verdict, d.verified = &v, refused
	}
	return *d.verdict, d.verified
}

// said is what the mail holds, parsed once.
func (d *delivery) said() (*parsed, *refusal) {
	if d.content == nil && d.parsing == nil {
		d.content, d.parsing = d.server.parse(d.ctx, d.message)
	}
	return d.content, d.parsing
}

// drop accepts a mail and does nothing, on purpose.
func drop(why string) action {
	return func() (string, *refusal) { return "dropped: " + why, nil }
}

// origin names the mail for ever, so that the same one counts once whichever way
// it comes: by Message-ID, author and body. A Message-ID that the signature does
// not cover could be changed by whoever sends the mail again: then the fields
// that it does cover stand in for it.
func (d *delivery) origin(v verdict) bridge.Origin {
	h := d.message.Header
	sum := sha256.New()
	sum.Write([]byte(v.From.Address.ID + "\x00"))
	if id := d.messageID(v); id != "" {
		sum.Write([]byte(id + "\x00"))
	} else {
		for _, name := range []string{"Date", "Subject", "To", "Cc"} {
			if v.covers(h, name) {
				sum.Write([]byte(strings.Join(h.all(name), "\x00") + "\x00"))
			}
		}
	}
	sum.Write(d.message.Body)
	return bridge.Origin{Network: bridge.Mail, ID: hex.EncodeToString(sum.Sum(nil))}
}

// messageID is the Message-ID without brackets, or "" if there is none to rely on.
func (d *delivery) messageID(v verdict) string {
	id := strings.Trim(d.message.Header.get("Message-ID"), "<> \t")
	if !v.covers(d.message.Header, "Message-ID") || strings.ContainsAny(id, " \t<>") || len(id) > maxMessageID {
		return ""
	}
	return id
}

// maxMessageID is the longest Message-ID taken, in bytes: it must fit a header line.
const maxMessageID = 250

// lang is the language that the mail says it is in, or "".
func (d *delivery) lang() string {
	tag, _, _ := strings.Cut(d.message.Header.get("Content-Language"), ",")
	tag = strings.TrimSpace(tag)
	if len(tag) > 35 || strings.Trim(tag, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != "" {
		return ""
	}
	return tag
}

// addressees reads To and Cc. For the fields of which there may be one only
// (RFC 5322 §3.6), a second is a sign that somebody put it there.
func (d *delivery) addressees() ([]mailbox, *refusal) {
	var found []mailbox
	for _, name := range []string{"To", "Cc"} {
		values := d.message.Header.all(name)
		if len(values) > 1 {
			return nil, refuse(550, "5.6.0", "two "+name, "This mail has more than one %s line, so nobody can tell which one is meant. Please send it with another mail program.", name)
		}
		for _, v := range values {
			list, refused := mailboxes(name, v)
			if refused != nil {
				return nil, refused
			}
			found = append(found, list...)
		}
	}
	return found, nil
}
