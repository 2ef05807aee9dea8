package webui

import (
	"net/http"

	"mailroom/bridge"
)

// unsubscription is the page behind the link that ends the mails of one session. Reading it changes nothing.
type unsubscription struct {
	page
	Address string
}

func (s *Server) showUnsubscribe(w http.ResponseWriter, r *http.Request) {
	h, ok := s.holder(w, r, bridge.RightUnsubscribe)
	if !ok {
		return
	}
	p := s.printer(r)
	address := masked(bridge.Member{Address: h.Address})
	s.render(w, r, http.StatusOK, "unsubscribe.html", unsubscription{s.page(p, p.T("page.unsubscribe_title")), address})
}

// unsubscribe ends the mails, for the button and for mail providers: RFC 8058 §3.1 has them POST without cookies, and
// wants no redirect.
func (s *Server) unsubscribe(w http.ResponseWriter, r *http.Request) {
	if err := s.service.Unsubscribe(r.Context(), r.PathValue("token")); err != nil {
		s.failToken(w, r, err)
		return
	}
	p := s.printer(r)
	s.note(w, r, http.StatusOK, p.T("page.unsubscribed_title"), p.T("page.unsubscribed"), "")
}
