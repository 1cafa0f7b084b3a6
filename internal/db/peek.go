package db

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"slices"

	sqlite3 "modernc.org/sqlite/lib"
)

// A State is what lies where a connection string points.
type State int

const (
	// Absent: no file, or no table.
	Absent State = iota
	// Ours: a database of this product, of some version.
	Ours
	// Foreign: a database of another program.
	Foreign
	// Incumbent: a database of the other implementation of Pocket ID.
	Incumbent
)

// A Look is what Peek found.
type Look struct {
	State State
	// Version is the version of the schema, when it is Ours.
	Version int
}

// Peek looks at a database without changing a byte of it, so that a start with
// the wrong key, or on the wrong file, leaves it as it was. When the database
// is ours and not newer than the program, look may read from it.
func Peek(ctx context.Context, connection string, look func(tx *Tx) error) (Look, error) {
	c, err := parseDSN(connection)
	if err != nil {
		return Look{}, err
	}
	if c.postgres {
		return peekPostgres(ctx, c.raw, look)
	}
	return peekSQLite(ctx, c.path, look)
}

func peekSQLite(ctx context.Context, path string, look func(tx *Tx) error) (Look, error) {
	st, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Look{}, nil
	}
	if err != nil {
		return Look{}, &Refusal{fmt.Sprintf("the database %s cannot be read: %v", path, err), "Let this user read it"}
	}
	if st.IsDir() {
		return Look{}, &Refusal{fmt.Sprintf("%s is a directory, not a database", path), "Name a file in it"}
	}
	if st.Size() == 0 {
		return Look{}, nil
	}
	params := url.Values{"mode": {"ro"}}
	if wal, err := os.Stat(path + "-wal"); err != nil || wal.Size() == 0 {
		// Without a log all is in the file itself, and nothing needs to be
		// made beside it to read it.
		params.Set("immutable", "1")
	}
	uri, pragmas := sqliteURI(path, params), []string{"query_only(1)", fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds())}
	one := door{newConns(1, 0, func(context.Context) (connection, error) { return openReader(uri, pragmas) }), "BEGIN"}
	d := &DB{r: one, w: one, path: path}
	defer d.Close()
	found, err := d.look(ctx, look)
	if lite, ok := errors.AsType[*liteError](err); ok {
		switch lite.primary() {
		case sqlite3.SQLITE_NOTADB:
			return Look{State: Foreign}, &Refusal{fmt.Sprintf("%s is not an SQLite database", path), "Set DB_CONNECTION_STRING to a file that is not there yet, or move this one away"}
		case sqlite3.SQLITE_CORRUPT:
			return Look{State: Foreign}, &Refusal{fmt.Sprintf("the database %s is damaged: %v", path, lite), "Put back a backup of it, or a snapshot that lies beside it"}
		}
	}
	return found, err
}

func peekPostgres(ctx context.Context, raw string, look func(tx *Tx) error) (Look, error) {
	d, err := poolPostgres(raw)
	if err != nil {
		return Look{}, err
	}
	defer d.Close()
	return d.look(ctx, look)
}

// tables lists the tables in sight.
func (d *DB) tables(tx *Tx) ([]string, error) {
	q := `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name`
	if d.Postgres {
		q = `SELECT CAST(tablename AS TEXT) FROM pg_catalog.pg_tables WHERE schemaname = current_schema() ORDER BY tablename`
	}
	return All(tx, func(s *string) []any { return []any{s} }, q)
}

func (d *DB) look(ctx context.Context, look func(tx *Tx) error) (found Look, err error) {
	err = d.Read(ctx, func(tx *Tx) error {
		if d.Postgres {
			var version int
			var encoding string
			if err := tx.One([]any{&version, &encoding}, `SELECT CAST(current_setting('server_version_num') AS BIGINT), current_setting('server_encoding')`); err != nil {
				return err
			}
			if err := unfit(version, encoding); err != nil {
				return err
			}
		}
		names, err := d.tables(tx)
		if err != nil {
			return err
		}
		has := func(name string) bool { return slices.Contains(names, name) }
		switch {
		case has("migration"):
			found.State = Ours
		case has("schema_migrations") || has("kv") || has("users"):
			found.State = Incumbent
			return nil
		case len(names) > 0 && !d.Postgres: // on PostgreSQL, extensions bring tables
			found.State = Foreign
			return nil
		default:
			return nil
		}
		var name string
		if err := tx.One([]any{Text(&name)}, `SELECT max(name) FROM migration`); err != nil {
			return err
		}
		found.Version = versionOf(name)
		if look == nil || found.Version == 0 || found.Version > newest() {
			return nil
		}
		return look(tx)
	})
	return found, err
}

// refusal says why a database that was found cannot be used, if it cannot.
func (l Look) refusal(where string) error {
	switch l.State {
	case Foreign:
		return &Refusal{fmt.Sprintf("%s is a database of another program", where), "Set DB_CONNECTION_STRING to a file that is not there yet, or move this one away"}
	case Incumbent:
		return &Refusal{fmt.Sprintf("%s is a database of the other implementation of Pocket ID, which this program has not moved in from; nothing in it was changed", where),
			"Start the server once, it moves in from a file and keeps it; or set DB_CONNECTION_STRING to a new place and run pocket-id import --from-database"}
	case Ours:
		return newer(l.Version)
	}
	return nil
}

// mustBeCurrent refuses a schema that is not the program's own.
func (l Look) mustBeCurrent() error {
	if l.Version == newest() {
		return nil
	}
	return &Refusal{fmt.Sprintf("the database has schema %d and this program works with schema %d", l.Version, newest()),
		"Start the server of this version once, it brings the database up to date"}
}
