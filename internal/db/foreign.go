package db

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A ForeignColumn is a column of a table of another program.
type ForeignColumn struct {
	Name string
	// Type is what the table declares, in lower case: "datetime", "uuid".
	Type string
}

// A ForeignDB is a database of another program, opened to be read. Nothing is changed in it.
type ForeignDB struct {
	db *DB
	// Tables are the tables in it with their columns.
	Tables map[string][]ForeignColumn
}

// OpenForeign opens a database of another program to read from it: a path or URI of
// SQLite, whatever parameters it has, or a URL of PostgreSQL. Its program may be running.
func OpenForeign(ctx context.Context, connection string) (*ForeignDB, error) {
	f := &ForeignDB{}
	if IsPostgres(connection) {
		var err error
		if f.db, err = poolPostgres(connection); err != nil {
			return nil, err
		}
	} else {
		path, _, _ := strings.Cut(connection, "?")
		c, err := parseDSN(path)
		if err != nil {
			return nil, err
		}
		st, err := os.Stat(c.path)
		if errors.Is(err, fs.ErrNotExist) || err == nil && (st.IsDir() || st.Size() == 0) {
			return nil, &Refusal{fmt.Sprintf("there is no database at %s", c.path), "Name the file of the database"}
		}
		if err != nil {
			return nil, &Refusal{fmt.Sprintf("the database %s cannot be read: %v", c.path, err), "Let this user read it"}
		}
		f.db = onlyRead(c.path)
	}
	err := f.Read(ctx, func(tx *Tx) (err error) {
		f.Tables, err = f.db.columnsOfAll(tx)
		return err
	})
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// onlyRead opens a file of SQLite to read from it.
func onlyRead(path string) *DB {
	params := url.Values{"mode": {"ro"}}
	if wal, err := os.Stat(path + "-wal"); err != nil || wal.Size() == 0 {
		// Without a log all is in the file itself, and nothing needs to be
		// made beside it to read it.
		params.Set("immutable", "1")
	}
	uri, pragmas := sqliteURI(path, params), []string{"query_only(1)", "trusted_schema(0)", fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds())}
	one := door{newConns(1, 0, func(context.Context) (connection, error) { return openReader(uri, pragmas) }), "BEGIN"}
	return &DB{r: one, w: one, path: filepath.Clean(path)}
}

// columnsOfAll are all tables with their columns.
func (d *DB) columnsOfAll(tx *Tx) (map[string][]ForeignColumn, error) {
	q := `SELECT m.name, p.name, lower(p.type) FROM sqlite_master m JOIN pragma_table_info(m.name) p
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY m.name, p.cid`
	if d.Postgres {
		q = `SELECT CAST(table_name AS TEXT), CAST(column_name AS TEXT), CAST(udt_name AS TEXT) FROM information_schema.columns
			WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position`
	}
	type row struct {
		table string
		ForeignColumn
	}
	all, err := All(tx, func(r *row) []any { return []any{&r.table, &r.Name, &r.Type} }, q)
	tables := map[string][]ForeignColumn{}
	for _, r := range all {
		tables[r.table] = append(tables[r.table], r.ForeignColumn)
	}
	return tables, err
}

// Read runs fn over one snapshot, in which nothing can be written.
func (f *ForeignDB) Read(ctx context.Context, fn func(tx *Tx) error) error { return f.db.Read(ctx, fn) }

// Close gives the database back.
func (f *ForeignDB) Close() error { return f.db.Close() }

// Each calls fn for each row of a table, with its values by the names of their columns:
// nil, bool, int64, float64, string or []byte. Times of PostgreSQL are whole seconds since
// 1970, everything that it has a type of its own for is text.
func (f *ForeignDB) Each(tx *Tx, table string, fn func(row map[string]any) error) error {
	return f.read(tx, table, f.Tables[table], ``, nil, fn)
}

// Only is Each for some of the columns.
func (f *ForeignDB) Only(tx *Tx, table string, names []string, fn func(row map[string]any) error) error {
	columns := slices.DeleteFunc(slices.Clone(f.Tables[table]), func(c ForeignColumn) bool { return !slices.Contains(names, c.Name) })
	return f.read(tx, table, columns, ``, nil, fn)
}

// Where is Each for the rows in which a column has this text.
func (f *ForeignDB) Where(tx *Tx, table, column, text string, fn func(row map[string]any) error) error {
	return f.read(tx, table, f.Tables[table], ` WHERE `+quoted(column)+` = $1`, []any{text}, fn)
}

func (f *ForeignDB) read(tx *Tx, table string, columns []ForeignColumn, where string, args []any, fn func(row map[string]any) error) error {
	if len(columns) == 0 {
		return nil
	}
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = f.expression(c)
	}
	if !tx.ready() {
		return tx.err
	}
	values, dst := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		dst[i] = &values[i]
	}
	var inner error
	err := tx.s.each(`SELECT `+strings.Join(list, ", ")+` FROM `+quoted(table)+where, args, func(r reader) (bool, error) {
		if err := tx.ctx.Err(); err != nil {
			return false, err
		}
		if err := r.scan(dst); err != nil {
			return false, fmt.Errorf("read the table %s: %w", table, err)
		}
		row := make(map[string]any, len(columns))
		for i, c := range columns {
			row[c.Name] = values[i]
		}
		inner = fn(row)
		return inner == nil, nil
	})
	if inner != nil {
		return inner
	}
	return tx.fail(err)
}

// expression selects a column in a form that both sides know.
func (f *ForeignDB) expression(c ForeignColumn) string {
	name := quoted(c.Name)
	if !f.db.Postgres {
		return name
	}
	switch c.Type {
	case "bool", "bytea", "int2", "int4", "int8", "text", "varchar":
		return name
	case "timestamptz", "timestamp":
		return `CAST(floor(date_part('epoch', ` + name + `)) AS BIGINT)`
	case "inet":
		return `host(` + name + `)`
	}
	return `CAST(` + name + ` AS TEXT)`
}

// quoted is the name of a table or column that was read from a database.
func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
