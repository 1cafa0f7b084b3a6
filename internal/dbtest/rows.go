package dbtest

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Rows is everything that a database holds: each row as one text, by its table and in
// order. Two of them differ exactly where something was written.
func Rows(t testing.TB, dsn string) map[string][]string {
	t.Helper()
	driver, tables := "sqlite", `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name`
	if strings.HasPrefix(dsn, "postgres") {
		driver, tables = "pgx", `SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() ORDER BY 1`
	}
	pool, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	pool.SetMaxOpenConns(1)
	tx, err := pool.Begin() // one look at all tables
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	all := map[string][]string{}
	for _, row := range query(t, tx, tables) {
		_, name, _ := strings.Cut(strings.TrimSpace(row), "=")
		all[name] = query(t, tx, "SELECT * FROM "+name)
	}
	if len(all) < 10 {
		t.Fatalf("the database has only the tables %v", all)
	}
	return all
}

// query is the rows of a statement, each as "column=value " for every column.
func query(t testing.TB, tx *sql.Tx, statement string) (list []string) {
	t.Helper()
	rows, err := tx.Query(statement)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for i, name := range columns {
			if raw, ok := values[i].([]byte); ok {
				fmt.Fprintf(&b, "%s=%x ", name, raw)
				continue
			}
			fmt.Fprintf(&b, "%s=%v ", name, values[i])
		}
		list = append(list, b.String())
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(list)
	return list
}
