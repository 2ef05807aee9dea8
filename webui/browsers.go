package webui

import (
	"net/http"
	"time"

	"mailroom/locales"
)

// browsersPage is the page behind the link in the mail that tells of a new browser: those that speak for its reader.
// Reading it changes nothing.
type browsersPage struct {
	page
	Lead     string
	Browsers []browser
}

// browser is one as a page shows it.
type browser struct {
	Label, Stamp, Since string
	Here                bool // the one that asks
}

func newBrowser(p locales.Printer, label string, at time.Time) browser {
	if label == "" {
		label = p.T("page.browser_unknown")
	}
	return browser{Label: label, Stamp: at.UTC().Format(time.RFC3339), Since: since(p, at)}
}

// since is a time for readers without script, in UTC: the server does not know where they are.
func since(p locales.Printer, at time.Time) string {
	return at.UTC().Format(p.T("page.day_layout")+" 15:04") + " UTC"
}

func (s *Server) showBrowsers(w http.ResponseWriter, r *http.Request) {
	h, browsers, err := s.service.Browsers(r.Context(), r.PathValue("token"))
	if err != nil {
		s.failToken(w, r, err)
		return
	}
	room, me, err := s.service.Look(r.Context(), h)
	if err != nil {
		s.failToken(w, r, err)
		return
	}
	p := s.printer(r)
	v := browsersPage{page: s.page(p, p.T("page.browsers_title")), Lead: p.T("page.browsers_lead", "Address", masked(me), "Subject", subject(p, room))}
	if room.Session.Options.OffRecord {
		v.Lead = p.T("page.browsers_lead_off_record", "Address", masked(me))
	}
	for _, b := range browsers {
		v.Browsers = append(v.Browsers, newBrowser(p, b.Label, b.At))
	}
	s.render(w, r, http.StatusOK, "browsers.html", v)
}

// endBrowsers signs them all out. Their streams end at once.
func (s *Server) endBrowsers(w http.ResponseWriter, r *http.Request) {
	if err := s.service.EndBrowsers(r.Context(), r.PathValue("token")); err != nil {
		s.failToken(w, r, err)
		return
	}
	p := s.printer(r)
	s.note(w, r, http.StatusOK, p.T("page.browsers_ended_title"), p.T("page.browsers_ended"), "")
}

// signOutHere ends what this browser may do in a session: its secret counts no more, wherever else a copy of it is.
func (s *Server) signOutHere(w http.ResponseWriter, r *http.Request) {
	v, ok := s.enter(w, r)
	if !ok {
		return
	}
	ring := s.keyring(r)
	for _, secret := range ring.secrets(v.id) {
		if err := s.service.ForgetBrowser(r.Context(), secret, v.id); err != nil {
			s.refuse(w, r, err)
			return
		}
	}
	s.setKeyring(w, ring.without(v.id))
	http.Redirect(w, r, "/signed-out", http.StatusSeeOther)
}

// signedOut names no session, so it needs no permission.
func (s *Server) signedOut(w http.ResponseWriter, r *http.Request) {
	p := s.printer(r)
	s.note(w, r, http.StatusOK, p.T("page.signed_out_title"), p.T("page.signed_out"), "")
}
