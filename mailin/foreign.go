package mailin

import "slices"

// A mail program names everybody in To, Cc and Bcc to its submission server. The
// people of other domains are taken there, since the session reaches them: new@
// and off@ invite those in To and Cc, and the others as blind copies (blind.go).
// If that comes true is known when the mail is.

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

// checkForeign refuses a mail to people whom nobody would reach: without new@ or
// off@ there is no session for them.
func (d *delivery) checkForeign() *refusal {
	starts := func(r recipient) bool { return r.For == toNew || r.For == toOff }
	if len(d.env.Foreign) == 0 || slices.ContainsFunc(d.env.Recipients, starts) {
		return nil
	}
	domain := d.server.config.Domain
	return refuse(550, "5.7.1", "relaying", "This server carries no ordinary mail. To start a conversation with these people, put new@%s into To or Cc. To answer in one, write to its reply address alone.", domain)
}
