package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Period is a time that may also be given in days, as 90d.
type Period time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Period) UnmarshalText(text []byte) error {
	s := string(text)
	d, err := time.ParseDuration(s)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		var n uint16 // 65535 days are no overflow
		n, err = parseDays(days)
		d = time.Duration(n) * 24 * time.Hour
	}
	if err != nil {
		return fmt.Errorf("%q is no time: write it as 90d, 36h or 30m", s)
	}
	*p = Period(d)
	return nil
}

func parseDays(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	return uint16(n), err
}
