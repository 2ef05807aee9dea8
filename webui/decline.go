package webui

import (
	"net/http"
	"strings"

	"mailroom/bridge"
)

// maxReport is the maxlength of the report; see maxUnits.
const maxReport = bridge.MaxReport / 3

// declineInvitation gives the invitation back, and may tell the people who run this service why. The report comes first: who has
// given the invitation back is a stranger.
func (s *Server) declineInvitation(w http.ResponseWriter, r *http.Request, h bridge.Holder, report bool) {
	i, err := s.invitee(r, h)
	if err != nil {
		s.failToken(w, r, err)
		return
	}
	if !i.mayDecline() {
		s.showInvitation(w, r)
		return
	}
	by, goodbye := h.Identity(bridge.Web), "/no-thanks"
	if report {
		goodbye = "/no-thanks-reported"
		err = s.service.Report(r.Context(), h.Session, by, strings.TrimSpace(r.PostForm.Get("report")))
	}
	if err == nil {
		err = s.service.Decline(r.Context(), h.Session, by)
	}
	if err != nil {
		s.failToken(w, r, err)
		return
	}
	http.Redirect(w, r, goodbye, http.StatusSeeOther)
}

// invitationDeclined and invitationReported name no session, so they need no permission.
func (s *Server) invitationDeclined(w http.ResponseWriter, r *http.Request) {
	p := s.printer(r)
	s.note(w, r, http.StatusOK, p.T("page.no_thanks_title"), p.T("page.no_thanks_done"), "")
}

func (s *Server) invitationReported(w http.ResponseWriter, r *http.Request) {
	p := s.printer(r)
	s.note(w, r, http.StatusOK, p.T("page.no_thanks_title"), p.T("page.abuse_done"), "")
}
