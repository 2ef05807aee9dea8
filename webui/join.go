package webui

import (
	"net/http"
	"strings"

	"github.com/google/uuid"

	"mailroom/bridge"
)

// invitation is the page behind the link in somebody's mail. Mail scanners open such links, so reading it changes nothing:
// only the button does. The forms of such pages post to their own address, so that no page holds a token.
type invitation struct {
	page
	Subject, Inviter, Address string
	Other                     string // whom this browser speaks for in the session so far, if that is somebody else
	People                    int
}

func (s *Server) showInvitation(w http.ResponseWriter, r *http.Request) {
	h, ok := s.holder(w, r, bridge.RightJoin)
	if !ok {
		return
	}
	room, guest, err := s.service.View(r.Context(), h.Session, bridge.Identity{Via: bridge.Web, Grant: h.Grant})
	if err != nil {
		s.failToken(w, r, err)
		return
	}
	other, known := s.speaksFor(r, h.Session)
	if known && other.ID == guest.ID && guest.State == bridge.Joined {
		http.Redirect(w, r, sessionPath(h.Session), http.StatusSeeOther)
		return
	}
	s.render(w, r, http.StatusOK, "join.html", s.invitation(r, room, guest, other))
}

// speaksFor says which member this browser is in a session by its cookie.
func (s *Server) speaksFor(r *http.Request, session uuid.UUID) (bridge.Member, bool) {
	by, err := s.identify(r, session)
	if err != nil {
		return bridge.Member{}, false
	}
	_, member, err := s.service.View(r.Context(), session, by)
	return member, err == nil
}

func (s *Server) invitation(r *http.Request, room *bridge.Room, guest, other bridge.Member) invitation {
	p := s.printer(r)
	v := invitation{
		page: s.page(p, p.T("page.join_title")), Subject: subject(p, room), Inviter: room.DisplayName(room.Initiator()),
		Address: masked(guest), People: present(room),
	}
	if other.ID != uuid.Nil && other.ID != guest.ID {
		v.Other = room.DisplayName(other)
	}
	return v
}

// acceptInvitation is the button: this browser speaks for the recipient from now on.
func (s *Server) acceptInvitation(w http.ResponseWriter, r *http.Request) {
	h, ok := s.holder(w, r, bridge.RightJoin)
	if !ok {
		return
	}
	if known, err := s.identify(r, h.Session); err != nil || known.Grant != h.Grant {
		secret, err := s.service.Bind(r.Context(), h, "", r.FormValue("code"))
		if err != nil {
			s.failToken(w, r, err)
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
	address := guest.Email()
	if address.IsZero() {
		address = guest.Address
	}
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
