package db_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"pocketid/internal/db"
	"pocketid/internal/dbtest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// One golden file for both engines: what the schema means, not how each engine
// would print it.
func TestSchemaIsTheSameOnBothEngines(t *testing.T) {
	const golden = "testdata/schema.golden"
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		describe := describeSQLite
		if d.Postgres {
			describe = describePostgres
		}
		var tables []table
		if err := d.Read(t.Context(), func(tx *db.Tx) (err error) {
			tables, err = describe(tx)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, tab := range tables {
			b.WriteString(tab.String())
		}
		got := b.String()
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if got == string(want) {
			return
		}
		wanted, lines := strings.Split(string(want), "\n"), strings.Split(got, "\n")
		for _, l := range lines {
			if !slices.Contains(wanted, l) {
				t.Errorf("not in %s: %s", golden, l)
			}
		}
		for _, l := range wanted {
			if !slices.Contains(lines, l) {
				t.Errorf("only in %s: %s", golden, l)
			}
		}
		t.Errorf("the schema is not that of %s; when that is meant, run make golden", golden)
	})
}

func TestTextIsComparedByItsBytes(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		if !d.Postgres {
			return // that is how SQLite compares
		}
		if other := mustAsk[string](t, d, `SELECT coalesce(string_agg(c.relname || '.' || a.attname, ' '), '')
			FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
			WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND a.attnum > 0
			AND a.attcollation <> 0 AND a.attcollation <> '"C"'::regcollation`); other != "" {
			t.Errorf("another collation: %s", other)
		}
	})
}

// A table as both engines can describe it.
type table struct {
	name    string
	columns []string
	rules   []string // keys, indexes, references; sorted
}

func (t table) String() string {
	slices.Sort(t.rules)
	return t.name + "\n    " + strings.Join(t.columns, "\n    ") + "\n    - " + strings.Join(t.rules, "\n    - ") + "\n"
}

func list[T any](tx *db.Tx, fields func(*T) []any, q string, args ...any) []T {
	all, _ := db.All(tx, fields, q, args...) // a failure sticks
	return all
}

func one(s *string) []any { return []any{s} }

type columnRow struct {
	name, kind, standard string
	needed, key          bool
}

func (c columnRow) String() string {
	s := c.name + " " + strings.ToUpper(c.kind)
	if c.needed || c.key { // a primary key is never NULL; only SQLite does not say so
		s += " NOT NULL"
	}
	if c.standard != "" {
		s += " DEFAULT " + strings.ToUpper(strings.TrimSuffix(c.standard, "::text"))
	}
	return s
}

func describeSQLite(tx *db.Tx) (tables []table, err error) {
	for _, name := range list(tx, one, `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name`) {
		t := table{name: name}
		for _, c := range list(tx, func(c *columnRow) []any {
			return []any{&c.name, &c.kind, &c.needed, db.Text(&c.standard), &c.key}
		}, `SELECT name, type, "notnull", dflt_value, pk > 0 FROM pragma_table_info($1) ORDER BY cid`, name) {
			t.columns = append(t.columns, c.String())
		}
		type index struct {
			name, origin, condition string
			unique                  bool
		}
		for _, i := range list(tx, func(i *index) []any { return []any{&i.name, &i.origin, &i.unique, db.Text(&i.condition)} },
			`SELECT l.name, l.origin, l."unique", CASE WHEN l.partial THEN substr(m.sql, instr(m.sql, ' WHERE ') + 7) END
			FROM pragma_index_list($1) l LEFT JOIN sqlite_master m ON m.name = l.name ORDER BY l.name`, name) {
			columns := strings.Join(list(tx, one, `SELECT COALESCE(name, '…') FROM pragma_index_info($1) ORDER BY seqno`, i.name), ", ")
			t.rules = append(t.rules, rule(i.origin == "pk", i.unique, i.origin == "c", i.name, columns, i.condition))
		}
		type reference struct{ from, table, to, then string }
		for _, r := range list(tx, func(r *reference) []any { return []any{&r.from, &r.table, &r.to, &r.then} },
			`SELECT "from", "table", "to", on_delete FROM pragma_foreign_key_list($1) ORDER BY id`, name) {
			t.rules = append(t.rules, fmt.Sprintf("%s REFERENCES %s (%s) ON DELETE %s", r.from, r.table, r.to, r.then))
		}
		for _, check := range list(tx, one, `SELECT sql FROM sqlite_master WHERE name = $1`, name) {
			t.rules = append(t.rules, checks(check)...)
		}
		tables = append(tables, t)
	}
	return tables, nil
}

func describePostgres(tx *db.Tx) (tables []table, err error) {
	for _, name := range list(tx, one, `SELECT CAST(relname AS TEXT) FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' ORDER BY relname`) {
		t := table{name: name}
		for _, c := range list(tx, func(c *columnRow) []any {
			return []any{&c.name, &c.kind, &c.needed, db.Text(&c.standard)}
		}, `SELECT column_name, data_type, is_nullable = 'NO', column_default FROM information_schema.columns
			WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position`, name) {
			t.columns = append(t.columns, c.String())
		}
		type index struct {
			name, columns, condition string
			primary, unique, made    bool
		}
		for _, i := range list(tx, func(i *index) []any {
			return []any{&i.name, &i.primary, &i.unique, &i.made, &i.columns, db.Text(&i.condition)}
		}, `SELECT c.relname, i.indisprimary, i.indisunique, NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u')),
				(SELECT string_agg(COALESCE(a.attname, '…'), ', ' ORDER BY k.n) FROM unnest(i.indkey) WITH ORDINALITY k(num, n)
				LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.num),
				pg_get_expr(i.indpred, i.indrelid)
			FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
			WHERE i.indrelid = (SELECT oid FROM pg_class WHERE relname = $1 AND relnamespace = current_schema()::regnamespace) ORDER BY c.relname`, name) {
			t.rules = append(t.rules, rule(i.primary, i.unique, i.made, i.name, i.columns, i.condition))
		}
		t.rules = append(t.rules, list(tx, one, `SELECT a.attname || ' REFERENCES ' || f.relname || ' (' || b.attname || ') ON DELETE '
				|| CASE k.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'r' THEN 'RESTRICT' ELSE 'NO ACTION' END
			FROM pg_constraint k
			JOIN pg_class f ON f.oid = k.confrelid
			JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
			JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = k.confkey[1]
			WHERE k.contype = 'f' AND k.conrelid = (SELECT oid FROM pg_class WHERE relname = $1 AND relnamespace = current_schema()::regnamespace) ORDER BY 1`, name)...)
		for _, check := range list(tx, one, `SELECT pg_get_constraintdef(oid) FROM pg_constraint
			WHERE contype = 'c' AND conrelid = (SELECT oid FROM pg_class WHERE relname = $1 AND relnamespace = current_schema()::regnamespace) ORDER BY 1`, name) {
			t.rules = append(t.rules, checks(check)...)
		}
		tables = append(tables, t)
	}
	return tables, nil
}

// rule is a key or an index in words that both engines share.
func rule(primary, unique, made bool, name, columns, condition string) string {
	var s string
	switch {
	case primary:
		s = "PRIMARY KEY"
	case unique && made:
		s = "UNIQUE INDEX " + name
	case unique:
		s = "UNIQUE"
	default:
		s = "INDEX " + name
	}
	s += " (" + columns + ")"
	if condition != "" { // each engine has its own words for the same condition
		s += " WHERE …"
	}
	return s
}

// checks finds the CHECK constraints in a definition.
func checks(definition string) (all []string) {
	for {
		_, rest, found := strings.Cut(definition, "CHECK (")
		if !found {
			return all
		}
		inner, after, _ := strings.Cut(rest, ")")
		all = append(all, "CHECK ("+strings.Trim(inner, "() ")+")")
		definition = after
	}
}
