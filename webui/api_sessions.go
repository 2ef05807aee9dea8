package webui

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"mailroom/bridge"
	"mailroom/content"
)

// MaxClientID is the longest id that an API client may give to a request, in bytes.
const MaxClientID = 128

// apiSessionView is a session as the API tells it.
type apiSessionView struct {
	ID        uuid.UUID           `json:"id"`
	Subject   string              `json:"subject"`
	State     bridge.SessionState `json:"state"`
	Condition string              `json:"condition"`
	Options   apiOptions          `json:"options"`
	CreatedAt time.Time           `json:"created_at"`
	Head      int64               `json:"head"` // seq of the last record
	Members   []apiMember         `json:"members,omitempty"`
}

// apiMember is a member as the reader is shown them.
type apiMember struct {
	ID        uuid.UUID          `json:"id"`
	Name      string             `json:"name"`
	Address   string             `json:"address,omitempty"`
	Role      bridge.Role        `json:"role"`
	State     bridge.MemberState `json:"state"`
	Blind     bool               `json:"blind,omitempty"`
	ExpiresAt *time.Time         `json:"expires_at,omitempty"` // of the grant
	ReadSeq   *int64             `json:"read_seq,omitempty"`   // only where the member's setting shows it
}

// conditions are the names of what a session can be.
var conditions = map[bridge.Condition]string{
	bridge.IsOpen: "open", bridge.IsClosed: "closed", bridge.IsExpired: "expired", bridge.IsOver: "over",
}

func sessionJSON(session bridge.Session) apiSessionView {
	return apiSessionView{
		ID: session.ID, Subject: session.Subject, State: session.State, Condition: conditions[session.Condition(time.Now())],
		Options: optionsJSON(session.Options), CreatedAt: session.CreatedAt.UTC(), Head: session.Head,
	}
}

func roomJSON(room *bridge.Room, marks map[uuid.UUID]int64) apiSessionView {
	view := sessionJSON(room.Session)
	for _, m := range room.Members {
		member := memberJSON(m)
		member.Name = room.DisplayName(m)
		if seq, ok := marks[m.ID]; ok {
			member.ReadSeq = &seq
		}
		view.Members = append(view.Members, member)
	}
	return view
}

func memberJSON(m bridge.Member) apiMember {
	view := apiMember{ID: m.ID, Name: m.Display(), Role: m.Role, State: m.State, Blind: m.Blind, ExpiresAt: timeOrNone(m.Grant.ExpiresAt)}
	if !m.Address.IsZero() {
		view.Address = m.Address.String()
	}
	return view
}

func timeOrNone(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	at = at.UTC()
	return &at
}

// view reads a session as the caller is shown it.
func (s *Server) view(r *http.Request, c caller) (apiSessionView, error) {
	room, _, err := s.service.View(r.Context(), c.session, c.by)
	if err != nil {
		return apiSessionView{}, err
	}
	marks, err := s.service.ReadMarks(r.Context(), c.session, c.by)
	return roomJSON(room, marks), err
}

// answerView answers with the session as the caller is shown it.
func (s *Server) answerView(w http.ResponseWriter, r *http.Request, c caller, status int) error {
	view, err := s.view(r, c)
	if err != nil {
		return err
	}
	writeJSON(w, status, view)
	return nil
}

// apiRecipient is an address, or an address with more: "bob@example.org" or {"address": …, "name": …}.
type apiRecipient struct {
	Address   string    `json:"address"`
	Name      string    `json:"name"`
	Blind     bool      `json:"blind"`
	ExpiresAt time.Time `json:"expires_at"`
}

func (a *apiRecipient) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, &a.Address)
	}
	type plain apiRecipient // without this method
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields() // which the outer decoder does not hand on
	return decoder.Decode((*plain)(a))
}

func invitees(recipients []apiRecipient) ([]bridge.Invitee, error) {
	list := make([]bridge.Invitee, 0, len(recipients))
	for _, r := range recipients {
		address, err := bridge.ParseAddress(r.Address)
		if err != nil {
			return nil, err
		}
		list = append(list, bridge.Invitee{Address: address, Name: content.Name(r.Name), Blind: r.Blind, ExpiresAt: r.ExpiresAt})
	}
	return list, nil
}

type apiStartBody struct {
	Subject    string         `json:"subject"`
	Message    apiMessageBody `json:"message"`
	Recipients []apiRecipient `json:"recipients"`
	Options    apiOptions     `json:"options"`
	ClientID   string         `json:"client_id"`
}

// apiStart starts a session. The same client id is the same session.
func apiStart(s *Server, w http.ResponseWriter, r *http.Request, c caller) error {
	var body apiStartBody
	if err := decode(w, r, &body); err != nil {
		return err
	}
	guests, err := invitees(body.Recipients)
	if err != nil {
		return err
	}
	origin, err := apiOrigin(r, c, body.ClientID)
	if err != nil {
		return err
	}
	said := bridge.Body{}
	if body.Message != (apiMessageBody{}) {
		if said, err = body.Message.body(); err != nil {
			return err
		}
	}
	room, err := s.service.Start(r.Context(), bridge.StartRequest{
		By: c.by, Subject: content.Subject(body.Subject), Body: said, Lang: body.Message.Lang, Invitees: guests, Origin: origin,
		Options: body.Options.options(),
	})
	if err != nil {
		return err
	}
	c.session = room.Session.ID
	w.Header().Set("Location", apiPrefix+"/sessions/"+c.session.String())
	return s.answerView(w, r, c, http.StatusCreated)
}

// apiOrigin is the key by which repeats of a request are found: the header Idempotency-Key, or the id in the body. The
// address is part of it, so that nobody can take another's key. Without either, every request is a new one.
func apiOrigin(r *http.Request, c caller, id string) (bridge.Origin, error) {
	id = cmp.Or(r.Header.Get("Idempotency-Key"), id, rand.Text())
	if len(id) > MaxClientID {
		return bridge.Origin{}, &bridge.Error{Code: bridge.Invalid, Message: "The client id is longer than 128 bytes. Use a UUID."}
	}
	return bridge.Origin{Network: bridge.Web, ID: strings.Join([]string{"api", c.by.Address.String(), id}, "/")}, nil
}

func apiSessions(s *Server, w http.ResponseWriter, r *http.Request, c caller) error {
	list, err := s.service.Sessions(r.Context(), c.by, apiLimit(r))
	if err != nil {
		return err
	}
	views := make([]apiSessionView, 0, len(list))
	for _, session := range list {
		views = append(views, sessionJSON(session))
	}
	writeJSON(w, http.StatusOK, map[string]any{"sessions": views})
	return nil
}

func apiSession(s *Server, w http.ResponseWriter, r *http.Request, c caller) error {
	return s.answerView(w, r, c, http.StatusOK)
}

func apiInvite(s *Server, w http.ResponseWriter, r *http.Request, c caller) error {
	var body struct {
		Recipients []apiRecipient `json:"recipients"`
	}
	if err := decode(w, r, &body); err != nil {
		return err
	}
	guests, err := invitees(body.Recipients)
	if err != nil {
		return err
	}
	if _, err := s.service.Invite(r.Context(), c.session, c.by, guests); err != nil {
		return err
	}
	return s.answerView(w, r, c, http.StatusOK)
}

// apiRevoke takes somebody's grant back; ?remove=said takes what they said with it.
func apiRevoke(s *Server, w http.ResponseWriter, r *http.Request, c caller) error {
	member, err := memberOf(r)
	if err != nil {
		return err
	}
	return noContent(w, s.service.Revoke(r.Context(), c.session, c.by, member, r.URL.Query().Get("remove") == "said"))
}

// apiRemoveSaid takes away what a member said, and leaves them in.
func apiRemoveSaid(s *Server, w http.ResponseWriter, r *http.Request, c caller) error {
	member, err := memberOf(r)
	if err != nil {
		return err
	}
	return noContent(w, s.service.RemoveSaid(r.Context(), c.session, c.by, member))
}

// memberOf is the member in the address.
func memberOf(r *http.Request) (uuid.UUID, error) {
	member, err := uuid.Parse(r.PathValue("member"))
	if err != nil {
		return member, &bridge.Error{Code: bridge.NotFound, Message: "There is no such member in this session."}
	}
	return member, nil
}

func apiClose(s *Server, w http.ResponseWriter, r *http.Request, c caller) error {
	return noContent(w, s.service.Close(r.Context(), c.session, c.by))
}

func apiReopen(s *Server, w http.ResponseWriter, r *http.Request, c caller) error {
	return noContent(w, s.service.Reopen(r.Context(), c.session, c.by))
}

// apiDecline gives the caller's own grant back.
func apiDecline(s *Server, w http.ResponseWriter, r *http.Request, c caller) error {
	return noContent(w, s.service.Decline(r.Context(), c.session, c.by))
}

// apiReport tells the operators of abuse.
func apiReport(s *Server, w http.ResponseWriter, r *http.Request, c caller) error {
	var body struct {
		Text string `json:"text"`
	}
	if err := decode(w, r, &body); err != nil {
		return err
	}
	if strings.TrimSpace(body.Text) == "" {
		return &bridge.Error{Code: bridge.Invalid, Message: "The report is empty. Write what happened."}
	}
	return noContent(w, s.service.Report(r.Context(), c.session, c.by, body.Text))
}

// noContent answers what has nothing to say but that it is done.
func noContent(w http.ResponseWriter, err error) error {
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}
