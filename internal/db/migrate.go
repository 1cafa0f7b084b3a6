package db

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// A migration is one step of the schema. Steps are only ever appended, and
// only ever add: there is no way down but the snapshot.
type migration struct {
	name    string // "0001_start"
	version int
	script  string
	// postgres is run after script on PostgreSQL, for what only it needs.
	postgres string
}

// migrations are the steps that this program knows, in order.
var migrations = loadMigrations(migrationFiles)

func loadMigrations(files fs.FS) []migration {
	names, err := fs.Glob(files, "migrations/[0-9]*.sql")
	if err != nil {
		panic("db: the pattern is a constant: " + err.Error())
	}
	slices.Sort(names)
	var all []migration
	for _, file := range names {
		b, err := fs.ReadFile(files, file)
		if err != nil {
			panic("db: the file was listed: " + err.Error())
		}
		name := strings.TrimSuffix(path.Base(file), ".sql")
		if of, ok := strings.CutSuffix(name, ".postgres"); ok {
			i := slices.IndexFunc(all, func(m migration) bool { return m.name == of })
			if i < 0 {
				panic("db: " + file + " belongs to no migration")
			}
			all[i].postgres = string(b)
			continue
		}
		digits, _, _ := strings.Cut(name, "_")
		v, err := strconv.Atoi(digits)
		if err != nil || v != len(all)+1 {
			panic("db: " + file + " is not the next migration")
		}
		all = append(all, migration{name: name, version: v, script: string(b)})
	}
	return all
}

// Scripts is the text of all migrations, for tests that keep a migrated database until
// the migrations change.
func Scripts() string {
	var b strings.Builder
	for _, m := range migrations {
		b.WriteString(m.name + "\n" + m.script + m.postgres)
	}
	return b.String()
}

// newest is the version of the schema that this program is written for.
func newest() int { return len(migrations) }

// versionOf is the number in the name of a migration.
func versionOf(name string) int {
	digits, _, _ := strings.Cut(name, "_")
	v, _ := strconv.Atoi(digits)
	return v
}

// migrate brings the schema to the newest version, all in one transaction.
func (d *DB) migrate(ctx context.Context) error {
	return d.locked(ctx, func() error {
		return d.Write(ctx, func(tx *Tx) error {
			tx.Do(d.script(`CREATE TABLE IF NOT EXISTS migration (name TEXT PRIMARY KEY, at BIGINT NOT NULL)`))
			had, err := All(tx, func(s *string) []any { return []any{s} }, `SELECT name FROM migration ORDER BY name`)
			if err != nil {
				return err
			}
			if len(had) > 0 {
				if err := newer(versionOf(had[len(had)-1])); err != nil {
					return err
				}
			}
			return d.steps(tx, slices.DeleteFunc(slices.Clone(migrations), func(m migration) bool { return slices.Contains(had, m.name) }))
		})
	})
}

// steps does migrations, one after the other.
func (d *DB) steps(tx *Tx, list []migration) error {
	for _, m := range list {
		tx.Do(`INSERT INTO migration (name, at) VALUES ($1, $2)`, m.name, tx.Now().UnixMicro())
		script := d.script(m.script)
		if d.Postgres {
			script += m.postgres
		}
		if _, err := tx.Exec(script); err != nil {
			return fmt.Errorf("migration %s: %w", m.name, err)
		}
	}
	return nil
}

// script is a script of the schema for this engine. On PostgreSQL the text of
// each new column is compared by its bytes, as SQLite does: lists that are
// sorted by a key come out the same on both, a range of keys means the
// beginning of a word, and an update of the system's C library, which may
// change how a language sorts, cannot break an index. SQLite has no collation
// of that name, so the files cannot say it themselves.
func (d *DB) script(s string) string {
	if !d.Postgres {
		return s
	}
	return columnOfText.ReplaceAllString(s, `$1 TEXT COLLATE "C"`)
}

// columnOfText is a column in CREATE TABLE or ADD COLUMN; not a CAST, whose
// word before TEXT is in capitals.
var columnOfText = regexp.MustCompile(`\b([a-z][a-z0-9_]*) +TEXT\b`)

// newer refuses a schema that a newer program made.
func newer(version int) error {
	if version <= newest() {
		return nil
	}
	return &Refusal{fmt.Sprintf("the database has schema %d, made by a newer Pocket ID; this program knows schemas up to %d", version, newest()),
		"Run the newer program, or put back what was kept before its migration: the snapshot beside an SQLite file, the backup of a PostgreSQL database"}
}
