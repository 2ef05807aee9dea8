// Package migrations holds the database's schema, one file for each step, in
// one dialect that SQLite and PostgreSQL both read. Each file is applied in a
// transaction of its own: one that fails rolls back as a whole.
package migrations

import "embed"

// Files are the goose migrations, by number.
//
//go:embed *.sql
var Files embed.FS
