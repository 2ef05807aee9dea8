package store

import (
	"context"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"mailroom/migrations"

	"github.com/stretchr/testify/require"
)

// next is the real schema and one more file.
func next(t *testing.T, sql string) fs.FS {
	files := fstest.MapFS{"00099_next.sql": {Data: []byte(sql)}}
	names, err := fs.Glob(migrations.Files, "*.sql")
	require.NoError(t, err)
	for _, name := range names {
		data, err := fs.ReadFile(migrations.Files, name)
		require.NoError(t, err)
		files[name] = &fstest.MapFile{Data: data}
	}
	return files
}

func TestAFailedMigrationRollsBackAndTheFileWasCopied(t *testing.T) {
	ctx := context.Background()
	file := filepath.Join(t.TempDir(), "mailroom.db")
	s, err := Open(ctx, "sqlite:"+file, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer s.Close()
	_, err = s.Migrate(ctx)
	require.NoError(t, err)

	_, err = s.migrate(ctx, next(t, "-- +goose Up\ncreate table half (a text);\ninsert into nowhere values (1);\n"))
	require.Error(t, err)
	var tables int
	require.NoError(t, s.db.Get(&tables, `select count(*) from sqlite_master where name = 'half'`))
	require.Zero(t, tables, "the half that worked must be undone")

	matches, err := filepath.Glob(file + ".before-*")
	require.NoError(t, err)
	require.Len(t, matches, 1)
	info, err := os.Stat(matches[0])
	require.NoError(t, err)
	require.NotZero(t, info.Size())

	applied, err := s.migrate(ctx, next(t, "-- +goose Up\ncreate table whole (a text);\n"))
	require.NoError(t, err)
	require.Equal(t, 1, applied)
}

func TestRawBytesSurviveAColumnOfText(t *testing.T) {
	for _, raw := range []string{"", "plain é", "nul \x00", "\xff\xfe", "base64:not", "base64:"} {
		got, err := decodeRaw(encodeRaw([]byte(raw)))
		require.NoError(t, err)
		require.Equal(t, raw, string(got))
	}
}
