package webui

import (
	"slices"
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
	Address string `json:"address,omitempty"` // "" if it is hidden from the reader
	Initial string `json:"initial"`
	Hue     int    `json:"hue"`
	Badge   string `json:"badge"`
	Waiting bool   `json:"waiting"`          // invited, no answer yet; or gone again
	Remove  string `json:"remove,omitempty"` // where the reader can remove them; "" if the reader cannot

	// For the page alone.
	Printer  locales.Printer `json:"-"`
	Reader   string          `json:"-"`
	Removing bool            `json:"-"` // the reader can remove people
}

// people lists the audience, then those who were invited and have not answered. Who can remove people also sees those who
// left: they can still read, and come back.
func (v *visit) people() []person {
	var here, waiting, left []person
	for _, m := range v.room.Members {
		switch {
		case m.State == bridge.Joined:
			here = append(here, v.person(m))
		case m.State == bridge.Invited:
			waiting = append(waiting, v.person(m))
		case m.State == bridge.Left && v.may(bridge.ActRevoke):
			left = append(left, v.person(m))
		}
	}
	return slices.Concat(here, waiting, left)
}

func (v *visit) person(m bridge.Member) person {
	one := v.nobody()
	one.ID, one.Name, one.Address, one.Hue = m.ID.String(), v.room.DisplayName(m), m.Address.ID, hue(m)
	one.Initial, one.Badge, one.Waiting = initial(one.Name), v.badge(m), m.State != bridge.Joined
	if one.Removing && m.Role != bridge.Initiator {
		one.Remove = v.path() + "/members/" + one.ID + "/remove"
	}
	return one
}

// nobody is what all people on the reader's page have in common.
func (v *visit) nobody() person {
	return person{Hue: 1, Printer: v.tell.printer, Reader: v.me.ID.String(), Removing: v.may(bridge.ActRevoke)}
}

func (v *visit) badge(m bridge.Member) string {
	switch p := v.tell.printer; {
	case m.ID == v.me.ID:
		return p.T("page.you")
	case m.Blind:
		return p.T("page.blind_badge")
	case m.State == bridge.Invited:
		return p.T("page.invited_badge")
	case m.State == bridge.Left:
		return p.T("page.left_badge")
	default:
		return networkName(p, reachedBy(m))
	}
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
