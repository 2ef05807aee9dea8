package store

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"

	"mailroom/migrations"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// Migrate brings the schema up to date and says how many files it has applied.
// Each file is one transaction: a failed one rolls back. A SQLite file that is
// not new is copied to FILE.before-N first, N being its old version.
func (s *Store) Migrate(ctx context.Context) (applied int, err error) {
	return s.migrate(ctx, migrations.Files)
}

func (s *Store) migrate(ctx context.Context, files fs.FS) (int, error) {
	dialect := goose.DialectSQLite3
	var options []goose.ProviderOption
	if s.engine.name == "postgres" {
		dialect = goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return 0, fmt.Errorf("migrating the database: %w", err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(dialect, s.db.DB, files, options...)
	if err != nil {
		return 0, fmt.Errorf("migrating the database: %w", err)
	}
	if err := s.copyBefore(ctx, provider); err != nil {
		return 0, fmt.Errorf("copying the database before its migration: %w", err)
	}
	results, err := provider.Up(ctx)
	if err != nil {
		return 0, fmt.Errorf("migrating the database: %w", err)
	}
	return len(results), nil
}

// Pending says how many migrations are not applied yet.
func (s *Store) Pending(ctx context.Context) (bool, error) {
	dialect := goose.DialectSQLite3
	if s.engine.name == "postgres" {
		dialect = goose.DialectPostgres
	}
	provider, err := goose.NewProvider(dialect, s.db.DB, migrations.Files)
	if err != nil {
		return false, err
	}
	return provider.HasPending(ctx)
}

// copyBefore copies a SQLite file that has a schema and is about to change.
func (s *Store) copyBefore(ctx context.Context, provider *goose.Provider) error {
	if s.engine.name != "sqlite" {
		return nil
	}
	pending, err := provider.HasPending(ctx)
	if err != nil || !pending {
		return err
	}
	version, err := provider.GetDBVersion(ctx)
	if err != nil || version == 0 {
		return err
	}
	var file string
	if err := s.db.GetContext(ctx, &file, `select file from pragma_database_list where name = 'main'`); err != nil {
		return err
	}
	if _, err := s.db.ExecContext(ctx, `pragma wal_checkpoint(truncate)`); err != nil {
		return err
	}
	return copyFile(file, fmt.Sprintf("%s.before-%d", file, version))
}

func copyFile(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(target, source); err != nil {
		target.Close()
		return err
	}
	if err := target.Sync(); err != nil {
		target.Close()
		return err
	}
	return target.Close()
}
