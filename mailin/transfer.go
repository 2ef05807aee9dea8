package mailin

import (
	"errors"
	"io"
	"sync"

	"github.com/emersion/go-smtp"
)

var errBusy = refuse(452, "4.3.1", "too many mails at once", "Too many mails are coming in at the moment. Your mail server will try again.")

// chunk is how much of a mail is read at a time, in bytes.
const chunk = 64 << 10

// read takes a mail into memory, within what all mails together may take and
// those from its place. An error of the reader is never swallowed: a mail that
// was cut off is no mail.
func (s *Server) read(r io.Reader, place string) (raw []byte, release func(), refused *refusal) {
	reserved := int64(0)
	release = func() { s.buffers.release(place, reserved) }
	buffer := make([]byte, chunk)
	for {
		n, err := r.Read(buffer)
		if int64(len(raw)+n) > reserved {
			if !s.buffers.reserve(place, chunk) {
				return raw, release, errBusy
			}
			reserved += chunk
		}
		raw = append(raw, buffer[:n]...)
		switch {
		case int64(len(raw)) > s.config.Limits.MessageBytes:
			return raw, release, errTooBig(s.config.Limits)
		case errors.Is(err, io.EOF):
			return raw, release, nil
		case err != nil:
			return raw, release, s.readRefusal(err)
		}
	}
}

func (s *Server) readRefusal(err error) *refusal {
	switch {
	case errors.Is(err, smtp.ErrDataTooLarge):
		return errTooBig(s.config.Limits)
	case errors.Is(err, smtp.ErrTooLongLine):
		return errLongLine(s.config.Limits)
	}
	return later("transfer broken off", err)
}

// buffers counts the bytes of the mails that are being received. No place may
// have so many that others find no room.
type buffers struct {
	limits Limits

	mu      sync.Mutex
	all     int64
	byPlace map[string]int64
}

func newBuffers(l Limits) *buffers { return &buffers{limits: l, byPlace: map[string]int64{}} }

// reserve takes room for n bytes from a place, as placeOf names it, if there is any.
func (b *buffers) reserve(place string, n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.all+n > b.limits.BufferedBytes || place != "" && b.byPlace[place]+n > b.limits.PlaceBytes {
		return false
	}
	b.all += n
	b.byPlace[place] += n
	return true
}

func (b *buffers) release(place string, n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all -= n
	if b.byPlace[place] -= n; b.byPlace[place] == 0 {
		delete(b.byPlace, place)
	}
}
