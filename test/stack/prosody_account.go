package main

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// registrationTimeout bounds one in-band registration.
const registrationTimeout = 20 * time.Second

// registrationAnswer is the answer to an in-band registration (XEP-0077 §3.1).
type registrationAnswer struct {
	XMLName  xml.Name  `xml:"jabber:client iq"`
	Type     string    `xml:"type,attr"`
	Conflict *struct{} `xml:"error>conflict"`
	Reason   string    `xml:",innerxml"`
}

// register makes an account by in-band registration (XEP-0077); one that exists
// is left as it is.
func (p *prosody) register(ctx context.Context, account Account) error {
	ctx, cancel := context.WithTimeout(ctx, registrationTimeout)
	defer cancel()
	connection, err := new(net.Dialer).DialContext(ctx, "tcp", p.client)
	if err != nil {
		return err
	}
	defer connection.Close()
	deadline, _ := ctx.Deadline()
	if err := connection.SetDeadline(deadline); err != nil {
		return err
	}
	if _, err := io.WriteString(connection, registrationRequest(p.host, account)); err != nil {
		return err
	}
	answer, err := readRegistrationAnswer(connection)
	if err != nil {
		return fmt.Errorf("make the XMPP account %s@%s: %w", account.Localpart, p.host, err)
	}
	if answer.Type != "result" && answer.Conflict == nil {
		return fmt.Errorf("make the XMPP account %s@%s: %s", account.Localpart, p.host, answer.Reason)
	}
	return nil
}

// registrationRequest opens a stream and asks at once: the server answers the
// request after its features.
func registrationRequest(host string, account Account) string {
	return fmt.Sprintf("<stream:stream to='%s' version='1.0' xmlns='jabber:client'"+
		" xmlns:stream='http://etherx.jabber.org/streams'>"+
		"<iq type='set' id='register'><query xmlns='jabber:iq:register'>"+
		"<username>%s</username><password>%s</password></query></iq>",
		xmlText(host), xmlText(account.Localpart), xmlText(account.Password))
}

func readRegistrationAnswer(stream io.Reader) (registrationAnswer, error) {
	decoder := xml.NewDecoder(stream)
	for {
		token, err := decoder.Token()
		if err != nil {
			return registrationAnswer{}, err
		}
		start, isStart := token.(xml.StartElement)
		if isStart && start.Name.Local == "iq" {
			var answer registrationAnswer
			return answer, decoder.DecodeElement(&answer, &start)
		}
	}
}

func xmlText(text string) string {
	var escaped strings.Builder
	// A strings.Builder never returns an error.
	_ = xml.EscapeText(&escaped, []byte(text))
	return escaped.String()
}
