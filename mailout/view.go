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
	Product string
	Subject string // the session's; off the record one that tells nothing
	Preview string // what a list of mails shows beside the subject
	Account bool   // about an account: no part of a conversation
	Delimit bool   // answers to this mail go into the session

	Earlier  int // messages that are left out
	Messages []message

	From    person   // who invites
	Address string   // whose mail this is
	Others  string   // names of the other members
	Invited []person // for the initiator: everybody who was invited
	Held    *message // for the question to the owner of a reply address

	OffRecord, MatrixKeeps bool
	Blind                  bool     // the others do not see who reads this
	Ended                  bool     // the picture's words
	Next                   string   // what to do beside opening the page, or why there is nothing
	Terms                  []string // until when one can write, how long it is kept

	Code    string
	Minutes int    // how long a code or a link to sign in is valid
	Browser string // what a browser says it is
	Since   string // when it came in

	PageURL, StopURL, IconURL string
}

type person struct {
	Name, Address string
	Blind         bool
}

// Who is the name, with the address if it is known.
func (p person) Who() string {
	if p.Address == "" {
		return p.Name
	}
	return p.Name + " (" + p.Address + ")"
}

// Mailbox is the name with the address as mail programs write it.
func (p person) Mailbox() string {
	if p.Address == "" {
		return p.Name
	}
	return p.Name + " <" + p.Address + ">"
}

// message is one that the mail shows.
type message struct {
	Name string
	Time string
	Text string
	HTML template.HTML
}

func (s *Sender) view(l bridge.Letter) view {
	p := s.sentences.For(l.To.Lang, l.Room.Session.Lang)
	v := view{Printer: p, Product: s.settings.from.Name, Address: content.OneLine(l.To.Email().ID, bridge.MaxAddress)}
	switch l.Mail.Kind {
	case bridge.LetterSignIn:
		s.aboutSignIn(&v, l)
	case bridge.LetterCode:
		s.aboutAccount(&v, l)
		v.Code, v.Minutes = l.Code, int(bridge.CodeTime.Minutes())
	case bridge.LetterBound:
		s.aboutAccount(&v, l)
		s.aboutBrowser(&v, l)
	case bridge.LetterConfirm:
		v.Subject = sessionSubject(l, p)
		v.Held, v.PageURL = heldMessage(*l.Held), s.settings.page+"/c/"+l.Tokens.Confirm
	default:
		s.aboutSession(&v, l)
	}
	return v
}

// aboutSession is for the letters of a conversation.
func (s *Sender) aboutSession(v *view, l bridge.Letter) {
	session := l.Room.Session
	v.OffRecord, v.MatrixKeeps = session.Options.OffRecord, session.Options.MatrixKeeps
	v.Delimit = !v.OffRecord
	v.Subject = sessionSubject(l, v.Printer)
	v.PageURL = s.settings.page + "/j/" + l.Tokens.Join
	v.StopURL = s.settings.page + "/u/" + l.Tokens.Unsubscribe
	v.IconURL = s.settings.page + "/i/" + l.Tokens.Icon + ".png"
	addPeople(v, l)
	addTerms(v, l, time.Now())
	if !v.OffRecord {
		v.Messages, v.Earlier = shown(l, v.Printer.Lang())
		v.Preview = preview(*v)
	}
}

func addPeople(v *view, l bridge.Letter) {
	inviter := l.Room.InviterOf(l.To)
	v.From, v.Blind = personOf(l.Room, inviter), l.To.Blind
	present := others(l.Room, l.To.ID)
	if l.Mail.Kind == bridge.LetterStarted {
		v.Invited = people(l.Room, present)
	}
	if l.Mail.Kind == bridge.LetterInvitation { // it names who invites anyway
		present = others(l.Room, l.To.ID, inviter.ID)
	}
	v.Others = strings.Join(names(l.Room, present), ", ")
}

// sessionSubject is what the session is about. Off the record a mail does not tell
// it, and names who invited its reader instead.
func sessionSubject(l bridge.Letter, p locales.Printer) string {
	switch subject := content.OneLine(l.Room.Session.Subject, 255); {
	case l.Room.Session.Options.OffRecord && l.To.Role == bridge.Initiator:
		return p.T("mail.private_own")
	case l.Room.Session.Options.OffRecord:
		return p.T("mail.private", "Name", nameOf(l.Room, l.Room.InviterOf(l.To)))
	case subject != "":
		return subject
	}
	return p.T("mail.no_subject", "Name", nameOf(l.Room, l.Room.Initiator()))
}

// nameOf is the member's name for mails: without anything that could pass for an address.
func nameOf(room *bridge.Room, m bridge.Member) string {
	if name := displayName(room.DisplayName(m)); name != "" {
		return name
	}
	m.Name = ""
	return displayName(m.Display())
}

func personOf(room *bridge.Room, m bridge.Member) person {
	return person{Name: nameOf(room, m), Address: content.OneLine(m.Address.ID, bridge.MaxAddress), Blind: m.Blind}
}

// others are the members that take part or may, except some.
func others(room *bridge.Room, except ...uuid.UUID) []bridge.Member {
	var members []bridge.Member
	for _, m := range room.Members {
		if !m.Gone() && !slices.Contains(except, m.ID) {
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
	m := message{Name: name, Time: moment(at), Text: body.Text}
	safe := body.PageHTML()
	if len(safe) > maxShown { // as text it takes a fraction of that
		m.Text = content.FromText(cut(body.Text, maxShown/8)).Text + " […]"
		safe = content.Linkify(m.Text)
	}
	m.HTML = template.HTML(safe) // made safe by package content
	return m
}

// moment is a time in UTC, since we do not know where the reader is.
func moment(at time.Time) string { return at.UTC().Format("2006-01-02 15:04") + " UTC" }

func cut(s string, bytes int) string {
	if len(s) <= bytes {
		return s
	}
	return strings.ToValidUTF8(s[:bytes], "")
}

// preview is the beginning of what is said, for the list of mails.
func preview(v view) string {
	if len(v.Messages) > 0 {
		return content.OneLine(v.Messages[0].Text, previewLength)
	}
	return ""
}
