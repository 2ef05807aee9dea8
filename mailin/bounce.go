package mailin

import "strings"

var errPeopleNotReports = refuse(550, "5.7.1", "no report", "This address takes reports about the delivery of mail only. To say something in the conversation, answer the mail itself, so that it goes to its Reply-To address.")

// prepareReport takes what comes back to the envelope sender of our mails: the
// report of a failure is told to the session, everything else from machines is
// dropped on purpose and never answered (RFC 3834 §2).
func (d *delivery) prepareReport(token string) (action, *refusal) {
	said, refused := d.said()
	if refused != nil {
		return nil, refused
	}
	r, ok := parseReport(said.Parts, d.env, d.message.Header)
	if !ok {
		if d.class == personal {
			return nil, errPeopleNotReports
		}
		return drop(string(d.class) + " (" + d.why + ")"), nil
	}
	if r.Action != "failed" {
		return drop("report of " + logWord(r.Action) + " " + r.Status), nil
	}
	return func() (string, *refusal) {
		if err := d.server.service.Bounced(d.ctx, token, r.reason()); err != nil {
			return "", refusalOf(err)
		}
		d.server.log.Info("a mail came back", "status", r.Status, "said", logWord(r.Diagnostic))
		return "bounce " + r.Status, nil
	}, nil
}

// prepareUnsubscribe ends the mails of a session to the holder of the token, who
// needs no other proof: mail programs send this on a click (RFC 2369 §3.2).
func (d *delivery) prepareUnsubscribe(token string) (action, *refusal) {
	if d.class == report || d.class == automatic && strings.HasPrefix(d.why, "null") {
		return drop(string(d.class) + " (" + d.why + ")"), nil
	}
	return func() (string, *refusal) {
		if err := d.server.service.Unsubscribe(d.ctx, token); err != nil {
			return "", refusalOf(err)
		}
		return "unsubscribed", nil
	}, nil
}
