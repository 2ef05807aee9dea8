package webui

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"mailroom/bridge"
	"mailroom/locales"
)

// deed is something that a person does on the page. It returns the name of what was done, for doneSentence.
type deed func(w http.ResponseWriter, r *http.Request, by bridge.Identity, secret string) (done string, err error)

// asMe lets the person who is signed in do something, and shows the page again: also to who is signed out by now, and if
// what it is about is gone.
func (s *Server) asMe(do deed) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !s.parseForm(w, r) {
			return
		}
		by, secret, err := s.me(r)
		done := ""
		if err == nil {
			done, err = do(w, r, by, secret)
		}
		switch code := bridge.CodeOf(err); {
		case err == nil:
			http.Redirect(w, r, "/me?done="+done, http.StatusSeeOther)
		case code == bridge.NotFound:
			http.Redirect(w, r, "/me", http.StatusSeeOther)
		case code == "":
			s.fail(w, r, err, "")
		default:
			s.renderMe(w, r, statusOf(code), by, secret, meView{Fault: faultSentence(s.printer(r), err)})
		}
	}
}

func faultSentence(p locales.Printer, err error) string {
	switch code := bridge.CodeOf(err); code {
	case bridge.TooMany:
		return p.T("page.me_too_many", "Limit", bridge.MaxChosen)
	case bridge.Invalid:
		return p.T("page.me_invalid")
	default:
		return sentence(p, code)
	}
}

func (s *Server) endReach(_ http.ResponseWriter, r *http.Request, by bridge.Identity, _ string) (string, error) {
	session, err := uuid.Parse(r.PostForm.Get("session"))
	if err != nil {
		return "", errUnknown
	}
	return "ended", s.service.End(r.Context(), session, by)
}

func (s *Server) closeReach(_ http.ResponseWriter, r *http.Request, by bridge.Identity, _ string) (string, error) {
	from, err := s.reachIn(r.Context(), by, r.PostForm.Get("session"))
	if err != nil {
		return "", err
	}
	// By whichever address the person is in there.
	return "closed", s.service.Close(r.Context(), from.Session.ID, bridge.Identity{Via: bridge.Web, Grant: from.Me.Grant.ID})
}

// blockInviter blocks who invited the person to a session: the form names the session, since that is what its reader looks at.
func (s *Server) blockInviter(_ http.ResponseWriter, r *http.Request, by bridge.Identity, _ string) (string, error) {
	from, err := s.reachIn(r.Context(), by, r.PostForm.Get("session"))
	if err == nil && from.Inviter.Address.IsZero() {
		err = errUnknown
	}
	if err != nil {
		return "", err
	}
	return "blocked", s.service.Block(r.Context(), by, from.Inviter.Address)
}

func (s *Server) reachIn(ctx context.Context, by bridge.Identity, session string) (bridge.Reach, error) {
	reaches, err := s.service.Reaches(ctx, by)
	i := slices.IndexFunc(reaches, func(one bridge.Reach) bool { return one.Session.ID.String() == session })
	if err == nil && i < 0 {
		err = errUnknown
	}
	if err != nil {
		return bridge.Reach{}, err
	}
	return reaches[i], nil
}

func (s *Server) unblock(_ http.ResponseWriter, r *http.Request, by bridge.Identity, _ string) (string, error) {
	whom, err := bridge.ParseAddress(r.PostForm.Get("address"))
	if err != nil {
		return "", err
	}
	return "unblocked", s.service.Unblock(r.Context(), by, whom)
}

func (s *Server) setPresence(_ http.ResponseWriter, r *http.Request, by bridge.Identity, _ string) (string, error) {
	var chosen []bridge.Address
	for line := range strings.Lines(r.PostForm.Get("chosen")) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		address, err := bridge.ParseAddress(line)
		if err != nil {
			return "", err
		}
		if !slices.Contains(chosen, address) {
			chosen = append(chosen, address)
		}
	}
	return "saved", s.service.SetPresence(r.Context(), by, bridge.PresenceSetting(r.PostForm.Get("setting")), chosen)
}

func (s *Server) signOut(w http.ResponseWriter, r *http.Request, _ bridge.Identity, secret string) (string, error) {
	if err := s.service.SignOut(r.Context(), secret); err != nil {
		return "", err
	}
	s.setCookie(w, personCookie, "", 0)
	return "signed-out", nil
}

func (s *Server) signOutEverywhere(w http.ResponseWriter, r *http.Request, by bridge.Identity, _ string) (string, error) {
	if err := s.service.SignOutEverywhere(r.Context(), by); err != nil {
		return "", err
	}
	s.setCookie(w, personCookie, "", 0)
	return "signed-out-everywhere", nil
}
