package db_test

import (
	"database/sql"
	"errors"
	"io"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"pocketid/internal/db"
	"pocketid/internal/dbtest"
	"pocketid/internal/fault"
)

// outage checks that err is a fault that tells the client to come back.
func outage(t *testing.T, err error) {
	t.Helper()
	f := fault.Of(err)
	if f.Kind != fault.Unavailable || f.Code != "database_gone" || f.RetryAfter != 5*time.Second {
		t.Errorf("got %v (%v, after %v), want an outage", err, f.Kind, f.RetryAfter)
	}
}

func TestUnreachableServerIsAnOutage(t *testing.T) {
	_, err := db.Open(t.Context(), "postgres://nobody:hunter2@127.0.0.1:1/none?connect_timeout=2", db.Serve)
	outage(t, err)
	if strings.Contains(err.Error(), "hunter2") { // threats 84
		t.Errorf("%v", err)
	}
}

// threats 15
func TestKilledConnectionIsAnOutageThatPasses(t *testing.T) {
	dsn := dbtest.DSN(t, dbtest.Postgres)
	d := dbtest.OpenDSN(t, dsn)
	write(t, d, func(tx *db.Tx) { tx.Do(things) })
	admin, err := sql.Open("pgx", os.Getenv("TEST_POSTGRES"))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	kill := func(tx *db.Tx) {
		var pid int
		if err := tx.One([]any{&pid}, `SELECT pg_backend_pid()`); err != nil {
			t.Fatal(err)
		}
		if _, err := admin.Exec(`SELECT pg_terminate_backend($1, 5000)`, pid); err != nil {
			t.Fatal(err)
		}
	}
	outage(t, d.Write(t.Context(), func(tx *db.Tx) error {
		tx.Do(`INSERT INTO counter (id, n) VALUES ('a', 1)`)
		kill(tx)
		tx.Do(`INSERT INTO counter (id, n) VALUES ('b', 1)`)
		return nil
	}))
	outage(t, d.Write(t.Context(), func(tx *db.Tx) error { // found at the commit
		tx.Do(`INSERT INTO counter (id, n) VALUES ('a', 1)`)
		kill(tx)
		return nil
	}))
	outage(t, d.Read(t.Context(), func(tx *db.Tx) error {
		kill(tx)
		var n int
		return tx.One([]any{&n}, `SELECT 1`)
	}))
	// Between two transactions nobody notices, however soon the next one comes.
	for _, next := range []func(){
		func() { write(t, d, func(tx *db.Tx) { tx.Do(`INSERT INTO counter (id, n) VALUES ('c', 1)`) }) },
		func() { mustAsk[int](t, d, `SELECT 1`) },
	} {
		pid := mustAsk[int](t, d, `SELECT pg_backend_pid()`)
		if _, err := admin.Exec(`SELECT pg_terminate_backend($1, 5000)`, pid); err != nil {
			t.Fatal(err)
		}
		next()
	}
	if s := mustAsk[string](t, d, `SELECT string_agg(id, ',') FROM counter`); s != "c" {
		t.Errorf("rows %q, want c", s)
	}
}

func TestTooManyConnectionsAreAnOutage(t *testing.T) {
	dsn := dbtest.DSN(t, dbtest.Postgres)
	dbtest.OpenDSN(t, dsn)
	admin, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	role := "only_one_" + u.Query().Get("search_path")
	if _, err := admin.Exec(`CREATE ROLE ` + role + ` LOGIN CONNECTION LIMIT 1`); err != nil {
		t.Fatal(err)
	}
	defer admin.Exec(`DROP ROLE ` + role)
	u.User = url.User(role)
	d, err := db.OpenPool(u.String())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	err = d.Read(t.Context(), func(tx *db.Tx) error {
		outage(t, d.Ping(t.Context()))
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestUnfitServerIsRefused(t *testing.T) {
	refused(t, db.Unfit(130011, "UTF8"), "PostgreSQL 13", "14")
	refused(t, db.Unfit(150018, "SQL_ASCII"), "SQL_ASCII", "UTF-8")
	for _, version := range []int{140000, 150018, 180001} {
		if err := db.Unfit(version, "UTF8"); err != nil {
			t.Errorf("%d: %v", version, err)
		}
	}
}

func TestWhatCountsAsAnOutage(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{&pgconn.PgError{Code: "53300"}, true},
		{&pgconn.PgError{Code: "53100"}, true},
		{&pgconn.PgError{Code: "57P01"}, true},
		{&pgconn.PgError{Code: "57P03"}, true},
		{&pgconn.PgError{Code: "08006"}, true},
		{&pgconn.PgError{Code: "25006"}, true},
		{&pgconn.PgError{Code: "42601"}, false},
		{&pgconn.PgError{Code: "57014"}, false},
		{io.ErrUnexpectedEOF, true},
		{errors.New("a bug"), false},
	} {
		if got := db.Gone(tt.err); got != tt.want {
			t.Errorf("%v: got %v", tt.err, got)
		}
	}
}
