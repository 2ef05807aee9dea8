package mailin

import (
	"bytes"

	"github.com/jhillyerd/enmime/v2/mediatype"
)

// maxBoundary is the longest boundary taken: RFC 2046 §5.1.1 allows 70
// characters, and the parser's window is 4096.
const maxBoundary = 256

// treeScan walks over the lines of a body and follows the MIME tree as the
// parser will: the outermost boundary that matches a line ends everything in it.
type treeScan struct {
	limits   Limits
	open     [][]byte // "--" and boundary of every open multipart, outermost first
	parts    int
	inHeader bool
	header   headerBlock
}

// checkTree bounds the depth of the MIME tree and the number of its parts.
func checkTree(m *message, l Limits) *refusal {
	s := &treeScan{limits: l, parts: 1}
	if err := s.enter(m.Header); err != nil {
		return err
	}
	for body := m.Body; len(body) > 0; {
		var line []byte
		line, body = cutLine(body)
		if err := s.line(line); err != nil {
			return err
		}
	}
	return nil
}

func (s *treeScan) line(line []byte) *refusal {
	if len(line) >= 2 && line[0] == '-' && line[1] == '-' {
		if level, last, ok := s.match(line); ok {
			return s.boundary(level, last)
		}
	}
	switch {
	case !s.inHeader:
		return nil
	case len(line) == 0:
		s.inHeader = false
		return s.enter(s.header.fields)
	}
	if s.header.fields == nil && (line[0] == ' ' || line[0] == '\t') {
		return nil // a fold of nothing: the parser drops it as well
	}
	return s.header.add(line, s.limits)
}

// match finds the outermost open multipart whose boundary the line is; last
// says that the line closes it.
func (s *treeScan) match(line []byte) (level int, last, ok bool) {
	for i, b := range s.open {
		if !bytes.HasPrefix(line, b) {
			continue
		}
		after := line[len(b):]
		if bytes.HasPrefix(after, []byte("--")) {
			return i, true, true
		}
		if len(bytes.TrimLeft(after, " \t")) == 0 {
			return i, false, true
		}
	}
	return 0, false, false
}

func (s *treeScan) boundary(level int, last bool) *refusal {
	s.inHeader = !last
	s.header = headerBlock{}
	if last {
		s.open = s.open[:level]
		return nil
	}
	s.open = s.open[:level+1]
	if s.parts++; s.parts > s.limits.Parts {
		return refuse(554, "5.6.0", "too many parts", "This mail has more than %d parts. Please send fewer files at once, or pack them into one.", s.limits.Parts)
	}
	return nil
}

// enter opens a multipart if the header of a part announces one. Whatever has a
// boundary is taken for one, since the parser does so too.
func (s *treeScan) enter(h header) *refusal {
	boundary := boundaryOf(h)
	switch {
	case boundary == "":
		return nil
	case len(boundary) > maxBoundary:
		return refuse(554, "5.6.0", "boundary too long", "The parts of this mail are separated by a line that is too long. Please send it with another mail program.")
	case len(s.open) >= s.limits.Depth:
		return refuse(554, "5.6.0", "nested too deep", "The parts of this mail are nested more than %d deep. Please send it afresh instead of forwarding it.", s.limits.Depth)
	}
	s.open = append(s.open, []byte("--"+boundary))
	return nil
}

func boundaryOf(h header) string {
	values := h.all("Content-Type")
	if len(values) == 0 {
		return ""
	}
	_, params, _, err := mediatype.Parse(values[0])
	if err != nil {
		return ""
	}
	return params["boundary"]
}
