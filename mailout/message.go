package mailout

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"mime/multipart"
	"mime/quotedprintable"
	"net/textproto"
	"strings"
	"time"

	"mailroom/bridge"
	"mailroom/locales"
)

// Mail is ready for the smarthost.
type Mail struct {
	From string // the envelope's sender (VERP): bounces name the recipient by its token
	To   string // the envelope's one recipient
	Raw  []byte // header and body, lines end CR LF, ASCII unless the recipient's address is not
}

// Render makes the mail of a letter.
func (s *Sender) Render(l bridge.Letter) (Mail, error) {
	v := s.view(l)
	text, html, err := v.render(l.Mail.Kind)
	if err != nil {
		return Mail{}, err
	}
	body, boundary, err := alternative(part{"text/plain", text}, part{"text/html", html})
	if err != nil {
		return Mail{}, err
	}
	var h header
	s.addressing(&h, l, v)
	h.add("Message-ID", messageIDs([]string{l.MessageID}))
	automatic(&h)
	if !v.Account {
		threading(&h, l)
		s.unsubscribing(&h, l)
	}
	h.add("MIME-Version", "1.0")
	h.add("Content-Type", `multipart/alternative; boundary="`+boundary+`"`)

	raw := append([]byte(h.out.String()+"\r\n"), body...)
	if s.signer != nil {
		if raw, err = s.signer.sign(raw); err != nil {
			return Mail{}, fmt.Errorf("sign a mail: %w", err)
		}
	}
	return Mail{From: "b-" + l.Tokens.Bounce + "@" + s.settings.domain, To: path(l.To.Email().ID), Raw: raw}, nil
}

// addressing writes who writes to whom about what. The address in From never changes, so that readers and filters
// get to know it; the person stands in the name.
func (s *Sender) addressing(h *header, l bridge.Letter, v view) {
	h.add("From", mailbox(s.fromName(l, v), s.settings.from.Address))
	if v.Delimit { // an answer to anything else must not be said in the session
		h.add("Reply-To", mailbox(replyName(l, v.Printer), "r-"+l.Tokens.Reply+"@"+s.settings.domain))
	}
	h.add("To", mailbox(toName(l), path(l.To.Email().ID)))
	h.add("Subject", encodedSubject(subject(l, v)))
	h.add("Date", time.Now().UTC().Format(time.RFC1123Z))
}

// toName is the reader's name in the session. Who signs in has none: a name that
// others gave them would tell of the session.
func toName(l bridge.Letter) string {
	if l.Mail.Kind == bridge.LetterSignIn {
		return ""
	}
	return displayName(l.To.Name)
}

func (s *Sender) fromName(l bridge.Letter, v view) string {
	name := ""
	switch {
	case l.Mail.Kind == bridge.LetterInvitation:
		name = v.From.Name
	case l.Mail.Kind == bridge.LetterMissed && !v.OffRecord:
		name = authors(v)
	default:
		return s.settings.from.Name
	}
	return displayName(v.Printer.T("mail.from", "Name", name, "Product", s.settings.from.Name))
}

// authors are who wrote the messages, the newest first: "Bob", or "Bob and others".
func authors(v view) string {
	if len(v.Messages) == 0 {
		return v.From.Name
	}
	last := v.Messages[len(v.Messages)-1].Name
	several := map[string]bool{}
	for _, m := range v.Messages {
		several[m.Name] = true
	}
	return withOthers(v.Printer, last, len(several)-1)
}

// replyName says who will read an answer.
func replyName(l bridge.Letter, p locales.Printer) string {
	readers := names(l.Room, others(l.Room, l.To.ID))
	if len(readers) == 0 {
		return ""
	}
	return withOthers(p, readers[0], len(readers)-1)
}

func withOthers(p locales.Printer, name string, more int) string {
	if more == 0 {
		return displayName(name)
	}
	return displayName(p.T("mail.and_others", "Name", name, "Count", more))
}

func subject(l bridge.Letter, v view) string {
	switch kind := l.Mail.Kind; {
	case kind == bridge.LetterConfirm:
		return v.Printer.T("mail.confirm_subject", "Subject", v.Subject)
	case kind == bridge.LetterCode:
		return v.Printer.T("mail.code_subject", "Code", v.Code)
	case kind == bridge.LetterBound:
		return v.Printer.T("mail.bound_subject", "Subject", v.Subject)
	case kind == bridge.LetterInvitation, kind == bridge.LetterSignIn, len(l.References) == 0:
		return v.Subject
	}
	return "Re: " + v.Subject
}

// threading puts the mail under what its reader has already got (RFC 5322 §3.6.4).
func threading(h *header, l bridge.Letter) {
	references := messageIDs(l.References)
	if references == "" {
		return
	}
	h.add("In-Reply-To", references[strings.LastIndexByte(references, '<'):])
	h.add("References", references)
}

// automatic says that a program sent the mail (RFC 3834 §5), so that no other program answers it.
func automatic(h *header) {
	h.add("Auto-Submitted", "auto-generated")
	h.add("X-Auto-Response-Suppress", "All")
}

// unsubscribing says how to get no more mails of the session: one click without a question (RFC 8058), or a mail.
func (s *Sender) unsubscribing(h *header, l bridge.Letter) {
	token := l.Tokens.Unsubscribe
	h.add("List-Unsubscribe", "<"+s.settings.page+"/u/"+token+">, <mailto:u-"+token+"@"+s.settings.domain+">")
	h.add("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
}

// part is one form of the mail's words.
type part struct{ kind, words string }

// alternative puts the parts into a multipart/alternative, the best one last (RFC 2046 §5.1.4).
func alternative(parts ...part) (body []byte, boundary string, err error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	// "=_" cannot occur in quoted-printable text (RFC 2045 §6.7).
	if err := w.SetBoundary("=_" + rand.Text()); err != nil {
		return nil, "", fmt.Errorf("choose a boundary: %w", err)
	}
	for _, p := range parts {
		if err := writePart(w, p); err != nil {
			return nil, "", fmt.Errorf("write the %s part: %w", p.kind, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, "", fmt.Errorf("close the body: %w", err)
	}
	return b.Bytes(), w.Boundary(), nil
}

func writePart(w *multipart.Writer, p part) error {
	out, err := w.CreatePart(textproto.MIMEHeader{
		"Content-Type":              {p.kind + "; charset=utf-8"},
		"Content-Transfer-Encoding": {"quoted-printable"},
	})
	if err != nil {
		return err
	}
	qp := quotedprintable.NewWriter(out)
	if _, err := qp.Write([]byte(strings.ReplaceAll(p.words, "\n", "\r\n"))); err != nil {
		return err
	}
	return qp.Close()
}
