package app

import (
	"context"
	"io"
)

// ListAudit prints what operators did and what was reported, the newest first.
func (d Desk) ListAudit(ctx context.Context, limit int, asJSON bool) error {
	return show(ctx, d, "ListAudit", limit, asJSON, func(table io.Writer, lines []AuditLine) {
		if len(lines) == 0 {
			row(table, "Nothing was done or reported yet.")
			return
		}
		row(table, "AT", "WHO", "ACT", "SESSION", "ABOUT")
		for _, l := range lines {
			row(table, moment(l.At), l.Who, l.Act, l.Session, l.About)
		}
	})
}

// ListLimits prints what was used of the limits today, the most first.
func (d Desk) ListLimits(ctx context.Context, limit int, asJSON bool) error {
	return show(ctx, d, "ListLimits", limit, asJSON, func(table io.Writer, uses []LimitUse) {
		if len(uses) == 0 {
			row(table, "Nothing was used of any limit today.")
			return
		}
		row(table, "USED", "OF", "LIMIT")
		for _, u := range uses {
			row(table, u.Used, u.most(), u.Name)
		}
	})
}

func (u LimitUse) most() any {
	if u.Max == 0 {
		return "any"
	}
	return u.Max
}

// LiftLimit lets a limit begin anew.
func (d Desk) LiftLimit(ctx context.Context, name string) error { return d.say(ctx, "LiftLimit", name) }
