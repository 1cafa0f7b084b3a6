package dbtest

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"pocketid/internal/db"
	"pocketid/internal/secret"
)

// MigratedDSN returns the connection string of a database that has the tables of the
// product, as a migration leaves it; the end of the test removes it. It is a copy of one that
// was migrated once: making the tables anew takes ten times as long, and was most of what
// the tests did on PostgreSQL.
func MigratedDSN(t testing.TB, engine string) string {
	t.Helper()
	if engine == Postgres {
		return copyOfPostgres(t)
	}
	b, err := migratedFile()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "pocket-id.db")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// migratedFile is a migrated database of SQLite, made once for the process.
var migratedFile = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "pocket-id-migrated")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "pocket-id.db")
	if err := migrate(path); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// migrate makes the tables of an empty database.
func migrate(dsn string) error {
	d, err := db.Open(context.Background(), dsn, db.Serve)
	if err != nil {
		return err
	}
	return d.Close()
}

// copyOfPostgres makes a database of the server a copy of the one that was migrated.
func copyOfPostgres(t testing.TB) string {
	t.Helper()
	admin := connect(t)
	from, err := template(t, admin)
	if err != nil {
		t.Fatal(err)
	}
	name := "t" + strings.ReplaceAll(secret.ID(), "-", "")
	how, version := "", 0
	if err := admin.QueryRow(`SELECT CAST(current_setting('server_version_num') AS INTEGER)`).Scan(&version); err != nil {
		t.Fatal(err)
	}
	if version >= 150000 { // older ones know no other way
		how = " STRATEGY FILE_COPY"
	}
	if _, err := admin.Exec("CREATE DATABASE " + name + " TEMPLATE " + from + how); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { exec(t, admin, "DROP DATABASE "+name+" WITH (FORCE)") })
	return address(t, func(u *url.URL, _ url.Values) { u.Path = "/" + name })
}

// known is the name of the template once this process has seen it, for the server at seen.
var known struct {
	sync.Mutex
	seen, name string
}

// template returns the name of the migrated database that the others are copies of. It
// stays on the server for as long as the migrations stay the same and longer; who comes
// first makes it, under a lock that other processes wait for.
func template(t testing.TB, admin *sql.DB) (string, error) {
	known.Lock()
	defer known.Unlock()
	server := os.Getenv("TEST_POSTGRES")
	if known.seen == server {
		return known.name, nil
	}
	sum := sha256.Sum256([]byte(db.Scripts()))
	name := fmt.Sprintf("pocketid_migrated_%x", sum[:8])
	if _, err := admin.Exec(`SELECT pg_advisory_lock(1886350442)`); err != nil {
		return "", err
	}
	defer admin.Exec(`SELECT pg_advisory_unlock(1886350442)`)
	var there int
	if err := admin.QueryRow(`SELECT count(*) FROM pg_database WHERE datname = $1`, name).Scan(&there); err != nil {
		return "", err
	}
	if there == 0 {
		making := name + "_making"
		for _, statement := range []string{"DROP DATABASE IF EXISTS " + making + " WITH (FORCE)", "CREATE DATABASE " + making} {
			if _, err := admin.Exec(statement); err != nil {
				return "", err
			}
		}
		if err := migrate(address(t, func(u *url.URL, _ url.Values) { u.Path = "/" + making })); err != nil {
			return "", err
		}
		if _, err := admin.Exec("ALTER DATABASE " + making + " RENAME TO " + name); err != nil {
			return "", err
		}
	}
	known.seen, known.name = server, name
	return name, nil
}
