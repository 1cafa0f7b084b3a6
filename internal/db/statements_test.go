package db_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pocketid/internal/db"
	"pocketid/internal/dbtest"
)

// things are tables for the tests of the engine itself.
const things = `
CREATE TABLE person (
    id           TEXT PRIMARY KEY,
    username     TEXT NOT NULL,
    username_key TEXT NOT NULL UNIQUE,
    email        TEXT,
    admin        BOOLEAN NOT NULL DEFAULT FALSE,
    picture      BYTEA,
    claims       TEXT NOT NULL DEFAULT '{}',
    created_at   BIGINT NOT NULL,
    disabled_at  BIGINT
);
CREATE TABLE voucher (
    hash       BYTEA PRIMARY KEY,
    person_id  TEXT NOT NULL REFERENCES person (id) ON DELETE CASCADE,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT
);
CREATE TABLE counter (id TEXT PRIMARY KEY, n BIGINT NOT NULL);
CREATE TABLE pair (a TEXT NOT NULL, b TEXT NOT NULL, PRIMARY KEY (a, b));
`

// engines runs fn on each engine over a database that has the things.
func engines(t *testing.T, fn func(t *testing.T, d *db.DB)) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		write(t, d, func(tx *db.Tx) { tx.Do(things) })
		fn(t, d)
	})
}

func write(t testing.TB, d *db.DB, fn func(tx *db.Tx)) {
	t.Helper()
	if err := d.Write(t.Context(), func(tx *db.Tx) error { fn(tx); return nil }); err != nil {
		t.Fatal(err)
	}
}

// ask reads one value.
func ask[T any](t testing.TB, d *db.DB, q string, args ...any) (v T, err error) {
	t.Helper()
	err = d.Read(t.Context(), func(tx *db.Tx) error { return tx.One([]any{&v}, q, args...) })
	return v, err
}

func mustAsk[T any](t testing.TB, d *db.DB, q string, args ...any) T {
	t.Helper()
	v, err := ask[T](t, d, q, args...)
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return v
}

func addPerson(tx *db.Tx, id, key string, at int64) {
	tx.Do(`INSERT INTO person (id, username, username_key, created_at) VALUES ($1, $2, $2, $3)`, id, key, at)
}

func TestStatementMeansTheSameOnBothEngines(t *testing.T) {
	engines(t, func(t *testing.T, d *db.DB) {
		write(t, d, func(tx *db.Tx) {
			tx.Do(`INSERT INTO person (id, username, username_key, admin, picture, created_at) VALUES ($1, $2, $3, $4, $5, $6)`,
				"p1", "Ada", "ada", true, []byte{1, 0, 2}, int64(1755900000))
		})

		t.Run("placeholders out of order and repeated", func(t *testing.T) {
			var name string
			var admin bool
			var picture []byte
			var email *string
			var disabled *int64
			var at int64
			if err := d.Read(t.Context(), func(tx *db.Tx) error {
				return tx.One([]any{&name, &admin, &picture, &email, &disabled, &at},
					`SELECT username, admin, picture, email, disabled_at, created_at FROM person
					WHERE created_at > $2 AND id = $1 AND (id = $1 OR created_at > $2) AND disabled_at IS NULL AND admin`, "p1", int64(5))
			}); err != nil {
				t.Fatal(err)
			}
			if name != "Ada" || !admin || string(picture) != "\x01\x00\x02" || email != nil || disabled != nil || at != 1755900000 {
				t.Errorf("got %q %v %v %v %v %v", name, admin, picture, email, disabled, at)
			}
		})

		t.Run("upsert that returns", func(t *testing.T) {
			for want := int64(1); want <= 3; want++ {
				var n int64
				if err := d.Write(t.Context(), func(tx *db.Tx) error {
					return tx.One([]any{&n}, `INSERT INTO counter (id, n) VALUES ($1, 1)
						ON CONFLICT (id) DO UPDATE SET n = counter.n + excluded.n WHERE counter.n < 100 RETURNING n`, "x")
				}); err != nil || n != want {
					t.Errorf("n = %d, %v; want %d", n, err, want)
				}
			}
		})

		t.Run("optional filter", func(t *testing.T) {
			for _, tt := range []struct {
				name any
				want int
			}{{nil, 1}, {"Ada", 1}, {"Bob", 0}} {
				if n := mustAsk[int](t, d, `SELECT count(*) FROM person WHERE (CAST($1 AS TEXT) IS NULL OR username = $1)`, tt.name); n != tt.want {
					t.Errorf("%v: got %d, want %d", tt.name, n, tt.want)
				}
			}
		})

		t.Run("page by row value", func(t *testing.T) {
			write(t, d, func(tx *db.Tx) {
				for i := range 9 {
					addPerson(tx, fmt.Sprintf("q%d", i), fmt.Sprintf("u%d", i), int64(i/2))
				}
			})
			type row struct {
				id string
				at int64
			}
			var got []row
			if err := d.Read(t.Context(), func(tx *db.Tx) (err error) {
				got, err = db.All(tx, func(r *row) []any { return []any{&r.id, &r.at} },
					`SELECT id, created_at FROM person WHERE (created_at, id) > ($1, $2) ORDER BY created_at NULLS LAST, id LIMIT $3`, int64(1), "q2", int64(3))
				return err
			}); err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(got) != "[{q3 1} {q4 2} {q5 2}]" {
				t.Errorf("page %v", got)
			}
		})

		t.Run("consume by delete", func(t *testing.T) {
			write(t, d, func(tx *db.Tx) {
				tx.Do(`INSERT INTO voucher (hash, person_id, expires_at) VALUES ($1, $2, $3)`, []byte("h"), "p1", int64(99))
			})
			use := func() (who string, err error) {
				err = d.Write(t.Context(), func(tx *db.Tx) error {
					return tx.One([]any{&who}, `DELETE FROM voucher WHERE hash = $1 AND expires_at > $2 RETURNING person_id`, []byte("h"), int64(5))
				})
				return who, err
			}
			if who, err := use(); who != "p1" || err != nil {
				t.Errorf("first use: %q, %v", who, err)
			}
			if _, err := use(); !errors.Is(err, db.ErrNotFound) {
				t.Errorf("second use: %v", err)
			}
		})

		t.Run("foreign key refuses and cascades", func(t *testing.T) {
			err := d.Write(t.Context(), func(tx *db.Tx) error {
				tx.Do(`INSERT INTO voucher (hash, person_id, expires_at) VALUES ($1, $2, $3)`, []byte("k"), "nobody", int64(99))
				return nil
			})
			if err == nil {
				t.Error("a voucher of nobody was stored")
			}
			write(t, d, func(tx *db.Tx) {
				addPerson(tx, "gone", "gone", 1)
				tx.Do(`INSERT INTO voucher (hash, person_id, expires_at) VALUES ($1, 'gone', 1)`, []byte("k"))
				tx.Do(`DELETE FROM person WHERE id = 'gone'`)
			})
			if n := mustAsk[int](t, d, `SELECT count(*) FROM voucher`); n != 0 {
				t.Errorf("%d vouchers outlived their person", n)
			}
		})

		t.Run("update from", func(t *testing.T) {
			write(t, d, func(tx *db.Tx) {
				tx.Do(`UPDATE person SET email = counter.id FROM counter WHERE counter.n = 3 AND person.id = $1`, "p1")
			})
			if got := mustAsk[string](t, d, `SELECT email FROM person WHERE id = 'p1'`); got != "x" {
				t.Errorf("email %q", got)
			}
		})

		t.Run("update by row value", func(t *testing.T) {
			write(t, d, func(tx *db.Tx) {
				if n, err := tx.Exec(`UPDATE person SET (email, claims) = ($2, $3) WHERE id = $1`, "p1", "a@b", "{}"); n != 1 || err != nil {
					t.Errorf("%d rows, %v", n, err)
				}
			})
		})

		t.Run("filter, exists, string_agg", func(t *testing.T) {
			if n := mustAsk[int](t, d, `SELECT count(*) FILTER (WHERE admin) FROM person`); n != 1 {
				t.Errorf("%d administrators", n)
			}
			if !mustAsk[bool](t, d, `SELECT EXISTS (SELECT 1 FROM person WHERE id = $1)`, "p1") {
				t.Error("p1 does not exist")
			}
			if s := mustAsk[string](t, d, `SELECT string_agg(id, ',') FROM person WHERE id = 'p1'`); s != "p1" {
				t.Errorf("got %q", s)
			}
		})
	})
}

// The traps in which the two engines would differ, and the way around each.
func TestTrapsOfDialect(t *testing.T) {
	engines(t, func(t *testing.T, d *db.DB) {
		write(t, d, func(tx *db.Tx) {
			for _, r := range [][]any{{"1", "Ärger", "ärger", nil}, {"2", "anna", "anna", "x"}, {"3", "Zoe", "zoe", "y"}, {"4", "Öde", "öde", "z"}} {
				tx.Do(`INSERT INTO person (id, username, username_key, email, created_at) VALUES ($1, $2, $3, $4, 1)`, r...)
			}
		})
		ids := func(q string, args ...any) string {
			t.Helper()
			var got []string
			if err := d.Read(t.Context(), func(tx *db.Tx) (err error) {
				got, err = db.All(tx, func(s *string) []any { return []any{s} }, q, args...)
				return err
			}); err != nil {
				t.Error(err)
			}
			return strings.Join(got, " ")
		}
		if got := ids(`SELECT id FROM person ORDER BY username_key NULLS LAST, id LIMIT 9`); got != "2 3 1 4" {
			t.Errorf("sorted by key: %s, want the order of the bytes", got)
		}
		if got := ids(`SELECT id FROM person ORDER BY email NULLS LAST, id LIMIT 9`); got != "2 3 4 1" {
			t.Errorf("NULLS LAST: %s", got)
		}
		if got := ids(`SELECT id FROM person WHERE username_key >= $1 AND username_key < $2 ORDER BY username_key NULLS LAST LIMIT 9`, "ä", "ä\U0010ffff"); got != "1" {
			t.Errorf("beginning of a word: %s", got)
		}
		if got := ids(`SELECT id FROM person WHERE id IN (`+db.Marks(2)+`) ORDER BY id NULLS LAST LIMIT 9`, "1", "3"); got != "1 3" {
			t.Errorf("list: %s", got)
		}
	})
}

// threats 15
func TestFailedStatementSticks(t *testing.T) {
	engines(t, func(t *testing.T, d *db.DB) {
		err := d.Write(t.Context(), func(tx *db.Tx) error {
			tx.Do(`INSERT INTO counter (id, n) VALUES ('a', 1)`)
			if _, err := tx.Exec(`INSERT INTO counter (id, n) VALUES ('a', 1)`); !errors.Is(err, db.ErrConflict) {
				t.Errorf("got %v, want the conflict", err)
			}
			if _, err := tx.Exec(`INSERT INTO counter (id, n) VALUES ('b', 1)`); !errors.Is(err, db.ErrConflict) {
				t.Errorf("after the conflict: %v", err)
			}
			var n int
			if err := tx.One([]any{&n}, `SELECT 1`); !errors.Is(err, db.ErrConflict) {
				t.Errorf("a read after the conflict: %v", err)
			}
			if _, err := db.All(tx, func(n *int) []any { return []any{n} }, `SELECT 1`); !errors.Is(err, db.ErrConflict) {
				t.Errorf("a list after the conflict: %v", err)
			}
			return nil // swallowing it
		})
		if !errors.Is(err, db.ErrConflict) {
			t.Errorf("got %v, want the conflict", err)
		}
		if n := mustAsk[int](t, d, `SELECT count(*) FROM counter`); n != 0 {
			t.Errorf("%d rows were kept", n)
		}
	})
}

func TestNotFoundDoesNotStick(t *testing.T) {
	engines(t, func(t *testing.T, d *db.DB) {
		write(t, d, func(tx *db.Tx) {
			var n int
			if err := tx.One([]any{&n}, `SELECT n FROM counter WHERE id = 'a'`); !errors.Is(err, db.ErrNotFound) {
				t.Errorf("got %v", err)
			}
			tx.Do(`INSERT INTO counter (id, n) VALUES ('a', 1)`)
		})
		if n := mustAsk[int](t, d, `SELECT n FROM counter WHERE id = 'a'`); n != 1 {
			t.Errorf("n = %d", n)
		}
	})
}

func TestConflictNamesTheColumn(t *testing.T) {
	engines(t, func(t *testing.T, d *db.DB) {
		write(t, d, func(tx *db.Tx) {
			addPerson(tx, "1", "ada", 1)
			tx.Do(`INSERT INTO pair (a, b) VALUES ('x', 'y')`)
		})
		for _, tt := range []struct{ q, want string }{
			{`INSERT INTO person (id, username, username_key, created_at) VALUES ('2', 'x', 'ada', 1)`, "person.username_key"},
			{`INSERT INTO person (id, username, username_key, created_at) VALUES ('1', 'x', 'bob', 1)`, "person.id"},
			{`INSERT INTO pair (a, b) VALUES ('x', 'y')`, "pair.a"},
		} {
			err := d.Write(t.Context(), func(tx *db.Tx) error { tx.Do(tt.q); return nil })
			c, ok := errors.AsType[*db.Conflict](err)
			if !ok || c.Column != tt.want {
				t.Errorf("%s: got %v, want %s", tt.q, err, tt.want)
			}
		}
	})
}

func TestErrorUndoesEverythingUnlessItIsKept(t *testing.T) {
	engines(t, func(t *testing.T, d *db.DB) {
		refused := errors.New("refused")
		add := func(id string, answer error) error {
			return d.Write(t.Context(), func(tx *db.Tx) error {
				tx.Do(`INSERT INTO counter (id, n) VALUES ($1, 1)`, id)
				return answer
			})
		}
		if err := add("undone", refused); err != refused {
			t.Error(err)
		}
		if err := add("kept", db.Keep(refused)); err != refused {
			t.Error(err)
		}
		if s := mustAsk[string](t, d, `SELECT string_agg(id, ',') FROM counter`); s != "kept" {
			t.Errorf("rows %q, want kept", s)
		}
	})
}

// A statement that failed outranks a refusal worth keeping: nothing was
// committed, and a lost race must be run again.
func TestFailureOutranksWhatIsKept(t *testing.T) {
	engines(t, func(t *testing.T, d *db.DB) {
		err := d.Write(t.Context(), func(tx *db.Tx) error {
			tx.Do(`INSERT INTO counter (id, n) VALUES ('a', 1)`)
			tx.Do(`INSERT INTO counter (id, n) VALUES ('a', 1)`)
			return db.Keep(errors.New("refused"))
		})
		if !errors.Is(err, db.ErrConflict) {
			t.Errorf("got %v, want the conflict", err)
		}
	})
}

func TestReadSeesOneSnapshot(t *testing.T) {
	engines(t, func(t *testing.T, d *db.DB) {
		set := func(n int) {
			write(t, d, func(tx *db.Tx) {
				tx.Do(`INSERT INTO counter (id, n) VALUES ('a', $1) ON CONFLICT (id) DO UPDATE SET n = excluded.n`, n)
			})
		}
		set(1)
		if err := d.Read(t.Context(), func(tx *db.Tx) error {
			var a, b int
			tx.One([]any{&a}, `SELECT n FROM counter WHERE id = 'a'`)
			set(2)
			tx.One([]any{&b}, `SELECT n FROM counter WHERE id = 'a'`)
			if a != 1 || b != 1 {
				t.Errorf("read %d, then %d", a, b)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if n := mustAsk[int](t, d, `SELECT n FROM counter WHERE id = 'a'`); n != 2 {
			t.Errorf("afterwards %d", n)
		}
	})
}

func TestReadCannotWrite(t *testing.T) {
	engines(t, func(t *testing.T, d *db.DB) {
		err := d.Read(t.Context(), func(tx *db.Tx) error {
			tx.Do(`INSERT INTO counter (id, n) VALUES ('a', 1)`)
			return nil
		})
		if err == nil {
			t.Error("a read wrote")
		}
		if n := mustAsk[int](t, d, `SELECT count(*) FROM counter`); n != 0 {
			t.Error("a read left a row")
		}
		write(t, d, func(tx *db.Tx) { tx.Do(`INSERT INTO counter (id, n) VALUES ('a', 1)`) })
	})
}

func TestTxIsOverWithItsFunction(t *testing.T) {
	engines(t, func(t *testing.T, d *db.DB) {
		var leaked *db.Tx
		write(t, d, func(tx *db.Tx) { leaked = tx })
		if _, err := leaked.Exec(`INSERT INTO counter (id, n) VALUES ('a', 1)`); err == nil {
			t.Error("a statement ran after the end")
		}
	})
}

func TestPanicUndoesTheTransaction(t *testing.T) {
	engines(t, func(t *testing.T, d *db.DB) {
		func() {
			defer func() { recover() }()
			d.Write(t.Context(), func(tx *db.Tx) error {
				tx.Do(`INSERT INTO counter (id, n) VALUES ('a', 1)`)
				panic("bug")
			})
		}()
		write(t, d, func(tx *db.Tx) { tx.Do(`INSERT INTO counter (id, n) VALUES ('b', 1)`) })
		if s := mustAsk[string](t, d, `SELECT string_agg(id, ',') FROM counter`); s != "b" {
			t.Errorf("rows %q", s)
		}
	})
}

func TestBellRingsAfterTheCommitOnly(t *testing.T) {
	engines(t, func(t *testing.T, d *db.DB) {
		rung := func() bool {
			select {
			case <-d.Bell("x"):
				return true
			default:
				return false
			}
		}
		d.Write(t.Context(), func(tx *db.Tx) error { tx.Ring("x"); return errors.New("no") })
		if rung() {
			t.Error("it rang for what was undone")
		}
		write(t, d, func(tx *db.Tx) {
			tx.Ring("x")
			tx.Ring("x")
			if rung() {
				t.Error("it rang before the commit")
			}
		})
		write(t, d, func(tx *db.Tx) { tx.Ring("x") })
		if !rung() || rung() {
			t.Error("two rings before anybody listened are one")
		}
	})
}

func TestStatementsAreCounted(t *testing.T) {
	engines(t, func(t *testing.T, d *db.DB) {
		before := d.Statements()
		write(t, d, func(tx *db.Tx) {
			tx.Do(`INSERT INTO counter (id, n) VALUES ('a', 1)`)
			var n int
			tx.One([]any{&n}, `SELECT n FROM counter`)
			db.All(tx, func(n *int) []any { return []any{n} }, `SELECT n FROM counter ORDER BY n NULLS LAST LIMIT 9`)
		})
		if n := d.Statements() - before; n != 3 {
			t.Errorf("counted %d, want 3", n)
		}
	})
}

// A connection forgets its statements when they become too many, and goes on
// after the tables changed under them.
func TestPreparedStatementsAreBounded(t *testing.T) {
	d := dbtest.Open(t)
	write(t, d, func(tx *db.Tx) {
		tx.Do(things)
		for i := range 250 {
			var n int
			if err := tx.One([]any{&n}, fmt.Sprintf(`SELECT %d + $1`, i), 1); err != nil || n != i+1 {
				t.Fatalf("%d: %d, %v", i, n, err)
			}
		}
	})
	if n, err := d.Remembered(t.Context()); n == 0 || n > 100 || err != nil {
		t.Errorf("%d statements are kept, %v", n, err)
	}
	type row struct{ id string }
	list := func() (got []row) {
		write(t, d, func(tx *db.Tx) {
			var err error
			if got, err = db.All(tx, func(r *row) []any { return []any{&r.id} }, `SELECT id FROM counter ORDER BY id NULLS LAST LIMIT 9`); err != nil {
				t.Error(err)
			}
		})
		return got
	}
	list()
	write(t, d, func(tx *db.Tx) {
		tx.Do(`ALTER TABLE counter ADD COLUMN m BIGINT; INSERT INTO counter (id, n) VALUES ('a', 1)`)
	})
	if got := list(); !slices.Equal(got, []row{{"a"}}) {
		t.Errorf("got %v", got)
	}
}
