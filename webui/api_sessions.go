package webui

import (
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
	CreatedAt time.Time           `json:"created_at"`
	Head      int64               `json:"head"` // seq of the last record
	Members   []apiMember         `json:"members,omitempty"`
}

type apiMember struct {
	ID      uuid.UUID          `json:"id"`
	Name    string             `json:"name"`
	Address string             `json:"address"`
	Role    bridge.Role        `json:"role"`
	State   bridge.MemberState `json:"state"`
	ReadSeq int64              `json:"read_seq"`
}

func sessionJSON(session bridge.Session) apiSessionView {
	return apiSessionView{ID: session.ID, Subject: session.Subject, State: session.State, CreatedAt: session.CreatedAt.UTC(), Head: session.Head}
}

func roomJSON(room *bridge.Room) apiSessionView {
	view := sessionJSON(room.Session)
	for _, m := range room.Members {
		view.Members = append(view.Members, apiMember{m.ID, room.DisplayName(m), m.Address.String(), m.Role, m.State, m.ReadSeq})
	}
	return view
}

// apiRecipient is an address, or an address with a name: "bob@example.org" or {"address": …, "name": …}.
type apiRecipient struct {
	Address string `json:"address"`
	Name    string `json:"name"`
}

func (a *apiRecipient) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, &a.Address)
	}
	type plain apiRecipient // without this method
	return json.Unmarshal(data, (*plain)(a))
}

func invitees(recipients []apiRecipient) ([]bridge.Invitee, error) {
	list := make([]bridge.Invitee, 0, len(recipients))
	for _, r := range recipients {
		address, err := bridge.ParseAddress(r.Address)
		if err != nil {
			return nil, err
		}
		list = append(list, bridge.Invitee{Address: address, Name: content.Name(r.Name)})
	}
	return list, nil
}

type apiStartBody struct {
	Subject    string         `json:"subject"`
	Message    apiMessageBody `json:"message"`
	Recipients []apiRecipient `json:"recipients"`
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
	})
	if err != nil {
		return err
	}
	w.Header().Set("Location", apiPrefix+"/sessions/"+room.Session.ID.String())
	writeJSON(w, http.StatusCreated, roomJSON(room))
	return nil
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
	room, _, err := s.service.View(r.Context(), c.session, c.by)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, roomJSON(room))
	return nil
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
	room, err := s.service.Invite(r.Context(), c.session, c.by, guests)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, roomJSON(room))
	return nil
}

func apiRevoke(s *Server, w http.ResponseWriter, r *http.Request, c caller) error {
	member, err := uuid.Parse(r.PathValue("member"))
	if err != nil {
		return &bridge.Error{Code: bridge.NotFound, Message: "There is no such member in this session."}
	}
	if err := s.service.Revoke(r.Context(), c.session, c.by, member, r.URL.Query().Get("remove") == "said"); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func apiClose(s *Server, w http.ResponseWriter, r *http.Request, c caller) error {
	err := s.service.Close(r.Context(), c.session, c.by)
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}

func apiReopen(s *Server, w http.ResponseWriter, r *http.Request, c caller) error {
	err := s.service.Reopen(r.Context(), c.session, c.by)
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}
