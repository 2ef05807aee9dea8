package mailin

import (
	"mailroom/bridge"
)

var errListAnswer = refuse(550, "5.7.1", "through a list", "This mail came through a mailing list, and only people can take part in conversations here. Please answer directly.")

// errLooksAutomatic is the answer to a mail that bears a weak sign of a machine:
// the person who wrote it nevertheless learns which one.
func errLooksAutomatic(sign string) *refusal {
	return refuse(550, "5.7.1", "looks automatic", "This mail looks as if a program had sent it (because of: %s), and only people can take part in conversations here. If you wrote it yourself, please change that and send it again.", sign)
}

// unfit is for a mail that is not personal: nobody reads what a machine is told,
// but a person may stand behind everything else.
func (d *delivery) unfit() (action, *refusal) {
	switch {
	case surelyMachine(d.env, d.message.Header):
		return drop(string(d.class) + " (" + d.why + ")"), nil
	case d.class == list:
		return nil, errListAnswer
	}
	return nil, errLooksAutomatic(d.why)
}

// prepareAnswer makes ready to post the new text of an answer. Who may post is
// for bridge to say: an answer whose sender is not proved is held until the owner
// of the address has confirmed it.
func (d *delivery) prepareAnswer(token string) (action, *refusal) {
	if d.class != personal {
		return d.unfit()
	}
	v, refused := d.sender()
	if refused != nil {
		return nil, refused
	}
	if !v.proved() && v.Policy == policyReject {
		return nil, errNotProved(v)
	}
	said, refused := d.said()
	if refused != nil {
		return nil, refused
	}
	body := d.body(said, newText, NewHTML)
	if body == (bridge.Body{}) {
		return nil, errSilence
	}
	reply := bridge.MailReply{
		Token: token, Sender: v.From.Address, Authenticated: v.proved() && d.meant(v, "r-"+token),
		Post: bridge.PostRequest{
			By:   bridge.Identity{Via: bridge.Mail, Name: v.From.Name},
			Body: body, Lang: d.lang(), Origin: d.origin(v), Received: d.message.Raw,
		},
	}
	return func() (string, *refusal) {
		posted, err := d.server.service.ReplyByMail(d.ctx, reply)
		switch {
		case err != nil:
			return "", refusalOf(err)
		case !posted:
			return "held", nil
		}
		return "reply", nil
	}, nil
}

func newText(text string) string {
	kept, _ := NewText(text)
	return kept
}

// meant says if the proof covers that the mail was written to this address: a
// signed mail to somebody else could be sent to it by whoever knows the address.
func (d *delivery) meant(v verdict, localpart string) bool {
	if v.signed == nil {
		return true
	}
	people, refused := d.addressees()
	if refused != nil || !v.covers(d.message.Header, "To") || !v.covers(d.message.Header, "Cc") {
		return false
	}
	for _, m := range people {
		if m.Address.ID == localpart+"@"+d.server.config.Domain {
			return true
		}
	}
	return false
}
