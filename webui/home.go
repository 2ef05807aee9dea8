package webui

import (
	"context"
	"net/http"
	"time"
)

// readyTime is how long the parts may take to say that they are ready.
const readyTime = 2 * time.Second

// homeView is the page of those who come without a link.
type homeView struct {
	page
	Outbox bool // this is somebody's own machine, and the mails are here
}

func (s *Server) home(w http.ResponseWriter, r *http.Request) {
	s.render(w, r, http.StatusOK, "home.html", homeView{s.page(s.printer(r), "Mailroom"), s.config.Outbox != nil})
}

// healthz says that the process answers.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok\n") }

// readyz says that the database and the listeners are well; peers do not count.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTime)
	defer cancel()
	if s.config.Ready != nil {
		if err := s.config.Ready(ctx); err != nil {
			s.log.Warn("not ready", "error", err)
			plain(w, http.StatusServiceUnavailable, "not ready\n")
			return
		}
	}
	plain(w, http.StatusOK, "ready\n")
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) // who went away needs no answer
}
