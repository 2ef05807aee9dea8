package harness

import (
	"context"
	"crypto/rand"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Stanza is a message, a presence or an iq that came in.
type Stanza struct {
	XMLName   xml.Name
	From      string  `xml:"from,attr"`
	To        string  `xml:"to,attr"`
	Type      string  `xml:"type,attr"`
	ID        string  `xml:"id,attr"`
	Body      *string `xml:"body"`
	Subject   *string `xml:"subject"`
	StanzaIDs []struct {
		By string `xml:"by,attr"`
		ID string `xml:"id,attr"`
	} `xml:"urn:xmpp:sid:0 stanza-id"`
	Muc struct {
		Statuses []struct {
			Code string `xml:"code,attr"`
		} `xml:"status"`
		Invite *struct {
			From string `xml:"from,attr"`
		} `xml:"invite"`
	} `xml:"http://jabber.org/protocol/muc#user x"`
	Inner string `xml:",innerxml"`

	At time.Time `xml:"-"` // when it came
}

// Has says if the stanza has a status code (XEP-0045 §15.6).
func (s Stanza) Has(code string) bool {
	for _, status := range s.Muc.Statuses {
		if status.Code == code {
			return true
		}
	}
	return false
}

// stanzaID is the id that the room gave a message, "" if none (XEP-0359 §3.1).
func (s Stanza) stanzaID() string {
	for _, id := range s.StanzaIDs {
		if id.By == s.Room() {
			return id.ID
		}
	}
	return ""
}

// Room is the bare JID that a stanza came from.
func (s Stanza) Room() string {
	bare, _, _ := strings.Cut(s.From, "/")
	return bare
}

// XMPPUser is a person with an XMPP client. All that it ever received stays in its view, also over a new connection.
type XMPPUser struct {
	JID string // full

	server   string
	resource string

	mu      sync.Mutex
	conn    net.Conn
	down    chan struct{} // closed when the connection has ended
	stanzas []Stanza
	news    chan struct{} // closed and replaced with each stanza
}

// NewXMPPUser connects an account of the local server.
func (s *Site) NewXMPPUser(t *testing.T, name string) *XMPPUser {
	t.Helper()
	return newXMPPUser(t, s.Stack.Prosody.Client, name+"@"+Domain)
}

// NewForeignXMPPUser connects an account of the other server.
func (s *Site) NewForeignXMPPUser(t *testing.T, name string) *XMPPUser {
	t.Helper()
	return newXMPPUser(t, s.Stack.Prosody.Other, name+"@"+OtherDomain)
}

func newXMPPUser(t *testing.T, server, bare string) *XMPPUser {
	t.Helper()
	u := &XMPPUser{JID: bare + "/client", server: server, resource: "client", news: make(chan struct{})}
	require.NoError(t, u.Connect())
	t.Cleanup(u.close)
	return u
}

func (u *XMPPUser) close() {
	u.mu.Lock()
	conn, down := u.conn, u.down
	u.mu.Unlock()
	_ = conn.Close() // it may have ended already
	<-down
}

// Connect connects, signs in with SASL PLAIN and becomes available (RFC 6120, RFC 6121).
func (u *XMPPUser) Connect() error {
	conn, err := net.Dial("tcp", u.server)
	if err != nil {
		return err
	}
	s := stream{conn: conn}
	bare, _, _ := strings.Cut(u.JID, "/")
	name, domain, _ := strings.Cut(bare, "@")
	steps := []func() error{
		func() error { return s.open(domain) },
		func() error { return s.signIn(name) },
		func() error { return s.open(domain) },
		func() error { return s.bind(u.resource) },
		func() error { return s.write("<presence/>") },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return errors.Join(err, conn.Close())
		}
	}
	down := make(chan struct{})
	u.mu.Lock()
	u.conn, u.down = conn, down
	u.mu.Unlock()
	go func() {
		defer close(down)
		u.read(s.decoder)
	}()
	return nil
}

// Connected says if the connection stands.
func (u *XMPPUser) Connected() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	select {
	case <-u.down:
		return false
	default:
		return true
	}
}

func (u *XMPPUser) read(decoder *xml.Decoder) {
	for {
		var s Stanza
		start, err := nextElement(decoder)
		if err == nil {
			err = decoder.DecodeElement(&s, &start)
		}
		if err != nil {
			return // the connection has ended
		}
		s.At = time.Now()
		u.mu.Lock()
		u.stanzas = append(u.stanzas, s)
		close(u.news)
		u.news = make(chan struct{})
		u.mu.Unlock()
	}
}

// Write sends XML as it is.
func (u *XMPPUser) Write(text string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	_, err := io.WriteString(u.conn, text)
	return err
}

// Mark is the number of stanzas so far: the start for a wait.
func (u *XMPPUser) Mark() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.stanzas)
}

// Since are those that came after a mark.
func (u *XMPPUser) Since(mark int) []Stanza {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.stanzas[mark:len(u.stanzas):len(u.stanzas)]
}

// Find waits for a stanza after a mark.
func (u *XMPPUser) Find(ctx context.Context, mark int, what string, match func(Stanza) bool) (Stanza, error) {
	for {
		u.mu.Lock()
		news, stanzas := u.news, u.stanzas[mark:len(u.stanzas):len(u.stanzas)]
		u.mu.Unlock()
		for _, s := range stanzas {
			if match(s) {
				return s, nil
			}
		}
		mark += len(stanzas)
		select {
		case <-news:
		case <-u.ended():
			return Stanza{}, fmt.Errorf("%s waits for %s and is not connected", u.JID, what)
		case <-ctx.Done():
			return Stanza{}, fmt.Errorf("%s waits for %s: %w", u.JID, what, ctx.Err())
		}
	}
}

func (u *XMPPUser) ended() <-chan struct{} {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.down
}

// Ask sends a stanza of which the text holds %s in the place of its id, and waits for what comes back with that id.
func (u *XMPPUser) Ask(ctx context.Context, text string) (Stanza, error) {
	mark, id := u.Mark(), rand.Text()
	if err := u.Write(fmt.Sprintf(text, id)); err != nil {
		return Stanza{}, err
	}
	return u.Find(ctx, mark, "an answer", func(s Stanza) bool { return s.ID == id })
}

// Hear sends a stanza of which the text holds %s in the place of its id, asks the room that it is for to answer a ping, and
// returns everything that came from there until that answer: rooms answer in turn, so that it is all there is.
func (u *XMPPUser) Hear(ctx context.Context, text, room string) ([]Stanza, error) {
	mark, id, ping := u.Mark(), rand.Text(), rand.Text()
	text = fmt.Sprintf(text, id) + fmt.Sprintf(`<iq id='%s' to='%s' type='get'><ping xmlns='urn:xmpp:ping'/></iq>`, ping, room)
	if err := u.Write(text); err != nil {
		return nil, err
	}
	if _, err := u.Find(ctx, mark, "a pong", func(s Stanza) bool { return s.ID == ping }); err != nil {
		return nil, err
	}
	var heard []Stanza
	for _, s := range u.Since(mark) {
		if s.ID == ping {
			break
		}
		if s.ID == id {
			s.ID = "ID"
		}
		if s.Room() == room {
			heard = append(heard, s)
		}
	}
	return heard, nil
}

// Accept waits for the invitation into a room with this subject, and enters it under the nick.
func (u *XMPPUser) Accept(t *testing.T, subject, nick string) (room string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	invitation, err := u.Find(ctx, 0, "an invitation", func(s Stanza) bool {
		return s.Muc.Invite != nil && strings.Contains(s.Inner, xmlText(subject))
	})
	require.NoError(t, err)
	require.NoError(t, u.Enter(ctx, invitation.Room(), nick))
	return invitation.Room()
}

// StanzaError is a refusal of an XMPP entity.
type StanzaError struct{ Stanza Stanza }

func (e *StanzaError) Error() string { return "refused: " + e.Stanza.Inner }

// Enter enters a room and returns when the person is inside, or with a *StanzaError (XEP-0045 §7.2). Clients take the subject
// for the end of what the room has to tell first, the history included (§7.2.15).
func (u *XMPPUser) Enter(ctx context.Context, room, nick string) error {
	mark := u.Mark()
	join := `<presence id='%s' to='` + room + "/" + xmlText(nick) + `'><x xmlns='http://jabber.org/protocol/muc'/></presence>`
	if err := u.Write(fmt.Sprintf(join, rand.Text())); err != nil {
		return err
	}
	answer, err := u.Find(ctx, mark, "the answer to entering", func(s Stanza) bool {
		return s.Room() == room && (s.XMLName.Local == "presence" && s.Type == "error" || s.Subject != nil && s.Body == nil)
	})
	if err == nil && answer.Type == "error" {
		return &StanzaError{answer}
	}
	return err
}

// Inside asks the room if the person is inside under a nick (XEP-0410).
func (u *XMPPUser) Inside(ctx context.Context, room, nick string) (bool, error) {
	answer, err := u.Ask(ctx, `<iq id='%s' type='get' to='`+room+"/"+xmlText(nick)+`'><ping xmlns='urn:xmpp:ping'/></iq>`)
	if err == nil && answer.Type == "error" && strings.Contains(answer.Inner, "type='wait'") {
		err = &StanzaError{answer} // the room's server is down
	}
	return err == nil && answer.Type == "result", err
}

// Say says a text in a room and returns when the room has reflected it, or with a *StanzaError. With the same id it is said
// once (XEP-0359).
func (u *XMPPUser) Say(ctx context.Context, room, id, text string) error {
	mark := u.Mark()
	message := `<message type='groupchat' id='` + id + `' to='` + room + `'><body>` + xmlText(text) +
		`</body><origin-id xmlns='urn:xmpp:sid:0' id='` + id + `'/></message>`
	if err := u.Write(message); err != nil {
		return err
	}
	answer, err := u.Find(ctx, mark, "the reflection of "+text, func(s Stanza) bool {
		return s.XMLName.Local == "message" && s.Room() == room && s.ID == id
	})
	if err == nil && answer.Type == "error" {
		return &StanzaError{answer}
	}
	return err
}

// StanzaID is the id that a room gave to what was said, "" if it was never said.
func (u *XMPPUser) StanzaID(room, text string) string {
	for _, s := range u.Since(0) {
		if s.XMLName.Local == "message" && s.Room() == room && s.Body != nil && *s.Body == text {
			return s.stanzaID()
		}
	}
	return ""
}

// Told is what a room itself says, in its own name.
func (u *XMPPUser) Told(room string) (told []string) {
	for _, s := range u.Since(0) {
		if s.XMLName.Local == "message" && s.Type == "groupchat" && s.From == room && s.Body != nil {
			told = append(told, *s.Body)
		}
	}
	return told
}

// Seen is what people said in a room, in the order in which it came first: clients show a message once that comes again with
// the same stanza-id.
func (u *XMPPUser) Seen(room string) []string {
	var said []string
	known := make(map[string]bool)
	for _, s := range u.Since(0) {
		if s.XMLName.Local != "message" || s.Type != "groupchat" || s.Room() != room || s.From == room || s.Body == nil {
			continue
		}
		id := s.stanzaID()
		if id == "" || !known[id] {
			said = append(said, *s.Body)
		}
		known[id] = true
	}
	return said
}
