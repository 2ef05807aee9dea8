package mailin

import (
	"strings"

	"mailroom/bridge"
)

// A blind copy is somebody whom the author's mail program named in Bcc: it tells
// its submission server of them, and shows them in neither To nor Cc. Only who
// has signed in has blind copies: from outside, an address that no header field
// shows is a forwarder's, a list's or a forger's doing, and invites nobody.

// takeBcc takes the Bcc fields out of a mail, as a submission server must before
// the mail goes on (RFC 5322 §3.6.3), and so out of what is kept of it.
func (d *delivery) takeBcc() {
	d.bcc = d.message.Header.all("Bcc")
	d.message = d.message.without("Bcc")
}

// blind are the blind copies of a mail, each once: whom its Bcc names or only its
// envelope.
func (d *delivery) blind(v verdict, shown []mailbox) ([]mailbox, *refusal) {
	var named []mailbox
	for _, value := range d.bcc {
		list, refused := mailboxes("Bcc", value)
		if refused != nil {
			return nil, refused
		}
		named = append(named, list...)
	}
	for _, a := range d.env.Foreign {
		named = append(named, mailbox{Address: a})
	}
	seen := map[bridge.Address]bool{v.From.Address: true}
	for _, m := range shown {
		seen[m.Address] = true
	}
	var blind []mailbox
	for _, m := range named {
		if m.Address.Domain() != d.server.config.Domain && !seen[m.Address] {
			seen[m.Address] = true
			blind = append(blind, m)
		}
	}
	return blind, nil
}

// checkNoBlind refuses an answer that would not reach all for whom it is. It
// names them to their author alone.
func (d *delivery) checkNoBlind(v verdict) *refusal {
	shown, refused := d.addressees()
	if refused != nil {
		return refused
	}
	blind, refused := d.blind(v, shown)
	if refused != nil || len(blind) == 0 {
		return refused
	}
	var hidden []string
	for _, m := range blind {
		hidden = append(hidden, m.Address.ID)
	}
	return refuse(550, "5.7.1", "Bcc in an answer", "An answer cannot have blind copies (Bcc), and nothing was sent to anybody. Please leave these people out, or start a new conversation with them: %s", strings.Join(hidden, ", "))
}
