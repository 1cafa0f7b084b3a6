package db_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/dbtest"
)

// What is passed comes back, whatever its type and in whichever order the parameters
// stand.
func TestValuesComeBack(t *testing.T) {
	type alg string
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		long := strings.Repeat("long ", 40_000) // more than a connection keeps room for
		for _, text := range []string{"short", "", "with \x01 and 'quotes' and é", long, "short again"} {
			var gotText string
			var gotAlg alg
			var gotBytes, gotEmpty, gotNil []byte
			var gotInt int
			var gotBool, gotNo bool
			var gotTime, gotZero time.Time
			var gotPointer, gotNothing *string
			at, bytes3, yes := time.UnixMicro(1755900000123456).UTC(), []byte{0, 1, 255}, true
			err := d.Write(t.Context(), func(tx *db.Tx) error {
				tx.Do(`DROP TABLE IF EXISTS file`)
				tx.Do(`CREATE TABLE file (a BYTEA, b BYTEA, c BYTEA)`)
				if err := tx.One([]any{&gotBytes, &gotEmpty, &gotNil}, `INSERT INTO file (c, b, a) VALUES ($3, $2, $1) RETURNING a, b, c`, &bytes3, []byte{}, []byte(nil)); err != nil {
					return err
				}
				return tx.One([]any{&gotText, &gotAlg, &gotInt, &gotBool, &gotNo, db.Time(&gotTime), db.Time(&gotZero), &gotPointer, &gotNothing}, `
					SELECT CAST($2 AS TEXT), CAST($1 AS TEXT), CAST($3 AS BIGINT),
						CAST($4 AS BOOLEAN), NOT CAST($4 AS BOOLEAN), CAST($5 AS BIGINT), CAST($6 AS BIGINT), CAST($2 AS TEXT), CAST(NULL AS TEXT)`,
					alg("ES256"), &text, 7, &yes, db.Time(&at), db.Time(&time.Time{}))
			})
			if err != nil {
				t.Fatal(err)
			}
			if gotText != text || gotAlg != "ES256" || !bytes.Equal(gotBytes, bytes3) || gotInt != 7 || !gotBool || gotNo || !gotTime.Equal(at) || !gotZero.IsZero() {
				t.Errorf("got %.20q %q %v %d %v %v %v %v", gotText, gotAlg, gotBytes, gotInt, gotBool, gotNo, gotTime, gotZero)
			}
			if gotEmpty == nil || len(gotEmpty) != 0 || gotNil != nil {
				t.Errorf("no bytes and nothing came back as %#v and %#v", gotEmpty, gotNil)
			}
			if gotPointer == nil || *gotPointer != text || gotNothing != nil {
				t.Errorf("pointers came back as %v and %v", gotPointer, gotNothing)
			}
		}
	})
}

func TestStatementsThatDoNotFit(t *testing.T) {
	var n int
	var s string
	tests := []struct {
		name string
		run  func(tx *db.Tx) error
	}{
		{"refuses too few arguments", func(tx *db.Tx) error { _, err := tx.Exec(`SELECT $1, $2`, 1); return err }},
		{"refuses too many arguments", func(tx *db.Tx) error { _, err := tx.Exec(`SELECT CAST($1 AS BIGINT)`, 1, 2); return err }},
		{"refuses too few destinations", func(tx *db.Tx) error { return tx.One([]any{&n}, `SELECT 1, 2`) }},
		{"refuses NULL for a number", func(tx *db.Tx) error { return tx.One([]any{&n}, `SELECT CAST(NULL AS BIGINT)`) }},
		{"refuses NULL for a text", func(tx *db.Tx) error { return tx.One([]any{&s}, `SELECT CAST(NULL AS TEXT)`) }},
		{"refuses a text for a number", func(tx *db.Tx) error { return tx.One([]any{&n}, `SELECT 'many'`) }},
		{"refuses a channel", func(tx *db.Tx) error { _, err := tx.Exec(`SELECT $1`, make(chan int)); return err }},
	}
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				if err := d.Read(t.Context(), test.run); err == nil || errors.Is(err, db.ErrNotFound) {
					t.Errorf("got %v", err)
				}
				if err := d.Ping(t.Context()); err != nil { // the connection is as it was
					t.Error(err)
				}
			})
		}
	})
}

// A Tx is for one goroutine: on SQLite its connection has no locks of its own.
func TestTwoStatementsAtOncePanic(t *testing.T) {
	d := dbtest.Open(t)
	defer func() {
		if v := recover(); v == nil || !strings.Contains(v.(string), "one goroutine") {
			t.Errorf("recovered %v", v)
		}
		if err := d.Ping(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	d.Read(t.Context(), func(tx *db.Tx) error {
		_, err := db.All(tx, func(n *int) []any {
			tx.One([]any{n}, `SELECT 2`)
			return []any{n}
		}, `SELECT 1`)
		return err
	})
}

// Readers without work are closed, whoever waits for one hears of the end of the wait,
// and a database that was closed says so.
func TestReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, err := db.Open(t.Context(), dbtest.DSN(t, dbtest.SQLite), db.Serve)
		if err != nil {
			t.Fatal(err)
		}
		hold, held := make(chan struct{}), make(chan error)
		for range 4 {
			go func() {
				held <- d.Read(t.Context(), func(tx *db.Tx) error {
					var n int
					err := tx.One([]any{&n}, `SELECT 1`)
					<-hold
					return err
				})
			}()
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := d.Ping(ctx); !errors.Is(err, db.ErrBusy) {
			t.Errorf("a fifth reader got %v", err)
		}
		closed := make(chan error)
		close(hold)
		for range 4 {
			if err := <-held; err != nil {
				t.Error(err)
			}
		}
		if n := d.Resting(); n != 4 {
			t.Errorf("%d readers rest", n)
		}
		time.Sleep(20 * time.Second)
		if err := d.Ping(t.Context()); err != nil {
			t.Error(err)
		}
		time.Sleep(15 * time.Second)
		if n := d.Resting(); n != 1 {
			t.Errorf("%d readers rest after a while in which one worked", n)
		}
		time.Sleep(time.Minute)
		if n := d.Resting(); n != 0 {
			t.Errorf("%d readers rest after a long while", n)
		}
		go func() { closed <- d.Close() }()
		if err := <-closed; err != nil {
			t.Error(err)
		}
		if err := d.Ping(t.Context()); err == nil {
			t.Error("a closed database answers")
		}
	})
}

// One statement and one transaction among others may change more than is kept in memory
// in case they have to be undone.
func TestLargeChangesCanBeUndone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t)
		defer q.d.Close()
		const rows = 3000
		fill := func(tx *db.Tx) error {
			_, err := tx.Exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
				INSERT INTO counter (id, n) SELECT hex(randomblob(300)), i FROM n`, rows)
			return err
		}
		write(t, q.d, func(tx *db.Tx) { fill(tx) }) // pages that are there can be changed
		q.add(1, nil, func(*db.Tx) error { <-q.hold; return nil })
		q.add(10, nil, fill)
		refusal := errors.New("a refusal")
		q.add(100, refusal, func(tx *db.Tx) error {
			if err := fill(tx); err != nil {
				return err
			}
			return refusal
		})
		q.add(1000, db.ErrConflict, func(tx *db.Tx) error {
			_, err := tx.Exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
				INSERT INTO counter (id, n) SELECT CASE i WHEN $1 THEN 'a' ELSE hex(randomblob(300)) END, i FROM n`, rows)
			return err
		})
		close(q.hold)
		q.ending.Wait()
		if n := mustAsk[int](t, q.d, `SELECT count(*) FROM counter`); n != 1+2*rows {
			t.Errorf("there are %d rows", n)
		}
		if ok := mustAsk[string](t, q.d, `PRAGMA integrity_check`); ok != "ok" {
			t.Error(ok)
		}
	})
}

// No letters are a text on a connection that has just begun, not nothing: the first
// argument that it is given may be empty.
func TestTheFirstArgumentMayBeEmpty(t *testing.T) {
	dbtest.Migrated(t, func(t *testing.T, dsn string) {
		var is bool
		err := dbtest.OpenDSN(t, dsn).Read(t.Context(), func(tx *db.Tx) error {
			return tx.One([]any{&is}, `SELECT CAST($1 AS TEXT) IS NOT NULL`, "")
		})
		if err != nil || !is {
			t.Errorf("it is there: %v, %v", is, err)
		}
	})
}
