package webui

import (
	"bytes"
	"compress/gzip"
	"embed"
	"html/template"
	"net/http"
	"strconv"
	"strings"

	"mailroom/bridge"
	"mailroom/locales"
)

//go:embed templates
var templateFS embed.FS

var pages = template.Must(template.ParseFS(templateFS, "templates/*.html"))

// page is what every template needs.
type page struct {
	Printer locales.Printer
	Title   string
	Static  string
}

func (s *Server) page(p locales.Printer, title string) page {
	return page{Printer: p, Title: title, Static: s.static.base()}
}

// printer speaks the language that the browser asks for.
func (s *Server) printer(r *http.Request) locales.Printer {
	return s.sentences.For(r.Header.Get("Accept-Language"))
}

// render answers with a page. It is made whole before its first byte leaves, so that a fault never shows half of one.
func (s *Server) render(w http.ResponseWriter, r *http.Request, status int, name string, data any) {
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, name, data); err != nil {
		s.log.Error("a page could not be made", "page", name, "error", err)
		http.Error(w, bridge.SentenceOf(err), http.StatusInternalServerError)
		return
	}
	h, body := w.Header(), b.Bytes()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Vary", "Accept-Encoding, Accept-Language, Cookie")
	if packs(r) {
		h.Set("Content-Encoding", "gzip")
		body = pack(body, gzip.BestSpeed)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // who went away needs no page
	}
}

// packs says if the answer may be packed. Packing can betray a secret that stands beside what an attacker wrote (BREACH);
// our pages hold none: no token, no cookie, and who can write into a session can read all of it.
func packs(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") }

// note is a page with one thing to say, and perhaps a way back.
type note struct {
	page
	Heading, Sentence, Back string
}

func (s *Server) note(w http.ResponseWriter, r *http.Request, status int, heading, sentence, back string) {
	s.render(w, r, status, "notice.html", note{s.page(s.printer(r), heading), heading, sentence, back})
}

// notFound is the one answer to everything that is unknown, ended, revoked or somebody else's: nobody can tell which.
func (s *Server) notFound(w http.ResponseWriter, r *http.Request) {
	p := s.printer(r)
	s.note(w, r, http.StatusNotFound, p.T("page.unknown_title"), p.T("page.unknown"), "")
}

func (s *Server) foreignForm(w http.ResponseWriter, r *http.Request) {
	p := s.printer(r)
	s.note(w, r, http.StatusForbidden, p.T("page.foreign_title"), p.T("page.foreign"), "")
}

// retryAfter is when a guesser may try again, in seconds.
var retryAfter = strconv.Itoa(int(guessWindow.Seconds()))

func (s *Server) tooOften(w http.ResponseWriter, r *http.Request) {
	p := s.printer(r)
	w.Header().Set("Retry-After", retryAfter)
	s.note(w, r, http.StatusTooManyRequests, p.T("page.too_often_title"), p.T("page.too_often"), "")
}

// fail answers an error of the core. back is where to go on, or "".
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error, back string) {
	code := bridge.CodeOf(err)
	if code == bridge.NotFound {
		s.notFound(w, r)
		return
	}
	s.noteFault(w, r, err)
	p := s.printer(r)
	s.note(w, r, statusOf(code), p.T("page.failed_title"), sentence(p, code), back)
}

// noteFault logs what is our own fault, and says when to try again.
func (s *Server) noteFault(w http.ResponseWriter, r *http.Request, err error) {
	if bridge.CodeOf(err) != "" || r.Context().Err() != nil { // who went away is no fault
		return
	}
	s.log.Error("a request failed", "route", r.Pattern, "error", err)
	w.Header().Set("Retry-After", "5")
}

// statusOf is the HTTP status of an error's code. Everything without a code passes: try again later.
func statusOf(code bridge.Code) int {
	switch code {
	case bridge.NotFound:
		return http.StatusNotFound
	case bridge.Forbidden:
		return http.StatusForbidden
	case bridge.Closed, bridge.Conflict:
		return http.StatusConflict
	case bridge.Invalid:
		return http.StatusUnprocessableEntity
	case bridge.TooMany:
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusServiceUnavailable
}

// sentence is what a person reads on the page of an error of the core.
func sentence(p locales.Printer, code bridge.Code) string {
	switch code {
	case bridge.NotFound:
		return p.T("page.unknown")
	case bridge.Forbidden:
		return p.T("page.forbidden")
	case bridge.Closed:
		return p.T("page.closed")
	case bridge.Conflict:
		return p.T("page.conflict")
	case bridge.Invalid:
		return p.T("page.invalid")
	case bridge.TooMany:
		return p.T("page.too_much")
	case bridge.Unavailable:
		return p.T("page.unavailable")
	}
	return p.T("page.temporary")
}
