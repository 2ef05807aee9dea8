package mailin

import (
	"slices"
	"strings"

	"mailroom/bridge"
)

// A mail program names everybody in To, Cc and Bcc to its submission server. The
// people of other domains are taken there, since the session reaches them: new@
// invites those in To and Cc. If that comes true is known when the mail is.

var errForeignForm = refuse(550, "5.1.3", "bad recipient", "This address cannot be understood. Please correct it and send the mail again.")

// takesForeign says if a recipient is for us to reach by a session: the peer has
// signed in, and the address is of another domain.
func (s *session) takesForeign(path string) bool {
	_, domain := splitAddress(path)
	return s.door.kind == submissionDoor && s.signedIn() != "" && domain != s.server.config.Domain
}

// rcptForeign notes a recipient of another domain. It is never taken for a guess.
func (s *session) rcptForeign(path string) error {
	address, ok := emailAddress(path)
	if !ok {
		return smtpError(errForeignForm)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.envelope.Foreign = append(s.envelope.Foreign, address)
	return nil
}

// checkForeign refuses a mail some of whose recipients nobody would reach:
// without new@ there is no session for them, and who is in neither To nor Cc is
// a Bcc, whom a session cannot hide.
func (d *delivery) checkForeign() *refusal {
	if len(d.env.Foreign) == 0 {
		return nil
	}
	domain := d.server.config.Domain
	if !slices.ContainsFunc(d.env.Recipients, func(r recipient) bool { return r.For == toNew }) {
		return refuse(550, "5.7.1", "relaying", "This server carries no ordinary mail. To start a conversation with these people, put new@%s into To or Cc. To answer in one, write to its reply address alone.", domain)
	}
	shown, refused := d.addressees()
	if refused != nil {
		return refused
	}
	hidden := hiddenFrom(shown, d.env.Foreign)
	if len(hidden) == 0 {
		return nil
	}
	return refuse(550, "5.7.1", "Bcc", "Bcc is not supported here yet, and nothing was sent to anybody. Please put these people into To or Cc, or leave them out: %s", strings.Join(hidden, ", "))
}

// hiddenFrom lists the recipients that no header field shows, each once.
func hiddenFrom(shown []mailbox, recipients []bridge.Address) (hidden []string) {
	for _, a := range recipients {
		isShown := slices.ContainsFunc(shown, func(m mailbox) bool { return m.Address == a })
		if !isShown && !slices.Contains(hidden, a.ID) {
			hidden = append(hidden, a.ID)
		}
	}
	return hidden
}
