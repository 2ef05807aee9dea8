package mailout

import (
	"log/slog"
	"testing"
	"time"

	"mailroom/bridge"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

var (
	alice = member(1, "Alice", "alice@example.org", bridge.Initiator, bridge.Joined)
	bob   = member(2, "Bob", "bob@customer.test", bridge.Participant, bridge.Invited)
	carol = member(3, "", "carol@example.org", bridge.Participant, bridge.Joined)
	at    = time.Date(2026, 11, 23, 22, 15, 0, 0, time.UTC)
)

// allKinds are those of letters: what holds for every mail is tested with each.
var allKinds = []bridge.LetterKind{
	bridge.LetterInvitation, bridge.LetterMissed, bridge.LetterStarted, bridge.LetterConfirm,
	bridge.LetterCode, bridge.LetterBound, bridge.LetterSignIn,
}

func member(number int, name, address string, role bridge.Role, state bridge.MemberState) bridge.Member {
	return bridge.Member{
		ID: uuid.UUID{15: byte(number)}, Number: number, Name: name, Address: bridge.EmailAddress(address), Role: role, State: state,
		Endpoints: []bridge.Endpoint{{Address: bridge.EmailAddress(address)}},
	}
}

func said(by bridge.Member, minute int, text, html string) bridge.Record {
	return bridge.Record{Kind: bridge.KindMessage, Member: by.ID, Seq: int64(minute), At: at.Add(time.Duration(minute) * time.Minute), Body: bridge.Body{Text: text, HTML: html}}
}

// letter is one of each kind, as bridge makes them.
func letter(kind bridge.LetterKind, to bridge.Member) bridge.Letter {
	l := bridge.Letter{
		Mail:      bridge.Mailing{Session: uuid.UUID{1}, ID: uuid.UUID{2}, Kind: kind},
		Room:      &bridge.Room{Session: bridge.Session{ID: uuid.UUID{1}, Subject: "Contract", State: bridge.Open}, Members: []bridge.Member{alice, bob, carol}},
		To:        to,
		Tokens:    bridge.Tokens{Join: "jjtoken", Reply: "rrtoken", Unsubscribe: "uutoken", Bounce: "bbtoken", Icon: "iitoken"},
		MessageID: "m.two@chat.example.org",
	}
	switch kind {
	case bridge.LetterInvitation:
		l.Records = []bridge.Record{said(alice, 0, "Hello Bob,\n\ncan we sign on Friday? See https://example.org/draft.", "")}
		l.References = []string{"first@example.org"}
	case bridge.LetterMissed:
		l.Records = []bridge.Record{
			said(carol, 3, "Friday is fine.", ""),
			said(alice, 4, "Then:\n\n- read\n- sign", "Then:<ul><li>read</li><li><b>sign</b></li></ul>"),
		}
		l.References = []string{"first@example.org", "m.one@chat.example.org"}
	case bridge.LetterConfirm:
		l.Tokens.Confirm = "cctoken"
		l.Held = &bridge.Held{Sender: bridge.EmailAddress("stranger@else.test"), At: at, Body: bridge.Body{Text: "I agree to <everything>."}}
	case bridge.LetterCode:
		l.Code = "042137"
	case bridge.LetterBound:
		l.Browser, l.Tokens.Browsers = bridge.Browser{Label: "Firefox on Windows", At: at}, "wwtoken"
	case bridge.LetterSignIn:
		l.Tokens.SignIn = "sstoken"
	}
	return l
}

// offRecord is a letter of a session off the record, as bridge gives it.
func offRecord(kind bridge.LetterKind, to bridge.Member) bridge.Letter {
	l := letter(kind, to)
	l.Room.Session.Subject, l.Room.Session.Options.OffRecord = "", true
	l.Records = nil
	return l
}

// blindCopy is a letter in which Bob is a blind copy.
func blindCopy(kind bridge.LetterKind, to bridge.Member) bridge.Letter {
	l := letter(kind, to)
	l.Room.Members[1].Blind = true
	l.To.Blind = to.ID == bob.ID
	return l
}

func testConfig(smarthost string) Config {
	return Config{
		PublicURL: "https://chat.example.org/", Domain: "in.example.org",
		From: "Mailroom <invite@chat.example.org>", Smarthost: smarthost,
	}
}

func newSender(t *testing.T, cfg Config) *Sender {
	t.Helper()
	s, err := New(cfg, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}
