package webui

import (
	"net/http"

	"mailroom/bridge"
)

// held is the page on which the owner of a reply address says if a mail that came to it may be posted.
type held struct {
	page
	Sender, Subject, Body string
}

func (s *Server) showHeld(w http.ResponseWriter, r *http.Request) {
	reply, err := s.service.HeldReply(r.Context(), r.PathValue("token"))
	if err == nil && reply.State != bridge.HeldWaiting {
		s.decided(w, r, reply.State)
		return
	}
	if err != nil {
		s.failToken(w, r, err)
		return
	}
	room, err := s.service.Room(r.Context(), reply.Session)
	if err != nil {
		s.failToken(w, r, err)
		return
	}
	p := s.printer(r)
	s.render(w, r, http.StatusOK, "held.html", held{
		s.page(p, p.T("page.held_title")), reply.Sender.ID, subject(p, room), reply.Body.Text,
	})
}

// decideHeld posts the reply, or throws it away. Neither can be undone, so that a form without a choice does nothing.
func (s *Server) decideHeld(w http.ResponseWriter, r *http.Request) {
	if !s.parseForm(w, r) {
		return
	}
	var state bridge.HeldState
	var err error
	switch r.PostForm.Get("do") {
	case "post":
		state = bridge.HeldPosted
		_, err = s.service.ConfirmHeld(r.Context(), r.PathValue("token"))
	case "refuse":
		state = bridge.HeldRefused
		err = s.service.RefuseHeld(r.Context(), r.PathValue("token"))
	default:
		if _, err := s.service.HeldReply(r.Context(), r.PathValue("token")); err != nil {
			s.failToken(w, r, err)
			return
		}
		p := s.printer(r)
		s.note(w, r, http.StatusUnprocessableEntity, p.T("page.failed_title"), p.T("page.held_choose"), "")
		return
	}
	if err != nil {
		s.failToken(w, r, err)
		return
	}
	s.decided(w, r, state)
}

func (s *Server) decided(w http.ResponseWriter, r *http.Request, state bridge.HeldState) {
	p := s.printer(r)
	if state == bridge.HeldPosted {
		s.note(w, r, http.StatusOK, p.T("page.held_posted_title"), p.T("page.held_posted"), "")
		return
	}
	s.note(w, r, http.StatusOK, p.T("page.held_refused_title"), p.T("page.held_refused"), "")
}
