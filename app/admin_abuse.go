package app

import (
	"context"
	"fmt"
	"time"

	"mailroom/bridge"

	"github.com/google/uuid"
)

// AuditLine is an act of somebody with power over others' sessions, or a report
// of abuse.
type AuditLine struct {
	At      time.Time `json:"at"`
	Who     string    `json:"who"`
	Act     string    `json:"act"`
	Session string    `json:"session"` // "" if it is about none
	About   string    `json:"about"`
}

// LimitUse is what was used of a limit today.
type LimitUse struct {
	Name string `json:"name"`
	Used int    `json:"used"`
	Max  int    `json:"max"` // 0: no limit
}

// ListAudit lists the newest first.
func (a *Admin) ListAudit(limit int, lines *[]AuditLine) error {
	entries, err := a.service.Audit(context.Background(), operator, limit)
	*lines = make([]AuditLine, 0, len(entries))
	for _, e := range entries {
		line := AuditLine{At: e.At, Who: e.Who, Act: string(e.Act), About: e.About}
		if e.Session != uuid.Nil {
			line.Session = e.Session.String()
		}
		*lines = append(*lines, line)
	}
	return err
}

// ListLimits lists what was used today, the most first.
func (a *Admin) ListLimits(limit int, uses *[]LimitUse) error {
	usages, err := a.service.Usages(context.Background(), operator, limit)
	*uses = make([]LimitUse, 0, len(usages))
	for _, u := range usages {
		*uses = append(*uses, LimitUse{Name: u.Name, Used: u.Used, Max: u.Max})
	}
	return err
}

// LiftLimit lets a limit begin anew.
func (a *Admin) LiftLimit(name string, sentence *string) error {
	*sentence = fmt.Sprintf("What was used of %q is forgotten; it begins anew.", name)
	err := a.service.Lift(context.Background(), operator, name)
	if bridge.CodeOf(err) == bridge.NotFound {
		return fmt.Errorf("nothing was used of a limit named %q. See: mailroom limits list", name)
	}
	return err
}
