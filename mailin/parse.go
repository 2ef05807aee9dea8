package mailin

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/jhillyerd/enmime/v2"
	"github.com/jhillyerd/enmime/v2/mediatype"
)

// parsed is what the MIME tree of a mail holds.
type parsed struct {
	Pieces []piece // what is shown, in order
	Files  []file
	Parts  []part // every leaf, for delivery reports
}

// file is an attachment or a picture. Its content is not carried yet: it is
// named in the message, so that nothing disappears unseen.
type file struct {
	Name string // "" if it has none
	Type string
	Size int
}

// part is one leaf of the MIME tree.
type part struct {
	Type string // lower case
	Text string // decoded, for text/* and message/*
}

var errMIME = refuse(554, "5.6.0", "MIME", "The parts of this mail cannot be taken apart. Please send it with another mail program, or as plain text.")
var errParseTime = refuse(554, "5.6.0", "parse time", "This mail takes too long to read. Please send it as plain text.")

// parse takes the MIME tree apart, in a goroutine of its own and within the time
// budget: no mail may hold a worker or bring the server down. The wait for a free
// parser is our own slowness and does not count.
func (s *Server) parse(ctx context.Context, m *message) (*parsed, *refusal) {
	select {
	case s.parsers <- struct{}{}:
	case <-ctx.Done():
		return nil, later("no parser free", ctx.Err())
	}
	budget, cancel := context.WithTimeout(ctx, s.config.Limits.ParseTime)
	defer cancel()
	type outcome struct {
		parsed *parsed
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		defer func() { <-s.parsers }()
		p, err := recovered(func() (*parsed, error) { return parseTree(budget, m) })
		done <- outcome{p, err}
	}()
	select {
	case o := <-done:
		switch {
		case o.err == nil:
			return o.parsed, nil
		case budget.Err() == nil:
			return nil, &refusal{errMIME.Code, errMIME.Enhanced, errMIME.Reason, errMIME.Sentence, o.err}
		}
	case <-budget.Done():
	}
	return nil, s.tooSlow(ctx)
}

// tooSlow says whose fault it is that the time was up: the mail's only if no
// other was being parsed beside it and it had all its time.
func (s *Server) tooSlow(ctx context.Context) *refusal {
	if len(s.parsers) > 1 || ctx.Err() != nil {
		return later("parsing took too long on a busy machine", ctx.Err())
	}
	return errParseTime
}

func recovered[T any](f func() (T, error)) (result T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return f()
}

// expiring is a reader that ends with an error when its time is up: what reads
// from it stops then.
type expiring struct {
	ctx context.Context
	r   io.Reader
}

func (e expiring) Read(b []byte) (int, error) {
	if err := e.ctx.Err(); err != nil {
		return 0, err
	}
	return e.r.Read(b)
}

// parser leaves charsets to decodeText: as a declared charset it sees only UTF-8,
// which it hands through as it is.
var parser = enmime.NewParser(
	enmime.DisableCharacterDetection(true),
	enmime.DisableTextConversion(true),
	enmime.SkipMalformedParts(true),
	enmime.MultipartWOBoundaryAsSinglePart(true),
	enmime.MaxStoredPartErrors(10),
	enmime.SetReadPartErrorPolicy(enmime.AllowCorruptTextPartErrorPolicy),
	enmime.SetCustomParseMediaType(parseMediaType),
)

// parseMediaType never fails: a type that cannot be read is plain text, as
// RFC 2045 §5.2 has it for a missing one.
func parseMediaType(value string) (string, map[string]string, []string, error) {
	kind, params, invalid, err := mediatype.Parse(value)
	if err != nil || kind == "" {
		kind, params = "text/plain", map[string]string{}
	}
	if strings.HasPrefix(kind, "text/") {
		params["charset"] = "utf-8"
	}
	return kind, params, invalid, nil
}

// rootFields are the fields of the mail's own header that the MIME parser needs;
// it gets no others, so that it cannot read the header in another way than we do.
var rootFields = []string{"Content-Type", "Content-Transfer-Encoding", "Content-Disposition", "Content-ID"}

func parseTree(ctx context.Context, m *message) (*parsed, error) {
	var head bytes.Buffer
	for _, name := range rootFields {
		if values := m.Header.all(name); len(values) > 0 {
			fmt.Fprintf(&head, "%s: %s\r\n", name, values[0])
		}
	}
	head.WriteString("\r\n")
	root, err := parser.ReadParts(expiring{ctx, io.MultiReader(&head, bytes.NewReader(m.Body))})
	if err == nil {
		err = ctx.Err() // parts that were cut short by the clock count as malformed, and are skipped
	}
	if err != nil {
		return nil, err
	}
	p := &parsed{}
	p.Pieces = p.node(root, "")
	return p, nil
}
