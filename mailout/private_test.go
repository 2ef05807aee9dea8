package mailout

import (
	"mime"
	"strings"
	"testing"
	"time"

	"mailroom/bridge"

	"github.com/stretchr/testify/require"
)

func decoded(t *testing.T, header string) string {
	t.Helper()
	text, err := new(mime.WordDecoder).DecodeHeader(header)
	require.NoError(t, err)
	return text
}

func TestOffTheRecordMailsTellNothingOfWhatIsSaid(t *testing.T) {
	for kind, to := range map[bridge.LetterKind]bridge.Member{
		bridge.LetterInvitation: bob, bridge.LetterMissed: bob, bridge.LetterStarted: alice,
	} {
		l := offRecord(kind, to)
		// Bridge leaves these out; a mail would not tell them even if it did not.
		l.Room.Session.Subject = "Contract"
		l.Records = []bridge.Record{said(carol, 3, "Friday is fine.", "")}
		raw := render(t, l).Raw
		h, text, html := readMail(t, raw)
		for _, words := range []string{string(raw), text, html} {
			require.NotContains(t, words, "Friday")
			require.NotContains(t, words, "Contract")
			require.NotContains(t, words, "rrtoken")
			require.NotContains(t, words, "-=-")
		}
		require.Empty(t, h.Get("Reply-To"), "an answer would be refused, and its sender would have written for nothing")
		require.NotEmpty(t, h.Get("List-Unsubscribe"))
		require.NotContains(t, html, "<img", "who fetches a picture leaves a trace")
		for _, words := range []string{text, html} {
			require.Contains(t, words, "off the record: nothing that is said is kept")
			require.Contains(t, words, "an answer to this mail is refused")
			require.Contains(t, words, "https://chat.example.org/j/jjtoken")
			require.NotContains(t, words, "Matrix")
			require.NotContains(t, words, "answer this mail.")
			require.NotContains(t, words, "The link and the reply address")
		}
	}
}

func TestOffTheRecordSubjects(t *testing.T) {
	h, _, _ := readMail(t, render(t, offRecord(bridge.LetterInvitation, bob)).Raw)
	require.Equal(t, "A private conversation with Alice", h.Get("Subject"))
	require.Equal(t, `"Alice (via Mailroom)" <invite@chat.example.org>`, h.Get("From"))
	h, text, _ := readMail(t, render(t, offRecord(bridge.LetterMissed, bob)).Raw)
	require.Equal(t, "Re: A private conversation with Alice", h.Get("Subject"))
	require.Equal(t, `"Mailroom" <invite@chat.example.org>`, h.Get("From"), "who wrote is told on the page")
	require.Contains(t, text, "There is something new in your private conversation.")
	require.Equal(t, "Your private conversation", firstHeader(t, render(t, offRecord(bridge.LetterStarted, alice)).Raw, "Subject"))
}

func TestMatrixServersThatMayKeepWhatIsSaidAreNamed(t *testing.T) {
	l := offRecord(bridge.LetterInvitation, bob)
	l.Room.Session.Options.MatrixKeeps = true
	_, text, html := readMail(t, render(t, l).Raw)
	require.Contains(t, text, "shown on Matrix, too, and servers there may keep what is said")
	require.Contains(t, html, "shown on Matrix, too, and servers there may keep what is said")
}

func TestABlindCopyIsToldThatItIsOne(t *testing.T) {
	blind := "You got this as a blind copy (Bcc): the others do not see you until you write."
	for _, kind := range []bridge.LetterKind{bridge.LetterInvitation, bridge.LetterMissed} {
		_, text, html := readMail(t, render(t, blindCopy(kind, bob)).Raw)
		require.Contains(t, text, blind)
		require.Contains(t, html, blind)
		_, text, html = readMail(t, render(t, letter(kind, bob)).Raw)
		require.NotContains(t, text, "Bcc")
		require.NotContains(t, html, "Bcc")
	}
	_, text, html := readMail(t, render(t, blindCopy(bridge.LetterStarted, alice)).Raw)
	require.Contains(t, text, "Bob <bob@customer.test> – blind copy (Bcc)")
	require.Contains(t, html, "Bob &lt;bob@customer.test&gt; – blind copy (Bcc)")
	require.Equal(t, 1, strings.Count(text, "Bcc"), "the others are no blind copies")
}

// Off the record nobody is told less of that.
func TestABlindCopyOffTheRecord(t *testing.T) {
	l := offRecord(bridge.LetterInvitation, bob)
	l.To.Blind = true
	_, text, _ := readMail(t, render(t, l).Raw)
	require.Contains(t, text, "You got this as a blind copy (Bcc)")
}

// hidden is a member whose address the reader is not shown, as bridge gives it.
func hidden(m bridge.Member, name string) bridge.Member {
	m.Name, m.Address, m.Endpoints = name, bridge.Address{Network: bridge.Mail}, []bridge.Endpoint{{Address: bridge.Address{Network: bridge.Mail}}}
	return m
}

func TestAddressesThatAreNotShownAreMissedNowhere(t *testing.T) {
	for _, kind := range allKinds {
		l := letter(kind, bob)
		l.Room.Members = []bridge.Member{hidden(alice, "Alice"), bob, hidden(carol, "ceo@bank.test"), hidden(carol, "")}
		l.Room.Members[2].Number, l.Room.Members[3].Number = 3, 4
		m := render(t, l)
		_, text, html := readMail(t, m.Raw)
		for _, words := range []string{string(m.Raw), text, html} {
			require.NotContains(t, words, "alice@example.org")
			require.NotContains(t, words, "bank.test")
			require.NotContains(t, words, "()")
			require.NotContains(t, words, "<>")
			require.NotContains(t, words, "&lt;&gt;")
		}
		if kind == bridge.LetterInvitation {
			require.Contains(t, text, "Alice invites you to talk about it here.")
			require.Contains(t, text, "Also here: Guest 3, Guest 4")
		}
	}
	l := letter(bridge.LetterStarted, alice)
	l.Room.Members[1] = hidden(bob, "Bob")
	_, text, _ := readMail(t, render(t, l).Raw)
	require.Contains(t, text, "  Bob\r\n")
}

func TestAnInvitationIsOfWhoInvites(t *testing.T) {
	l := letter(bridge.LetterInvitation, bob)
	l.To.Inviter = carol.ID
	l.Room.Members = []bridge.Member{hidden(alice, "Alice"), bob, carol}
	h, text, _ := readMail(t, render(t, l).Raw)
	require.Equal(t, `"carol (via Mailroom)" <invite@chat.example.org>`, h.Get("From"))
	require.Contains(t, text, "carol (carol@example.org) invites you")
	require.Contains(t, text, "Also here: Alice")
	require.Contains(t, text, "because carol wrote to bob@customer.test")
}

func TestWhoHasGoneIsNotHere(t *testing.T) {
	for _, state := range []bridge.MemberState{bridge.Left, bridge.Revoked, bridge.Declined} {
		l := letter(bridge.LetterInvitation, bob)
		l.Room.Members[2].State = state
		_, text, _ := readMail(t, render(t, l).Raw)
		require.NotContains(t, text, "carol")
	}
}

func TestTermsOfASession(t *testing.T) {
	now := time.Now()
	later := now.Add(48 * time.Hour)
	for name, c := range map[string]struct {
		options bridge.Options
		grant   time.Time
		want    []string
		not     []string
	}{
		"none":              {want: []string{"Or just answer this mail."}, not: []string{"until", "kept"}},
		"days":              {options: bridge.Options{KeepFor: 30 * day}, want: []string{"What is said is kept for 30 days."}},
		"a day":             {options: bridge.Options{KeepFor: day}, want: []string{"kept for 1 day."}},
		"hours, rounded up": {options: bridge.Options{KeepFor: 90 * time.Minute}, want: []string{"kept for 2 hours."}},
		"open until":        {options: bridge.Options{ExpiresAt: later}, want: []string{"You can write until " + moment(later) + "."}},
		"the grant first":   {options: bridge.Options{ExpiresAt: later.Add(day)}, grant: later, want: []string{"until " + moment(later)}},
		"the session first": {options: bridge.Options{ExpiresAt: later}, grant: later.Add(day), want: []string{"until " + moment(later)}},
		"expired":           {options: bridge.Options{ExpiresAt: now.Add(-day)}, want: []string{"The session has ended."}, not: []string{"until", "answer this mail."}},
		"lapsed":            {grant: now.Add(-day), want: []string{"Your invitation has run out."}, not: []string{"until", "answer this mail."}},
		"off the record":    {options: bridge.Options{OffRecord: true, KeepFor: day, ExpiresAt: later}, want: []string{"until " + moment(later)}, not: []string{"kept for"}},
	} {
		t.Run(name, func(t *testing.T) {
			for kind, to := range map[bridge.LetterKind]bridge.Member{bridge.LetterInvitation: bob, bridge.LetterMissed: bob, bridge.LetterStarted: alice} {
				l := letter(kind, to)
				l.Room.Session.Options, l.To.Grant.ExpiresAt = c.options, c.grant
				_, text, html := readMail(t, render(t, l).Raw)
				for _, words := range []string{text, html} {
					for _, want := range c.want {
						require.Contains(t, words, want)
					}
					for _, not := range c.not {
						require.NotContains(t, strings.ReplaceAll(words, "by mail until you open", ""), not)
					}
				}
			}
		})
	}
}
