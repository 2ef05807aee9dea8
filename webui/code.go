package webui

import (
	"net/http"
	"net/url"
	"strings"

	"mailroom/bridge"
)

// codePage asks for the code that was mailed: each browser after the first needs one (SPEC F4). Its forms post to the
// address of the invitation.
type codePage struct {
	page
	Address string
	Fault   string // what was wrong with the code that was entered
	Spent   bool   // no code is taken any more: a new one is needed
}

// codeIn is the code in a form, as it may have been copied: with blanks, or in two halves.
func codeIn(form url.Values) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \t\u00a0\u202f-", r) {
			return -1
		}
		return r
	}, form.Get("code"))
}

// refuseBrowser answers a browser that was not bound.
func (s *Server) refuseBrowser(w http.ResponseWriter, r *http.Request, h bridge.Holder, code string, err error) {
	p := s.printer(r)
	v := codePage{page: s.page(p, p.T("page.code_title")), Address: maskedAddress(h.Address)}
	if i, err := s.invitee(r, h); err == nil {
		v.Address = masked(i.me) // the mail goes there, whatever address was invited
	}
	status := http.StatusOK
	switch is := bridge.CodeOf(err); {
	case is == bridge.CodeNeeded && code != "":
		status, v.Fault = http.StatusUnprocessableEntity, p.T("page.code_wrong")
	case is == bridge.CodeNeeded:
	case is == bridge.TooMany && code != "":
		status, v.Fault, v.Spent = http.StatusTooManyRequests, p.T("page.code_spent"), true
	case is == bridge.TooMany:
		s.note(w, r, http.StatusTooManyRequests, p.T("page.code_title"), p.T("page.code_too_many"), "")
		return
	default:
		s.failToken(w, r, err)
		return
	}
	s.render(w, r, status, "code.html", v)
}
