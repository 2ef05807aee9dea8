package mailin

import (
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"

	"mailroom/bridge"
)

var (
	errMachine = refuse(550, "5.7.1", "not from a person", "This mail was sent by a program or a mailing list, and only people can start conversations here. Please write it yourself, directly.")
	errNobody  = refuse(550, "5.1.3", "nobody addressed", "There is nobody to talk with: put the people into To or Cc, beside the address of this server.")
	errCrowd   = refuse(550, "5.5.3", "too many people", "A conversation can have at most %d people beside you. Please write to fewer.", bridge.MaxRecipients)
	errSilence = refuse(550, "5.6.0", "empty", "There is no text in this mail. Please write something and send it again.")
)

// errNotAddressed is for a mail whose To and Cc do not show which of our addresses
// it came to: it may be another's mail that was sent on.
func errNotAddressed(own target) *refusal {
	return refuse(550, "5.7.1", string(own)+"@ not addressed", "To start a conversation, put the %s@ address into To or Cc, beside the people it is for.", own)
}

// prepareStart makes ready to start a session with the people in To and Cc, and
// with blind copies; own is the one of our addresses that the mail came to.
func (d *delivery) prepareStart(own target) (action, *refusal) {
	switch {
	case d.class == automatic && !surelyMachine(d.env, d.message.Header):
		return nil, errLooksAutomatic(d.why)
	case d.class != personal:
		return nil, errMachine
	}
	v, refused := d.sender()
	if refused != nil {
		return nil, refused
	}
	if !v.proved() {
		return nil, errNotProved(v)
	}
	by := bridge.Identity{Via: bridge.Mail, Address: v.From.Address, Name: v.From.Name}
	session, answers, err := d.server.service.Answered(d.ctx, by, d.answered())
	if err != nil {
		return nil, refusalOf(err)
	}
	if answers {
		if !d.meant(v, string(own)) {
			return nil, errNotAddressed(own)
		}
		return d.prepareAnswerToAll(v, by, session)
	}
	if err := d.server.service.MayStart(by); err != nil {
		return nil, refusalOf(err)
	}
	request, refused := d.startRequest(v, by, own)
	if refused != nil {
		return nil, refused
	}
	return func() (string, *refusal) {
		if _, err := d.server.service.Start(d.ctx, request); err != nil {
			return "", refusalOf(err)
		}
		return "session", nil
	}, nil
}

func (d *delivery) startRequest(v verdict, by bridge.Identity, own target) (bridge.StartRequest, *refusal) {
	shown, refused := d.shown(v)
	if refused != nil {
		return bridge.StartRequest{}, refused
	}
	invitees, refused := d.invitees(v, shown, own)
	if refused != nil {
		return bridge.StartRequest{}, refused
	}
	said, refused := d.said()
	if refused != nil {
		return bridge.StartRequest{}, refused
	}
	subject, off := startSubject(d.message.Header.get("Subject"))
	return bridge.StartRequest{
		By: by, Subject: subject, Body: d.body(said, WithoutSignature, sameHTML), Lang: d.lang(), Invitees: invitees,
		// Servers send a mail to new@ and off@ in two transactions, and both are one
		// session: what the mail shows decides, not which of them comes first.
		Options: bridge.Options{OffRecord: off || d.names(shown, toOff)},
		Origin:  d.origin(v), MessageID: d.messageID(v), Received: d.message.Raw,
	}, nil
}

// answered are the Message-IDs of the mails that this one answers, the nearest
// first (RFC 5322 §3.6.4). Few signatures cover them; that the author wrote to
// everybody of a session, new@ among them, is what is proved.
func (d *delivery) answered() (ids []string) {
	for _, name := range []string{"In-Reply-To", "References"} {
		listed := messageIDs.FindAllString(d.message.Header.get(name), -1)
		slices.Reverse(listed)
		for _, id := range listed {
			if id = strings.Trim(id, "<>"); !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

var messageIDs = regexp.MustCompile(`<[^<>\s]{1,250}>`)

// prepareAnswerToAll makes ready to post an answer to the mail that started a
// session: our address was in its Cc, so it stands in the answer too. New people
// in the answer are not invited by it.
func (d *delivery) prepareAnswerToAll(v verdict, by bridge.Identity, session uuid.UUID) (action, *refusal) {
	if refused := d.checkNoBlind(v); refused != nil {
		return nil, refused
	}
	said, refused := d.said()
	if refused != nil {
		return nil, refused
	}
	body := d.body(said, newText, NewHTML)
	if body == (bridge.Body{}) {
		return nil, errSilence
	}
	post := bridge.PostRequest{Session: session, By: by, Body: body, Lang: d.lang(), Origin: d.origin(v), Received: d.message.Raw}
	return func() (string, *refusal) {
		if _, err := d.server.service.Post(d.ctx, post); err != nil {
			return "", refusalOf(err)
		}
		return "answer to all", nil
	}, nil
}

func sameHTML(s string) string { return s }

// shown are the people and addresses of ours in To and Cc. Only lines that the
// proof covers count, since an added name would get a copy of everything that is
// said.
func (d *delivery) shown(v verdict) ([]mailbox, *refusal) {
	shown, refused := d.addressees()
	if refused != nil {
		return nil, refused
	}
	for _, name := range []string{"To", "Cc"} {
		if d.message.Header.has(name) && !v.covers(d.message.Header, name) {
			return nil, errNotCovered(v, name)
		}
	}
	return shown, nil
}

// names says if one of our addresses is among those of a mail.
func (d *delivery) names(shown []mailbox, own target) bool {
	return slices.ContainsFunc(shown, func(m mailbox) bool {
		return m.Address.Domain() == d.server.config.Domain && m.Address.Localpart() == string(own)
	})
}

// invitees are everybody in To and Cc but us and the initiator, once, and the
// blind copies.
func (d *delivery) invitees(v verdict, shown []mailbox, own target) ([]bridge.Invitee, *refusal) {
	if !d.names(shown, own) {
		return nil, errNotAddressed(own)
	}
	var invitees []bridge.Invitee
	seen := map[bridge.Address]bool{v.From.Address: true}
	for _, m := range shown {
		if m.Address.Domain() != d.server.config.Domain && !seen[m.Address] {
			seen[m.Address] = true
			invitees = append(invitees, bridge.Invitee{Address: m.Address, Name: m.Name})
		}
	}
	blind, refused := d.blind(v, shown)
	if refused != nil {
		return nil, refused
	}
	for _, m := range blind {
		invitees = append(invitees, bridge.Invitee{Address: m.Address, Name: m.Name, Blind: true})
	}
	switch {
	case len(invitees) == 0:
		return nil, errNobody
	case len(invitees) > bridge.MaxRecipients:
		return nil, errCrowd
	}
	return invitees, nil
}
