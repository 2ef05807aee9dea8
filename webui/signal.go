package webui

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"mailroom/bridge"
)

// signal takes what is true of a moment: that the reader types, or has just moved something on the page. Whom it is shown
// to is the person's own setting, which the core asks. It is neither stored nor logged.
func (s *Server) signal(w http.ResponseWriter, r *http.Request) {
	v, ok := s.entered(w, r)
	if !ok {
		return
	}
	kind := bridge.SignalKind(r.PostForm.Get("kind"))
	if kind != bridge.Typing && kind != bridge.Here {
		s.refuse(w, r, &bridge.Error{Code: bridge.Invalid, Message: "That is no signal. Send kind=typing or kind=here."})
		return
	}
	if err := s.service.Signal(r.Context(), v.id, v.by, kind, r.PostForm.Get("on") == "1"); err != nil {
		s.refuse(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// sign is what the reader may see of another member now.
type sign struct {
	Member string `json:"member"`
	Typing bool   `json:"typing"`
	Here   bool   `json:"here"`
}

// signs are all that the reader may see of the others now, in a fixed order, and when the first of them runs out (zero:
// there is none).
func (f *follower) signs() (list []sign, until time.Time, err error) {
	signals, err := f.server.service.Signals(f.request.Context(), f.visit.id, f.visit.by)
	if err != nil {
		return nil, until, err
	}
	list = make([]sign, len(signals))
	for i, s := range signals {
		list[i] = sign{s.Member.String(), s.Typing, s.Here}
		if until.IsZero() || s.Until.Before(until) {
			until = s.Until
		}
	}
	slices.SortFunc(list, func(a, b sign) int { return cmp.Compare(a.Member, b.Member) })
	return list, until, nil
}
