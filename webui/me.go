package webui

import (
	"net/http"
	"strings"
	"time"

	"mailroom/bridge"
	"mailroom/locales"
)

// meView is the page on which a person sees who can reach them, and ends it.
type meView struct {
	page
	Address     string
	Done, Fault string // what was done, or why it was not
	Reaches     []reach
	Blocks      []blocked
	Settings    []setting
	Chosen      string // addresses, one a line
	SignIns     []browser
}

// reach is one session through which the person can be reached.
type reach struct {
	Session, Subject, Path  string // Path: where this browser can open it, or ""
	Origin, State           string
	OffRecord, Own          bool // Own: the person started it
	Open                    bool
	People                  []string
	Inviter, InviterAddress string // whom the person can block, or ""
}

type blocked struct{ Address, Since string }

type setting struct {
	Value          bridge.PresenceSetting
	Label, Meaning string
	Checked        bool
}

func (s *Server) showMe(w http.ResponseWriter, r *http.Request) {
	done := doneSentence(s.printer(r), r.URL.Query().Get("done"))
	by, secret, err := s.me(r)
	if bridge.CodeOf(err) == bridge.NotFound {
		s.ask(w, r, http.StatusOK, askPage{Done: done})
		return
	}
	if err != nil {
		s.fail(w, r, err, "")
		return
	}
	s.renderMe(w, r, http.StatusOK, by, secret, meView{Done: done})
}

func (s *Server) renderMe(w http.ResponseWriter, r *http.Request, status int, by bridge.Identity, secret string, v meView) {
	p := s.printer(r)
	v.page, v.Address = s.page(p, p.T("page.me_title")), by.Address.ID
	for _, fill := range []func(*http.Request, locales.Printer, bridge.Identity, *meView) error{s.fillReaches, s.fillBlocks, s.fillPresence} {
		if err := fill(r, p, by, &v); err != nil {
			s.fail(w, r, err, "")
			return
		}
	}
	ins, err := s.service.SignIns(r.Context(), secret)
	if err != nil {
		s.fail(w, r, err, "")
		return
	}
	for i, in := range ins {
		b := newBrowser(p, in.Label, in.At)
		b.Here = i == 0
		v.SignIns = append(v.SignIns, b)
	}
	s.render(w, r, status, "me.html", v)
}

func (s *Server) fillReaches(r *http.Request, p locales.Printer, by bridge.Identity, v *meView) error {
	reaches, err := s.service.Reaches(r.Context(), by)
	for _, one := range reaches {
		if one.Condition != bridge.IsOver { // nothing comes through one that is over
			v.Reaches = append(v.Reaches, s.newReach(r, p, one))
		}
	}
	return err
}

func (s *Server) newReach(r *http.Request, p locales.Printer, from bridge.Reach) reach {
	room := &bridge.Room{Session: from.Session}
	v := reach{
		Session: from.Session.ID.String(), Subject: subject(p, room), State: reachState(p, from), OffRecord: from.Session.Options.OffRecord,
		Own: from.Me.Role == bridge.Initiator, Open: from.Condition == bridge.IsOpen, Origin: p.T("page.why_started"),
	}
	for _, m := range from.People {
		v.People = append(v.People, m.Display())
	}
	if _, err := s.identify(r, from.Session.ID); err == nil {
		v.Path = sessionPath(from.Session.ID)
	}
	if v.Own {
		return v
	}
	v.Origin = p.T("page.why_invited", "Name", from.Inviter.Display())
	if !from.Inviter.Address.IsZero() {
		v.Inviter, v.InviterAddress = from.Inviter.Display(), from.Inviter.Address.ID
	}
	return v
}

// reachState says what is special about a way to be reached, or nothing.
func reachState(p locales.Printer, from bridge.Reach) string {
	switch {
	case from.Condition == bridge.IsClosed:
		return p.T("page.closed")
	case from.Condition == bridge.IsExpired:
		return p.T("page.join_expired")
	case from.Me.Lapsed(time.Now()):
		return p.T("page.me_lapsed")
	case from.Me.State == bridge.Left:
		return p.T("page.me_left")
	case from.Me.Blind:
		return p.T("page.join_blind", "Name", from.Inviter.Display())
	}
	return ""
}

func (s *Server) fillBlocks(r *http.Request, p locales.Printer, by bridge.Identity, v *meView) error {
	blocks, err := s.service.Blocks(r.Context(), by)
	for _, b := range blocks {
		v.Blocks = append(v.Blocks, blocked{b.Address.String(), since(p, b.At)})
	}
	return err
}

// fillPresence shows what is chosen, or what a form has that could not be taken.
func (s *Server) fillPresence(r *http.Request, p locales.Printer, by bridge.Identity, v *meView) error {
	now, chosen, err := s.service.Presence(r.Context(), by)
	if err != nil {
		return err
	}
	var lines []string
	for _, a := range chosen {
		lines = append(lines, a.String())
	}
	v.Chosen = strings.Join(lines, "\n")
	if r.PostForm.Has("chosen") {
		now, v.Chosen = bridge.PresenceSetting(r.PostForm.Get("setting")), r.PostForm.Get("chosen")
	}
	v.Settings = settingsOf(p)
	for i := range v.Settings {
		v.Settings[i].Checked = v.Settings[i].Value == now
	}
	return nil
}

func settingsOf(p locales.Printer) []setting {
	return []setting{
		{Value: bridge.SeenByNobody, Label: p.T("page.presence_nobody"), Meaning: p.T("page.presence_nobody_what")},
		{Value: bridge.SeenByChosen, Label: p.T("page.presence_chosen"), Meaning: p.T("page.presence_chosen_what")},
		{Value: bridge.SeenByMailed, Label: p.T("page.presence_mailed"), Meaning: p.T("page.presence_mailed_what")},
		{Value: bridge.SeenByShared, Label: p.T("page.presence_shared"), Meaning: p.T("page.presence_shared_what")},
		{Value: bridge.SeenByEveryone, Label: p.T("page.presence_everyone"), Meaning: p.T("page.presence_everyone_what")},
	}
}

// doneSentence is what the page says after something was done; "" if it was nothing that is known here.
func doneSentence(p locales.Printer, done string) string {
	switch done {
	case "ended":
		return p.T("page.me_ended")
	case "closed":
		return p.T("page.me_closed")
	case "blocked":
		return p.T("page.me_blocked")
	case "unblocked":
		return p.T("page.me_unblocked")
	case "saved":
		return p.T("page.me_saved")
	case "signed-out":
		return p.T("page.me_signed_out")
	case "signed-out-everywhere":
		return p.T("page.me_signed_out_everywhere")
	}
	return ""
}
