package mailin

import (
	"log/slog"
	"time"
)

// note writes the log line of a mail that was refused as a whole.
func (s *Server) note(p peer, d *delivery, refused *refusal) {
	s.log.Info("mail", "class", "refused", "reason", refused.Reason, "code", refused.Code, "peer", p.Name,
		"size", d.size, "took", time.Since(d.started).Round(time.Millisecond), detail(refused))
}

// noteRecipient writes the log line of a mail for one recipient. It tells what
// the mail was and why, never the token or a word of it.
func (s *Server) noteRecipient(d *delivery, r recipient, done string, refused *refusal) {
	reason := d.why
	if refused != nil {
		done, reason = "refused", refused.Reason
	}
	attributes := []any{
		"class", done, "reason", logWord(reason), "to", string(r.For), "code", codeOf(refused), "kind", string(d.class),
		"peer", d.peer.Name, "size", d.size, "took", time.Since(d.started).Round(time.Millisecond), detail(refused),
	}
	if d.verdict != nil {
		attributes = append(attributes, "from", d.verdict.From.Address.ID, "level", string(d.verdict.Level), "basis", d.verdict.Basis)
	}
	level := slog.LevelInfo
	if refused != nil && refused.temporary() {
		level = slog.LevelWarn
	}
	s.log.Log(d.ctx, level, "mail", attributes...)
}

// detail is what only the log may know about a refusal.
func detail(r *refusal) slog.Attr {
	if r == nil || r.Err == nil {
		return slog.Attr{}
	}
	return slog.String("error", r.Err.Error())
}
