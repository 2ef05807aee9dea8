package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// describeMachine says what the figures were measured on. It names neither the
// host nor a path.
func describeMachine(dir string) (string, error) {
	var u syscall.Utsname
	if err := syscall.Uname(&u); err != nil {
		return "", err
	}
	sync, err := syncTime(dir)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("Machine: %d cores (%s), Linux %s, %s; a write of 4 KiB is on its disk after %s (fsync, median of %d). %s.",
		runtime.NumCPU(), runtime.GOARCH, text(u.Release[:]), runtime.Version(), milliseconds(sync), syncRounds,
		time.Now().UTC().Format("2006-01-02 15:04 UTC")), nil
}

// describeLoad says how busy the machine was, other programs included: with a
// load far above the cores only the ratios mean something.
func describeLoad() (string, error) {
	averages, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "", err
	}
	fields := strings.Fields(string(averages))
	return fmt.Sprintf("Load average at the end of this part: %s over 1 minute, %s over 5 (%d cores).", fields[0], fields[1], runtime.NumCPU()), nil
}

func text(chars []int8) string {
	var b strings.Builder
	for _, c := range chars {
		if c == 0 {
			break
		}
		b.WriteByte(byte(c))
	}
	return b.String()
}

// syncRounds is how many writes the time of the disk is the median of.
const syncRounds = 101

// syncTime is what the disk takes for the smallest durable write: the floor of
// everything that is acknowledged after it is stored.
func syncTime(dir string) (time.Duration, error) {
	f, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	block := make([]byte, 4096)
	times := make([]time.Duration, syncRounds)
	for i := range times {
		began := time.Now()
		if _, err := f.Write(block); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		times[i] = time.Since(began)
	}
	return median(times), nil
}
