package db

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"path"
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

// afterwards is run on PostgreSQL after each round of migrations.
var afterwards, _ = migrationFiles.ReadFile("migrations/afterwards.postgres.sql")

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
			tx.Do(`CREATE TABLE IF NOT EXISTS migration (name TEXT PRIMARY KEY, at BIGINT NOT NULL)`)
			had, err := All(tx, func(s *string) []any { return []any{s} }, `SELECT name FROM migration ORDER BY name`)
			if err != nil {
				return err
			}
			if len(had) > 0 {
				if err := newer(versionOf(had[len(had)-1])); err != nil {
					return err
				}
			}
			for _, m := range migrations {
				if slices.Contains(had, m.name) {
					continue
				}
				tx.Do(`INSERT INTO migration (name, at) VALUES ($1, $2)`, m.name, tx.Now().UnixMicro())
				if _, err := tx.Exec(m.script); err != nil {
					return fmt.Errorf("migration %s: %w", m.name, err)
				}
				if d.Postgres && m.postgres != "" {
					if _, err := tx.Exec(m.postgres); err != nil {
						return fmt.Errorf("migration %s: %w", m.name, err)
					}
				}
			}
			if d.Postgres {
				tx.Do(string(afterwards))
			}
			return nil
		})
	})
}

// newer refuses a schema that a newer program made.
func newer(version int) error {
	if version <= newest() {
		return nil
	}
	return &Refusal{fmt.Sprintf("the database has schema %d, made by a newer Pocket ID; this program knows schemas up to %d", version, newest()),
		"Run the newer program, or put back the snapshot that was kept before its migration"}
}
