package webui

import (
	"net/http"

	"github.com/google/uuid"

	"mailroom/bridge"
	"mailroom/content"
	"mailroom/locales"
)

// pageWindow is how many records a page shows; earlier ones are behind a link.
const pageWindow = 60

// maxUnits is the maxlength of the box. It counts UTF-16 code units, which take up to three bytes each in UTF-8: what the box
// takes, the server takes, in every script. static/session.js counts bytes instead.
const maxUnits = content.MaxText / 3

// visit is one request of a browser in one session.
type visit struct {
	id   uuid.UUID
	by   bridge.Identity
	room *bridge.Room
	me   bridge.Member
	tell teller
}

// enter finds out who the browser is in the session of the address. If it is nobody, it has answered.
func (s *Server) enter(w http.ResponseWriter, r *http.Request) (*visit, bool) {
	v, err := s.visit(r)
	if err != nil {
		s.refuse(w, r, err)
		return nil, false
	}
	return v, true
}

func (s *Server) visit(r *http.Request) (*visit, error) {
	id, err := uuid.Parse(r.PathValue("session"))
	if err != nil {
		return nil, errUnknown
	}
	v := &visit{id: id, tell: teller{printer: s.printer(r)}}
	if v.by, err = s.identify(r, id); err != nil {
		return nil, err
	}
	return v, v.look(s, r)
}

// look reads the room again.
func (v *visit) look(s *Server, r *http.Request) (err error) {
	v.room, v.me, err = s.service.View(r.Context(), v.id, v.by)
	v.tell.room, v.tell.me = v.room, v.me
	return err
}

func (v *visit) path() string { return sessionPath(v.id) }

// writable says if the box is there.
func (v *visit) writable() bool { return v.room.Session.State == bridge.Open }

// sessionView is the session page.
type sessionView struct {
	page
	Nonce, Path, Me, Subject, Why, Client, Closed, Left string
	People                                              []person
	Entries                                             []entry
	First, After                                        int64
	Earlier, Live, Writable                             bool
	MaxText, MaxUnits                                   int    // limits of the box, in bytes and in UTF-16 code units
	TooLong                                             string // what the script says of more
	Blank                                               entry  // the empty entry in the <template> elements
	Nobody                                              person // and the empty person
}

func (s *Server) showSession(w http.ResponseWriter, r *http.Request) {
	v, ok := s.enter(w, r)
	if !ok {
		return
	}
	before := seqOf(r.URL.Query().Get("before"))
	records, err := s.service.RecordsBefore(r.Context(), v.id, v.by, before, pageWindow)
	if err != nil {
		s.fail(w, r, err, "")
		return
	}
	view := s.sessionView(v, records)
	view.Live = before == 0
	view.Writable = view.Live && v.writable()
	if view.Live {
		view.Nonce = allowScript(w)
	}
	s.render(w, r, http.StatusOK, "session.html", view)
}

func (s *Server) sessionView(v *visit, records []bridge.Record) sessionView {
	p := v.tell.printer
	view := sessionView{
		page: s.page(p, subject(p, v.room)), Path: v.path(), Me: v.me.ID.String(), Subject: subject(p, v.room), Why: why(p, v),
		Client: newClient(), People: people(p, v.room, v.me), Entries: v.tell.tellAll(records), MaxText: content.MaxText,
		MaxUnits: maxUnits, TooLong: p.T("page.too_long", "Limit", content.MaxText>>10),
		Blank: entry{Hue: 1}, Nobody: person{Hue: 1},
	}
	if v.room.Session.State != bridge.Open {
		view.Closed = p.T("page.closed")
	}
	if v.me.State == bridge.Left {
		view.Left = p.T("page.left_note")
	}
	if n := len(records); n > 0 {
		view.First, view.After = records[0].Seq, records[n-1].Seq
		view.Earlier = view.First > 1
	}
	return view
}

// why says how the reader came to be here.
func why(p locales.Printer, v *visit) string {
	inviter := v.room.Initiator()
	if inviter.ID == v.me.ID {
		return p.T("page.why_started")
	}
	return p.T("page.why_invited", "Name", v.room.DisplayName(inviter))
}
