package webui

import (
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"mailroom/bridge"
	"mailroom/content"
)

// What the initiator, and where the session allows it a member, does with a session beside talking. Every form works
// without script and comes back to the page; the script sends the same forms and stays.

// entered is enter for a form: it is read, and the browser is still who it was when the page was made.
func (s *Server) entered(w http.ResponseWriter, r *http.Request) (*visit, bool) {
	v, ok := s.enter(w, r)
	if !ok || !s.parseForm(w, r) || !s.sameMember(w, r, v) {
		return nil, false
	}
	return v, true
}

// said are the sentences of one form for errors that it has better words for than sentence.
type said map[bridge.Code]string

// done answers a form: with the session page, or with what went wrong.
func (s *Server) done(w http.ResponseWriter, r *http.Request, v *visit, err error, words said) {
	switch {
	case err != nil:
		s.explain(w, r, err, words)
	case wantsJSON(r):
		w.WriteHeader(http.StatusNoContent)
	default:
		http.Redirect(w, r, v.path(), http.StatusSeeOther)
	}
}

// explain is refuse with the words of the form.
func (s *Server) explain(w http.ResponseWriter, r *http.Request, err error, words said) {
	code := bridge.CodeOf(err)
	sentence, ok := words[code]
	switch {
	case !ok:
		s.refuse(w, r, err)
	case wantsJSON(r):
		writeJSON(w, statusOf(code), problem(string(code), sentence))
	default:
		s.note(w, r, statusOf(code), s.printer(r).T("page.failed_title"), sentence, "/s/"+r.PathValue("session"))
	}
}

// removeMember takes somebody's grant back, with or without what they said.
func (s *Server) removeMember(w http.ResponseWriter, r *http.Request) {
	v, ok := s.entered(w, r)
	if !ok {
		return
	}
	member, err := uuid.Parse(r.PathValue("member"))
	if err != nil {
		s.refuse(w, r, errUnknown)
		return
	}
	err = s.service.Revoke(r.Context(), v.id, v.by, member, r.PostForm.Get("said") == "away")
	words := said{}
	if r.PostForm.Get("said") == "away" && v.room.May(v.me, bridge.ActRevoke, v.now) == nil {
		words[bridge.Forbidden] = v.tell.printer.T("page.on_hold")
	}
	s.done(w, r, v, err, words)
}

// inviteMember gives one more person a grant.
func (s *Server) inviteMember(w http.ResponseWriter, r *http.Request) {
	v, ok := s.entered(w, r)
	if !ok {
		return
	}
	address, err := bridge.ParseAddress(r.PostForm.Get("address"))
	if err == nil {
		guest := bridge.Invitee{Address: address, Name: content.Name(r.PostForm.Get("name"))}
		_, err = s.service.Invite(r.Context(), v.id, v.by, []bridge.Invitee{guest})
	}
	p := v.tell.printer
	words := said{bridge.Invalid: p.T("page.invite_invalid"), bridge.TooMany: p.T("page.invite_too_many")}
	if v.room.Session.Options.OffRecord {
		words[bridge.Invalid] = p.T("page.invite_invalid_off_record")
	}
	s.done(w, r, v, err, words)
}

func (s *Server) closeSession(w http.ResponseWriter, r *http.Request) {
	if v, ok := s.entered(w, r); ok {
		s.done(w, r, v, s.service.Close(r.Context(), v.id, v.by), nil)
	}
}

func (s *Server) reopenSession(w http.ResponseWriter, r *http.Request) {
	if v, ok := s.entered(w, r); ok {
		s.done(w, r, v, s.service.Reopen(r.Context(), v.id, v.by), nil)
	}
}

// setOptions changes what the session allows and keeps.
func (s *Server) setOptions(w http.ResponseWriter, r *http.Request) {
	v, ok := s.entered(w, r)
	if !ok {
		return
	}
	wanted, err := newOptionsForm(v.room.Session.Options).filled(r)
	if err == nil {
		_, err = s.service.SetOptions(r.Context(), v.id, v.by, wanted)
	}
	s.done(w, r, v, err, said{bridge.Invalid: v.tell.printer.T("page.options_invalid")})
}

// untilLayout is that of <input type=datetime-local>.
const untilLayout = "2006-01-02T15:04"

// optionsForm is the options as the form shows them. Days and minutes are coarser than what is stored, which may come
// from another gateway: a field that comes back as it was shown changes nothing.
type optionsForm struct {
	bridge.Options
	KeepDays, Until string
}

func newOptionsForm(o bridge.Options) optionsForm {
	f := optionsForm{Options: o}
	if o.KeepFor != 0 {
		f.KeepDays = strconv.Itoa(days(o.KeepFor))
	}
	if !o.ExpiresAt.IsZero() {
		f.Until = o.ExpiresAt.UTC().Format(untilLayout)
	}
	return f
}

// filled are the options that somebody made of the form.
func (f optionsForm) filled(r *http.Request) (bridge.Options, error) {
	o, form := f.Options, r.PostForm
	o.MembersInvite, o.NewcomersFromNow = form.Get("members_invite") != "", form.Get("newcomers_from_now") != ""
	o.HideAddresses = o.HideAddresses || form.Get("hide_addresses") != ""
	var err error
	if days := form.Get("keep_days"); days != f.KeepDays {
		if o.KeepFor, err = parseDays(days); err != nil {
			return o, err
		}
	}
	if until := form.Get("until"); until != f.Until {
		o.ExpiresAt, err = parseUntil(until)
	}
	return o, err
}

var errForm = &bridge.Error{Code: bridge.Invalid, Message: "The form was not complete. Load the page again."}

func parseDays(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > days(bridge.MaxKeepFor) {
		return 0, errForm
	}
	return time.Duration(n) * 24 * time.Hour, nil
}

func parseUntil(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	until, err := time.Parse(untilLayout, text)
	if err != nil {
		return until, errForm
	}
	return until, nil
}
