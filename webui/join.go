package webui

import (
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"mailroom/bridge"
	"mailroom/locales"
)

// invitation is the page behind the link in somebody's mail. Mail scanners open such links, so reading it changes nothing:
// only the buttons do. The forms of such pages post to their own address, so that no page holds a token.
type invitation struct {
	page
	Lead, Heading, Button, For string
	Notes, Points              []string
	Declines                   bool // "No, thank you" is offered
	MaxReport                  int
}

func (s *Server) showInvitation(w http.ResponseWriter, r *http.Request) {
	h, ok := s.holder(w, r, bridge.RightJoin)
	if !ok {
		return
	}
	i, err := s.invitee(r, h)
	if err != nil {
		s.failToken(w, r, err)
		return
	}
	if i.isHere() && (i.me.State == bridge.Joined || i.lapsed) {
		http.Redirect(w, r, sessionPath(h.Session), http.StatusSeeOther)
		return
	}
	if i.condition == bridge.IsOver {
		p := s.printer(r)
		s.note(w, r, http.StatusOK, p.T("page.join_over_title"), p.T("page.join_over"), "")
		return
	}
	s.render(w, r, http.StatusOK, "join.html", s.invitation(r, i))
}

// invitee is whom a link invites, and what the link can do.
type invitee struct {
	room      *bridge.Room // as the guest may see it
	me        bridge.Member
	other     bridge.Member // whom this browser speaks for in the session so far; zero: nobody
	condition bridge.Condition
	lapsed    bool
}

func (s *Server) invitee(r *http.Request, h bridge.Holder) (i invitee, err error) {
	i.room, i.me, err = s.service.Look(r.Context(), h)
	if err != nil {
		return i, err
	}
	i.other = s.speaksFor(r, h.Session)
	now := time.Now()
	i.condition, i.lapsed = i.room.Session.Condition(now), i.me.Lapsed(now)
	return i, nil
}

// isHere says that this browser speaks for the guest already.
func (i invitee) isHere() bool { return i.other.ID == i.me.ID }

// mayDecline says if the link gives the invitation back: before there was an answer it does, as it lets the first browser
// in. After that a link that went astray must not; the browser that answered may.
func (i invitee) mayDecline() bool {
	return i.me.Role != bridge.Initiator && (i.me.State == bridge.Invited || i.isHere())
}

// speaksFor says which member this browser is in a session by its cookie; zero: nobody.
func (s *Server) speaksFor(r *http.Request, session uuid.UUID) bridge.Member {
	by, err := s.identify(r, session)
	if err != nil {
		return bridge.Member{}
	}
	_, member, err := s.service.View(r.Context(), session, by)
	if err != nil {
		return bridge.Member{}
	}
	return member
}

func (s *Server) invitation(r *http.Request, i invitee) invitation {
	p := s.printer(r)
	v := invitation{
		page: s.page(p, p.T("page.join_title")), Heading: subject(p, i.room), Button: p.T("page.join_button"),
		Lead: p.T("page.join_invited", "Name", i.room.DisplayName(i.room.InviterOf(i.me))), For: p.T("page.join_for", "Address", masked(i.me)),
		Notes: notes(p, i), Points: points(p, i), Declines: i.mayDecline(), MaxReport: maxReport,
	}
	if i.me.Role == bridge.Initiator {
		v.Lead = p.T("page.why_started")
	}
	if i.room.Session.Options.OffRecord {
		// Whoever has the link can open this page: mail scanners, too, which keep what they read.
		v.Heading = p.T("page.join_off_record_title")
	}
	if i.condition != bridge.IsOpen || i.lapsed {
		v.Button = p.T("page.join_read")
	}
	return v
}

// notes are what the guest must know before pressing the button.
func notes(p locales.Printer, i invitee) (notes []string) {
	options := i.room.Session.Options
	if options.OffRecord {
		notes = append(notes, p.T("page.join_off_record"))
	}
	if options.MatrixKeeps {
		notes = append(notes, p.T("page.join_matrix_keeps"))
	}
	if i.me.Blind {
		notes = append(notes, p.T("page.join_blind", "Name", i.room.DisplayName(i.room.Initiator())))
	}
	switch {
	case i.condition == bridge.IsClosed:
		notes = append(notes, p.T("page.closed"))
	case i.condition == bridge.IsExpired:
		notes = append(notes, p.T("page.join_expired"))
	case i.lapsed:
		notes = append(notes, p.T("page.join_lapsed", "Name", i.room.DisplayName(i.room.InviterOf(i.me))))
	}
	if i.other.ID != uuid.Nil && !i.isHere() {
		notes = append(notes, p.T("page.join_other", "Name", i.room.DisplayName(i.other)))
	}
	return notes
}

// points are the small print, of what speaks for joining.
func points(p locales.Printer, i invitee) []string {
	if i.room.Session.Options.OffRecord {
		return []string{
			p.T("page.join_nothing_needed"), p.T("page.join_who_sees_off_record", "Count", present(i.room)), p.T("page.join_no_reply"),
		}
	}
	points := []string{p.T("page.join_nothing_needed"), p.T("page.join_who_sees", "Count", present(i.room))}
	if i.condition == bridge.IsOpen && !i.lapsed {
		points = append(points, p.T("page.join_reply_too"))
	}
	return points
}

// answerInvitation is the buttons.
func (s *Server) answerInvitation(w http.ResponseWriter, r *http.Request) {
	h, ok := s.holder(w, r, bridge.RightJoin)
	if !ok || !s.parseForm(w, r) {
		return
	}
	switch r.PostForm.Get("do") {
	case "decline":
		s.declineInvitation(w, r, h, false)
	case "report":
		s.declineInvitation(w, r, h, true)
	default:
		s.accept(w, r, h)
	}
}

// accept has this browser speak for the recipient from now on.
func (s *Server) accept(w http.ResponseWriter, r *http.Request, h bridge.Holder) {
	if known, err := s.identify(r, h.Session); err == nil && known.Grant == h.Grant {
		// Who left comes back by it; who can only read, reads.
		if _, _, err := s.service.Join(r.Context(), h.Session, known); err != nil && bridge.CodeOf(err) != bridge.Closed {
			s.failToken(w, r, err)
			return
		}
	} else {
		code := codeIn(r.PostForm)
		secret, err := s.service.Bind(r.Context(), h, label(s.printer(r), r.UserAgent()), code)
		if err != nil {
			s.refuseBrowser(w, r, h, code, err)
			return
		}
		s.setKeyring(w, s.keyring(r).with(h.Session, secret))
	}
	// The token leaves the address bar, so that it is not shown, kept as a bookmark or sent on by accident.
	http.Redirect(w, r, sessionPath(h.Session), http.StatusSeeOther)
}

func sessionPath(session uuid.UUID) string { return "/s/" + session.String() }

// masked shows enough of the guest's address for its owner to know it again, and too little for anybody else to use it.
func masked(guest bridge.Member) string {
	if address := guest.Email(); !address.IsZero() {
		return maskedAddress(address)
	}
	return maskedAddress(guest.Address)
}

func maskedAddress(address bridge.Address) string {
	name, top := address.Domain(), ""
	if dot := strings.LastIndexByte(name, '.'); dot > 0 {
		name, top = name[:dot], name[dot:]
	}
	return first(address.Localpart()) + "**@" + first(name) + "**" + top
}

func first(s string) string {
	for _, r := range s {
		return string(r)
	}
	return ""
}
