package mailout

import (
	"html/template"
	"slices"
	"strings"
	"time"

	"mailroom/bridge"
	"mailroom/content"
	"mailroom/locales"

	"github.com/google/uuid"
)

// maxShown is how many bytes of HTML the messages of one mail have together. Gmail hides what comes after 102 KB of a mail,
// and with it the link; the page has everything.
const maxShown = 64 << 10

// previewLength is how many runes of the first message the list of mails shows.
const previewLength = 120

// view is what the templates say.
type view struct {
	Printer locales.Printer
	Subject string
	Preview string // what a list of mails shows beside the subject
	Delimit bool   // answers to this mail go into the session
	Ended   bool

	Earlier  int // messages that are left out
	Messages []message

	From    person   // who invites
	Address string   // whose mail this is
	Others  string   // names of the other members
	Invited []person // for the initiator: everybody who was invited
	Held    *message // for the question to the owner of a reply address

	PageURL, StopURL, IconURL string
}

type person struct{ Name, Address string }

// message is one that the mail shows.
type message struct {
	Name string
	Time string // in UTC, since we do not know where the reader is
	Text string
	HTML template.HTML
}

func (s *Sender) view(l bridge.Letter) view {
	p := s.sentences.For(l.To.Lang, l.Room.Session.Lang)
	initiator := l.Room.Initiator()
	v := view{
		Printer: p,
		Delimit: l.Mail.Kind != bridge.LetterConfirm,
		Ended:   l.Room.Session.State == bridge.Ended,
		From:    personOf(l.Room, initiator),
		Address: content.OneLine(l.To.Email().ID, bridge.MaxAddress),
		PageURL: s.settings.page + "/j/" + l.Tokens.Join,
		StopURL: s.settings.page + "/u/" + l.Tokens.Unsubscribe,
		IconURL: s.settings.page + "/i/" + l.Tokens.Icon + ".png",
	}
	v.Subject = sessionSubject(l.Room, p)
	present := others(l.Room, l.To.ID)
	if l.Mail.Kind == bridge.LetterInvitation { // it names the initiator anyway
		present = others(l.Room, l.To.ID, initiator.ID)
	}
	v.Others = strings.Join(names(l.Room, present), ", ")
	if l.Mail.Kind == bridge.LetterStarted {
		v.Invited = people(l.Room, others(l.Room, l.To.ID))
	}
	v.Messages, v.Earlier = shown(l, p.Lang())
	if l.Held != nil {
		v.Held = heldMessage(*l.Held)
		v.PageURL = s.settings.page + "/c/" + l.Tokens.Confirm
	}
	v.Preview = preview(v)
	return v
}

func sessionSubject(room *bridge.Room, p locales.Printer) string {
	if subject := content.OneLine(room.Session.Subject, 255); subject != "" {
		return subject
	}
	return p.T("mail.no_subject", "Name", nameOf(room, room.Initiator()))
}

// nameOf is the member's name for mails: without anything that could pass for an address.
func nameOf(room *bridge.Room, m bridge.Member) string {
	if name := displayName(room.DisplayName(m)); name != "" {
		return name
	}
	return displayName(m.Address.Localpart())
}

func personOf(room *bridge.Room, m bridge.Member) person {
	return person{Name: nameOf(room, m), Address: content.OneLine(m.Address.ID, bridge.MaxAddress)}
}

// others are the members that take part or may, except some.
func others(room *bridge.Room, except ...uuid.UUID) []bridge.Member {
	var members []bridge.Member
	for _, m := range room.Members {
		gone := m.State == bridge.Left || m.State == bridge.Revoked
		if !gone && !slices.Contains(except, m.ID) {
			members = append(members, m)
		}
	}
	return members
}

func names(room *bridge.Room, members []bridge.Member) []string {
	var names []string
	for _, m := range members {
		names = append(names, nameOf(room, m))
	}
	return names
}

func people(room *bridge.Room, members []bridge.Member) []person {
	var people []person
	for _, m := range members {
		people = append(people, personOf(room, m))
	}
	return people
}

// shown are the messages that fit the mail: the first one of an invitation, which says what it is about, and then the
// newest ones. earlier is how many are left out.
func shown(l bridge.Letter, lang string) (messages []message, earlier int) {
	room, records := l.Room, l.Records
	var first []message
	space := maxShown
	if l.Mail.Kind == bridge.LetterInvitation && len(records) > 0 {
		first = []message{messageOf(room, records[0], lang)}
		records, space = records[1:], space-len(first[0].HTML)
	}
	for i, r := range slices.Backward(records) {
		m := messageOf(room, r, lang)
		if space -= len(m.HTML); space < 0 && len(first)+len(messages) > 0 {
			earlier = i + 1
			break
		}
		messages = append(messages, m)
	}
	slices.Reverse(messages)
	return append(first, messages...), earlier
}

func messageOf(room *bridge.Room, r bridge.Record, lang string) message {
	author, _ := room.Member(r.Member)
	body := r.Body
	if processed, ok := r.Texts[lang]; ok {
		body = processed
	}
	return newMessage(nameOf(room, author), r.At, content.Body(body))
}

func heldMessage(h bridge.Held) *message {
	m := newMessage(content.OneLine(h.Sender.ID, bridge.MaxAddress), h.At, content.Body(h.Body))
	return &m
}

func newMessage(name string, at time.Time, body content.Body) message {
	m := message{Name: name, Time: at.UTC().Format("2006-01-02 15:04") + " UTC", Text: body.Text}
	safe := body.PageHTML()
	if len(safe) > maxShown { // as text it takes a fraction of that
		m.Text = content.FromText(cut(body.Text, maxShown/8)).Text + " […]"
		safe = content.Linkify(m.Text)
	}
	m.HTML = template.HTML(safe) // made safe by package content
	return m
}

func cut(s string, bytes int) string {
	if len(s) <= bytes {
		return s
	}
	return strings.ToValidUTF8(s[:bytes], "")
}

// preview is the beginning of what is said, for the list of mails.
func preview(v view) string {
	if v.Held == nil && len(v.Messages) > 0 {
		return content.OneLine(v.Messages[0].Text, previewLength)
	}
	return ""
}
