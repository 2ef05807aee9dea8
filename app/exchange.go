package app

import (
	"encoding/base64"
	"time"

	"mailroom/bridge"

	"github.com/google/uuid"
)

// Nodes reach each other's memory of what is off the record by one route of the
// web listener. A request has a ticket in its header, which is looked at before
// its body is read, and a sealed question as its body; the answer is sealed for
// that ticket.
const (
	memoryPath   = "/node/memory"
	ticketHeader = "Mailroom-Node"

	// ticketTime is how old a ticket may be: an exchange takes seconds, and the
	// clocks of nodes may differ by as many.
	ticketTime = 30 * time.Second
	// maxSealed is the largest body: JSON makes six bytes of one at the worst.
	maxSealed = 32 << 20
	// maxRecords is about how many bytes of records are in one body, unless a
	// single one has more.
	maxRecords = 1 << 20
)

// ticket says when an exchange began. Sealed, no two are the same.
type ticket struct{ At time.Time }

// question is one call of a store.Keeper.
type question struct {
	Call    string // keep, recall, find or drop
	Session uuid.UUID
	Subject *string
	Records []bridge.Record
	After   int64
	Limit   int
	Origin  bridge.Origin
}

// answer is what the call has returned.
type answer struct {
	OK      bool
	Subject string
	Records []bridge.Record
	More    bool // not all fit in
	Refusal string
}

// ticketText is a sealed ticket as a header's value. It names its exchange.
func ticketText(sealed []byte) string { return base64.RawURLEncoding.EncodeToString(sealed) }

func questionOf(ticket string) string { return "question " + ticket }
func answerTo(ticket string) string   { return "answer " + ticket }

// fitting is how many records, from the first, fit into one body: at least one,
// if there is any.
func fitting(records []bridge.Record) int {
	size := 0
	for i, r := range records {
		size += len(r.Body.Text) + len(r.Body.HTML) + len(r.Subject) + len(r.Origin.ID) + 500
		for lang, b := range r.Texts {
			size += len(lang) + len(b.Text) + len(b.HTML)
		}
		if size > maxRecords && i > 0 {
			return i
		}
	}
	return len(records)
}
