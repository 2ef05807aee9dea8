package test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mailroom/test/harness"
)

// sawByMail waits until somebody has read exactly this in their mails, in this order.
func sawByMail(t *testing.T, who *harness.Correspondent, what ...string) {
	t.Helper()
	harness.Eventually(t, func() error { return harness.Same(who.Address+" by mail", what, who.Seen()) })
}

// everybodySaw waits until each person has seen each message of each other, once and in order.
func (p *party) everybodySaw(t *testing.T) {
	t.Helper()
	harness.Eventually(t, func() error { return p.unseen(t) })
}

// unseen compares what everybody has seen with the transcript: an error that says who lacks what.
func (p *party) unseen(t *testing.T) error {
	said, brought, err := p.transcript.Said(t.Context(), p.session)
	if err != nil {
		return err
	}
	if p.xmppRoom != "" {
		if err := harness.Same("XMPP: "+p.dave.JID, said, p.dave.Seen(p.xmppRoom)); err != nil {
			return err
		}
	}
	if p.matrixRoom != "" {
		if err := p.unseenOnMatrix(t, said, brought); err != nil {
			return err
		}
	}
	if p.bobOnPage != nil {
		if err := harness.Same("Bob in Chromium", said, p.bobOnPage.Seen()); err != nil {
			return err
		}
	}
	if p.aliceOnPage == nil {
		return nil
	}
	return harness.Same("Alice on the page", said, p.aliceOnPage.Seen())
}

// unseenOnMatrix: everything is there once, and what Mailroom brings is in the log's order.
func (p *party) unseenOnMatrix(t *testing.T, said, brought []string) error {
	seen, ghosts, err := p.carol.Seen(t.Context(), p.matrixRoom)
	if err != nil {
		return err
	}
	if err := harness.Same("Matrix: what Mailroom brings", brought, ghosts); err != nil {
		return err
	}
	return harness.Same("Matrix: "+p.carol.ID, sorted(said), sorted(seen))
}

// allArrives waits until all that was acknowledged is in the transcript, and everybody has seen it.
func (p *party) allArrives(t *testing.T) {
	t.Helper()
	harness.Eventually(t, func() error { return harness.Same("the transcript", sorted(p.said), sorted(p.transcribed(t))) })
	inOrder(t, p.transcribed(t))
	p.everybodySaw(t)
}

func (p *party) transcribed(t *testing.T) []string {
	t.Helper()
	said, _, err := p.transcript.Said(t.Context(), p.session)
	require.NoError(t, err)
	return said
}

var numbered = regexp.MustCompile(`^([a-z]+)-(\d+)$`)

// inOrder: what each person said stands in the order in which they said it.
func inOrder(t *testing.T, said []string) {
	t.Helper()
	last := make(map[string]int)
	for _, text := range said {
		parts := numbered.FindStringSubmatch(text)
		if parts == nil {
			continue
		}
		n, err := strconv.Atoi(parts[2])
		require.NoError(t, err)
		require.GreaterOrEqual(t, n, last[parts[1]], "%s stands after %s-%d", text, parts[1], last[parts[1]])
		last[parts[1]] = n
	}
}

// inMails waits until the mails have shown everything that the others said since the person was there, in the log's order.
func inMails(t *testing.T, who *harness.Correspondent, said []string) {
	t.Helper()
	own, _, _ := strings.Cut(who.Address, "@")
	var others []string
	for _, text := range said {
		if parts := numbered.FindStringSubmatch(text); parts != nil && parts[1] != own {
			others = append(others, text)
		}
	}
	harness.Eventually(t, func() error {
		seen := who.Seen()
		if len(seen) > 0 && seen[0] == "alice-1" && own == "bob" {
			seen = seen[1:] // the first message, in the invitation
		}
		return harness.Same(who.Address+" by mail", others, seen)
	})
}

func sorted(texts []string) []string {
	texts = slices.Clone(texts)
	slices.Sort(texts)
	return texts
}

// contains is an error unless a text was seen.
func contains(seen []string, text string) error {
	if !slices.Contains(seen, text) {
		return fmt.Errorf("%s has not been seen", text)
	}
	return nil
}

// patient is how long a person waits.
func patient(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), harness.Patience)
}
