package mailout

import (
	"mailroom/bridge"
	"mailroom/content"
)

// Letters about an account tell of a browser, or let one in: codes, browsers that
// speak for somebody, and links to sign in. They are no part of a conversation.
// An answer to one must lead nowhere into a session, and they stand in no thread.
// Nor do they offer to end the mails of a session (RFC 8058 is for mails that come
// of themselves): each answers to what was done in the reader's name a moment ago,
// and no wish to get fewer mails must hide that from them.

// aboutAccount is for what happens at the reader's link to a session.
func (s *Sender) aboutAccount(v *view, l bridge.Letter) {
	v.Account = true
	v.Subject = sessionSubject(l, v.Printer)
}

func (s *Sender) aboutBrowser(v *view, l bridge.Letter) {
	v.PageURL = s.settings.page + "/b/" + l.Tokens.Browsers
	v.Since = moment(l.Browser.At)
	if v.Browser = content.OneLine(l.Browser.Label, bridge.MaxLabel); v.Browser == "" {
		v.Browser = v.Printer.T("mail.bound_unknown")
	}
}

// aboutSignIn names no session: who signs in is a person, and whoever reads over
// their shoulder need not learn where they talk.
func (s *Sender) aboutSignIn(v *view, l bridge.Letter) {
	v.Account = true
	v.Subject = v.Printer.T("mail.sign_in_subject", "Product", v.Product)
	v.PageURL = s.settings.page + "/p/" + l.Tokens.SignIn
	v.Minutes = int(bridge.CodeTime.Minutes())
}
