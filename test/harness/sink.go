package harness

import (
	"bytes"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"
	"github.com/jhillyerd/enmime/v2"
	"github.com/stretchr/testify/require"
)

// Sink is the smarthost: it takes every mail and keeps it. It is a mailbox for everybody.
type Sink struct {
	Address string

	mu     sync.Mutex
	mails  []Mail
	copies map[string]int // by Message-ID
	busy   bool
	tried  int // refused because it was busy
}

// Mail is a mail that somebody has got.
type Mail struct {
	From, To  string // of the envelope
	Sender    string // the line From
	Subject   string
	MessageID string // with brackets
	ReplyTo   string // the bare address
	Text      string
	HTML      string
	Link      string // to the page
	Icon      string // address of the picture of the session's state
	Kind      MailKind
	Raw       []byte
}

// MailKind is what a mail is for.
type MailKind string

const (
	OfConversation MailKind = ""        // it invites, tells what was said, or asks about an answer
	OfCode         MailKind = "code"    // the code that one more browser needs
	OfBrowser      MailKind = "browser" // a browser speaks for you now
	OfSignIn       MailKind = "sign-in"
)

var (
	pageLink = regexp.MustCompile(`https?://[^\s"<>]+/[jc]/[a-z0-9]+`)
	iconLink = regexp.MustCompile(`https?://[^\s"<>]+/i/[a-z0-9]+\.png`)
	codeText = regexp.MustCompile(`\b[0-9]{6}\b`)
)

// LinkTo is the address of a page of ours in the mail, by the letter before its token: "u" is to unsubscribe, "b" to end
// browsers, "p" to sign in. It is "" if there is none.
func (m Mail) LinkTo(letter string) string {
	return regexp.MustCompile(`https?://[^\s"<>]+/` + letter + `/[a-z0-9]+`).FindString(m.Text)
}

// Code is the code that the mail brings, "" if none.
func (m Mail) Code() string { return codeText.FindString(m.Subject) }

// kind is what a mail shows that it is for, whatever its language.
func (m Mail) kind() MailKind {
	switch {
	case m.LinkTo("b") != "":
		return OfBrowser
	case m.LinkTo("p") != "":
		return OfSignIn
	case m.Link == "" && m.Code() != "":
		return OfCode
	}
	return OfConversation
}

// startSink runs the smarthost until the test ends.
func startSink(t *testing.T) *Sink {
	t.Helper()
	s := &Sink{Address: freeAddress(t), copies: make(map[string]int)}
	listener, err := net.Listen("tcp", s.Address)
	require.NoError(t, err)
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &delivery{sink: s}, nil }))
	server.Domain = "smarthost.test"
	server.ErrorLog = discard{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // ends with Close
	}()
	t.Cleanup(func() {
		_ = server.Close() // it only stops
		<-done
	})
	return s
}

// discard is for what the server says about clients that were killed.
type discard struct{}

func (discard) Printf(string, ...any) {}
func (discard) Println(...any)        {}

// SetBusy makes the smarthost answer 451 to every mail, or take them again.
func (s *Sink) SetBusy(busy bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy = busy
}

// Refused is how many mails were answered with 451.
func (s *Sink) Refused() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tried
}

// Mails are those to an address in the order in which they came. A mail that came twice is one: mailboxes know it by its
// Message-ID.
func (s *Sink) Mails(to string) []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	var mails []Mail
	for _, m := range s.mails {
		if m.To == to {
			mails = append(mails, m)
		}
	}
	return mails
}

// All are all mails, whoever they are to.
func (s *Sink) All() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails)
}

// Repeated is how many mails came again.
func (s *Sink) Repeated() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	repeated := 0
	for _, n := range s.copies {
		repeated += n - 1
	}
	return repeated
}

func (s *Sink) take(m Mail) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy {
		s.tried++
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 2}, Message: "Busy. Try again later."}
	}
	s.copies[m.MessageID]++
	if s.copies[m.MessageID] == 1 {
		s.mails = append(s.mails, m)
	}
	return nil
}

// delivery is one SMTP transaction.
type delivery struct {
	sink     *Sink
	from, to string
}

func (d *delivery) Reset()        { d.from, d.to = "", "" }
func (d *delivery) Logout() error { return nil }

func (d *delivery) Mail(from string, _ *smtp.MailOptions) error {
	d.from = from
	return nil
}

func (d *delivery) Rcpt(to string, _ *smtp.RcptOptions) error {
	d.to = strings.ToLower(to)
	return nil
}

func (d *delivery) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	m, err := readMail(raw)
	if err != nil {
		return err
	}
	m.From, m.To = d.from, d.to
	return d.sink.take(m)
}

func readMail(raw []byte) (Mail, error) {
	e, err := enmime.ReadEnvelope(bytes.NewReader(raw))
	if err != nil {
		return Mail{}, err
	}
	m := Mail{
		Sender: e.GetHeader("From"), Subject: e.GetHeader("Subject"), MessageID: e.GetHeader("Message-Id"), Text: e.Text, HTML: e.HTML, Raw: raw,
		Link: pageLink.FindString(e.Text), Icon: iconLink.FindString(e.HTML),
	}
	if e.GetHeader("Reply-To") != "" {
		replyTo, err := e.AddressList("Reply-To")
		if err != nil {
			return m, err
		}
		m.ReplyTo = replyTo[0].Address
	}
	m.Kind = m.kind()
	return m, nil
}
