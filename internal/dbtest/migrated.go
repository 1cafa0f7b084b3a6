package dbtest

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"pocketid/internal/db"
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

// lent are the advisory locks under which databases of the pool are lent, one for each number.
const lent = 1886350443

// copyOfPostgres lends a database of the server that is as a migration leaves it. There is a
// pool of them, because to copy one takes PostgreSQL a second, and to empty it ten milliseconds:
// one that comes back is emptied before it is lent again, and made anew when that leaves
// anything behind. The lock ends with the test, or with the process.
func copyOfPostgres(t testing.TB) string {
	t.Helper()
	admin := connect(t)
	from, err := template(t, admin)
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; ; n++ {
		var free bool
		if err := admin.QueryRow(`SELECT pg_try_advisory_lock($1, $2)`, lent, n).Scan(&free); err != nil {
			t.Fatal(err)
		}
		if !free {
			continue
		}
		name := fmt.Sprintf("%s_%d", from, n)
		if emptied(t, name) != nil {
			copied(t, admin, from, name)
		}
		t.Cleanup(func() {
			exec(t, admin, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+name+"'")
		})
		return address(t, func(u *url.URL, _ url.Values) { u.Path = "/" + name })
	}
}

// copied makes a database of the pool, and notes what it is like.
func copied(t testing.TB, admin *sql.DB, from, name string) {
	t.Helper()
	how, version := "", 0
	if err := admin.QueryRow(`SELECT CAST(current_setting('server_version_num') AS INTEGER)`).Scan(&version); err != nil {
		t.Fatal(err)
	}
	if version >= 150000 { // older ones know no other way
		how = " STRATEGY FILE_COPY"
	}
	for _, statement := range []string{"DROP DATABASE IF EXISTS " + name + " WITH (FORCE)", "CREATE DATABASE " + name + " TEMPLATE " + from + how} {
		if _, err := admin.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	d := at(t, name)
	defer d.Close()
	n, err := look(d)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	exec(t, admin, "COMMENT ON DATABASE "+name+" IS '"+strings.ReplaceAll(string(b), "'", "''")+"'")
}

// A note says what a database is like that was just migrated.
type note struct {
	Shape string            // of its catalog, see shape
	Rows  map[string]string // of the tables that have some, as JSON
}

// maxGrown is how large an emptied database may be: about twice a fresh one, in bytes.
const maxGrown = 20 << 20

// shape is a digest of all that statements of definition change, and of what the planner knows.
const shape = `SELECT md5(string_agg(x, ',' ORDER BY x)) FROM (
	SELECT concat_ws(':', 'relation', oid, xmin, relfilenode, reltuples) AS x FROM pg_class WHERE oid >= 16384
	UNION ALL SELECT concat_ws(':', 'column', attrelid, attnum, xmin) FROM pg_attribute WHERE attrelid >= 16384
	UNION ALL SELECT concat_ws(':', 'index', indexrelid, xmin) FROM pg_index WHERE indexrelid >= 16384
	UNION ALL SELECT concat_ws(':', 'constraint', oid, xmin) FROM pg_constraint WHERE oid >= 16384
	UNION ALL SELECT concat_ws(':', 'trigger', oid, xmin) FROM pg_trigger WHERE oid >= 16384
	UNION ALL SELECT concat_ws(':', 'function', oid, xmin) FROM pg_proc WHERE oid >= 16384
	UNION ALL SELECT concat_ws(':', 'schema', oid, xmin) FROM pg_namespace
	UNION ALL SELECT concat_ws(':', 'extension', oid, xmin) FROM pg_extension
	UNION ALL SELECT concat_ws(':', 'setting', setrole, setconfig) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase WHERE datname = current_database()
) AS all_of_it`

// look says what a database is like.
func look(d *sql.DB) (n note, err error) {
	n.Rows = map[string]string{}
	if err := d.QueryRow(shape).Scan(&n.Shape); err != nil {
		return n, err
	}
	var names string
	if err := d.QueryRow(`SELECT coalesce(string_agg(relname, ' '), '') FROM pg_class WHERE relkind = 'r' AND relnamespace = CAST('public' AS regnamespace)`).Scan(&names); err != nil {
		return n, err
	}
	for _, table := range strings.Fields(names) {
		var rows sql.NullString
		if err := d.QueryRow(`SELECT json_agg(r) FROM public.` + table + ` AS r`).Scan(&rows); err != nil {
			return n, err
		}
		if rows.Valid {
			n.Rows[table] = rows.String
		}
	}
	return n, nil
}

// emptied takes all rows out of a database of the pool but those that it was made with. An
// error says that it cannot be lent, or is not there.
func emptied(t testing.TB, name string) error {
	d := at(t, name)
	defer d.Close()
	var text sql.NullString
	var size int64
	err := d.QueryRow(`SELECT shobj_description(oid, 'pg_database'), pg_database_size(oid) FROM pg_database WHERE datname = current_database()`).Scan(&text, &size)
	if err != nil {
		return err
	}
	var was note
	if err := json.Unmarshal([]byte(text.String), &was); err != nil {
		return err
	}
	var is string
	if err := d.QueryRow(shape).Scan(&is); err != nil {
		return err
	}
	if is != was.Shape || size > maxGrown {
		return fmt.Errorf("%s is not as it was", name)
	}
	tx, err := d.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	// Neither triggers nor foreign keys act.
	if _, err := tx.Exec(`SET LOCAL session_replication_role = replica`); err != nil {
		return err
	}
	_, err = tx.Exec(`DO $$ DECLARE r record; BEGIN
		FOR r IN SELECT CAST(oid AS regclass) AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = CAST('public' AS regnamespace) LOOP
			EXECUTE format('DELETE FROM %s', r.name);
		END LOOP;
	END $$`)
	if err != nil {
		return err
	}
	for table, rows := range was.Rows {
		if _, err := tx.Exec(`INSERT INTO public.`+table+` SELECT * FROM json_populate_recordset(CAST(NULL AS public.`+table+`), CAST($1 AS json))`, rows); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// at is a connection to a database of the server.
func at(t testing.TB, name string) *sql.DB {
	t.Helper()
	d, err := sql.Open("pgx", address(t, func(u *url.URL, _ url.Values) { u.Path = "/" + name }))
	if err != nil {
		t.Fatal(err)
	}
	d.SetMaxOpenConns(1)
	return d
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
