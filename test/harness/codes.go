package harness

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// codes are those that somebody has typed already: each serves once.
type codes struct {
	mu   sync.Mutex
	used map[string]bool // by Message-ID
}

// newest takes the newest code that nobody has typed yet.
func (c *codes) newest(mails []Mail) (code string, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := len(mails) - 1; i >= 0; i-- {
		if m := mails[i]; m.Kind == OfCode && !c.used[m.MessageID] {
			if c.used == nil {
				c.used = make(map[string]bool)
			}
			c.used[m.MessageID] = true
			return m.Code(), true
		}
	}
	return "", false
}

// code waits for the code that is mailed to whom a link was mailed to.
func (s *Site) code(t *testing.T, link string) (code string) {
	t.Helper()
	owner := ""
	for _, m := range s.Sink.All() {
		if m.Link == link {
			owner = m.To
		}
	}
	require.NotEmpty(t, owner, "%s was mailed to nobody", link)
	Eventually(t, func() error {
		var ok bool
		if code, ok = s.codes.newest(s.Sink.Mails(owner)); !ok {
			return fmt.Errorf("%s waits for a code", owner)
		}
		return nil
	})
	return code
}
