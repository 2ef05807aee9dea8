package webui

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"

	"mailroom/bridge"
	"mailroom/content"
)

// clientShape is what the id of a message from the page may be.
var clientShape = regexp.MustCompile(`^[A-Za-z0-9_-]{8,64}$`)

func newClient() string { return rand.Text() }

// digest is enough of the SHA-256 to tell one person's texts apart.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}

// postMessage takes a message from the form or from the script, and answers after it is durable.
func (s *Server) postMessage(w http.ResponseWriter, r *http.Request) {
	v, ok := s.entered(w, r)
	if !ok {
		return
	}
	record, err := s.post(r, v)
	if bridge.CodeOf(err) == bridge.Closed {
		s.refuseClosed(w, r, v, err)
		return
	}
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	s.meters.posts.WithLabelValues("page").Inc()
	if wantsJSON(r) {
		writeJSON(w, http.StatusCreated, v.tell.tell(record))
		return
	}
	s.read(r, v, seqOf(r.PostForm.Get("seen")))
	http.Redirect(w, r, v.path(), http.StatusSeeOther)
}

// refuseClosed says what has ended: the session, or the writer's own invitation.
func (s *Server) refuseClosed(w http.ResponseWriter, r *http.Request, v *visit, err error) {
	if lost := v.look(s, r); lost != nil {
		s.refuse(w, r, lost)
		return
	}
	words := said{}
	if reason := v.closed(); reason != "" {
		words[bridge.Closed] = reason
	}
	s.explain(w, r, err, words)
}

func (s *Server) post(r *http.Request, v *visit) (bridge.Record, error) {
	text, client := r.PostForm.Get("text"), r.PostForm.Get("client")
	if !clientShape.MatchString(client) {
		return bridge.Record{}, &bridge.Error{Code: bridge.Invalid, Message: "The form was not complete. Load the page again."}
	}
	// A form's lines end with CRLF (HTML, "constructing the entry list"); the script's do not: neither the length nor the key
	// may differ.
	text = strings.ReplaceAll(text, "\r\n", "\n")
	if len(text) > content.MaxText {
		return bridge.Record{}, &bridge.Error{Code: bridge.TooMany, Message: "That message is too long. Send it in parts."}
	}
	body := content.FromText(text)
	if body.Empty() {
		body = content.Body{}
	}
	return s.service.Post(r.Context(), bridge.PostRequest{
		Session: v.id, By: v.by, Body: bridge.Body(body), Origin: originOf(v.by.Grant, client, body.Text),
	})
}

// sameMember says that the browser is still who it was when the page was made. It is not if somebody opened another
// person's link in it meanwhile; then it has answered, and nothing is said in a wrong name.
func (s *Server) sameMember(w http.ResponseWriter, r *http.Request, v *visit) bool {
	if r.PostForm.Get("me") == v.me.ID.String() {
		return true
	}
	s.refuse(w, r, &bridge.Error{Code: bridge.Conflict, Message: "This browser is somebody else by now. Load the page again."})
	return false
}

func (s *Server) parseForm(w http.ResponseWriter, r *http.Request) bool {
	r.Body = http.MaxBytesReader(w, r.Body, MaxRequest)
	if err := r.ParseForm(); err != nil {
		s.refuse(w, r, &bridge.Error{Code: bridge.TooMany, Message: "That was too much at once, or not a form."})
		return false
	}
	return true
}

// refuse answers an error to the form with a page, and to the script with JSON.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if !wantsJSON(r) {
		back := ""
		if session := r.PathValue("session"); session != "" {
			back = "/s/" + session
		}
		s.fail(w, r, err, back)
		return
	}
	s.noteFault(w, r, err)
	code := bridge.CodeOf(err)
	writeJSON(w, statusOf(code), problem(string(code), sentence(s.printer(r), code)))
}

func wantsJSON(r *http.Request) bool { return r.Header.Get("Accept") == "application/json" }

// problem is the JSON of every error.
func problem(code, message string) any {
	if code == "" {
		code = "temporary"
	}
	return map[string]any{"error": map[string]string{"code": code, "message": message}}
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // our own types encode; who went away needs no answer
}
