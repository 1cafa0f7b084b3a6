package db_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pocketid/internal/db"
	"pocketid/internal/dbtest"
)

// refused checks that err is a refusal for the operator, on one line, that
// says all of these words.
func refused(t *testing.T, err error, words ...string) {
	t.Helper()
	r, ok := errors.AsType[*db.Refusal](err)
	if !ok {
		t.Errorf("got %v, want a refusal", err)
		return
	}
	if strings.Contains(r.Error(), "\n") || r.Cure == "" {
		t.Errorf("not one line with a cure: %q", r)
	}
	for _, w := range words {
		if !strings.Contains(r.Error(), w) {
			t.Errorf("%q does not say %q", r, w)
		}
	}
}

func TestConnectionStrings(t *testing.T) {
	for _, tt := range []struct{ dsn, path string }{
		{"data/pocket-id.db", "data/pocket-id.db"},
		{"./data//pocket-id.db", "data/pocket-id.db"},
		{"/var/lib/p.db", "/var/lib/p.db"},
		{"file:data/pocket-id.db", "data/pocket-id.db"},
		{"file:///var/lib/p.db", "/var/lib/p.db"},
		{"file://localhost/var/lib/p.db", "/var/lib/p.db"},
		{"file:/var/my%20data/p.db", "/var/my data/p.db"},
		{"file:data/p.db?_pragma=journal_mode(WAL)&_pragma=busy_timeout(2500)&_txlock=immediate", "data/p.db"},
		{"data/p.db?_pragma=foreign_keys(1)&_pragma=synchronous=FULL", "data/p.db"},
		{"postgres://u:p@h/d", ""},
		{"postgresql://u:p@h/d?sslmode=disable", ""},
	} {
		if path, err := db.Path(tt.dsn); path != tt.path || err != nil {
			t.Errorf("%s: got %q, %v; want %q", tt.dsn, path, err, tt.path)
		}
		if db.IsPostgres(tt.dsn) != (tt.path == "") {
			t.Errorf("%s: taken for the other engine", tt.dsn)
		}
	}
	for _, tt := range []struct{ dsn, word string }{
		{"", "names no file"},
		{":memory:", "memory"},
		{"file::memory:?cache=shared", "memory"},
		{"file:a.db?mode=memory", "mode=memory"},
		{"data/p.db?_pragma=journal_mode(DELETE)", "_pragma=journal_mode"},
		{"data/p.db?_journal_mode=DELETE", "_journal_mode=DELETE"},
		{"data/p.db?_pragma=foreign_keys(0)", "_pragma=foreign_keys"},
		{"data/p.db?vfs=unix-none", "vfs"},
		{"file://server/share/p.db", "three slashes"},
		{"mysql://u:p@h/d", "mysql://"},
		{"postgres:/u:p@h/d", "postgres://"},
		{"host=db user=u password=p dbname=d", "postgres://"},
		{"data/", "names no file"},
	} {
		_, err := db.Path(tt.dsn)
		refused(t, err, tt.word)
	}
}

func TestPasswordIsNotInTheRefusal(t *testing.T) { // threats 84
	_, err := db.Open(t.Context(), "postgres://u:hunter2@host:badport/d", db.Serve)
	refused(t, err, "PostgreSQL")
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
	for _, dsn := range []string{"mysql://u:hunter2@host/d", "postgres:/u:hunter2@host/d", "u:hunter2@host", "password=hunter2", "p.db?_pragma=key('hunter2')"} {
		_, err := db.Open(t.Context(), dsn, db.Serve)
		refused(t, err)
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v", err)
		}
	}
}

func TestFileAndDirectoryAreForTheirOwnerAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "deep", "pocket-id.db")
	d, err := db.Open(t.Context(), path, db.Serve)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	write(t, d, func(tx *db.Tx) { tx.Do(things) })
	for _, tt := range []struct {
		name string
		want os.FileMode
	}{{filepath.Dir(path), 0o700}, {path, 0o600}, {path + "-wal", 0o600}, {path + "-shm", 0o600}, {strings.TrimSuffix(path, ".db") + ".lock", 0o600}} {
		st, err := os.Stat(tt.name)
		if err != nil {
			t.Error(err)
		} else if st.Mode().Perm() != tt.want {
			t.Errorf("%s has %o, want %o", filepath.Base(tt.name), st.Mode().Perm(), tt.want)
		}
	}
}

func TestWhatIsAcknowledgedIsSynced(t *testing.T) {
	d := dbtest.Open(t)
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1"} {
		if got, err := d.Pragma(t.Context(), `PRAGMA `+pragma); err != nil || got != want {
			t.Errorf("%s is %q, %v; want %s", pragma, got, err, want)
		}
	}
}

func TestSecondServerIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pocket-id.db")
	first, err := db.Open(t.Context(), path, db.Serve)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Open(t.Context(), path, db.Serve)
	refused(t, err, "pocket-id.db", "pocket-id.lock", "process", "Stop it first")

	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	_, err = db.Open(t.Context(), link, db.Serve)
	refused(t, err, "pocket-id.lock")

	write(t, first, func(tx *db.Tx) { tx.Do(things) })
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := db.Open(t.Context(), path, db.Serve)
	if err != nil {
		t.Fatalf("after the first one ended: %v", err)
	}
	second.Close()
}

func TestTwoDatabasesInOneDirectory(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.db", "b.db"} {
		d, err := db.Open(t.Context(), filepath.Join(dir, name), db.Serve)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
	}
}

func TestCommandWorksBesideAServer(t *testing.T) {
	dbtest.Engines(t, func(t *testing.T, dsn string) {
		server := dbtest.OpenDSN(t, dsn)
		write(t, server, func(tx *db.Tx) { tx.Do(things) })
		command, err := db.Open(t.Context(), dsn, db.Beside)
		if err != nil {
			t.Fatal(err)
		}
		write(t, command, func(tx *db.Tx) { tx.Do(`INSERT INTO counter (id, n) VALUES ('a', 1)`) })
		if n := mustAsk[int](t, server, `SELECT n FROM counter`); n != 1 {
			t.Error("the server does not see it")
		}
		write(t, server, func(tx *db.Tx) { tx.Do(`UPDATE counter SET n = 2`) })
		if n := mustAsk[int](t, command, `SELECT n FROM counter`); n != 2 {
			t.Error("the command does not see it")
		}
		if err := command.Close(); err != nil {
			t.Error(err)
		}
		write(t, server, func(tx *db.Tx) { tx.Do(`UPDATE counter SET n = 3`) })
	})
}

func TestCommandMakesAndMigratesNothing(t *testing.T) {
	dbtest.Engines(t, func(t *testing.T, dsn string) {
		_, err := db.Open(t.Context(), dsn, db.Beside)
		refused(t, err, "server once")
		if path, _ := db.Path(dsn); path != "" {
			if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 0 {
				t.Errorf("it left %v", left)
			}
		}
		dbtest.OpenDSN(t, dsn).Close()
		db.Grow(t, `CREATE TABLE later (id TEXT PRIMARY KEY)`)
		newest := db.Newest()
		_, err = db.Open(t.Context(), dsn, db.Beside)
		refused(t, err, fmt.Sprintf("schema %d", newest-1), fmt.Sprintf("schema %d", newest))
	})
}

func TestNetworkFileSystemIsRefused(t *testing.T) {
	for _, tt := range []struct {
		magic uint32
		name  string
	}{{0x6969, "NFS"}, {0x517b, "SMB"}, {0xff534d42, "SMB"}, {0xfe534d42, "SMB"}} {
		db.On(t, tt.magic)
		dir := t.TempDir()
		_, err := db.Open(t.Context(), filepath.Join(dir, "pocket-id.db"), db.Serve)
		refused(t, err, dir, tt.name, "locks", "local disk", "PostgreSQL")
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("it left %v", left)
		}
	}
	for _, magic := range []uint32{0xef53, 0x65735546, 0x58465342} { // ext4, FUSE, XFS
		db.On(t, magic)
		d, err := db.Open(t.Context(), filepath.Join(t.TempDir(), "pocket-id.db"), db.Serve)
		if err != nil {
			t.Fatal(err)
		}
		d.Close()
	}
}

func TestNewerDatabaseIsRefused(t *testing.T) {
	dbtest.Engines(t, func(t *testing.T, dsn string) {
		t.Run("made by the newer program", func(t *testing.T) {
			db.Grow(t, `CREATE TABLE later (id TEXT PRIMARY KEY)`, `ALTER TABLE later ADD COLUMN word TEXT`)
			dbtest.OpenDSN(t, dsn).Close()
		})
		for _, mode := range []db.Mode{db.Serve, db.Beside} {
			_, err := db.Open(t.Context(), dsn, mode)
			refused(t, err, fmt.Sprintf("schema %d", db.Newest()+2), fmt.Sprintf("up to %d", db.Newest()), "newer")
		}
	})
}

func TestMigrationOfAnExistingFileKeepsASnapshot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pocket-id.db")
	d, err := db.Open(t.Context(), path, db.Serve)
	if err != nil {
		t.Fatal(err)
	}
	write(t, d, func(tx *db.Tx) { tx.Do(things); tx.Do(`INSERT INTO counter (id, n) VALUES ('a', 7)`) })
	d.Close()
	kept := filepath.Join(filepath.Dir(path), fmt.Sprintf("pocket-id.before-%04d.db", db.Newest()+1))
	if _, err := os.Stat(kept); err == nil {
		t.Error("a first start kept a snapshot of nothing")
	}

	// A migration that fails leaves all as it was, and its snapshot is replaced.
	t.Run("a broken program", func(t *testing.T) {
		db.Grow(t, `CREATE TABLE later (id TEXT PRIMARY KEY); INSERT INTO nowhere VALUES (1)`)
		if _, err := db.Open(t.Context(), path, db.Serve); err == nil || !strings.Contains(err.Error(), "_next") {
			t.Errorf("got %v", err)
		}
	})
	d, err = db.Open(t.Context(), path, db.Serve)
	if err != nil {
		t.Fatalf("the old program after a failed migration: %v", err)
	}
	write(t, d, func(tx *db.Tx) { tx.Do(`UPDATE counter SET n = 8`) })
	d.Close()

	// Nor is a snapshot in the way that was cut off by a crash.
	if err := os.WriteFile(kept+".part", []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	db.Grow(t, `CREATE TABLE later (id TEXT PRIMARY KEY)`)
	d, err = db.Open(t.Context(), path, db.Serve)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if n := mustAsk[int](t, d, `SELECT count(*) FROM later`); n != 0 {
		t.Error(n)
	}
	st, err := os.Stat(kept)
	if err != nil {
		t.Fatal(err)
	}
	if st.Mode().Perm() != 0o600 {
		t.Errorf("the snapshot has %o", st.Mode().Perm())
	}
	old, err := sql.Open("sqlite", kept)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	var n, later int
	if err := old.QueryRow(`SELECT n, (SELECT count(*) FROM sqlite_master WHERE name = 'later') FROM counter`).Scan(&n, &later); err != nil || n != 8 || later != 0 {
		t.Errorf("snapshot holds %d and %d tables of the new schema, %v", n, later, err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*.part")); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
}

// tree is every file under a directory, byte for byte.
func tree(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if all[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func same(t *testing.T, dir string, before map[string][]byte) {
	t.Helper()
	after := tree(t, dir)
	for name, b := range after {
		if strings.HasSuffix(name, "-shm") {
			continue // the index of the log, made anew by every reader
		}
		if was, there := before[name]; !there || !bytes.Equal(was, b) {
			t.Errorf("%s was changed", name)
		}
	}
	for name := range before {
		if _, there := after[name]; !there {
			t.Errorf("%s is gone", name)
		}
	}
}

// Looking at a database, as a start with a wrong key does, leaves it byte for
// byte as it was: after a clean end, and after a crash that left a log behind.
func TestPeekChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pocket-id.db")
	d, err := db.Open(t.Context(), path, db.Serve)
	if err != nil {
		t.Fatal(err)
	}
	write(t, d, func(tx *db.Tx) { tx.Do(things); tx.Do(`INSERT INTO counter (id, n) VALUES ('a', 7)`) })

	peek := func(t *testing.T, path string) {
		t.Helper()
		before := tree(t, filepath.Dir(path))
		n := 0
		look, err := db.Peek(t.Context(), path, func(tx *db.Tx) error {
			if err := tx.One([]any{&n}, `SELECT n FROM counter`); err != nil {
				return err
			}
			return nil
		})
		if err != nil || look.State != db.Ours || look.Version != db.Newest() || n != 7 {
			t.Errorf("saw %+v, %d, %v", look, n, err)
		}
		_, err = db.Peek(t.Context(), path, func(tx *db.Tx) error {
			tx.Do(`UPDATE counter SET n = 8`)
			return nil
		})
		if err == nil {
			t.Error("it wrote while looking")
		}
		same(t, filepath.Dir(path), before)
	}

	t.Run("after a crash", func(t *testing.T) {
		crashed := filepath.Join(t.TempDir(), "pocket-id.db")
		for _, suffix := range []string{"", "-wal"} { // what the disk holds when the process is gone
			b, err := os.ReadFile(path + suffix)
			if err != nil || len(b) == 0 {
				t.Fatalf("%s: %d bytes, %v", suffix, len(b), err)
			}
			if err := os.WriteFile(crashed+suffix, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		peek(t, crashed)
	})
	t.Run("beside a server", func(t *testing.T) { peek(t, path) })
	d.Close()
	t.Run("after a clean end", func(t *testing.T) { peek(t, path) })
	t.Run("where nothing can be written", func(t *testing.T) {
		os.Chmod(filepath.Dir(path), 0o500)
		defer os.Chmod(filepath.Dir(path), 0o700)
		peek(t, path)
	})
}

func TestPeekAtNothing(t *testing.T) {
	dbtest.Engines(t, func(t *testing.T, dsn string) {
		look, err := db.Peek(t.Context(), dsn, func(*db.Tx) error { t.Error("there is nothing to read"); return nil })
		if look.State != db.Absent || err != nil {
			t.Errorf("%+v, %v", look, err)
		}
		if path, _ := db.Path(dsn); path != "" {
			if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 0 {
				t.Errorf("it left %v", left)
			}
		}
	})
}

func TestPeekReturnsWhatTheLookerSays(t *testing.T) {
	dbtest.Engines(t, func(t *testing.T, dsn string) {
		dbtest.OpenDSN(t, dsn).Close()
		wrong := errors.New("wrong key")
		if _, err := db.Peek(t.Context(), dsn, func(*db.Tx) error { return wrong }); err != wrong {
			t.Errorf("got %v", err)
		}
	})
}

// incumbent makes a few tables of the other implementation.
const incumbent = `
CREATE TABLE schema_migrations (version BIGINT NOT NULL PRIMARY KEY, dirty BOOLEAN NOT NULL);
CREATE TABLE kv (key TEXT PRIMARY KEY, value TEXT);
CREATE TABLE users (id TEXT PRIMARY KEY, username TEXT NOT NULL);
INSERT INTO users (id, username) VALUES ('1', 'ada');
`

func TestDatabaseOfTheIncumbentIsLeftAlone(t *testing.T) {
	dbtest.Engines(t, func(t *testing.T, dsn string) {
		driver := "pgx"
		path, _ := db.Path(dsn)
		if path != "" {
			driver = "sqlite"
		}
		theirs, err := sql.Open(driver, dsn)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := theirs.Exec(incumbent); err != nil {
			t.Fatal(err)
		}
		theirs.Close()
		var before map[string][]byte
		if path != "" {
			before = tree(t, filepath.Dir(path))
		}
		for _, mode := range []db.Mode{db.Serve, db.Beside} {
			_, err := db.Open(t.Context(), dsn, mode)
			refused(t, err, "other implementation", "nothing in it was changed", "DB_CONNECTION_STRING")
		}
		if look, err := db.Peek(t.Context(), dsn, nil); look.State != db.Incumbent || err != nil {
			t.Errorf("%+v, %v", look, err)
		}
		if path != "" {
			same(t, filepath.Dir(path), before)
		}
	})
}

func TestWhatIsNoDatabaseOfOursIsLeftAlone(t *testing.T) {
	t.Run("another program's", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "x.db")
		theirs, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := theirs.Exec(`CREATE TABLE recipes (id TEXT)`); err != nil {
			t.Fatal(err)
		}
		theirs.Close()
		before := tree(t, filepath.Dir(path))
		_, err = db.Open(t.Context(), path, db.Serve)
		refused(t, err, path, "another program")
		same(t, filepath.Dir(path), before)
	})
	t.Run("no database", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "x.db")
		if err := os.WriteFile(path, bytes.Repeat([]byte("once upon a time "), 500), 0o600); err != nil {
			t.Fatal(err)
		}
		before := tree(t, filepath.Dir(path))
		_, err := db.Open(t.Context(), path, db.Serve)
		refused(t, err, path, "not an SQLite database")
		same(t, filepath.Dir(path), before)
	})
	t.Run("a directory", func(t *testing.T) {
		_, err := db.Open(t.Context(), t.TempDir(), db.Serve)
		refused(t, err, "is a directory")
	})
	t.Run("an empty file", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "x.db")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		dbtest.OpenDSN(t, path)
	})
}

// threats 15
func TestFullDiskIsAnOutageAndLosesNothing(t *testing.T) {
	d := dbtest.Open(t)
	write(t, d, func(tx *db.Tx) {
		tx.Do(things)
		tx.Do(`INSERT INTO counter (id, n) VALUES ('a', 1)`)
	})
	text, err := d.Pragma(t.Context(), `PRAGMA page_count`)
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Pragma(t.Context(), `PRAGMA max_page_count = `+strconv.Itoa(pages+2)); err != nil {
		t.Fatal(err)
	}
	err = d.Write(t.Context(), func(tx *db.Tx) error {
		tx.Do(`UPDATE counter SET n = 2`)
		tx.Do(`INSERT INTO person (id, username, username_key, picture, created_at) VALUES ('1', 'a', 'a', $1, 1)`, make([]byte, 1<<20))
		return nil
	})
	if !errors.Is(err, db.ErrGone) {
		t.Errorf("got %v", err)
	}
	write(t, d, func(tx *db.Tx) { tx.Do(`UPDATE counter SET n = n + 10`) })
	if n := mustAsk[int](t, d, `SELECT n FROM counter`); n != 11 {
		t.Errorf("n = %d, want 11", n)
	}
}

func TestManyServersStartAtOnceOnPostgreSQL(t *testing.T) {
	dbtest.Engines(t, func(t *testing.T, dsn string) {
		if !db.IsPostgres(dsn) {
			return // one server per file: TestSecondServerIsRefused
		}
		errs := make(chan error, 4)
		for range cap(errs) {
			go func() {
				d, err := db.Open(context.Background(), dsn, db.Serve)
				if err == nil {
					err = d.Close()
				}
				errs <- err
			}()
		}
		var all []error
		for range cap(errs) {
			all = append(all, <-errs)
		}
		if slices.ContainsFunc(all, func(err error) bool { return err != nil }) {
			t.Error(all)
		}
	})
}
