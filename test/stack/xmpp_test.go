package main

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"io"
	"net"
	"testing"
	"time"
)

// xmppStream is one end of a stream, for a client or a component.
type xmppStream struct {
	t          *testing.T
	connection net.Conn
	decoder    *xml.Decoder
}

// xmppElement is what the tests look at in a stanza.
type xmppElement struct {
	XMLName xml.Name
	ID      string `xml:"id,attr"`
	From    string `xml:"from,attr"`
	Type    string `xml:"type,attr"`
}

func openStream(t *testing.T, address, host, namespace string) (stream *xmppStream, streamID string) {
	t.Helper()
	connection, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	if err := connection.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	stream = &xmppStream{t: t, connection: connection, decoder: xml.NewDecoder(connection)}
	return stream, stream.restart(host, namespace)
}

// restart sends a stream header and returns the id of the server's.
func (s *xmppStream) restart(host, namespace string) string {
	s.t.Helper()
	s.send(`<stream:stream to='` + host + `' version='1.0' xmlns='` + namespace +
		`' xmlns:stream='http://etherx.jabber.org/streams'>`)
	for _, attribute := range s.start("stream").Attr {
		if attribute.Name.Local == "id" {
			return attribute.Value
		}
	}
	s.t.Fatal("the stream has no id")
	return ""
}

// xmppLogin logs in with SASL PLAIN and becomes available (RFC 6120 §6, §7).
func xmppLogin(t *testing.T, address, host string, account Account) *xmppStream {
	t.Helper()
	stream, _ := openStream(t, address, host, "jabber:client")
	stream.next("features")
	secret := base64.StdEncoding.EncodeToString([]byte("\x00" + account.Localpart + "\x00" + account.Password))
	stream.send(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>` + secret + `</auth>`)
	stream.next("success")
	stream.restart(host, "jabber:client")
	stream.next("features")
	stream.send(`<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq><presence/>`)
	if bound := stream.next("iq"); bound.Type != "result" {
		t.Fatalf("no resource: %+v", bound)
	}
	stream.next("presence")
	return stream
}

// componentConnect does the handshake of XEP-0114 §3.
func componentConnect(t *testing.T, address, name, secret string) *xmppStream {
	t.Helper()
	stream, id := openStream(t, address, name, "jabber:component:accept")
	digest := sha1.Sum([]byte(id + secret))
	stream.send(`<handshake>` + hex.EncodeToString(digest[:]) + `</handshake>`)
	stream.next("handshake")
	return stream
}

func (s *xmppStream) send(text string) {
	s.t.Helper()
	if _, err := io.WriteString(s.connection, text); err != nil {
		s.t.Fatal(err)
	}
}

// next skips to the next element of that name and reads all of it.
func (s *xmppStream) next(name string) xmppElement {
	s.t.Helper()
	start := s.start(name)
	var element xmppElement
	if err := s.decoder.DecodeElement(&element, &start); err != nil {
		s.t.Fatal(err)
	}
	return element
}

func (s *xmppStream) start(name string) xml.StartElement {
	s.t.Helper()
	for {
		token, err := s.decoder.Token()
		if err != nil {
			s.t.Fatalf("waiting for <%s>: %v", name, err)
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == name {
			return start
		}
	}
}

// waitClosed reads until the server ends the stream.
func (s *xmppStream) waitClosed() {
	s.t.Helper()
	for {
		_, err := s.decoder.Token()
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
			s.t.Fatal("the server left the stream open")
		}
		if err != nil {
			return
		}
	}
}
