package moving_test

import (
	"bytes"
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"

	"pocketid/internal/db"
	"pocketid/internal/dbtest"
)

// texts are what a column of text has to bring through: nothing at all and nothing in it,
// four bytes for a letter, what JSON and CSV take for their own, and control characters.
var texts = []string{"", "plain", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 👩‍👩‍👧", `"quoted" \back\slash\u0041`, "line\r\nfeed\ttab\u2028\x01\x7f", "é", "e\u0301", "<&>", "  ends  "}

// full puts rows into every table there is, whatever its columns: of each kind the values
// at its borders, and nothing where nothing is allowed.
func full(t *testing.T, d *db.DB) []db.Table {
	t.Helper()
	var tables []db.Table
	err := d.Write(t.Context(), func(tx *db.Tx) (err error) {
		if tables, err = tx.Tables(); err != nil {
			return err
		}
		for _, table := range tables {
			tx.Do("DELETE FROM " + table.Name)
		}
		for _, table := range tables {
			for n := range len(texts) {
				if table.Name == "settings" && n > 0 {
					break // has one row
				}
				var row []any
				for _, c := range table.Columns {
					row = append(row, sample(table, c, n))
				}
				if err := tx.Insert(table, row); err != nil {
					return fmt.Errorf("%s: %w", table.Name, err)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tables
}

// sample is a value for a column in the n-th row of its table. In a column no two are the
// same, and the n-th of two columns of text are: so one table refers to another.
func sample(table db.Table, c db.Column, n int) any {
	if c.Null && n == 0 {
		return nil
	}
	switch c.Kind {
	case db.TextColumn:
		return texts[n]
	case db.BytesColumn:
		return bytes.Repeat([]byte{0, byte(n), 0xff}, n)
	case db.BooleanColumn:
		return n%2 == 1
	}
	if table.Name == "settings" && c.Name == "id" {
		return int64(1)
	}
	return []int64{0, math.MaxInt64, math.MinInt64, 1<<53 + 1, -1, 1_755_900_000_123_456}[n%6]
}

// From SQLite to PostgreSQL and back, nothing changes: not a row, not a byte of the
// archives' tables.
func TestBetweenTheEnginesNothingIsLost(t *testing.T) {
	from := dbtest.DSN(t, dbtest.SQLite)
	house := dbtest.OpenDSN(t, from)
	tables := full(t, house)
	first := archived(t, house)
	way := []string{dbtest.DSN(t, dbtest.Postgres), dbtest.MigratedDSN(t, dbtest.SQLite), dbtest.MigratedDSN(t, dbtest.Postgres)}
	archive := first
	for _, dsn := range way {
		archive = archived(t, moved(t, archive, dsn))
		want, err := open(t, first)
		if err != nil {
			t.Fatal(err)
		}
		got, err := open(t, archive)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Tables) != len(tables) || len(tables) < 40 {
			t.Fatalf("the archive has %d tables, the database %d", len(got.Tables), len(tables))
		}
		for i := range want.Tables {
			if want.Tables[i].Rows == 0 {
				t.Errorf("%s has no row", want.Tables[i].Name)
			}
			if !reflect.DeepEqual(got.Tables[i], want.Tables[i]) {
				t.Errorf("%s: got %+v, want %+v", dsn, got.Tables[i], want.Tables[i])
			}
		}
	}
	before, after := dbtest.Rows(t, from), dbtest.Rows(t, way[1])
	delete(before, "migration")
	delete(after, "migration")
	if !reflect.DeepEqual(before, after) {
		for name := range before {
			if !slices.Equal(before[name], after[name]) {
				t.Errorf("%s: got %q, want %q", name, after[name], before[name])
			}
		}
	}
}
