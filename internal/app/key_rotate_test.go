package app

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/dbtest"
	"pocketid/internal/oidc"
	"pocketid/internal/secret"
	"pocketid/internal/settings"
)

// Another encryption key opens all that the old one sealed, and the old one opens nothing;
// what was hashed goes on to be known.
func TestEncryptionKeyIsRotated(t *testing.T) { // threats 83, 84
	dbtest.Migrated(t, func(t *testing.T, dsn string) {
		conf := func(key string) Config {
			c, err := Load([]string{"DB_CONNECTION_STRING=" + dsn, "ENCRYPTION_KEY=" + key}, "")
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		by := audit.System("cli")
		house := func(key string) *App {
			a, err := Beside(t.Context(), conf(key), quiet())
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
		const first, second, third = "the first key of all", "the second key of all", "the third key of all"
		a := house(first)
		if err := a.OIDC.Keys().Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		err := a.DB.Write(t.Context(), func(tx *db.Tx) (err error) {
			s := settings.Default()
			s.SMTPPassword, err = settings.SealSecret(a.master, "hunter2hunter2")
			settings.Save(tx, s)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		mac := a.master.MAC("client-secret", "something typed")
		token, err := a.OIDC.Keys().Sign(t.Context(), oidc.KeyAlgs[1], "JWT", map[string]string{"iss": "x"})
		if err != nil {
			t.Fatal(err)
		}
		a.Close()
		for _, step := range []struct{ from, to string }{{first, second}, {second, third}} {
			done, err := RotateEncryptionKey(t.Context(), conf(step.from), by, []byte(step.to))
			if err != nil || done.Sealed < 1 || done.File != "" {
				t.Fatalf("%+v, %v", done, err)
			}
			if _, err := Beside(t.Context(), conf(step.from), quiet()); err == nil {
				t.Fatalf("%q still opens the house", step.from)
			}
			a := house(step.to)
			if string(a.master.MAC("client-secret", "something typed")) != string(mac) {
				t.Error("what was hashed is not known any more")
			}
			if _, err := a.OIDC.Keys().Sign(t.Context(), oidc.KeyAlgs[1], "JWT", map[string]string{"iss": "x"}); err != nil {
				t.Errorf("nothing can be signed: %v", err)
			}
			if _, _, err := a.OIDC.Keys().Verify(t.Context(), token, "jwt"); err != nil {
				t.Errorf("an old token: %v", err)
			}
			s, err := settings.Reader(a.DB)(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if plain, err := a.master.Open("settings", s.SMTPPassword); err != nil || string(plain) != "hunter2hunter2" {
				t.Errorf("a secret setting: %q, %v", plain, err)
			}
			page, err := a.Audit.List(t.Context(), by, audit.Filter{})
			if err != nil || len(page.Entries) == 0 || page.Entries[0].Event != audit.EncryptionKeyRotated {
				t.Errorf("the log does not begin with it: %v", err)
			}
			a.Close()
		}
		if _, err := RotateEncryptionKey(t.Context(), conf(third), by, []byte("short")); !errors.Is(err, secret.ErrShortKey) {
			t.Errorf("a short key: %v", err)
		}
	})
}

// A key in the file beside the database is replaced there, not while a server runs; one
// that was cut off is found.
func TestEncryptionKeyInItsFileIsRotated(t *testing.T) {
	dir := t.TempDir()
	c, err := Load([]string{"DB_CONNECTION_STRING=" + filepath.Join(dir, "pocket-id.db")}, "")
	if err != nil {
		t.Fatal(err)
	}
	server, err := New(t.Context(), c, quiet())
	if err != nil {
		t.Fatal(err)
	}
	by, next := audit.System("cli"), []byte("another key of sixteen")
	path := filepath.Join(dir, "encryption-key")
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := RotateEncryptionKey(t.Context(), c, by, next); errors.As(err, new(*db.Refusal)) == false {
		t.Errorf("beside a server: %v", err)
	}
	if b, _ := os.ReadFile(path); string(b) != string(old) {
		t.Error("a refused rotation changed the file")
	}
	server.Close()
	done, err := RotateEncryptionKey(t.Context(), c, by, next)
	if err != nil || done.File != path {
		t.Fatalf("%+v, %v", done, err)
	}
	if b, _ := os.ReadFile(path); string(b) != string(next) {
		t.Error("the file has another key")
	}
	a, err := Beside(t.Context(), c, quiet())
	if err != nil {
		t.Fatal(err)
	}
	a.Close()
	// As if the process had died before the file was put in its place.
	if err := os.Rename(path, path+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Beside(t.Context(), c, quiet())
	if stop, ok := errors.AsType[*Stop](err); !ok || stop.Cure != "The key in "+path+".new fits, which a rotation left that was cut off: put it in the place of "+path+"." {
		t.Errorf("cut off: %v", err)
	}
}
