package xmpp

import (
	"mailroom/bridge"
	"mailroom/locales"
)

// condition is a defined stanza error with the type that tells the client what
// to do about it (RFC 6120 §8.3).
type condition struct{ kind, name string }

var (
	badRequest           = condition{"modify", "bad-request"}
	conflict             = condition{"cancel", "conflict"}
	forbidden            = condition{"auth", "forbidden"}
	gone                 = condition{"cancel", "gone"}
	internalServerError  = condition{"wait", "internal-server-error"}
	itemNotFound         = condition{"cancel", "item-not-found"}
	jidMalformed         = condition{"modify", "jid-malformed"}
	notAcceptable        = condition{"modify", "not-acceptable"}
	policyViolation      = condition{"modify", "policy-violation"}
	registrationRequired = condition{"auth", "registration-required"}
	resourceConstraint   = condition{"wait", "resource-constraint"}
	serviceUnavailable   = condition{"cancel", "service-unavailable"}
)

// refusal answers a stanza with an error; text may be "". The room, or the
// occupant that was addressed, is the one who answers.
func refusal(s *element, c condition, text string) *element {
	e := el(nsComponent, "error", "type", c.kind).with(el(nsStanzaError, c.name))
	if text != "" {
		e.with(el(nsStanzaError, "text").saying(text))
	}
	answer := stanza(s.name.Local, "error", s.attr("to"), s.attr("from")).identified(s.attr("id"))
	if s.child(nsMUC, "x") != nil {
		// All errors of XEP-0045 §7.2 have it; slixmpp knows a refused join by it.
		answer.with(el(nsMUC, "x"))
	}
	return answer.with(e)
}

// sentences are those of the person's own language, as their client names it.
func (e *element) sentences() locales.Printer { return locales.Default().For(e.lang()) }

// denial is the one answer to all who have no grant, whether or not there is
// such a session: neither condition nor words tell one from the other.
func denial(s *element) *element {
	return refusal(s, registrationRequired, s.sentences().T("xmpp.no_permission"))
}

// outside is the one answer to what only an occupant may send.
func outside(s *element) *element {
	return refusal(s, notAcceptable, s.sentences().T("xmpp.not_inside"))
}

var conditions = map[bridge.Code]condition{
	bridge.Forbidden: forbidden,
	bridge.Closed:    forbidden, // in a room without voice: XEP-0045 §7.9
	bridge.Invalid:   notAcceptable,
	bridge.TooMany:   resourceConstraint,
	bridge.Conflict:  conflict,
}

// failure answers a stanza with what bridge said about it.
func failure(s *element, err error) *element {
	code := bridge.CodeOf(err)
	if code == bridge.NotFound {
		return denial(s)
	}
	c, ok := conditions[code]
	if !ok {
		c = internalServerError
	}
	return refusal(s, c, bridge.SentenceOf(err))
}

// conditionOf is the name of the condition in a stanza of type error.
func conditionOf(s *element) string {
	e := s.child(nsComponent, "error")
	if e == nil {
		return ""
	}
	for _, c := range e.children {
		if c.name.Space == nsStanzaError && c.name.Local != "text" {
			return c.name.Local
		}
	}
	return ""
}

// vanished are the conditions of a bounce that say that the receiver is no
// longer there; both Prosody and ejabberd take the same ones. Others pass over.
var vanished = map[string]bool{
	"gone": true, "internal-server-error": true, "item-not-found": true, "jid-malformed": true,
	"recipient-unavailable": true, "redirect": true, "remote-server-not-found": true,
	"remote-server-timeout": true, "service-unavailable": true,
}
