package db

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// A Kind is what a column holds.
type Kind string

// The kinds of columns: there are no others in the schema.
const (
	TextColumn    Kind = "text"
	IntegerColumn Kind = "integer"
	BooleanColumn Kind = "boolean"
	BytesColumn   Kind = "bytes"
)

// A Column is one of a table.
type Column struct {
	Name string
	Kind Kind
	// Null says that it may hold nothing.
	Null bool
}

// A Table is one of the product, as whoever copies its rows has to know it. The rest of
// the house knows its tables by heart.
type Table struct {
	Name    string
	Columns []Column
	key     []string // of the primary key, in its order
	parents []string // tables that have to be filled before
}

// kindsOfColumns are the kinds by the types that the engines know them as.
var kindsOfColumns = map[string]Kind{
	"text": TextColumn, "bigint": IntegerColumn, "boolean": BooleanColumn, "bytea": BytesColumn,
}

// makesTable is a table that a migration makes.
var makesTable = regexp.MustCompile(`\bCREATE TABLE (?:IF NOT EXISTS )?([a-z_]+)`)

// ownTables are the names of all tables that migrations make.
func ownTables() (list []string) {
	for _, m := range migrations {
		for _, found := range makesTable.FindAllStringSubmatch(m.script, -1) {
			list = append(list, found[1])
		}
	}
	return list
}

// Tables are the tables of the product as this database has them, each behind those that
// its rows refer to. The one that says which migrations were done is not among them.
func (tx *Tx) Tables() ([]Table, error) {
	type row struct {
		table, column, kind string
		null                bool
		key                 int
	}
	columns := `SELECT m.name, c.name, lower(c.type), c."notnull" = 0, c.pk FROM sqlite_master m, pragma_table_info(m.name) c
		WHERE m.type = 'table' ORDER BY m.name, c.cid`
	references := `SELECT m.name, f."table" FROM sqlite_master m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table' ORDER BY m.name`
	if tx.d.Postgres {
		columns = `SELECT CAST(t.relname AS TEXT), CAST(a.attname AS TEXT), format_type(a.atttypid, a.atttypmod), NOT a.attnotnull,
				CAST(COALESCE(array_position(k.conkey, a.attnum), 0) AS BIGINT)
			FROM pg_catalog.pg_class t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
				LEFT JOIN pg_catalog.pg_constraint k ON k.conrelid = t.oid AND k.contype = 'p'
			WHERE t.relkind = 'r' AND t.relnamespace = CAST(current_schema() AS regnamespace) ORDER BY CAST(t.relname AS TEXT) COLLATE "C", a.attnum`
		references = `SELECT CAST(t.relname AS TEXT), CAST(p.relname AS TEXT)
			FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class t ON t.oid = k.conrelid JOIN pg_catalog.pg_class p ON p.oid = k.confrelid
			WHERE k.contype = 'f' AND t.relnamespace = CAST(current_schema() AS regnamespace) ORDER BY 1`
	}
	rows, err := All(tx, func(r *row) []any { return []any{&r.table, &r.column, &r.kind, &r.null, &r.key} }, columns)
	if err != nil {
		return nil, err
	}
	own := ownTables()
	var list []Table
	keys := map[string]int{} // how many columns the key of a table has
	for _, r := range rows {
		if !slices.Contains(own, r.table) {
			continue
		}
		kind, known := kindsOfColumns[r.kind]
		if !known {
			return nil, fmt.Errorf("the column %s.%s has the type %s", r.table, r.column, r.kind)
		}
		if len(list) == 0 || list[len(list)-1].Name != r.table {
			list = append(list, Table{Name: r.table})
		}
		t := &list[len(list)-1]
		t.Columns = append(t.Columns, Column{r.column, kind, r.null && r.key == 0}) // SQLite lets keys be NULL
		if r.key > 0 {
			for len(t.key) < r.key {
				t.key = append(t.key, "")
			}
			t.key[r.key-1] = r.column
			keys[r.table]++
		}
	}
	refers, err := All(tx, func(r *row) []any { return []any{&r.table, &r.column} }, references)
	if err != nil {
		return nil, err
	}
	for i := range list {
		t := &list[i]
		if len(t.key) == 0 || keys[t.Name] != len(t.key) {
			return nil, fmt.Errorf("the table %s has no primary key", t.Name)
		}
		for _, r := range refers {
			if r.table == t.Name {
				t.parents = append(t.parents, r.column)
			}
		}
	}
	return parentsFirst(list)
}

// tablesOf are those that were asked for: a version of the schema does not change.
var tablesOf sync.Map

// TablesOf are the tables that a version of the schema has.
func TablesOf(ctx context.Context, version int) (list []Table, err error) {
	if version < 1 || version > newest() {
		return nil, fmt.Errorf("there is no schema %d", version)
	}
	if known, ok := tablesOf.Load(version); ok {
		return slices.Clone(known.([]Table)), nil
	}
	w := newLiteWriter(func() (*liteConn, error) { return openLite("file::memory:", nil) })
	d := &DB{r: w, w: w}
	err = d.run(ctx, w, func(tx *Tx) error {
		tx.Do(`CREATE TABLE migration (name TEXT PRIMARY KEY, at BIGINT NOT NULL)`)
		if err := d.steps(tx, migrations[:version]); err != nil {
			return err
		}
		list, err = tx.Tables()
		return err
	})
	if err = errors.Join(err, w.close()); err != nil {
		return nil, err
	}
	tablesOf.Store(version, list)
	return slices.Clone(list), nil
}

// parentsFirst puts each table behind those that it refers to.
func parentsFirst(list []Table) ([]Table, error) {
	var sorted []Table
	done := map[string]bool{}
	for len(list) > 0 {
		before := len(list)
		list = slices.DeleteFunc(list, func(t Table) bool {
			for _, p := range t.parents {
				if !done[p] {
					return false
				}
			}
			sorted, done[t.Name] = append(sorted, t), true
			return true
		})
		if len(list) == before {
			return nil, fmt.Errorf("the tables %s and others refer to each other in a ring", list[0].Name)
		}
	}
	return sorted, nil
}

// names are the columns as a statement lists them.
func (t Table) names() string {
	var b strings.Builder
	for i, c := range t.Columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(c.Name)
	}
	return b.String()
}

// Each calls row with the values of every row of a table, in the order of its primary key,
// which is the same on both engines. They are of the kinds of its columns: string, int64,
// bool, []byte, or nil. One row is in memory at a time.
func (tx *Tx) Each(t Table, row func(values []any) error) error {
	if !tx.ready() {
		return tx.err
	}
	values, into := make([]any, len(t.Columns)), make([]any, len(t.Columns))
	for i := range values {
		into[i] = &values[i]
	}
	var stopped error
	err := tx.s.each("SELECT "+t.names()+" FROM "+t.Name+" ORDER BY "+strings.Join(t.key, ", "), nil, func(r reader) (bool, error) {
		if err := tx.ctx.Err(); err != nil {
			return false, err
		}
		if err := r.scan(into); err != nil {
			return false, err
		}
		for i, c := range t.Columns {
			v, err := c.plain(values[i])
			if err != nil {
				return false, fmt.Errorf("the column %s of %s in the row of %v: %w", c.Name, t.Name, values[0], err)
			}
			values[i] = v
		}
		stopped = row(values)
		return stopped == nil, nil
	})
	if err != nil {
		return tx.fail(err)
	}
	return stopped
}

// plain is a value as the column declares it: SQLite has no booleans, and would keep
// anything anywhere.
func (c Column) plain(v any) (any, error) {
	fits := false
	switch x := v.(type) {
	case nil:
		return nil, nil
	case string:
		fits = c.Kind == TextColumn
	case int64:
		if c.Kind == BooleanColumn && (x == 0 || x == 1) {
			return x == 1, nil
		}
		fits = c.Kind == IntegerColumn
	case bool:
		fits = c.Kind == BooleanColumn
	case []byte:
		fits = c.Kind == BytesColumn
	}
	if !fits {
		return nil, fmt.Errorf("there is a %T, which is no %s", v, c.Kind)
	}
	return v, nil
}

// MaxInsert is how many rows Insert takes at once.
const MaxInsert = 64

// Insert writes rows into a table: the values of its columns, one row after the other.
func (tx *Tx) Insert(t Table, values []any) error {
	n := len(t.Columns)
	if len(values) == 0 {
		return nil
	}
	if len(values)%n != 0 || len(values) > n*MaxInsert {
		panic("db: rows are inserted whole, and not too many")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "INSERT INTO %s (%s) VALUES ", t.Name, t.names())
	for i := 0; i < len(values); i += n {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("(" + MarksFrom(i+1, n) + ")")
	}
	_, err := tx.Exec(b.String(), values...)
	return err
}
