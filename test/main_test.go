// Package test tries the whole product: the built program between real peers, by real protocols.
package test

import (
	"os"
	"testing"

	"mailroom/test/harness"
)

func TestMain(m *testing.M) {
	code := m.Run()
	harness.Close()
	os.Exit(code)
}

// engines runs a test on both databases.
func engines(t *testing.T, run func(t *testing.T, engine harness.Engine)) {
	for _, engine := range []harness.Engine{harness.SQLite, harness.PostgreSQL} {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			run(t, engine)
		})
	}
}
