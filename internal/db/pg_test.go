package db_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/dbtest"
)

// onPostgres is a pool over an empty schema, whose connection string has these parameters
// more.
func onPostgres(t *testing.T, params string) *db.DB {
	t.Helper()
	d, err := db.OpenPool(dbtest.DSN(t, dbtest.Postgres) + params)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// prepared counts the statements that the one connection of d has prepared on the server.
const prepared = `SELECT count(*) FROM pg_prepared_statements`

func TestPlansAreKeptAndBounded(t *testing.T) {
	d := onPostgres(t, "")
	err := d.Read(t.Context(), func(tx *db.Tx) error {
		var n int
		for i := range db.MaxPlans + 50 {
			if err := tx.One([]any{&n}, fmt.Sprintf(`SELECT %d`, i)); err != nil || n != i {
				return fmt.Errorf("%d: got %d, %w", i, n, err)
			}
			if err := tx.One([]any{&n}, prepared); err != nil {
				return err
			}
		}
		if n != db.MaxPlans {
			t.Errorf("the connection keeps %d plans, want %d", n, db.MaxPlans)
		}
		var kept int
		if err := tx.One([]any{&kept}, `SELECT count(*) FROM pg_prepared_statements WHERE statement = $1`, prepared); err != nil {
			return err
		}
		if kept != 1 {
			t.Error("the plan that is used all the time was given up")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestPlansThatAreOfNoUseAnyMore(t *testing.T) {
	tests := []struct{ name, spoil string }{
		{"gets over a column of another type", `ALTER TABLE counter ALTER COLUMN n TYPE TEXT`},
		{"gets over a server that has forgotten them", `DEALLOCATE ALL`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := onPostgres(t, "")
			write(t, d, func(tx *db.Tx) { tx.Do(things); tx.Do(`INSERT INTO counter (id, n) VALUES ('a', 7)`) })
			const q = `SELECT n FROM counter`
			ok := func(tx *db.Tx) error {
				var n int
				err := tx.One([]any{&n}, q)
				if err == nil && n != 7 {
					t.Errorf("got %d", n)
				}
				return err
			}
			for _, run := range []func(context.Context, func(*db.Tx) error) error{d.Read, d.Write} {
				if err := run(t.Context(), ok); err != nil {
					t.Fatal(err)
				}
			}
			write(t, d, func(tx *db.Tx) { tx.Do(test.spoil) })
			if err := d.Read(t.Context(), ok); !errors.Is(err, db.ErrBusy) { // who reads is told to come again
				t.Errorf("reading: %v", err)
			}
			if err := d.Read(t.Context(), ok); err != nil {
				t.Errorf("reading again: %v", err)
			}
			if strings.Contains(test.spoil, "ALTER") {
				write(t, d, func(tx *db.Tx) { tx.Do(`ALTER TABLE counter ALTER COLUMN n TYPE BIGINT USING CAST(n AS BIGINT)`) })
			} else {
				write(t, d, func(tx *db.Tx) { tx.Do(test.spoil) })
			}
			if err := d.Write(t.Context(), ok); err != nil { // who writes does not notice
				t.Errorf("writing: %v", err)
			}
			if d.Retries() != 1 {
				t.Errorf("%d retries", d.Retries())
			}
		})
	}
}

// A proxy counts how often something was sent to the server.
type proxy struct{ sent atomic.Int64 }

// startProxy stands before the server of dsn, and returns the connection string to it.
func startProxy(t *testing.T, dsn string) (*proxy, string) {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	p, to := new(proxy), u.Host
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s, err := net.Dial("tcp", to)
			if err != nil {
				c.Close()
				return
			}
			go func() { io.Copy(c, s); c.Close() }()
			go func() {
				defer s.Close()
				b := make([]byte, 64<<10)
				for {
					n, err := c.Read(b)
					if err != nil {
						return
					}
					p.sent.Add(1)
					s.Write(b[:n])
				}
			}()
		}
	}()
	u.Host = l.Addr().String()
	return p, u.String()
}

// A transaction goes to the server once for each statement and once for its end; without
// a statement it does not go there at all.
func TestBeginTravelsWithTheFirstStatement(t *testing.T) {
	p, dsn := startProxy(t, dbtest.DSN(t, dbtest.Postgres))
	d, err := db.OpenPool(dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	sent := func(statements int) int64 {
		before := p.sent.Load()
		if err := d.Write(t.Context(), func(tx *db.Tx) error {
			var n int
			for range statements {
				if err := tx.One([]any{&n}, `SELECT CAST($1 AS BIGINT)`, 1); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return p.sent.Load() - before
	}
	sent(1) // connects and prepares
	for statements, want := range []int64{0, 2, 3, 4} {
		if got := sent(statements); got != want {
			t.Errorf("%d statements: sent %d times, want %d", statements, got, want)
		}
	}
}

func TestTypesOfPostgres(t *testing.T) {
	d := onPostgres(t, "")
	var small, whole, sum, nothing int
	var real, single, counted float64
	var name, moment, numeral string
	var raw any
	err := d.Read(t.Context(), func(tx *db.Tx) error {
		return tx.One([]any{&small, &whole, &sum, db.Seconds(new(time.Duration)), &real, &single, &counted, &name, &moment, &numeral, &raw, db.Text(new(string))}, `
			SELECT CAST(-3 AS SMALLINT), CAST($1 AS INTEGER), sum(n), CAST(NULL AS BIGINT), CAST($2 AS DOUBLE PRECISION), CAST(0.5 AS REAL), count(*),
				current_schema(), CAST(DATE '2026-01-02' AS TEXT), 12, TRUE, CAST(NULL AS TEXT)
			FROM (VALUES (CAST(4 AS BIGINT)), (5)) AS v (n)`, -70000, 2.25)
	})
	if err != nil {
		t.Fatal(err)
	}
	if small != -3 || whole != -70000 || sum != 9 || nothing != 0 || real != 2.25 || single != 0.5 || counted != 2 || name == "" || moment != "2026-01-02" || numeral != "12" || raw != true {
		t.Errorf("got %v %v %v %v %v %v %v %q %q %q %v", small, whole, sum, nothing, real, single, counted, name, moment, numeral, raw)
	}
}

// What only SQLite would take is refused, so that tests on PostgreSQL find it.
func TestArgumentsHaveTheTypeOfTheirParameter(t *testing.T) {
	d := onPostgres(t, "")
	for _, test := range []struct {
		q   string
		arg any
	}{
		{`SELECT CAST($1 AS TEXT)`, 1},
		{`SELECT CAST($1 AS TEXT)`, true},
		{`SELECT CAST($1 AS TEXT)`, []byte("bytes")},
		{`SELECT CAST($1 AS BYTEA)`, "text"},
		{`SELECT CAST($1 AS BIGINT)`, true},
		{`SELECT CAST($1 AS BIGINT)`, 1.5},
		{`SELECT CAST($1 AS BIGINT)`, "many"},
		{`SELECT CAST($1 AS INTEGER)`, 1 << 40},
		{`SELECT CAST($1 AS SMALLINT)`, 1 << 20},
		{`SELECT CAST($1 AS BOOLEAN)`, 1},
		{`SELECT CAST($1 AS TEXT)`, time.Now()},
		{`SELECT CAST($1 AS TEXT)`, "a\x00b"},
		{`SELECT CAST($1 AS TEXT)`, "\xff"},
	} {
		if _, err := ask[any](t, d, test.q, test.arg); err == nil {
			t.Errorf("%s takes %v", test.q, test.arg)
		}
	}
}

// A statement that takes too long ends with its context, and so does its connection.
func TestStatementEndsWithItsContext(t *testing.T) {
	d := onPostgres(t, "")
	before := mustAsk[int](t, d, `SELECT pg_backend_pid()`)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := d.Read(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(`SELECT pg_sleep(600)`)
		return err
	})
	if !errors.Is(err, db.ErrBusy) {
		t.Errorf("got %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	err = d.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(`SELECT pg_sleep(600)`)
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if after := mustAsk[int](t, d, `SELECT pg_backend_pid()`); after == before {
		t.Error("a connection that was cut off is used again")
	}
}

// Connections that rest are closed in the end, and one that died meanwhile is replaced
// without anybody noticing.
func TestConnectionsThatRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := onPostgres(t, "&pool_max_conn_idle_time=1m&pool_max_conn_lifetime=10m")
		defer d.Close()
		pid := func() int { return mustAsk[int](t, d, `SELECT pg_backend_pid()`) }
		first := pid()
		if again := pid(); again != first {
			t.Error("the connection was not kept")
		}
		admin, err := sql.Open("pgx", dbtest.DSN(t, dbtest.Postgres))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := admin.Exec(`SELECT pg_terminate_backend($1, 5000)`, first); err != nil {
			t.Fatal(err)
		}
		admin.Close()
		time.Sleep(2 * time.Second)
		second := pid()
		if second == first {
			t.Error("the connection was killed and answers")
		}
		for range 30 {
			time.Sleep(15 * time.Second)
			if pid() != second {
				t.Fatal("a connection that works was closed before its time")
			}
		}
		time.Sleep(150 * time.Second)
		if n := d.Resting(); n != 0 {
			t.Errorf("%d connections rest after a long while", n)
		}
		third := pid()
		for range 40 {
			time.Sleep(15 * time.Second)
			if pid() != third {
				return
			}
		}
		t.Error("a connection is older than it may be")
	})
}

func TestParametersOfThePool(t *testing.T) {
	for _, test := range []struct{ name, params, refused string }{
		{"honours the number of connections", "&pool_max_conns=2", ""},
		{"lets pass what it does not do", "&pool_min_conns=3&pool_health_check_period=1m&description_cache_capacity=7&statement_cache_capacity=80&default_query_exec_mode=cache_statement", ""},
		{"refuses a pool in which nothing can be migrated", "&pool_max_conns=1", "pool_max_conns"},
		{"refuses a number that is none", "&pool_max_conns=many", "pool_max_conns"},
		{"refuses a life without length", "&pool_max_conn_lifetime=0s", "pool_max_conn_lifetime"},
		{"refuses a rest without unit", "&pool_max_conn_idle_time=5", "pool_max_conn_idle_time"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dsn := dbtest.DSN(t, dbtest.Postgres) + test.params
			d, err := db.Open(t.Context(), dsn, db.Serve)
			if test.refused != "" {
				refused(t, err, test.refused)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			if strings.Contains(test.params, "max_conns") {
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				defer cancel()
				if err := d.Read(t.Context(), func(tx *db.Tx) error {
					return d.Read(t.Context(), func(tx *db.Tx) error { return d.Ping(ctx) })
				}); !errors.Is(err, db.ErrBusy) {
					t.Errorf("a third connection: %v", err)
				}
			}
			if err := d.Ping(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// Of several servers the one that answers is used.
func TestSeveralServers(t *testing.T) {
	u, err := url.Parse(dbtest.DSN(t, dbtest.Postgres))
	if err != nil {
		t.Fatal(err)
	}
	u.Host = "127.0.0.1:1," + u.Host
	q := u.Query()
	q.Set("target_session_attrs", "read-write")
	u.RawQuery = q.Encode()
	d := dbtest.OpenDSN(t, u.String())
	if err := d.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

// Behind what gives each transaction another server, nothing may be kept on one.
func TestForgetfulConnections(t *testing.T) {
	for _, params := range []string{"&default_query_exec_mode=exec", "&statement_cache_capacity=0"} {
		d := dbtest.OpenDSN(t, dbtest.DSN(t, dbtest.Postgres)+params)
		write(t, d, func(tx *db.Tx) { tx.Do(things) })
		for i := range 3 {
			write(t, d, func(tx *db.Tx) {
				tx.Do(`INSERT INTO counter (id, n) VALUES ($1, $2)`, fmt.Sprint(i), i)
				var n int
				if err := tx.One([]any{&n}, `SELECT count(*) FROM counter`); err != nil || n != i+1 {
					t.Errorf("%d rows, %v", n, err)
				}
			})
		}
		refusal := errors.New("a refusal")
		if err := d.Write(t.Context(), func(tx *db.Tx) error { tx.Do(`DELETE FROM counter`); return refusal }); err != refusal {
			t.Error(err)
		}
		if n := mustAsk[int](t, d, `SELECT count(*) FROM counter`); n != 3 {
			t.Errorf("%d rows after a transaction that was undone", n)
		}
		// Only the statement that asks is there.
		if n := mustAsk[int](t, d, prepared+` WHERE name <> ''`); n != 0 {
			t.Errorf("%d prepared statements", n)
		}
	}
}
