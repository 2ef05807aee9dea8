package webui

import (
	"net/http"

	"mailroom/bridge"
)

// markRead moves the reader's mark. The script calls it only while the page is visible and has the focus, since the mark
// calls off the mail about missed messages.
func (s *Server) markRead(w http.ResponseWriter, r *http.Request) {
	v, ok := s.entered(w, r)
	if !ok {
		return
	}
	if err := s.service.MarkRead(r.Context(), v.id, v.by, seqOf(r.PostForm.Get("seq"))); err != nil {
		s.refuse(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// seenWithoutScript is a picture of nothing that stands in <noscript>: only a browser that shows the page and runs no
// script asks for it. A background tab with script does not, and no scanner has the cookie.
func (s *Server) seenWithoutScript(w http.ResponseWriter, r *http.Request) {
	v, ok := s.enter(w, r)
	if !ok {
		return
	}
	s.read(r, v, seqOf(r.URL.Query().Get("seq")))
	writePNG(w, nothing)
}

// read marks what a page without script has shown. That it failed is no reason to refuse the rest: the worst is a mail
// about messages that were seen.
func (s *Server) read(r *http.Request, v *visit, seq int64) {
	if seq == 0 {
		return
	}
	if err := s.service.MarkRead(r.Context(), v.id, v.by, seq); err != nil && bridge.CodeOf(err) == "" {
		s.log.Warn("a read mark was lost", "session", v.id, "error", err)
	}
}
