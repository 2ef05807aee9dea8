package mailin

import (
	"context"
	"strings"

	"mailroom/bridge"
)

// target is what one of our addresses is for.
type target string

const (
	toNew         target = "new"         // new@: start a session
	toOff         target = "off"         // off@: start one off the record
	toReply       target = "reply"       // r-<token>@: answer in a session
	toBounce      target = "bounce"      // b-<token>@: the envelope sender of our mails
	toUnsubscribe target = "unsubscribe" // u-<token>@: no more mails of a session
)

// recipient is one of our addresses to which a mail was sent.
type recipient struct {
	Path  string // as the peer wrote it
	For   target
	Token string // "" for new@ and off@
}

var tokenTargets = map[string]struct {
	target target
	right  bridge.Right
}{
	"r-": {toReply, bridge.RightReply},
	"b-": {toBounce, bridge.RightBounce},
	"u-": {toUnsubscribe, bridge.RightUnsubscribe},
}

var (
	errUnknownAddress = refuse(550, "5.1.1", "unknown address", "There is no such address here. Please answer the mail that you got from us, or write to the people with new@ in Cc.")
	errNoRelay        = refuse(550, "5.7.1", "relaying", "This server takes mail for its own domain only.")
	errNoMailbox      = refuse(550, "5.2.1", "sender alone", "Nobody reads what is sent to this address. Please open the page by the link in the mail that you got.")
	errPostmaster     = refuse(550, "5.2.1", "postmaster", "This server carries conversations and keeps no mailbox for its postmaster. Please write to the postmaster of the parent domain.")
	errManyUnknown    = refuse(421, "4.7.0", "guessing", "Too many unknown addresses. Closing the connection.")
)

// named are our addresses that everybody may know.
var named = map[string]struct {
	target  target
	refused *refusal
}{
	string(toNew): {toNew, nil},
	string(toOff): {toOff, nil},
	// Who answers a mail that has no reply address, such as one about a sign-in,
	// writes to its fixed sender. Where that is an address of this domain, the
	// answer leads nowhere, and says so.
	"invite":     {"", errNoMailbox},
	"postmaster": {"", errPostmaster},
}

// recipientOf finds out what an address is for. A token that does not exist, or
// no more, or that is for something else, is answered like any unknown address
// and after the same one look-up, so that nothing is told. A grant that has run
// out still has its tokens: what it allows is decided when the mail is there.
func (s *Server) recipientOf(ctx context.Context, path string) (recipient, *refusal) {
	local, domain := splitAddress(path)
	if domain != s.config.Domain {
		return recipient{}, errNoRelay
	}
	if n, ok := named[local]; ok {
		return recipient{Path: path, For: n.target}, n.refused
	}
	if len(local) != 2+bridge.TokenLength {
		return recipient{}, errUnknownAddress
	}
	kind, known := tokenTargets[local[:2]]
	if !known {
		return recipient{}, errUnknownAddress
	}
	token := local[2:]
	if _, err := s.service.Holder(ctx, kind.right, token); err != nil {
		if bridge.CodeOf(err) == bridge.NotFound {
			return recipient{}, errUnknownAddress
		}
		return recipient{}, refusalOf(err)
	}
	return recipient{Path: path, For: kind.target, Token: token}, nil
}

// splitAddress parts an address at its last @, in lower case, without the dot
// that may end a domain.
func splitAddress(path string) (local, domain string) {
	path = strings.ToLower(path)
	at := strings.LastIndexByte(path, '@')
	if at < 0 {
		return path, ""
	}
	return path[:at], strings.TrimSuffix(path[at+1:], ".")
}
