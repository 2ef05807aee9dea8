package test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mailroom/test/harness"
)

// say lets somebody say something until it is acknowledged, and returns when it is in the transcript: people take turns.
func (p *party) say(t *testing.T, text string, how func(ctx context.Context, text string) error) {
	t.Helper()
	harness.Eventually(t, func() error {
		ctx, cancel := context.WithTimeout(t.Context(), patienceForOne)
		defer cancel()
		return how(ctx, text)
	})
	p.said = append(p.said, text)
	harness.Eventually(t, func() error {
		said, _, err := p.transcript.Said(t.Context(), p.session)
		if err != nil {
			return err
		}
		return harness.Same("the transcript", p.said, said)
	})
}

// patienceForOne is how long a person waits for the acknowledgement of one try.
const patienceForOne = 3 * time.Second

// The ways of saying something. Each may be tried again with the same text, and then says it once.

func (p *party) aliceTalks(ctx context.Context, text string) error {
	return p.aliceOnPage.Say(ctx, "client-"+text, text)
}

func (p *party) carolTalks(ctx context.Context, text string) error {
	return p.carol.Say(ctx, p.matrixRoom, text, text)
}

// daveTalks is what an XMPP client does: it connects again, and enters again when the room does not know it any more.
func (p *party) daveTalks(ctx context.Context, text string) error {
	if !p.dave.Connected() {
		if err := p.dave.Connect(); err != nil {
			return err
		}
		if err := p.dave.Enter(ctx, p.xmppRoom, "dave"); err != nil {
			return err
		}
	}
	err := p.dave.Say(ctx, p.xmppRoom, text, text)
	var refusal *harness.StanzaError
	if errors.As(err, &refusal) && strings.Contains(refusal.Stanza.Inner, "not-acceptable") {
		return errors.Join(err, p.dave.Enter(ctx, p.xmppRoom, "dave"))
	}
	return err
}

// answers is how somebody talks by answering a mail.
func (p *party) answers(who *harness.Correspondent, m harness.Mail) func(ctx context.Context, text string) error {
	return p.sends(func(text string) harness.Letter { return who.Answer(m, text) })
}

// sends is how somebody talks by mail. A mail server that got no answer sends the very same mail again.
func (p *party) sends(write func(text string) harness.Letter) func(ctx context.Context, text string) error {
	letters := make(map[string]harness.Letter)
	return func(_ context.Context, text string) error {
		letter, known := letters[text]
		if !known {
			letter = write(text)
			letters[text] = letter
		}
		return p.site.Send(letter)
	}
}

// burst lets somebody say five things, numbered on from what they have said before.
func (p *party) burst(t *testing.T, name string, how func(ctx context.Context, text string) error) {
	t.Helper()
	for range 5 {
		text := p.next(name)
		require.NoError(t, how(t.Context(), text))
		p.said = append(p.said, text)
	}
}

// next is what somebody says next.
func (p *party) next(name string) string {
	n := 1
	for slices.Contains(p.said, fmt.Sprintf("%s-%d", name, n)) {
		n++
	}
	return fmt.Sprintf("%s-%d", name, n)
}

// daveIsBack waits until a client that was cut off is in the room again, which it enters as soon as it can.
func (p *party) daveIsBack(t *testing.T) {
	t.Helper()
	text := p.next("dave")
	harness.Eventually(t, func() error {
		ctx, cancel := context.WithTimeout(t.Context(), patienceForOne)
		defer cancel()
		return p.daveTalks(ctx, text)
	})
	p.said = append(p.said, text)
}
