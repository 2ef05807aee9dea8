package mailin

import (
	"errors"
	"fmt"
	"strings"

	"github.com/emersion/go-smtp"

	"mailroom/bridge"
)

// refusal is an answer of SMTP that is not 250. Sentence is for the person whose
// mail it is and says what to do; Reason is a word for the log; Err is detail
// for the log only.
type refusal struct {
	Code     int
	Enhanced smtp.EnhancedCode // RFC 3463
	Reason   string
	Sentence string
	Err      error
}

func (r *refusal) Error() string {
	if r.Err != nil {
		return r.Reason + ": " + r.Err.Error()
	}
	return r.Reason
}

func (r *refusal) Unwrap() error { return r.Err }

func (r *refusal) temporary() bool { return r.Code < 500 }

// refuse makes a refusal; enhanced is written as in "5.7.1".
func refuse(code int, enhanced, reason, sentence string, args ...any) *refusal {
	r := &refusal{Code: code, Reason: reason, Sentence: fmt.Sprintf(sentence, args...)}
	if _, err := fmt.Sscanf(enhanced, "%d.%d.%d", &r.Enhanced[0], &r.Enhanced[1], &r.Enhanced[2]); err != nil {
		panic("mailin: enhanced code " + enhanced) // a constant of this package is wrong
	}
	return r
}

// later is the answer when the fault is ours: the peer keeps the mail and tries again.
func later(reason string, err error) *refusal {
	r := refuse(451, "4.3.0", reason, "Something is not working here at the moment. Nothing was lost; your mail server will try again.")
	r.Err = err
	return r
}

// refusalOf turns an error of bridge into the answer of SMTP.
func refusalOf(err error) *refusal {
	var r *refusal
	if errors.As(err, &r) {
		return r
	}
	sentence := bridge.SentenceOf(err)
	switch bridge.CodeOf(err) {
	case bridge.NotFound:
		r = refuse(550, "5.1.1", "not found", "%s", sentence)
	case bridge.Forbidden:
		r = refuse(550, "5.7.1", "forbidden", "%s", sentence)
	case bridge.Closed:
		r = refuse(550, "5.7.1", "session closed", "%s", sentence)
	case bridge.Invalid:
		r = refuse(550, "5.6.0", "invalid", "%s", sentence)
	case bridge.TooMany:
		r = refuse(452, "4.5.3", "too many", "%s", sentence)
	case bridge.Conflict:
		r = refuse(451, "4.3.0", "conflict", "%s", sentence)
	default:
		return later("internal", err)
	}
	r.Err = err
	return r
}

// maxReply is the longest text of a reply: a reply line has 512 bytes at most
// (RFC 5321 §4.5.3.1.5), of which code, enhanced code and, in LMTP, the
// recipient need some.
const maxReply = 380

// smtpError is what go-smtp answers: it looks for this type and no other.
func smtpError(err error) error {
	if err == nil {
		return nil
	}
	r := refusalOf(err)
	return &smtp.SMTPError{Code: r.Code, EnhancedCode: r.Enhanced, Message: replyText(r.Sentence)}
}

// replyText makes a sentence fit for a reply line: one line of printable ASCII.
func replyText(s string) string {
	s = strings.Map(func(c rune) rune {
		switch {
		case c == '\r', c == '\n', c == '\t':
			return ' '
		case c < ' ' || c == 0x7f:
			return -1
		case c > 0x7f:
			return '?'
		}
		return c
	}, s)
	if len(s) > maxReply {
		s = s[:maxReply-3] + "..."
	}
	return s
}
