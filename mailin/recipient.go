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
	toReply       target = "reply"       // r-<token>@: answer in a session
	toBounce      target = "bounce"      // b-<token>@: the envelope sender of our mails
	toUnsubscribe target = "unsubscribe" // u-<token>@: no more mails of a session
)

// recipient is one of our addresses to which a mail was sent.
type recipient struct {
	Path  string // as the peer wrote it
	For   target
	Token string // "" for new@
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
	errPostmaster     = refuse(550, "5.2.1", "postmaster", "This server carries conversations and keeps no mailbox for its postmaster. Please write to the postmaster of the parent domain.")
	errManyUnknown    = refuse(421, "4.7.0", "guessing", "Too many unknown addresses. Closing the connection.")
)

// recipientOf finds out what an address is for. A token that does not exist, or
// no more, is answered like any unknown address, so that nothing is told.
func (s *Server) recipientOf(ctx context.Context, path string) (recipient, *refusal) {
	local, domain := splitAddress(path)
	if domain != s.config.Domain {
		return recipient{}, errNoRelay
	}
	if local == "new" {
		return recipient{Path: path, For: toNew}, nil
	}
	if local == "postmaster" {
		return recipient{}, errPostmaster
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
