package webui

import (
	"net/http"
	"time"

	"github.com/google/uuid"

	"mailroom/bridge"
)

// What belongs to the person whose address the token has, in every session.

// apiPresence says who may see the person as reachable.
type apiPresence struct {
	Setting bridge.PresenceSetting `json:"setting"`
	Chosen  []string               `json:"chosen"` // for the setting chosen; kept under every other
}

func apiGetPresence(s *Server, w http.ResponseWriter, r *http.Request, c caller) error {
	setting, chosen, err := s.service.Presence(r.Context(), c.by)
	if err != nil {
		return err
	}
	view := apiPresence{Setting: setting, Chosen: make([]string, len(chosen))}
	for i, a := range chosen {
		view.Chosen[i] = a.String()
	}
	writeJSON(w, http.StatusOK, view)
	return nil
}

func apiSetPresence(s *Server, w http.ResponseWriter, r *http.Request, c caller) error {
	var body apiPresence
	if err := decode(w, r, &body); err != nil {
		return err
	}
	chosen := make([]bridge.Address, len(body.Chosen))
	for i, text := range body.Chosen {
		var err error
		if chosen[i], err = bridge.ParseAddress(text); err != nil {
			return err
		}
	}
	return noContent(w, s.service.SetPresence(r.Context(), c.by, body.Setting, chosen))
}

type apiBlock struct {
	Address string    `json:"address"`
	At      time.Time `json:"at"`
}

func apiBlocks(s *Server, w http.ResponseWriter, r *http.Request, c caller) error {
	blocks, err := s.service.Blocks(r.Context(), c.by)
	if err != nil {
		return err
	}
	views := make([]apiBlock, len(blocks))
	for i, b := range blocks {
		views[i] = apiBlock{b.Address.String(), b.At.UTC()}
	}
	writeJSON(w, http.StatusOK, map[string]any{"blocks": views})
	return nil
}

func apiAddBlock(s *Server, w http.ResponseWriter, r *http.Request, c caller) error {
	whom, err := bridge.ParseAddress(r.PathValue("address"))
	if err != nil {
		return err
	}
	return noContent(w, s.service.Block(r.Context(), c.by, whom))
}

func apiDeleteBlock(s *Server, w http.ResponseWriter, r *http.Request, c caller) error {
	whom, err := bridge.ParseAddress(r.PathValue("address"))
	if err != nil {
		return err
	}
	return noContent(w, s.service.Unblock(r.Context(), c.by, whom))
}

// apiReach is one session through which the person can be reached.
type apiReach struct {
	Session apiSessionView `json:"session"`
	Me      apiMember      `json:"me"`
	People  []apiMember    `json:"people"`
}

func apiReaches(s *Server, w http.ResponseWriter, r *http.Request, c caller) error {
	reaches, err := s.service.Reaches(r.Context(), c.by)
	if err != nil {
		return err
	}
	views := make([]apiReach, len(reaches))
	for i, reach := range reaches {
		views[i] = apiReach{Session: sessionJSON(reach.Session), Me: memberJSON(reach.Me), People: []apiMember{}}
		for _, m := range reach.People {
			views[i].People = append(views[i].People, memberJSON(m))
		}
	}
	writeJSON(w, http.StatusOK, map[string]any{"reaches": views})
	return nil
}

// apiAuditEntry is an act of an operator, or a report of abuse.
type apiAuditEntry struct {
	ID      uuid.UUID  `json:"id"`
	At      time.Time  `json:"at"`
	Who     string     `json:"who"`
	Act     bridge.Act `json:"act"`
	Session string     `json:"session,omitempty"`
	About   string     `json:"about,omitempty"`
}

func apiAudit(s *Server, w http.ResponseWriter, r *http.Request, c caller) error {
	entries, err := s.service.Audit(r.Context(), c.by, apiLimit(r))
	if err != nil {
		return err
	}
	views := make([]apiAuditEntry, len(entries))
	for i, e := range entries {
		views[i] = apiAuditEntry{e.ID, e.At.UTC(), e.Who, e.Act, idOrNone(e.Session), e.About}
	}
	writeJSON(w, http.StatusOK, map[string]any{"entries": views})
	return nil
}
