package webui

import (
	"net/http"
	"strings"

	"mailroom/bridge"
)

// Ways out of a session: to leave and be able to come back, to give the invitation back, and to tell the operators.

// leave takes the reader out of the audience.
func (s *Server) leave(w http.ResponseWriter, r *http.Request) {
	v, ok := s.entered(w, r)
	if !ok {
		return
	}
	if err := s.service.Leave(r.Context(), v.id, v.by); err != nil {
		s.refuse(w, r, err)
		return
	}
	http.Redirect(w, r, "/left", http.StatusSeeOther)
}

// left says goodbye. It names no session, so it needs no permission.
func (s *Server) left(w http.ResponseWriter, r *http.Request) {
	p := s.printer(r)
	s.note(w, r, http.StatusOK, p.T("page.left_title"), p.T("page.left"), "")
}

// decline gives the reader's invitation back: nothing of the session reaches them any more.
func (s *Server) decline(w http.ResponseWriter, r *http.Request) {
	v, ok := s.entered(w, r)
	if !ok {
		return
	}
	if err := s.service.Decline(r.Context(), v.id, v.by); err != nil {
		s.refuse(w, r, err)
		return
	}
	http.Redirect(w, r, "/declined", http.StatusSeeOther)
}

func (s *Server) declined(w http.ResponseWriter, r *http.Request) {
	p := s.printer(r)
	s.note(w, r, http.StatusOK, p.T("page.declined_title"), p.T("page.declined"), "")
}

// report tells the operators of abuse. Nobody in the session learns of it.
func (s *Server) report(w http.ResponseWriter, r *http.Request) {
	v, ok := s.entered(w, r)
	if !ok {
		return
	}
	text := strings.TrimSpace(strings.ReplaceAll(r.PostForm.Get("text"), "\r\n", "\n"))
	err := error(&bridge.Error{Code: bridge.Invalid, Message: "The report is empty. Write what happened."})
	if text != "" {
		err = s.service.Report(r.Context(), v.id, v.by, text)
	}
	if err != nil {
		p := v.tell.printer
		s.explain(w, r, err, said{bridge.Invalid: p.T("page.report_empty"), bridge.TooMany: p.T("page.report_too_much")})
		return
	}
	http.Redirect(w, r, v.path()+"/reported", http.StatusSeeOther)
}

func (s *Server) reported(w http.ResponseWriter, r *http.Request) {
	if v, ok := s.enter(w, r); ok {
		p := v.tell.printer
		s.note(w, r, http.StatusOK, p.T("page.reported_title"), p.T("page.reported"), v.path())
	}
}
