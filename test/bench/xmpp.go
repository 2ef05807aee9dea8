package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// stanza is a message, a presence or an iq that came in.
type stanza struct {
	XMLName   xml.Name
	From      string  `xml:"from,attr"`
	Type      string  `xml:"type,attr"`
	ID        string  `xml:"id,attr"`
	Body      *string `xml:"body"`
	StanzaIDs []struct {
		By string `xml:"by,attr"`
		ID string `xml:"id,attr"`
	} `xml:"urn:xmpp:sid:0 stanza-id"`
	MUC struct {
		Statuses []struct {
			Code string `xml:"code,attr"`
		} `xml:"status"`
		Invite *struct{} `xml:"invite"`
	} `xml:"http://jabber.org/protocol/muc#user x"`
	Inner string `xml:",innerxml"`
}

func (s stanza) has(code string) bool {
	for _, status := range s.MUC.Statuses {
		if status.Code == code {
			return true
		}
	}
	return false
}

func (s stanza) room() string {
	bare, _, _ := strings.Cut(s.From, "/")
	return bare
}

// stanzaID is the id that the room gave a message, by which clients know it
// when it comes again (XEP-0359 §3.1); "" if it gave none.
func (s stanza) stanzaID() string {
	for _, id := range s.StanzaIDs {
		if id.By == s.room() {
			return id.ID
		}
	}
	return ""
}

// xmppUser is a person with an XMPP client. It hears what others say in rooms.
type xmppUser struct {
	*ear
	name    string
	conn    net.Conn
	decoder *xml.Decoder

	writing sync.Mutex
	mu      sync.Mutex
	answers map[string]chan stanza // by the id that was asked with
	invited chan string            // rooms
}

// newXMPPUser connects an account until ctx ends.
func newXMPPUser(ctx context.Context, server, name string) (*xmppUser, error) {
	conn, err := net.Dial("tcp", server)
	if err != nil {
		return nil, err
	}
	u := &xmppUser{ear: newEar(), name: name, conn: conn, answers: make(map[string]chan stanza), invited: make(chan string, 16)}
	for _, step := range []func() error{u.open, u.signIn, u.open, u.bind, func() error { return u.write("<presence/>") }} {
		if err := step(); err != nil {
			return nil, errors.Join(fmt.Errorf("connecting %s to XMPP: %w", name, err), conn.Close())
		}
	}
	context.AfterFunc(ctx, func() { conn.Close() })
	go u.listen()
	return u, nil
}

func (u *xmppUser) write(text string) error {
	u.writing.Lock()
	defer u.writing.Unlock()
	_, err := io.WriteString(u.conn, text)
	return err
}

// open opens the stream and reads past its features (RFC 6120 §4).
func (u *xmppUser) open() error {
	u.decoder = xml.NewDecoder(u.conn)
	err := u.write(`<?xml version='1.0'?><stream:stream to='` + domain +
		`' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>`)
	if err != nil {
		return err
	}
	if _, err := u.nextStart(); err != nil {
		return err
	}
	return u.skip("features")
}

func (u *xmppUser) signIn() error {
	secret := base64.StdEncoding.EncodeToString([]byte("\x00" + u.name + "\x00" + password))
	if err := u.write(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>` + secret + `</auth>`); err != nil {
		return err
	}
	return u.skip("success")
}

func (u *xmppUser) bind() error {
	if err := u.write(`<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`); err != nil {
		return err
	}
	return u.skip("iq")
}

// nextStart is the next start of an element.
func (u *xmppUser) nextStart() (xml.StartElement, error) {
	for {
		token, err := u.decoder.Token()
		if err != nil {
			return xml.StartElement{}, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			return t, nil
		case xml.EndElement:
			return xml.StartElement{}, io.EOF
		}
	}
}

func (u *xmppUser) skip(name string) error {
	start, err := u.nextStart()
	if err != nil {
		return err
	}
	if start.Name.Local != name {
		return fmt.Errorf("the server answered %s where %s was due", start.Name.Local, name)
	}
	return u.decoder.Skip()
}

func (u *xmppUser) listen() {
	for {
		start, err := u.nextStart()
		if err != nil {
			return // the connection has ended
		}
		var s stanza
		if err := u.decoder.DecodeElement(&s, &start); err != nil {
			return
		}
		u.take(s, time.Now())
	}
}

func (u *xmppUser) take(s stanza, at time.Time) {
	switch {
	case s.XMLName.Local == "message" && s.MUC.Invite != nil:
		u.invited <- s.room()
	case s.XMLName.Local == "message" && s.Type == "groupchat" && s.Body != nil:
		u.hear(heard{*s.Body, s.stanzaID(), at})
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if c := u.answers[s.ID]; c != nil && s.ID != "" && (s.XMLName.Local != "presence" || s.Type == "error" || s.has("110")) {
		c <- s
		delete(u.answers, s.ID)
	}
}

// ask returns where the answer to a stanza with this id will come.
func (u *xmppUser) ask(id string) <-chan stanza {
	c := make(chan stanza, 1)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.answers[id] = c
	return c
}

// enter enters a room under the user's name (XEP-0045 §7.2).
func (u *xmppUser) enter(ctx context.Context, room string) error {
	id := rand.Text()
	answer := u.ask(id)
	if err := u.write(`<presence id='` + id + `' to='` + room + `/` + u.name + `'><x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x></presence>`); err != nil {
		return err
	}
	select {
	case s := <-answer:
		if s.Type == "error" {
			return fmt.Errorf("%s may not enter %s: %s", u.name, room, s.Inner)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(patience):
		return fmt.Errorf("%s is not inside %s after %s", u.name, room, patience)
	}
}

// accept waits for an invitation and enters the room.
func (u *xmppUser) accept(ctx context.Context) (room string, err error) {
	select {
	case room = <-u.invited:
		return room, u.enter(ctx, room)
	case <-ctx.Done():
		return "", ctx.Err()
	case <-time.After(patience):
		return "", fmt.Errorf("%s has no invitation", u.name)
	}
}

// send says a text in a room and returns where the room's reflection, or an
// error, will come. With the same id it is said once (XEP-0359). The texts
// here need no escaping.
func (u *xmppUser) send(room, id, text string) (<-chan stanza, error) {
	answer := u.ask(id)
	return answer, u.write(`<message type='groupchat' id='` + id + `' to='` + room + `'><body>` + text +
		`</body><origin-id xmlns='urn:xmpp:sid:0' id='` + id + `'/></message>`)
}

const (
	// reflectTime is how long a client waits for a room to reflect what was
	// said before it says it again.
	reflectTime = 3 * time.Second
	// refusedTime is how long it waits after a refusal.
	refusedTime = 200 * time.Millisecond
)

// say says a text until the room has reflected it, as a client does that shows
// what is not sent yet. again is how often it had to be said again.
func (u *xmppUser) say(ctx context.Context, room, id, text string) (again int, err error) {
	for ; ; again++ {
		answer, err := u.send(room, id, text)
		if err != nil {
			return again, err
		}
		select {
		case s := <-answer:
			if s.Type != "error" {
				return again, nil
			}
			if strings.Contains(s.Inner, "<not-acceptable") { // we are not inside any more (XEP-0045 §7.4)
				if err := u.enter(ctx, room); err != nil {
					return again, err
				}
			}
			pause(ctx, refusedTime)
		case <-time.After(reflectTime):
		case <-ctx.Done():
			return again, ctx.Err()
		}
	}
}
