package webui

import (
	_ "embed"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"mailroom/bridge"
)

// apiPrefix stands before every route of the API.
const apiPrefix = "/api/v1"

//go:embed openapi.yaml
var openAPI []byte

// caller is whom a bearer token names, and the session in the address, if there is one.
type caller struct {
	by      bridge.Identity
	session uuid.UUID
}

// apiCall serves one request; the error that it returns is answered for it.
type apiCall func(s *Server, w http.ResponseWriter, r *http.Request, c caller) error

// apiRoute is one route of the API; openapi.yaml describes each, held by a test.
type apiRoute struct {
	method, path string
	call         apiCall
}

var apiRoutes = []apiRoute{
	{"POST", "/sessions", apiStart},
	{"GET", "/sessions", apiSessions},
	{"GET", "/sessions/{session}", apiSession},
	{"POST", "/sessions/{session}/messages", apiPost},
	{"GET", "/sessions/{session}/messages", apiMessages},
	{"POST", "/sessions/{session}/recipients", apiInvite},
	{"DELETE", "/sessions/{session}/recipients/{member}", apiRevoke},
	{"GET", "/sessions/{session}/events", apiEvents},
	{"POST", "/sessions/{session}/close", apiClose},
	{"POST", "/sessions/{session}/reopen", apiReopen},
	{"DELETE", "/sessions/{session}/members/{member}/messages", apiRemoveSaid},
	{"PATCH", "/sessions/{session}/options", apiSetOptions},
	{"POST", "/sessions/{session}/decline", apiDecline},
	{"POST", "/sessions/{session}/report", apiReport},
	{"GET", "/sessions/{session}/transcript.txt", apiTranscriptText},
	{"GET", "/sessions/{session}/transcript.json", apiTranscriptJSON},
	{"GET", "/me/presence", apiGetPresence},
	{"PUT", "/me/presence", apiSetPresence},
	{"GET", "/me/blocks", apiBlocks},
	{"PUT", "/me/blocks/{address}", apiAddBlock},
	{"DELETE", "/me/blocks/{address}", apiDeleteBlock},
	{"GET", "/me/reaches", apiReaches},
	{"GET", "/audit", apiAudit},
}

func (s *Server) routeAPI(mux *http.ServeMux) {
	for _, route := range apiRoutes {
		mux.Handle(route.method+" "+apiPrefix+route.path, s.authorized(route.call))
	}
	mux.HandleFunc("GET "+apiPrefix+"/openapi.yaml", serveOpenAPI)
	mux.HandleFunc(apiPrefix+"/", func(w http.ResponseWriter, r *http.Request) { s.apiFail(w, r, errNoRoute) })
}

var errNoRoute = &bridge.Error{Code: bridge.NotFound, Message: "The API has nothing there. It is described in " + apiPrefix + "/openapi.yaml."}

func serveOpenAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(openAPI) // who went away needs no answer
}

// authorized lets a call see only requests with a bearer token that counts (RFC 6750). No cookie does.
func (s *Server) authorized(call apiCall) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		by, ok := s.authenticate(w, r)
		if !ok {
			return
		}
		c, err := caller{by: by}, error(nil)
		if r.PathValue("session") != "" {
			c.session, err = sessionOf(r)
		}
		if err == nil {
			err = call(s, w, r, c)
		}
		if err != nil {
			s.apiFail(w, r, err)
		}
	})
}

// authenticate says whom the bearer token names. Without one that counts, it has answered.
func (s *Server) authenticate(w http.ResponseWriter, r *http.Request) (by bridge.Identity, ok bool) {
	bearer, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	by, err := s.service.APIIdentity(r.Context(), bearer)
	switch {
	case bridge.CodeOf(err) == bridge.NotFound:
		s.unauthorized(w, r)
	case err != nil:
		s.apiFail(w, r, err)
	}
	return by, err == nil
}

func (s *Server) unauthorized(w http.ResponseWriter, r *http.Request) {
	if s.guesses.add(s.clientAddr(r)) {
		w.Header().Set("Retry-After", retryAfter)
		writeJSON(w, http.StatusTooManyRequests, problem("too_often", "There were too many wrong tokens from your network. Try again in a minute."))
		return
	}
	w.Header().Set("WWW-Authenticate", "Bearer")
	writeJSON(w, http.StatusUnauthorized, problem("unauthorized", "Send a header with a token that counts: Authorization: Bearer …"))
}

func (s *Server) apiFail(w http.ResponseWriter, r *http.Request, err error) {
	s.noteFault(w, r, err)
	code := bridge.CodeOf(err)
	writeJSON(w, statusOf(code), problem(string(code), bridge.SentenceOf(err)))
}

// sessionOf is the session in the address. What is no UUID is as unknown as any other.
func sessionOf(r *http.Request) (uuid.UUID, error) {
	id, err := uuid.Parse(r.PathValue("session"))
	if err != nil {
		return id, errNoSession
	}
	return id, nil
}

var errNoSession = &bridge.Error{Code: bridge.NotFound, Message: "There is no such session, or this token has no permission for it."}

// decode reads the body of a request. A field that the API does not know is an error, not a silent loss.
func decode(w http.ResponseWriter, r *http.Request, into any) error {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, MaxRequest))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return &bridge.Error{Code: bridge.Invalid, Message: "The body is not what this route takes: " + err.Error() + ". See " + apiPrefix + "/openapi.yaml."}
	}
	return nil
}
