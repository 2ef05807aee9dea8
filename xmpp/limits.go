package xmpp

import (
	"sync"

	"golang.org/x/time/rate"
)

const (
	// StanzaRate is how many stanzas of one bare JID are taken per second, over
	// all rooms, once StanzaBurst of them came at once.
	StanzaRate = 100
	// StanzaBurst is how many stanzas one bare JID may send at once.
	StanzaBurst = 1000
	// maxSenders bounds how many senders are remembered.
	maxSenders = 10000
)

// limits are the rates of the senders seen lately. The zero value is ready.
type limits struct {
	mu      sync.Mutex
	senders map[string]*rate.Limiter
}

// allow says if one more stanza of a bare JID is taken now.
func (l *limits) allow(sender string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	limiter, ok := l.senders[sender]
	if !ok {
		l.makeRoom()
		limiter = rate.NewLimiter(StanzaRate, StanzaBurst)
		l.senders[sender] = limiter
	}
	return limiter.Allow()
}

// makeRoom forgets those who have been quiet long enough that it makes no
// difference, and if there are none of them anybody.
func (l *limits) makeRoom() {
	if l.senders == nil {
		l.senders = make(map[string]*rate.Limiter)
	}
	if len(l.senders) < maxSenders {
		return
	}
	for sender, limiter := range l.senders {
		if limiter.Tokens() >= StanzaBurst {
			delete(l.senders, sender)
		}
	}
	for sender := range l.senders {
		if len(l.senders) < maxSenders {
			return
		}
		delete(l.senders, sender)
	}
}
