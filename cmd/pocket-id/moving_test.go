package main

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pocketid/internal/app"
	"pocketid/internal/audit"
)

// piped is try with something on the standard input.
func piped(t *testing.T, dir, in string, environ []string, args ...string) outcome {
	t.Helper()
	var out, err bytes.Buffer
	p := &process{in: strings.NewReader(in), out: &out, err: &err,
		book: chapters, environ: append([]string{"DB_CONNECTION_STRING=" + filepath.Join(dir, "pocket-id.db"), "APP_URL=https://id.example.test"}, environ...)}
	status := p.main(t.Context(), args)
	return outcome{status, out.String(), err.String()}
}

// ada says whether she lives in the house of a directory.
func ada(t *testing.T, dir string) bool {
	t.Helper()
	got := try(t, dir, nil, "one-time-access-token", "ada")
	return got.status == 0
}

// copyFile copies a file.
func copyOf(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A house is exported and imported elsewhere, with the key that seals it; without that,
// nothing is begun.
func TestMovingToAnotherPlace(t *testing.T) {
	from, file := inhabited(t), filepath.Join(t.TempDir(), "house.zip")
	got := try(t, from, nil, "export", "-p", file)
	if got.status != 0 || !strings.Contains(got.out, "1 users") || !strings.Contains(got.out, filepath.Join(from, "encryption-key")) {
		t.Fatalf("got %+v", got)
	}
	if about, err := os.Stat(file); err != nil || about.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", about, err)
	}
	withKey := try(t, from, nil, "export", "-p", "-", "--with-key")
	if withKey.status != 0 || !strings.HasPrefix(withKey.out, "PK") || !strings.Contains(withKey.err, "as you keep a password") {
		t.Fatalf("%d, %s", withKey.status, withKey.err)
	}
	empty, keyed, other := t.TempDir(), t.TempDir(), inhabited(t)
	copyOf(t, filepath.Join(from, "encryption-key"), filepath.Join(keyed, "encryption-key"))
	tests := []struct {
		name   string
		dir    string
		in     string
		env    []string
		args   []string
		status int
		want   string
	}{
		{"asks for the key", empty, "", nil, []string{"import", "-p", file}, 1, "opens with its encryption key alone"},
		{"tells a wrong key", empty, "", []string{"ENCRYPTION_KEY=0123456789abcdef"}, []string{"import", "-p", file, "-y"}, 1, "is not the one that sealed the secrets in the archive"},
		{"tells the key of another house", other, "", nil, []string{"import", "-p", file, "-y"}, 1, "Move " + filepath.Join(other, "encryption-key") + " away"},
		{"puts no key of the environment in", from, "", []string{"ENCRYPTION_KEY_FILE=" + filepath.Join(from, "encryption-key")}, []string{"backup", "-p", file + ".2", "--with-key"}, 1, "comes from ENCRYPTION_KEY"},
		{"wants a yes for what it cannot ask about", keyed, withKey.out, nil, []string{"import", "-p", "-"}, 2, "say --yes"},
		{"says that there is no archive", keyed, "", nil, []string{"import"}, 1, "pocket-id-export.zip: no such file"},
		{"says that this is none", keyed, "house", nil, []string{"import", "-p", "-", "-y"}, 1, "no zip archive"},
		{"refuses what is too large", keyed, withKey.out, nil, []string{"import", "-p", "-", "-y", "--max-size", "1KiB"}, 1, "larger than 1 KiB"},
		{"refuses a size that is none", keyed, "", nil, []string{"import", "--max-size", "much"}, 2, "--max-size is a size"},
		{"refuses too many parts", keyed, "", nil, []string{"import", "-p", file, "--max-members", "3"}, 1, "--max-members"},
		{"lists what would come over", keyed, "", nil, []string{"import", "-p", file, "--dry-run"}, 0, "users"},
		{"moves into an empty place without asking", keyed, "", nil, []string{"import", "-p", file}, 0, "All of it is in"},
		{"asks before it replaces anything", keyed, "", nil, []string{"import", "-p", file}, 1, "say --yes"},
		{"replaces it", keyed, "", nil, []string{"import", "-p", file, "--yes"}, 0, "is kept in"},
		{"says that passkeys need the address", keyed, "", []string{"APP_URL=https://new.example.test"}, []string{"import", "-p", file, "--dry-run"}, 0, `at "https://id.example.test", and here APP_URL is https://new.example.test`},
		{"takes the key that an archive brings", empty, withKey.out, nil, []string{"import", "-p", "-", "-y"}, 0, "All of it is in"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := piped(t, test.dir, test.in, test.env, test.args...)
			if got.status != test.status || !strings.Contains(got.out+got.err, test.want) {
				t.Errorf("got %+v", got)
			}
			if test.status != 0 && got.out != "" && !strings.Contains(test.want, "--yes") {
				t.Errorf("what did not go well goes to the errors: %s", got.out)
			}
			if test.dir == empty && test.status != 0 {
				if left, _ := os.ReadDir(empty); len(left) > 0 {
					t.Errorf("it left %v", left)
				}
			}
		})
	}
	if !ada(t, keyed) || !ada(t, empty) || !ada(t, other) {
		t.Error("somebody was lost")
	}
}

// A backup is read back before it has its name, replaces nothing by itself, and is put
// back only where no server runs; the log notes both.
func TestBackupAndRestore(t *testing.T) {
	dir, at := inhabited(t), t.TempDir()
	file := filepath.Join(at, "b.zip")
	if got := try(t, dir, nil, "backup", "-p", file); got.status != 0 || !strings.Contains(got.out, "Everything is in "+file) {
		t.Fatalf("got %+v", got)
	}
	if got := try(t, dir, nil, "backup", "-p", file); got.status != 1 || !strings.Contains(got.err, "--overwrite") {
		t.Errorf("over a file that is there: %+v", got)
	}
	if got := try(t, dir, nil, "user", "create", "--username", "bob", "--email", "bob@example.test", "--first-name", "Bob"); got.status != 0 {
		t.Fatalf("got %+v", got)
	}
	out := try(t, dir, nil, "backup", "-p", "-")
	if out.status != 0 || !strings.HasPrefix(out.out, "PK") || !strings.Contains(out.err, "2 users") {
		t.Fatalf("%d, %s", out.status, out.err)
	}
	if got := try(t, dir, nil, "backup", "-p", filepath.Join(at, "nowhere", "b.zip")); got.status != 1 {
		t.Errorf("without a directory: %+v", got)
	}
	if left, _ := filepath.Glob(filepath.Join(at, ".*")); len(left) > 0 {
		t.Errorf("it left %v", left)
	}

	environ := []string{"DB_CONNECTION_STRING=" + filepath.Join(dir, "pocket-id.db"), "APP_URL=https://id.example.test"}
	c, err := app.Load(environ, "")
	if err != nil {
		t.Fatal(err)
	}
	server, err := app.New(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"restore", file, "-y"}, {"restore", file, "-y", "--forcefully-acquire-lock"}} {
		if got := try(t, dir, nil, args...); got.status != 1 || !strings.Contains(got.err, "Stop it first") {
			t.Errorf("while a server runs: %+v", got)
		}
	}
	server.Close()

	if got := try(t, dir, nil, "restore", file, "-y"); got.status != 0 {
		t.Fatalf("got %+v", got)
	}
	if got := try(t, dir, nil, "one-time-access-token", "bob"); got.status == 0 || !ada(t, dir) {
		t.Errorf("it is not as it was: %+v", got)
	}
	noted := func() (names []string) {
		a, err := app.Beside(t.Context(), c, c.Logger(io.Discard))
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		p, err := a.Audit.List(t.Context(), audit.System("cli"), audit.Filter{Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range p.Entries {
			names = append(names, e.Event.String())
		}
		return names
	}
	if names := strings.Join(noted(), " "); !strings.Contains(names, "backup.restored") || strings.Contains(names, "backup.made") {
		t.Errorf("the log has %s", names)
	}
	if got := piped(t, dir, out.out, nil, "import", "-p", "-", "-y"); got.status != 0 {
		t.Fatalf("%d, %s", got.status, got.err)
	}
	if names := strings.Join(noted(), " "); strings.Contains(names, "backup.restored") || !strings.Contains(names, "backup.made") {
		t.Errorf("the log has %s", names) // it is that of the archive, to the letter
	}
}
