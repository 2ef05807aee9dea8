package webui

import (
	"net/http"
	"time"

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
	now  time.Time     // when it was looked at
	kept time.Duration // how long messages are kept; 0: for ever
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
	if err != nil {
		return err
	}
	v.tell.room, v.tell.me = v.room, v.me
	v.now, v.kept = time.Now(), s.service.KeptFor(v.room.Session.Options)
	return nil
}

func (v *visit) path() string { return sessionPath(v.id) }

// writable says if the box is there: the gate decides, here as when something is sent.
func (v *visit) writable() bool { return v.may(bridge.ActWrite) }

// may says if an act is worth offering.
func (v *visit) may(act bridge.Act) bool { return v.room.May(v.me, act, v.now) == nil }

// sessionView is the session page.
type sessionView struct {
	page
	roomState
	Nonce, Path, Why, Client, Left string
	Entries                        []entry
	First, After                   int64
	Earlier, Live                  bool
	Options                        optionsForm
	May                            struct{ Options, Close, Reopen, Decline bool } // the forms to offer
	MaxText, MaxUnits              int                                            // limits of the box, in bytes and in UTF-16 code units
	MaxReport                      int                                            // and of a report
	TooLong                        string                                         // what the script says of more
	Blank                          entry                                          // the empty entry in the <template> elements
	Nobody                         person                                         // and the empty person
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
	view.Writable = view.Live && view.Writable
	if view.Live {
		view.Nonce = allowScript(w)
	}
	s.render(w, r, http.StatusOK, "session.html", view)
}

func (s *Server) sessionView(v *visit, records []bridge.Record) sessionView {
	p := v.tell.printer
	view := sessionView{
		page: s.page(p, subject(p, v.room)), roomState: v.state(), Path: v.path(), Why: why(p, v), Client: newClient(),
		Entries: v.tell.tellAll(records), Options: newOptionsForm(v.room.Session.Options),
		MaxText: content.MaxText, MaxUnits: maxUnits, MaxReport: maxReport,
		TooLong: p.T("page.too_long", "Limit", content.MaxText>>10), Blank: entry{Hue: 1}, Nobody: v.nobody(),
	}
	condition := v.room.Session.Condition(v.now)
	view.May.Options, view.May.Decline = v.may(bridge.ActOptions), v.may(bridge.ActDecline)
	view.May.Close = condition == bridge.IsOpen && v.may(bridge.ActClose)
	view.May.Reopen = condition != bridge.IsOpen && v.may(bridge.ActReopen)
	if v.me.State == bridge.Left {
		view.Left = p.T("page.left_note")
	}
	if n := len(records); n > 0 {
		view.First, view.After = records[0].Seq, records[n-1].Seq
		view.Earlier = view.First > v.me.FromSeq+1 && v.room.Session.State != bridge.Over
	}
	return view
}

// why says how the reader came to be here.
func why(p locales.Printer, v *visit) string {
	if v.me.Role == bridge.Initiator {
		return p.T("page.why_started")
	}
	return p.T("page.why_invited", "Name", v.inviter())
}
