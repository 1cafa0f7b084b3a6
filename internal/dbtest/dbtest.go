// Package dbtest gives each test a database of its own, on both engines.
package dbtest

import (
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // a second client of the same server
	_ "modernc.org/sqlite"             // a second reader of the same files

	"pocketid/internal/db"
	"pocketid/internal/secret"
)

// Names of the engines, which are also the names of the subtests.
const (
	SQLite   = "sqlite"
	Postgres = "postgres"
)

// Engines runs fn as a subtest on each engine with the connection string of an
// empty database. Without TEST_POSTGRES the subtest on PostgreSQL fails, so
// that nobody believes it passed; under -short it is left out.
func Engines(t *testing.T, fn func(t *testing.T, dsn string)) {
	t.Helper()
	onEach(t, DSN, fn)
}

// Migrated is Engines with a database that has the tables of the product.
func Migrated(t *testing.T, fn func(t *testing.T, dsn string)) {
	t.Helper()
	onEach(t, MigratedDSN, fn)
}

func onEach(t *testing.T, dsn func(t testing.TB, engine string) string, fn func(t *testing.T, dsn string)) {
	t.Helper()
	for _, engine := range []string{SQLite, Postgres} {
		t.Run(engine, func(t *testing.T) {
			fn(t, dsn(t, engine))
		})
	}
}

// Both runs fn as a subtest on each engine with an open, migrated database.
func Both(t *testing.T, fn func(t *testing.T, d *db.DB)) {
	t.Helper()
	Migrated(t, func(t *testing.T, dsn string) {
		fn(t, OpenDSN(t, dsn))
	})
}

// Open returns a migrated SQLite database that the end of the test closes.
func Open(t testing.TB) *db.DB {
	t.Helper()
	return OpenDSN(t, MigratedDSN(t, SQLite))
}

// OpenDSN opens what a connection string means as the server does; the end of
// the test closes it.
func OpenDSN(t testing.TB, dsn string) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), dsn, db.Serve)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// DSN returns the connection string of an empty database on the engine; the
// end of the test removes it. On PostgreSQL it is a schema of its own.
func DSN(t testing.TB, engine string) string {
	t.Helper()
	if engine == SQLite {
		return filepath.Join(t.TempDir(), "pocket-id.db")
	}
	admin := connect(t)
	schema := "t" + strings.ReplaceAll(secret.ID(), "-", "")
	exec(t, admin, "CREATE SCHEMA "+schema)
	t.Cleanup(func() { exec(t, admin, "DROP SCHEMA "+schema+" CASCADE") })
	return address(t, func(u *url.URL, params url.Values) { params.Set("search_path", schema) })
}

// connect is a connection to TEST_POSTGRES that the end of the test closes.
func connect(t testing.TB) *sql.DB {
	t.Helper()
	base := os.Getenv("TEST_POSTGRES")
	if base == "" {
		if testing.Short() {
			t.Skip("left out under -short: TEST_POSTGRES is not set")
		}
		t.Fatal("TEST_POSTGRES is not set: run the tests by `make test`, which starts a PostgreSQL for them, or use -short")
	}
	admin, err := sql.Open("pgx", base)
	if err != nil {
		t.Fatal(err)
	}
	admin.SetMaxOpenConns(1)
	t.Cleanup(func() { admin.Close() })
	return admin
}

func exec(t testing.TB, admin *sql.DB, statement string) {
	t.Helper()
	if _, err := admin.Exec(statement); err != nil {
		t.Errorf("%s: %v", statement, err)
	}
}

// address is TEST_POSTGRES with a change.
func address(t testing.TB, change func(u *url.URL, params url.Values)) string {
	t.Helper()
	u, err := url.Parse(os.Getenv("TEST_POSTGRES"))
	if err != nil {
		t.Fatal(err)
	}
	params := u.Query()
	change(u, params)
	u.RawQuery = params.Encode()
	return u.String()
}
