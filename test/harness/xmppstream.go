package harness

import (
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"strings"
)

// stream is a connection while it is being made.
type stream struct {
	conn    net.Conn
	decoder *xml.Decoder
}

func (s *stream) write(text string) error {
	_, err := io.WriteString(s.conn, text)
	return err
}

// open opens the stream and reads past its features.
func (s *stream) open(domain string) error {
	s.decoder = xml.NewDecoder(s.conn)
	err := s.write(`<?xml version='1.0'?><stream:stream to='` + domain +
		`' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>`)
	if err != nil {
		return err
	}
	if _, err := nextElement(s.decoder); err != nil {
		return err
	}
	_, err = s.answer("features")
	return err
}

func (s *stream) signIn(name string) error {
	secret := base64.StdEncoding.EncodeToString([]byte("\x00" + name + "\x00" + Password))
	err := s.write(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>` + secret + `</auth>`)
	if err == nil {
		_, err = s.answer("success")
	}
	return err
}

func (s *stream) bind(resource string) error {
	err := s.write(`<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>` + resource +
		`</resource></bind></iq>`)
	if err != nil {
		return err
	}
	result, err := s.answer("iq")
	if err == nil && result.Type != "result" {
		err = &StanzaError{result}
	}
	return err
}

// answer reads the next element, which must have this name.
func (s *stream) answer(name string) (Stanza, error) {
	var got Stanza
	start, err := nextElement(s.decoder)
	if err == nil {
		err = s.decoder.DecodeElement(&got, &start)
	}
	if err == nil && got.XMLName.Local != name {
		err = fmt.Errorf("the XMPP server answers <%s>%s instead of <%s>", got.XMLName.Local, got.Inner, name)
	}
	return got, err
}

func nextElement(decoder *xml.Decoder) (xml.StartElement, error) {
	for {
		token, err := decoder.Token()
		if err != nil {
			return xml.StartElement{}, err
		}
		if start, ok := token.(xml.StartElement); ok {
			return start, nil
		}
		if _, ok := token.(xml.EndElement); ok {
			return xml.StartElement{}, io.EOF // the end of the stream
		}
	}
}

func xmlText(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a strings.Builder never fails
	return b.String()
}
