package app

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/dbtest"
)

// fresh is a configuration of its own directory.
func fresh(t *testing.T, environ ...string) Config {
	t.Helper()
	environ = append([]string{"DB_CONNECTION_STRING=" + filepath.Join(t.TempDir(), "data", "pocket-id.db")}, environ...)
	c, err := Load(environ, "")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// quiet is a log that nobody reads.
func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// started builds the house once and closes it, as a first start does.
func started(t *testing.T, c Config) {
	t.Helper()
	a, err := New(t.Context(), c, quiet())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.SignIn.OpenSetup(t.Context(), audit.System("serve")); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
}

// files are the hashes of all files in a directory, by name.
func files(t *testing.T, dir string) map[string][32]byte {
	t.Helper()
	all := map[string][32]byte{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = sha256.Sum256(b)
	}
	return all
}

func TestFirstStartWritesAKeyAndSaysSo(t *testing.T) {
	c := fresh(t)
	var log bytes.Buffer
	a, err := New(t.Context(), c, c.Logger(&log))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	info, err := os.Stat(c.keyPath())
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() < 32 {
		t.Errorf("the key's file: %v, %v", info, err)
	}
	key, err := os.ReadFile(c.keyPath())
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(log.String(), "encryption key"); n != 1 {
		t.Errorf("the log speaks of the key %d times: %s", n, log.String())
	}
	if strings.Contains(log.String(), string(key)) { // threats 84
		t.Error("the log shows the key")
	}
}

func TestSecondStartTakesTheSameKey(t *testing.T) {
	c := fresh(t)
	started(t, c)
	before, err := os.ReadFile(c.keyPath())
	if err != nil {
		t.Fatal(err)
	}
	started(t, c)
	after, err := os.ReadFile(c.keyPath())
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the key changed: %v", err)
	}
}

func TestWrongKeyStopsTheStartAndTouchesNothing(t *testing.T) {
	dbtest.Engines(t, func(t *testing.T, dsn string) {
		first, second := "ENCRYPTION_KEY=the first key of sixteen", "ENCRYPTION_KEY=another key of sixteen"
		c := fresh(t, first, "DB_CONNECTION_STRING="+dsn)
		started(t, c)
		wrong := fresh(t, second, "DB_CONNECTION_STRING="+dsn)
		var before map[string][32]byte
		if !c.Postgres() {
			before = files(t, filepath.Dir(dsn))
		}
		for _, build := range []struct {
			name string
			fn   func() (*App, error)
		}{
			{"the server", func() (*App, error) { return New(t.Context(), wrong, quiet()) }},
			{"a command", func() (*App, error) { return Beside(t.Context(), wrong, quiet()) }},
		} {
			a, err := build.fn()
			stop, ok := errors.AsType[*Stop](err)
			if !ok {
				if a != nil {
					a.Close()
				}
				t.Fatalf("%s got %v, want an explanation", build.name, err)
			}
			if !strings.Contains(stop.Why, "ENCRYPTION_KEY is not the one") || !strings.Contains(stop.Cure, "first key") {
				t.Errorf("%s got %q", build.name, stop)
			}
			if strings.Contains(stop.Error(), "sixteen") { // threats 84
				t.Errorf("%q shows a key", stop)
			}
		}
		if before != nil && !maps.Equal(before, files(t, filepath.Dir(dsn))) {
			t.Error("the wrong key changed a file")
		}
		started(t, c) // with the first key it runs again
	})
}

func TestLostKeyStopsTheStartAndMakesNoOther(t *testing.T) {
	c := fresh(t)
	started(t, c)
	kept := c.keyPath() + ".kept"
	if err := os.Rename(c.keyPath(), kept); err != nil {
		t.Fatal(err)
	}
	before := files(t, filepath.Dir(c.keyPath()))
	_, err := New(t.Context(), c, quiet())
	stop, ok := errors.AsType[*Stop](err)
	if !ok || !strings.Contains(stop.Why, "there is none") || !strings.Contains(stop.Cure, c.keyPath()) {
		t.Errorf("got %v", err)
	}
	if !maps.Equal(before, files(t, filepath.Dir(c.keyPath()))) {
		t.Error("a file was changed")
	}
	if err := os.Rename(kept, c.keyPath()); err != nil {
		t.Fatal(err)
	}
	started(t, c)
}

func TestWrongKeyNamesTheOneAtHandThatFits(t *testing.T) {
	tests := []struct{ name, first, second, cure string }{
		{"without white space", "0123456789abcdef", "0123456789abcdef\n", "without the white space"},
		{"with a line break", "0123456789abcdef\n", "0123456789abcdef", "with a line break at its end"},
		{"in the file", "", "another key of sixteen", "unset ENCRYPTION_KEY"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := fresh(t, "ENCRYPTION_KEY="+test.first)
			started(t, c)
			wrong := fresh(t, "ENCRYPTION_KEY="+test.second, "DB_CONNECTION_STRING="+string(c.Database))
			_, err := New(t.Context(), wrong, quiet())
			if stop, ok := errors.AsType[*Stop](err); !ok || !strings.Contains(stop.Cure, test.cure) {
				t.Errorf("got %v, want %q", err, test.cure)
			}
		})
	}
}

func TestDamagedKeyFileIsNamed(t *testing.T) {
	c := fresh(t)
	started(t, c)
	if err := os.WriteFile(c.keyPath(), []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(t.Context(), c, quiet()); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("got %v", err)
	}
}

func TestCommandBeforeTheFirstStartMakesNothing(t *testing.T) {
	c := fresh(t)
	_, err := Beside(t.Context(), c, quiet())
	if err == nil || !strings.Contains(err.Error(), "has not been started here") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Dir(c.keyPath())); !os.IsNotExist(err) {
		t.Errorf("the directory was made: %v", err)
	}
}

func TestCommandWorksBesideAServerAndASecondServerDoesNot(t *testing.T) {
	c := fresh(t)
	a, err := New(t.Context(), c, quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := Beside(t.Context(), c, quiet())
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
	_, err = New(t.Context(), c, quiet())
	if _, ok := errors.AsType[*db.Refusal](err); !ok {
		t.Errorf("a second server got %v", err)
	}
}

func TestReplicaThatSealsWithAnotherKeyAtTheSameTimeIsRefused(t *testing.T) {
	dbtest.Engines(t, func(t *testing.T, dsn string) {
		c := fresh(t, "ENCRYPTION_KEY=the first key of sixteen", "DB_CONNECTION_STRING="+dsn)
		other := fresh(t, "ENCRYPTION_KEY=another key of sixteen", "DB_CONNECTION_STRING="+dsn)
		late, err := other.resolveKey(t.Context()) // looks before there is anything
		if err != nil {
			t.Fatal(err)
		}
		a, err := New(t.Context(), c, quiet())
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		if err := sealCheck(t.Context(), a.DB, late); err == nil || !strings.Contains(err.Error(), "same ENCRYPTION_KEY") {
			t.Errorf("got %v", err)
		}
	})
}
