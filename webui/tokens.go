package webui

import (
	"net/http"

	"mailroom/bridge"
)

// holder finds whom the token in the address names. Without one it has answered: 404, or 429 to who guesses too often.
func (s *Server) holder(w http.ResponseWriter, r *http.Request, right bridge.Right) (bridge.Holder, bool) {
	h, err := s.service.Holder(r.Context(), right, r.PathValue("token"))
	if err != nil {
		s.failToken(w, r, err)
		return bridge.Holder{}, false
	}
	return h, true
}

// failToken is fail for what a token names: a wrong one counts as a guess. A right one never comes here, whoever guesses
// beside it: behind a proxy or a shared address, many people are one client.
func (s *Server) failToken(w http.ResponseWriter, r *http.Request, err error) {
	if bridge.CodeOf(err) == bridge.NotFound && s.guesses.add(s.clientAddr(r)) {
		s.tooOften(w, r)
		return
	}
	s.fail(w, r, err, "")
}
