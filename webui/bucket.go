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
	// maxGuessers bounds the clients that are counted at a time; with more, the count begins anew.
	maxGuessers = 10_000
)

// bucket counts wrong tokens by client. An IPv6 client is its /64: it owns all of that.
type bucket struct {
	mu      sync.Mutex
	now     func() time.Time
	began   time.Time
	guesses map[netip.Prefix]int
}

func newBucket() *bucket { return &bucket{now: time.Now, guesses: make(map[netip.Prefix]int)} }

// add counts one wrong token, and says if it was one too many.
func (b *bucket) add(client netip.Addr) (tooMany bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.empty()
	b.guesses[guesser(client)]++
	return b.guesses[guesser(client)] > MaxGuesses
}

func (b *bucket) empty() {
	if now := b.now(); now.Sub(b.began) >= guessWindow || len(b.guesses) >= maxGuessers {
		b.began = now
		clear(b.guesses)
	}
}

func guesser(client netip.Addr) netip.Prefix {
	bits := client.BitLen()
	if client.Is6() {
		bits = 64
	}
	return netip.PrefixFrom(client, bits).Masked()
}
