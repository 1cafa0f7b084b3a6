package moving_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/dbtest"
	"pocketid/internal/moving"
)

// An archive of an older schema is filled into the tables of that schema, and then brought
// up to date by the same migrations as a database would be.
func TestAnOlderArchiveIsBroughtUpToDate(t *testing.T) {
	house := dbtest.Open(t)
	good := archived(t, house)
	old, err := db.TablesOf(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	user := `["u1","person","ada","ada",null,null,false,"Ada","","Ada","ada",false,null,null,"{}","{}",null,null,null,null,1,1,null,null,null,null]` + "\n"
	archive := forged(t, good, func(f *forger) {
		f.manifest.Schema, f.manifest.Tables, f.parts, f.names = 1, nil, map[string][]byte{}, nil
		for _, table := range old {
			m := moving.Table{Name: table.Name}
			for _, c := range table.Columns {
				m.Columns = append(m.Columns, moving.Column{Name: c.Name, Kind: c.Kind})
			}
			f.manifest.Tables = append(f.manifest.Tables, m)
			f.names = append(f.names, "tables/"+table.Name+".jsonl")
			f.rows(table.Name)
		}
		f.rows("users", user)
		f.rows("user_groups", `["g1","g","g","","","{}",null,1,1]`+"\n")
		f.rows("user_group_members", `["g1","u1",1]`+"\n")
	})
	for _, engine := range []string{dbtest.SQLite, dbtest.Postgres} {
		t.Run(engine, func(t *testing.T) {
			d := moved(t, archive, dbtest.MigratedDSN(t, engine))
			var members int
			err := d.Read(t.Context(), func(tx *db.Tx) error { // a column that a later migration added and counted
				return tx.One([]any{&members}, `SELECT members FROM user_groups WHERE id = 'g1'`)
			})
			if err != nil || members != 1 {
				t.Errorf("got %d, %v", members, err)
			}
		})
	}
}

// Nothing is moved into a database that a server runs on, unless that is forced out; and
// what was there before is kept.
func TestImportWhileAServerRuns(t *testing.T) {
	house := dbtest.Open(t)
	full(t, house)
	good := archived(t, house)
	dbtest.Migrated(t, func(t *testing.T, dsn string) {
		d := dbtest.OpenDSN(t, dsn)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		left := make(chan error, 1)
		go func() { left <- d.Attend(ctx) }()
		into := func(o moving.Options) (string, error) {
			a, err := open(t, good)
			if err != nil {
				t.Fatal(err)
			}
			return moving.Import(t.Context(), dsn, a, o)
		}
		refused := func(o moving.Options) {
			t.Helper()
			before := dbtest.Rows(t, dsn)
			var err error
			for range 100 { // it takes a moment to come
				if _, err = into(o); err != nil {
					break
				}
				before = dbtest.Rows(t, dsn)
			}
			if _, ok := errors.AsType[*db.Refusal](err); !ok {
				t.Errorf("got %v", err)
			}
			if !reflect.DeepEqual(before, dbtest.Rows(t, dsn)) {
				t.Error("something was changed")
			}
		}
		refused(moving.Options{})
		if strings.HasPrefix(dsn, "postgres") {
			if _, err := into(moving.Options{Force: true}); err != nil {
				t.Error(err)
			}
			// The server has its place again, or has heard that it lost it.
			time.AfterFunc(3*time.Second, stop)
			if err := <-left; err != nil {
				if _, ok := errors.AsType[*db.Refusal](err); !ok {
					t.Errorf("the server hears %v", err)
				}
			}
			return
		}
		refused(moving.Options{Force: true}) // this process itself
		stop()
		d.Close()
		kept, err := into(moving.Options{})
		if err != nil || !strings.Contains(filepath.Base(kept), ".before-import-") {
			t.Fatalf("%q, %v", kept, err)
		}
		about, err := os.Stat(kept)
		if err != nil || about.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", about, err)
		}
		if rows := dbtest.Rows(t, kept); len(rows["users"]) != 0 || len(dbtest.Rows(t, dsn)["users"]) == 0 {
			t.Errorf("the database that is kept has %d people", len(rows["users"]))
		}
	})
}

// Somebody else who has the SQLite file open keeps it from being replaced.
func TestImportWaitsForNobody(t *testing.T) {
	good := archived(t, dbtest.Open(t))
	dsn := dbtest.MigratedDSN(t, dbtest.SQLite)
	d, err := db.Open(t.Context(), dsn, db.Beside)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	a, err := open(t, good)
	if err != nil {
		t.Fatal(err)
	}
	err = d.Read(t.Context(), func(tx *db.Tx) error {
		var n int
		if err := tx.One([]any{&n}, `SELECT count(*) FROM facts`); err != nil {
			return err
		}
		_, err := moving.Import(t.Context(), dsn, a, moving.Options{})
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "another program has") {
		t.Errorf("got %v", err)
	}
}

// An error at the very end undoes everything, and so does the end of the context.
func TestImportIsAllOrNothing(t *testing.T) {
	house := dbtest.Open(t)
	full(t, house)
	good := archived(t, house)
	last := errors.New("at the last moment")
	dbtest.Migrated(t, func(t *testing.T, dsn string) {
		before := dbtest.Rows(t, dsn)
		ctx, cancel := context.WithCancel(t.Context())
		for name, o := range map[string]moving.Options{
			"at the end":  {Before: func() error { return last }},
			"in the rows": {Finish: func(*db.Tx) error { return last }},
			"by its end":  {Finish: func(tx *db.Tx) error { cancel(); tx.Do(`DELETE FROM jobs`); return nil }},
		} {
			a, err := open(t, good)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := moving.Import(ctx, dsn, a, o); err == nil {
				t.Errorf("%s: it went on", name)
			}
			ctx, cancel = context.WithCancel(t.Context())
		}
		cancel()
		if !reflect.DeepEqual(before, dbtest.Rows(t, dsn)) {
			t.Error("something was changed")
		}
	})
}

// A gauge measures the memory in use while something is written to it.
type gauge struct {
	n, next int64
	least   uint64
	most    uint64
}

func (g *gauge) Write(p []byte) (int, error) {
	if g.n += int64(len(p)); g.n >= g.next {
		g.next = g.n + 1<<20
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		if g.least == 0 {
			g.least = m.HeapAlloc
		}
		g.most = max(g.most, m.HeapAlloc)
	}
	return len(p), nil
}

// A log of any length goes into an archive through the same few pages of memory.
func TestExportTakesTheSameMemoryForAnyLength(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		random := rand.NewChaCha8([32]byte{1}) // nothing to pack
		err := d.Write(t.Context(), func(tx *db.Tx) error {
			data := make([]byte, 3000)
			for n := range 4000 {
				random.Read(data)
				tx.Do(`INSERT INTO facts (name, value) VALUES ($1, $2)`, strconv.Itoa(n), base64.StdEncoding.EncodeToString(data))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		g := &gauge{}
		m, _, err := moving.Export(t.Context(), d, g, moving.Labels{})
		if err != nil || m.Rows() < 4000 || m.Bytes() < 15<<20 || g.n < 10<<20 {
			t.Fatalf("%d rows, %d bytes of %d: %v", m.Rows(), g.n, m.Bytes(), err)
		}
		if g.most > g.least+4<<20 {
			t.Errorf("it grew from %d to %d bytes while it wrote %d", g.least, g.most, m.Bytes())
		}
	})
}

// What somebody commits after an export began is not in it, and what they committed before
// is, in all tables alike.
func TestExportIsOneMoment(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		put := func(value string) {
			err := d.Write(t.Context(), func(tx *db.Tx) error {
				tx.Do(`DELETE FROM facts`)
				tx.Do(`DELETE FROM revoked_tokens`)
				tx.Do(`INSERT INTO facts (name, value) VALUES ('now', $1)`, value)
				tx.Do(`INSERT INTO revoked_tokens (jti, expires_at) VALUES ($1, 1)`, value)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		}
		put("before")
		var b bytes.Buffer
		once := &onFirst{do: func() { put("after") }, w: &b}
		if _, _, err := moving.Export(t.Context(), d, once, moving.Labels{}); err != nil {
			t.Fatal(err)
		}
		copied := moved(t, b.Bytes(), dbtest.DSN(t, dbtest.SQLite))
		var fact, token string
		err := copied.Read(t.Context(), func(tx *db.Tx) error {
			return tx.One([]any{&fact, &token}, `SELECT value, jti FROM facts, revoked_tokens`)
		})
		if err != nil || fact != "before" || token != "before" {
			t.Errorf("got %q and %q, %v", fact, token, err)
		}
	})
}

// onFirst does something before it is first written to.
type onFirst struct {
	do func()
	w  io.Writer
}

func (o *onFirst) Write(p []byte) (int, error) {
	if o.do != nil {
		o.do()
		o.do = nil
	}
	return o.w.Write(p)
}
