package appservice

import (
	"regexp"
	"strings"

	"maunium.net/go/mautrix/id"
)

// Nobody's address stands in a log. A user ID of somebody's is one, and homeservers and failed requests repeat those that they
// were asked about.

// hushed is what a log is told of a user: who of ours it is, or where somebody is at home.
func (g *Gateway) hushed(user id.UserID) string {
	if g.owns(user) {
		return user.String()
	}
	return "somebody on " + user.Homeserver()
}

// anyUser finds user IDs in a text, also in the path of a URL (CS "User identifiers"; old ones have any printable character).
var anyUser = regexp.MustCompile(`(?:@|%40)[^\s"<>:%/?&@]+(?:%[0-9A-Fa-f]{2}[^\s"<>:%/?&@]*)*?(?::|%3[Aa])[A-Za-z0-9.-]+`)

// hush is an error without the user IDs in its text. It is still the same error.
func (g *Gateway) hush(err error) error {
	if err == nil || !anyUser.MatchString(err.Error()) {
		return err
	}
	return &hushedError{err, anyUser.ReplaceAllStringFunc(err.Error(), func(found string) string {
		return g.hushed(id.UserID(strings.NewReplacer("%40", "@", "%3A", ":", "%3a", ":").Replace(found)))
	})}
}

type hushedError struct {
	err  error
	text string
}

func (e *hushedError) Error() string { return e.text }
func (e *hushedError) Unwrap() error { return e.err }
