package xmpp

import (
	"bytes"
	"encoding/xml"
	"strings"

	"mailroom/content"
)

// element is an XML element as XMPP uses it: attributes, children and one run
// of text. Mixed content keeps its text but not its place between children.
type element struct {
	name     xml.Name
	attrs    []xml.Attr
	text     string
	children []*element
	cut      bool // it was too large or too deep: only the attributes were kept
}

// el makes an element; attrs are name and value in turn.
func el(space, local string, attrs ...string) *element {
	e := &element{name: xml.Name{Space: space, Local: local}}
	for i := 0; i+1 < len(attrs); i += 2 {
		e.set(attrs[i], attrs[i+1])
	}
	return e
}

// stanza makes a message, presence or iq. A component must name both sides in
// everything it sends: ejabberd closes the stream otherwise.
func stanza(local, kind, from, to string) *element {
	e := el(nsComponent, local, "from", from, "to", to)
	if kind != "" {
		e.set("type", kind)
	}
	return e
}

func (e *element) with(children ...*element) *element {
	e.children = append(e.children, children...)
	return e
}

func (e *element) saying(text string) *element {
	e.text = text
	return e
}

func (e *element) set(name, value string) *element {
	for i := range e.attrs {
		if e.attrs[i].Name == (xml.Name{Local: name}) {
			e.attrs[i].Value = value
			return e
		}
	}
	e.attrs = append(e.attrs, xml.Attr{Name: xml.Name{Local: name}, Value: value})
	return e
}

// identified gives a stanza the id that it answers, if there is one.
func (e *element) identified(id string) *element {
	if id == "" {
		return e
	}
	return e.set("id", id)
}

// attr is the value of an attribute without namespace, "" if it is not there.
func (e *element) attr(name string) string {
	for _, a := range e.attrs {
		if a.Name == (xml.Name{Local: name}) {
			return a.Value
		}
	}
	return ""
}

// lang is the element's own xml:lang.
func (e *element) lang() string {
	for _, a := range e.attrs {
		if a.Name == (xml.Name{Space: nsXML, Local: "lang"}) {
			return a.Value
		}
	}
	return ""
}

func (e *element) is(space, local string) bool {
	return e.name == xml.Name{Space: space, Local: local}
}

// child is the first child of that name, nil if there is none.
func (e *element) child(space, local string) *element {
	for _, c := range e.children {
		if c.is(space, local) {
			return c
		}
	}
	return nil
}

// payload is the first child: in an iq there is only one (RFC 6120 §8.2.3).
func (e *element) payload() *element {
	if len(e.children) == 0 {
		return &element{}
	}
	return e.children[0]
}

// sentTo is a copy of the stanza for one more receiver. It shares the children.
func (e *element) sentTo(to string) *element {
	c := *e
	c.attrs = append([]xml.Attr(nil), e.attrs...)
	return c.set("to", to)
}

// encode writes the element as it stands in our stream, whose own namespace is
// jabber:component:accept.
func (e *element) encode(b *bytes.Buffer) { e.encodeWithin(b, nsComponent) }

func (e *element) encodeWithin(b *bytes.Buffer, space string) {
	b.WriteByte('<')
	b.WriteString(e.name.Local)
	if e.name.Space != space {
		writeAttr(b, "xmlns", e.name.Space)
	}
	for _, a := range e.attrs {
		switch a.Name.Space {
		case "":
			writeAttr(b, a.Name.Local, a.Value)
		case nsXML:
			writeAttr(b, "xml:"+a.Name.Local, a.Value)
		}
	}
	if e.text == "" && len(e.children) == 0 {
		b.WriteString("/>")
		return
	}
	b.WriteByte('>')
	escape(b, e.text)
	for _, c := range e.children {
		c.encodeWithin(b, e.name.Space)
	}
	b.WriteString("</")
	b.WriteString(e.name.Local)
	b.WriteByte('>')
}

func writeAttr(b *bytes.Buffer, name, value string) {
	b.WriteByte(' ')
	b.WriteString(name)
	b.WriteString("='")
	escape(b, value)
	b.WriteByte('\'')
}

var escapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "'", "&apos;", "\"", "&quot;", "\r", "&#13;")

// escape drops what XML 1.0 does not allow: one such rune would close the
// stream of the whole component.
func escape(b *bytes.Buffer, s string) {
	// A bytes.Buffer never returns an error.
	_, _ = escapes.WriteString(b, content.XMLSafe(s))
}

func escapedLength(s string) int {
	var b bytes.Buffer
	escape(&b, s)
	return b.Len()
}

// length is how many bytes the element takes in the stream.
func (e *element) length() int {
	var b bytes.Buffer
	e.encode(&b)
	return b.Len()
}

func (e *element) String() string {
	var b bytes.Buffer
	e.encode(&b)
	return b.String()
}
