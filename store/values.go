package store

import (
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Times are microseconds since 1970 in a bigint, the same on both engines and
// in the right order; 0 is the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func moment(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// UUIDs are text; the nil UUID is the empty text.
func text(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

// ID scans a UUID that was written by text.
type ID uuid.UUID

// Scan implements sql.Scanner.
func (id *ID) Scan(src any) error {
	var s string
	switch v := src.(type) {
	case string:
		s = v
	case []byte:
		s = string(v)
	default:
		return fmt.Errorf("a UUID cannot be read from a %T", src)
	}
	if s == "" {
		*id = ID(uuid.Nil)
		return nil
	}
	u, err := uuid.Parse(s)
	*id = ID(u)
	return err
}
