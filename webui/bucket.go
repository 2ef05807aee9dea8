package webui

import (
	"net/netip"
	"sync"
	"time"
)

// Limits of guessing. A token has 130 bits, so this saves work and noise rather than secrets.
const (
	// MaxGuesses is how many wrong tokens one client may show within guessWindow; every further one gets 429 instead of 404.
	MaxGuesses  = 20
	guessWindow = time.Minute
	// maxClients bounds the clients that are counted at a time; with more, the count begins anew.
	maxClients = 10_000
)

// Limits of asking for sign-in links. Each address gets only a few whoever asks (bridge.CodesInHour); this bounds the work.
const (
	// MaxAsks is how many links one client may ask for within askWindow; every further one gets 429.
	MaxAsks   = 20
	askWindow = 10 * time.Minute
)

// bucket counts what clients do within a window, such as wrong tokens. An IPv6 client is its /64: it owns all of that.
type bucket struct {
	mu     sync.Mutex
	now    func() time.Time
	began  time.Time
	most   int
	window time.Duration
	counts map[netip.Prefix]int
}

func newBucket(most int, window time.Duration) *bucket {
	return &bucket{now: time.Now, most: most, window: window, counts: make(map[netip.Prefix]int)}
}

// add counts one more, and says if it was one too many.
func (b *bucket) add(client netip.Addr) (tooMany bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.empty()
	b.counts[counted(client)]++
	return b.counts[counted(client)] > b.most
}

func (b *bucket) empty() {
	if now := b.now(); now.Sub(b.began) >= b.window || len(b.counts) >= maxClients {
		b.began = now
		clear(b.counts)
	}
}

func counted(client netip.Addr) netip.Prefix {
	bits := client.BitLen()
	if client.Is6() {
		bits = 64
	}
	return netip.PrefixFrom(client, bits).Masked()
}
