package xmpp

import (
	"bufio"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"unicode"
	"unicode/utf8"
)

const (
	// MaxIncoming is how large a stanza is read, in bytes as they stand in the
	// stream. Of a larger one only the attributes are kept, and it is refused.
	MaxIncoming = 1 << 20
	// maxSkipped is how much of a stanza is passed over before the stream is
	// given up: no server lets its users send that much.
	maxSkipped = 16 << 20
	// MaxDepth is how deep the elements of a stanza may nest.
	MaxDepth = 100
)

var (
	errEndOfStream = errors.New("the server closed the stream")
	errTooLarge    = fmt.Errorf("a stanza of more than %d bytes", maxSkipped)
	errRestricted  = errors.New("the stream holds what XMPP does not allow in XML") // RFC 6120 §11.1
)

// parser reads a stream's stanzas one by one, with a bound on each.
type parser struct {
	source  *allowance
	decoder *xml.Decoder
}

func newParser(r io.Reader) *parser {
	source := &allowance{reader: bufio.NewReader(r), left: maxSkipped}
	return &parser{source, xml.NewDecoder(source)}
}

// allowance hands out bytes until what is allowed for one stanza is used up.
// It is an io.ByteReader, so that the decoder takes no byte too many.
type allowance struct {
	reader *bufio.Reader
	left   int
}

func (a *allowance) ReadByte() (byte, error) {
	if a.left == 0 {
		return 0, errTooLarge
	}
	a.left--
	return a.reader.ReadByte()
}

// Read makes the allowance an io.Reader, as xml.NewDecoder demands.
func (a *allowance) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	b, err := a.ReadByte()
	if err != nil {
		return 0, err
	}
	p[0] = b
	return 1, nil
}

// header reads the opening tag of the stream.
func (p *parser) header() (*element, error) {
	for {
		token, err := p.decoder.Token()
		if err != nil {
			return nil, fmt.Errorf("read the stream header: %w", err)
		}
		if start, ok := token.(xml.StartElement); ok {
			return opening(start), nil
		}
	}
}

// next reads the next stanza. Errors: errEndOfStream when the server has
// closed the stream; every error ends the stream.
func (p *parser) next() (*element, error) {
	for {
		p.source.left = maxSkipped
		token, err := p.decoder.Token()
		if err != nil {
			return nil, fmt.Errorf("read the stream: %w", err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			if !isName(t.Name.Local) {
				return nil, errRestricted
			}
			return p.rest(opening(t))
		case xml.EndElement:
			return nil, errEndOfStream
		case xml.Directive, xml.ProcInst, xml.Comment:
			return nil, errRestricted
		}
	}
}

// rest reads a stanza to its end. It keeps a stack instead of calling itself,
// so that depth costs nothing but what is allowed.
func (p *parser) rest(stanza *element) (*element, error) {
	stack := []*element{stanza}
	depth := 1
	for depth > 0 {
		token, err := p.decoder.Token()
		if err != nil {
			return nil, fmt.Errorf("read a stanza: %w", err)
		}
		if maxSkipped-p.source.left > MaxIncoming || depth > MaxDepth {
			stanza.empty()
		}
		switch t := token.(type) {
		case xml.StartElement:
			depth++
			if !isName(t.Name.Local) {
				return nil, errRestricted
			}
			if !stanza.cut {
				child := opening(t)
				stack[len(stack)-1].with(child)
				stack = append(stack, child)
			}
		case xml.EndElement:
			depth--
			if !stanza.cut {
				stack = stack[:len(stack)-1]
			}
		case xml.CharData:
			if !stanza.cut {
				stack[len(stack)-1].text += string(t)
			}
		default:
			return nil, errRestricted
		}
	}
	return stanza, nil
}

// isName says if an element may have that name when it stands without its
// prefix: encoding/xml looks only at how the name with its prefix begins.
func isName(local string) bool {
	first, _ := utf8.DecodeRuneInString(local)
	return first == '_' || unicode.IsLetter(first)
}

func (e *element) empty() { e.cut, e.children, e.text = true, nil, "" }

// opening is the element of a tag, without what only declares namespaces.
func opening(t xml.StartElement) *element {
	e := &element{name: t.Name}
	for _, a := range t.Attr {
		if a.Name.Space == "" && a.Name.Local != "xmlns" || a.Name.Space == nsXML {
			e.attrs = append(e.attrs, a)
		}
	}
	return e
}
