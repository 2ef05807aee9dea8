package webui

import (
	"net/http"
	"time"

	"mailroom/bridge"
)

// apiOptions are a session's options as the API tells and takes them.
type apiOptions struct {
	OffRecord        bool       `json:"off_record"`
	MatrixKeeps      bool       `json:"matrix_keeps"`
	MembersInvite    bool       `json:"members_invite"`
	HideAddresses    bool       `json:"hide_addresses"`
	NewcomersFromNow bool       `json:"newcomers_from_now"`
	KeepForSeconds   int64      `json:"keep_for_seconds"` // 0: as long as the installation does
	ExpiresAt        *time.Time `json:"expires_at"`       // null: never
}

func optionsJSON(o bridge.Options) apiOptions {
	return apiOptions{
		o.OffRecord, o.MatrixKeeps, o.MembersInvite, o.HideAddresses, o.NewcomersFromNow,
		int64(o.KeepFor / time.Second), timeOrNone(o.ExpiresAt),
	}
}

func (a apiOptions) options() bridge.Options {
	o := bridge.Options{
		OffRecord: a.OffRecord, MatrixKeeps: a.MatrixKeeps, MembersInvite: a.MembersInvite, HideAddresses: a.HideAddresses,
		NewcomersFromNow: a.NewcomersFromNow, KeepFor: seconds(a.KeepForSeconds),
	}
	if a.ExpiresAt != nil {
		o.ExpiresAt = *a.ExpiresAt
	}
	return o
}

// seconds is a time of so many; what no session can be kept for stays so instead of running over.
func seconds(n int64) time.Duration {
	const most = int64(bridge.MaxKeepFor/time.Second) + 1
	return time.Duration(max(-1, min(n, most))) * time.Second
}

// apiSetOptions changes the options that the body names, and leaves the others.
func apiSetOptions(s *Server, w http.ResponseWriter, r *http.Request, c caller) error {
	room, _, err := s.service.View(r.Context(), c.session, c.by)
	if err != nil {
		return err
	}
	wanted := optionsJSON(room.Session.Options)
	if err := decode(w, r, &wanted); err != nil {
		return err
	}
	if _, err := s.service.SetOptions(r.Context(), c.session, c.by, wanted.options()); err != nil {
		return err
	}
	return s.answerView(w, r, c, http.StatusOK)
}
