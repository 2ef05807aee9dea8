package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// API is a program that uses the HTTP API in somebody's name.
type API struct {
	base  string
	token string
	http  *http.Client
}

// Record is one record of a transcript.
type Record struct {
	Seq  int64  `json:"seq"`
	Kind string `json:"kind"`
	Via  string `json:"via"`
	Text string `json:"text"`
}

// Session is a session as the API tells of it.
type Session struct {
	ID      string `json:"id"`
	Subject string `json:"subject"`
	State   string `json:"state"`

	Members []Member `json:"members"`
}

// Member is a member as the API tells of them.
type Member struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Address string `json:"address"`
	Role    string `json:"role"`
	State   string `json:"state"`
	ReadSeq *int64 `json:"read_seq"` // nil where it is not shown
}

// APIError is a refusal of the API.
type APIError struct {
	Status int
	Text   string
}

func (e *APIError) Error() string { return fmt.Sprintf("%d %s", e.Status, e.Text) }

// NewAPI makes a client with a token that acts as an address. The first node must run, or be startable.
func (s *Site) NewAPI(t *testing.T, as string) *API {
	t.Helper()
	token := s.Nodes[0].Run(t, "token", "create", "--as", as)
	require.NotEmpty(t, token)
	return &API{base: s.URL + "/api/v1", token: token, http: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
}

// Call calls a route. Refusals are an *APIError.
func (a *API) Call(ctx context.Context, method, path string, body, answer any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, a.base+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+a.token)
	response, err := a.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if text, err = io.ReadAll(response.Body); err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %w", method, path, &APIError{response.StatusCode, string(text)})
	}
	if answer == nil || len(text) == 0 {
		return nil
	}
	return json.Unmarshal(text, answer)
}

// StartSession starts a session with a first message.
func (a *API) StartSession(ctx context.Context, subject, text string, recipients ...string) (started Session, err error) {
	err = a.Call(ctx, http.MethodPost, "/sessions", map[string]any{
		"subject": subject, "message": map[string]string{"text": text}, "recipients": recipients,
	}, &started)
	return started, err
}

// Start starts a session with more than a subject and a first message; it may be repeated.
func (a *API) Start(ctx context.Context, body map[string]any) (started Session, err error) {
	err = a.Call(ctx, http.MethodPost, "/sessions", body, &started)
	return started, err
}

// Session is one session with its members.
func (a *API) Session(ctx context.Context, id string) (s Session, err error) {
	err = a.Call(ctx, http.MethodGet, "/sessions/"+id, nil, &s)
	return s, err
}

// Invite invites one more.
func (a *API) Invite(ctx context.Context, session string, recipients ...string) error {
	return a.Call(ctx, http.MethodPost, "/sessions/"+session+"/recipients", map[string]any{"recipients": recipients}, nil)
}

// Revoke ends the grant of the member who has this name or address.
func (a *API) Revoke(ctx context.Context, session, who string) error {
	return a.revoke(ctx, session, who, "")
}

// RevokeAndRemove also takes away what the member said.
func (a *API) RevokeAndRemove(ctx context.Context, session, who string) error {
	return a.revoke(ctx, session, who, "?remove=said")
}

func (a *API) revoke(ctx context.Context, session, who, query string) error {
	s, err := a.Session(ctx, session)
	if err != nil {
		return err
	}
	for _, m := range s.Members {
		if m.Address == who || m.Name == who {
			return a.Call(ctx, http.MethodDelete, "/sessions/"+session+"/recipients/"+m.ID+query, nil, nil)
		}
	}
	return fmt.Errorf("%s is no member", who)
}

// Turn closes or reopens a session.
func (a *API) Turn(ctx context.Context, session, how string) error {
	return a.Call(ctx, http.MethodPost, "/sessions/"+session+"/"+how, nil, nil)
}

// Text is a route's answer as it is, with its status.
func (a *API) Text(ctx context.Context, path string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.base+path, nil)
	if err != nil {
		return "", err
	}
	request.Header.Set("Authorization", "Bearer "+a.token)
	response, err := a.http.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.Status + "\n" + string(text), err
}

// Sessions are those that the address is in.
func (a *API) Sessions(ctx context.Context) ([]Session, error) {
	var list struct {
		Sessions []Session `json:"sessions"`
	}
	err := a.Call(ctx, http.MethodGet, "/sessions", nil, &list)
	return list.Sessions, err
}

// Say says a text; with the same id it is said once.
func (a *API) Say(ctx context.Context, session, id, text string) error {
	return a.Call(ctx, http.MethodPost, "/sessions/"+session+"/messages", map[string]string{"text": text, "client_id": id}, nil)
}

// Transcript is the log of a session. It is an error if its seqs have a gap.
func (a *API) Transcript(ctx context.Context, session string) ([]Record, error) {
	var transcript struct {
		Records []Record `json:"records"`
	}
	err := a.Call(ctx, http.MethodGet, "/sessions/"+session+"/transcript.json", nil, &transcript)
	for i, r := range transcript.Records {
		if r.Seq != int64(i)+1 {
			return nil, fmt.Errorf("record %d of the transcript has seq %d", i+1, r.Seq)
		}
	}
	return transcript.Records, err
}

// Said is what was said in a session, in the log's order, and brought what of it did not come from Matrix.
func (a *API) Said(ctx context.Context, session string) (said, brought []string, err error) {
	records, err := a.Transcript(ctx, session)
	for _, r := range records {
		if r.Kind != "message" {
			continue
		}
		said = append(said, r.Text)
		if r.Via != "matrix" {
			brought = append(brought, r.Text)
		}
	}
	return said, brought, err
}
