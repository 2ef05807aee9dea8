package webui

import (
	"unicode"
	"unicode/utf8"

	"mailroom/bridge"
	"mailroom/locales"
)

// hues is how many colours people have; the next one after them begins again.
const hues = 8

// person is a member as the page shows them.
type person struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Address string `json:"address"`
	Initial string `json:"initial"`
	Hue     int    `json:"hue"`
	Badge   string `json:"badge"`
	Waiting bool   `json:"waiting"` // invited, no answer yet
}

// people lists the audience, and after it those who were invited and have not answered.
func people(p locales.Printer, room *bridge.Room, me bridge.Member) []person {
	var here, waiting []person
	for _, m := range room.Members {
		switch m.State {
		case bridge.Joined:
			here = append(here, newPerson(p, room, m, me))
		case bridge.Invited:
			waiting = append(waiting, newPerson(p, room, m, me))
		}
	}
	return append(here, waiting...)
}

func newPerson(p locales.Printer, room *bridge.Room, m, me bridge.Member) person {
	name := room.DisplayName(m)
	v := person{ID: m.ID.String(), Name: name, Address: m.Address.ID, Initial: initial(name), Hue: hue(m), Waiting: m.State == bridge.Invited}
	switch {
	case m.ID == me.ID:
		v.Badge = p.T("page.you")
	case v.Waiting:
		v.Badge = p.T("page.invited_badge")
	default:
		v.Badge = networkName(p, reachedBy(m))
	}
	return v
}

// reachedBy is the network by which the member takes part.
func reachedBy(m bridge.Member) bridge.Network {
	for _, n := range []bridge.Network{bridge.Matrix, bridge.XMPP} {
		if m.JoinedBy(n) {
			return n
		}
	}
	if m.Email().IsZero() {
		return m.Address.Network
	}
	return bridge.Mail
}

func networkName(p locales.Printer, n bridge.Network) string {
	switch n {
	case bridge.Mail:
		return p.T("page.by_mail")
	case bridge.Web:
		return p.T("page.by_web")
	case bridge.Matrix:
		return "Matrix"
	case bridge.XMPP:
		return "XMPP"
	}
	return string(n)
}

func hue(m bridge.Member) int { return (max(m.Number, 1)-1)%hues + 1 }

// initial is the letter in the circle.
func initial(name string) string {
	r, _ := utf8.DecodeRuneInString(name)
	if r == utf8.RuneError || !unicode.IsPrint(r) {
		return "?"
	}
	return string(unicode.ToUpper(r))
}

// present is how many people can read the session: members whose grant lives.
func present(room *bridge.Room) int {
	n := 0
	for _, m := range room.Members {
		if m.State == bridge.Joined || m.State == bridge.Invited {
			n++
		}
	}
	return n
}

// subject is the session's subject, or words for a missing one.
func subject(p locales.Printer, room *bridge.Room) string {
	if room.Session.Subject == "" {
		return p.T("page.no_subject")
	}
	return room.Session.Subject
}
