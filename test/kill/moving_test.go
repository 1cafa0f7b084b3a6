package kill

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// How many live in the house of the other Pocket ID, and how long its log is: enough that
// somebody may be killed in the middle of it.
const (
	foreigners   = 150
	foreignLines = 6000
)

// predecessor makes a database of the other Pocket ID, of its version 2.14.
func predecessor(t *testing.T, path string) {
	t.Helper()
	d, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, q := range []string{
		`CREATE TABLE schema_migrations (version BIGINT, dirty BOOLEAN)`,
		`CREATE TABLE kv (key TEXT, value TEXT)`,
		`CREATE TABLE users (id TEXT, created_at DATETIME, username TEXT, email TEXT, email_verified BOOLEAN, first_name TEXT, last_name TEXT, display_name TEXT, is_admin BOOLEAN, ldap_id TEXT, locale TEXT, disabled BOOLEAN)`,
		`CREATE TABLE audit_logs (id TEXT, created_at DATETIME, event TEXT, ip_address TEXT, user_agent TEXT, data BLOB, user_id TEXT, country TEXT, city TEXT)`,
		`INSERT INTO schema_migrations VALUES (20260814120000, 0)`,
		`INSERT INTO kv VALUES ('instance_id', '5f0f3d0e-6a3f-4b7d-9f4e-1f6a3a1f0c11')`,
		fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
			INSERT INTO users SELECT printf('0b6e1b1c-3a54-4d3b-8f0f-%%012d', i), 1760000000 + i, 'person' || i, 'p' || i || '@example.test', 1, 'P', 'Q', 'P Q', i = 1, NULL, NULL, 0 FROM n`, foreigners),
		fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
			INSERT INTO audit_logs SELECT printf('0b6e1b1c-3a54-4d3b-8f0e-%%012d', i), 1760000000 + i, 'SIGN_IN', '192.0.2.7', 'Old browser', '{}', printf('0b6e1b1c-3a54-4d3b-8f0f-%%012d', 1 + i %% %d), 'Peru', 'Lima' FROM n`, foreignLines, foreigners),
	} {
		if _, err := d.Exec(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// people are the names of everybody in the house, or why that cannot be said.
func (s *server) people() (names []string, why string) {
	out, err := s.cli("user", "list", "--quiet")
	if err != nil {
		return nil, out
	}
	names = strings.Fields(out)
	slices.Sort(names)
	return names, ""
}

// cut runs a command and kills it after a while. It says whether the command was faster.
func (s *server) cut(after time.Duration, args ...string) bool {
	s.t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Env = s.dir, s.env
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	time.AfterFunc(after, func() { cmd.Process.Kill() })
	err := cmd.Wait()
	if exit, ok := err.(*exec.ExitError); ok && exit.Exited() {
		s.t.Errorf("%v ended by itself: %s", args, said.String())
	}
	return err == nil
}

// A first start on the directory of the other Pocket ID that is killed, wherever it is,
// leaves the old database as it was or the new one whole, and the old one beside it; the
// next start goes on to the end. Here the log says where it is.
func TestKillsOfAChangeOfTheImage(t *testing.T) { // threats 79
	if testing.Short() {
		t.Skip("kills are left out by -short")
	}
	old := filepath.Join(t.TempDir(), "old.db")
	predecessor(t, old)
	before := read(t, old)
	for _, where := range []string{"moving in from it", "users and groups", `audit log`, "came over", "moved in; the database"} {
		t.Run(where, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "pocket-id.db")
			if err := os.WriteFile(path, before, 0o600); err != nil {
				t.Fatal(err)
			}
			s := newServer(t, path, key)
			s.start()
			for begun := time.Now(); !strings.Contains(s.log.tail(1<<20), where); time.Sleep(time.Millisecond) {
				if time.Since(begun) > time.Minute {
					t.Fatalf("the log never says %q: %s", where, s.log.tail(3000))
				}
			}
			s.kill()
			kept := func() []string {
				list, err := filepath.Glob(filepath.Join(dir, "pocket-id.before-import-*.db"))
				if err != nil {
					t.Fatal(err)
				}
				for _, name := range list {
					if !bytes.Equal(read(t, name), before) {
						t.Errorf("%s is not the database as it was", name)
					}
				}
				return list
			}
			switch untouched := bytes.Equal(read(t, path), before); {
			case untouched && strings.HasPrefix(where, "came over"), untouched && strings.HasPrefix(where, "moved in"):
				t.Error("it said that it was done, and was not")
			case !untouched:
				if s.sound(); len(kept()) != 1 {
					t.Error("the new database is there, and the old one is not kept")
				}
			}
			s.start()
			s.ready()
			if names, why := s.people(); len(names) != foreigners {
				t.Errorf("%d people: %s", len(names), why)
			}
			if len(kept()) == 0 {
				t.Error("the old database is not kept")
			}
			s.kill()
			if left, _ := filepath.Glob(path + ".new*"); len(left) > 0 {
				t.Errorf("it left %v", left)
			}
		})
	}
}

// A command that moves in, and one that puts back, is killed at several moments: what was
// there before is untouched, or what comes is whole.
func TestKillsOfImport(t *testing.T) { // threats 79
	engines(t, func(t *testing.T, dsn string) {
		dir := t.TempDir()
		old := filepath.Join(dir, "old.db")
		predecessor(t, old)
		before := read(t, old)
		s := newServer(t, dsn, key)
		move := []string{"import", "--from-database", old, "--yes"}
		begun := time.Now()
		if out, err := newServer(t, another(t, dsn), key).cli(move...); err != nil {
			t.Fatalf("%v %s", err, out)
		}
		took := time.Since(begun)
		part := func(i int) time.Duration { return took * time.Duration(2*i-1) / 6 } // of three
		for i := range 4 {
			if s.cut(part(i+1), move...) || i == 3 {
				break
			}
			if names, why := s.people(); len(names) != 0 && len(names) != foreigners {
				t.Fatalf("%d people after a kill: %s", len(names), why)
			}
		}
		if out, err := s.cli(move...); err != nil {
			t.Fatalf("after kills: %v %s", err, out)
		}
		all, why := s.people()
		if len(all) != foreigners {
			t.Fatalf("%d people: %s", len(all), why)
		}
		if !bytes.Equal(read(t, old), before) {
			t.Error("the database that was read was changed")
		}

		file := filepath.Join(dir, "house.zip")
		if out, err := s.cli("export", "-p", file); err != nil {
			t.Fatalf("%v %s", err, out)
		}
		begun = time.Now()
		if out, err := newServer(t, another(t, dsn), key, "APP_URL="+s.url()).cli("import", "-p", file, "--yes"); err != nil {
			t.Fatalf("%v %s", err, out)
		}
		took = time.Since(begun)
		more := ""
		for i := range 3 {
			if more == "" {
				out, err := s.cli("user", "create", "--username", fmt.Sprintf("more%d", i), "--email", fmt.Sprintf("more%d@example.test", i), "--quiet")
				if err != nil {
					t.Fatalf("%v %s", err, out)
				}
				more = strings.TrimSpace(out)
			}
			s.cut(part(i+1), "import", "-p", file, "--yes")
			names, why := s.people()
			switch {
			case slices.Equal(names, all):
				more = "" // it was past the end
			case len(names) != foreigners+1 || !slices.Contains(names, more):
				t.Fatalf("%d people, which is neither what was nor what comes: %s", len(names), why)
			}
			s.sound()
		}
		if out, err := s.cli("import", "-p", file, "--yes"); err != nil {
			t.Fatalf("after kills: %v %s", err, out)
		}
		if names, why := s.people(); !slices.Equal(names, all) {
			t.Errorf("%d people: %s", len(names), why)
		}
		s.start()
		s.ready()
		// Beside a server nothing is put back: the process of the server holds the database.
		for _, args := range [][]string{{"import", "-p", file, "--yes"}, {"restore", file, "--yes"}, move} {
			if out, err := s.cli(args...); err == nil || !strings.Contains(out, "Stop ") {
				t.Errorf("%v beside a server: %v %s", args, err, out)
			}
		}
		if out, err := s.cli("export", "-p", filepath.Join(dir, "beside.zip")); err != nil {
			t.Errorf("export beside a server: %v %s", err, out)
		}
		out, err := s.cli("import", "-p", file, "--yes", "--forcefully-acquire-lock")
		if err != nil {
			t.Errorf("by force: %v %s", err, out)
		}
		select {
		case <-s.done:
		case <-time.After(time.Minute):
			t.Error("a server whose database was taken goes on")
		}
		if said := s.log.tail(1 << 20); strings.Contains(said, "panic") {
			t.Error("it ends in a panic")
		}
		s.start()
		s.ready()
		if names, why := s.people(); !slices.Equal(names, all) {
			t.Errorf("by force, %d people: %s", len(names), why)
		}
		s.kill()
	})
}
