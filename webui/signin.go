package webui

import (
	"net/http"
	"strconv"

	"mailroom/bridge"
)

// personCookie holds the secret by which a browser is signed in as a person, in no session.
const personCookie = "mailroom-me"

// askPage is the form for one's own address, and what follows it.
type askPage struct {
	page
	Done  string
	Fault string
	Asked bool
}

// askSignIn mails a link to the address in the form. The answer says nothing of it, and does not take longer for one that is
// known here: the core looks for it afterwards.
func (s *Server) askSignIn(w http.ResponseWriter, r *http.Request) {
	if !s.parseForm(w, r) {
		return
	}
	p := s.printer(r)
	if s.asks.add(s.clientAddr(r)) {
		w.Header().Set("Retry-After", strconv.Itoa(int(askWindow.Seconds())))
		s.note(w, r, http.StatusTooManyRequests, p.T("page.asked_often_title"), p.T("page.asked_often"), "")
		return
	}
	address, err := bridge.ParseAddress(r.PostForm.Get("address"))
	if err != nil || address.Network != bridge.Mail {
		s.ask(w, r, http.StatusUnprocessableEntity, askPage{Fault: p.T("page.ask_no_address")})
		return
	}
	s.service.AskSignIn(r.Context(), address)
	s.ask(w, r, http.StatusOK, askPage{Asked: true})
}

func (s *Server) ask(w http.ResponseWriter, r *http.Request, status int, v askPage) {
	p := s.printer(r)
	v.page = s.page(p, p.T("page.me_title"))
	s.render(w, r, status, "ask.html", v)
}

// signInPage is the page behind the link in that mail. Reading it changes nothing.
type signInPage struct {
	page
	Address string
}

func (s *Server) showSignIn(w http.ResponseWriter, r *http.Request) {
	address, err := s.service.SigningIn(r.Context(), r.PathValue("token"))
	if err != nil {
		s.failSignIn(w, r, err)
		return
	}
	p := s.printer(r)
	s.render(w, r, http.StatusOK, "signin.html", signInPage{s.page(p, p.T("page.signin_title")), maskedAddress(address)})
}

// signIn is the button.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request) {
	secret, err := s.service.SignIn(r.Context(), r.PathValue("token"), label(s.printer(r), r.UserAgent()))
	if err != nil {
		s.failSignIn(w, r, err)
		return
	}
	s.setCookie(w, personCookie, secret, bridge.SignInTime)
	http.Redirect(w, r, "/me", http.StatusSeeOther)
}

// failSignIn is failToken with a way to go on: such links are used up, and grow old within minutes.
func (s *Server) failSignIn(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case bridge.CodeOf(err) != bridge.NotFound:
		s.fail(w, r, err, "")
	case s.guesses.add(s.clientAddr(r)):
		s.tooOften(w, r)
	default:
		s.ask(w, r, http.StatusNotFound, askPage{Fault: s.printer(r).T("page.signin_spent")})
	}
}

// me is the person as whom a browser is signed in, and its secret; NotFound if it is not.
func (s *Server) me(r *http.Request) (by bridge.Identity, secret string, err error) {
	cookie, err := r.Cookie(s.onThisHost(personCookie))
	if err != nil || len(cookie.Value) > MaxCookie || !secretShape.MatchString(cookie.Value) {
		return bridge.Identity{}, "", errUnknown
	}
	by, err = s.service.SignedIn(r.Context(), cookie.Value)
	return by, cookie.Value, err
}
