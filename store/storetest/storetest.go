// Package storetest is the suite that both database engines pass, and what
// other packages' tests need to run on both.
package storetest

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"

	"mailroom/store"

	"github.com/stretchr/testify/require"
)

// OnBoth runs a test on SQLite and on PostgreSQL, each with a fresh database,
// migrated. The package's TestMain must call Main.
func OnBoth(t *testing.T, test func(t *testing.T, s *store.Store)) {
	t.Run("sqlite", func(t *testing.T) {
		test(t, Open(t, "sqlite:"+filepath.Join(t.TempDir(), "mailroom.db")))
	})
	t.Run("postgres", func(t *testing.T) { test(t, Open(t, NewDatabase(t))) })
}

// Open opens a database and migrates it; it is closed with the test.
func Open(t testing.TB, url string) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), url, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	_, err = s.Migrate(context.Background())
	require.NoError(t, err)
	return s
}
