package app

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/dbtest"
	"pocketid/internal/directory"
	"pocketid/internal/oidc"
	"pocketid/internal/settings"
)

// A house whose encryption key is lost goes on with another one: people, applications and
// what was signed stay good, what was sealed is dropped and named. A key that fits is never
// thrown away.
func TestLostEncryptionKeyIsReplaced(t *testing.T) { // threats 83, 84
	dbtest.Migrated(t, func(t *testing.T, dsn string) {
		conf := func(key string) Config {
			c, err := Load([]string{"DB_CONNECTION_STRING=" + dsn, "ENCRYPTION_KEY=" + key}, "")
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		by := audit.System("cli")
		const lost, next = "the key that is lost", "the key after it is lost"
		a, err := Beside(t.Context(), conf(lost), quiet())
		if err != nil {
			t.Fatal(err)
		}
		if err := a.OIDC.Keys().Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Directory.AddUserAs(t.Context(), by, directory.NewUser{Username: "ada", Email: "ada@example.test", FirstName: "Ada"}); err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, c := range []struct {
			name   string
			change func(*oidc.ClientEdit)
		}{
			{"Plain", func(*oidc.ClientEdit) {}},
			{"Apart", func(e *oidc.ClientEdit) { e.SubjectType = oidc.SubjectPairwise }},
		} {
			edit := oidc.NewClientEdit()
			edit.Name, edit.RedirectURIs = c.name, []oidc.URI{{URI: "https://" + strings.ToLower(c.name) + ".example/callback"}}
			c.change(&edit)
			made, _, err := a.OIDC.AddClient(t.Context(), by, edit)
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, made.ID)
		}
		err = a.DB.Write(t.Context(), func(tx *db.Tx) (err error) {
			s := settings.Default()
			s.SMTPPassword, err = settings.SealSecret(a.master, "hunter2hunter2")
			settings.Save(tx, s)
			tx.Do(`UPDATE client_secrets SET alg = 'hmac' WHERE client_id = $1`, ids[0])
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		signed, err := a.OIDC.Keys().Sign(t.Context(), oidc.KeyAlgs[1], "JWT", map[string]string{"iss": "x"})
		if err != nil {
			t.Fatal(err)
		}
		a.Close()

		_, err = ReplaceLostKey(t.Context(), conf(lost), by, []byte(next))
		if stop, ok := errors.AsType[*Stop](err); !ok || !strings.Contains(stop.Why, "fits") {
			t.Fatalf("a key that is not lost: %v", err)
		}
		done, err := ReplaceLostKey(t.Context(), conf(next), by, nil) // the key that is set
		if err != nil || done.Keys < 1 || done.Settings != 1 || !slices.Equal(done.Secrets, []string{"Plain"}) || !slices.Equal(done.Subjects, []string{"Apart"}) ||
			len(done.Algs) != 0 || done.File != "" || done.Key != "" {
			t.Fatalf("%+v, %v", done, err)
		}
		if _, err := Beside(t.Context(), conf(lost), quiet()); err == nil {
			t.Error("the lost key still opens the house")
		}
		a, err = Beside(t.Context(), conf(next), quiet())
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		if err := a.OIDC.Keys().Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		fresh, err := a.OIDC.Keys().Sign(t.Context(), oidc.KeyAlgs[1], "JWT", map[string]string{"iss": "x"})
		if err != nil {
			t.Fatalf("nothing can be signed: %v", err)
		}
		for what, token := range map[string]string{"signed before": signed, "signed after": fresh} {
			if _, _, err := a.OIDC.Keys().Verify(t.Context(), token, "jwt"); err != nil {
				t.Errorf("what was %s: %v", what, err)
			}
		}
		if s, err := settings.Reader(a.DB)(t.Context()); err != nil || len(s.SMTPPassword) != 0 {
			t.Errorf("a secret setting that nobody can open: %v, %v", s.SMTPPassword, err)
		}
		page, err := a.Audit.List(t.Context(), by, audit.Filter{})
		if err != nil || !slices.ContainsFunc(page.Entries, func(e audit.Entry) bool { return e.Event == audit.EncryptionKeyRotated }) {
			t.Errorf("the log does not tell: %v", err)
		}
	})
}

// In its file beside the database the new key is made, unless there is one that does not
// fit, and never beside a server.
func TestLostKeyFileIsReplaced(t *testing.T) {
	dir := t.TempDir()
	c, err := Load([]string{"DB_CONNECTION_STRING=" + filepath.Join(dir, "pocket-id.db")}, "")
	if err != nil {
		t.Fatal(err)
	}
	server, err := New(t.Context(), c, quiet())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "encryption-key")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	by := audit.System("cli")
	if _, err := ReplaceLostKey(t.Context(), c, by, nil); errors.As(err, new(*db.Refusal)) == false {
		t.Errorf("beside a server: %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a refused replacement left a key")
	}
	server.Close()
	done, err := ReplaceLostKey(t.Context(), c, by, nil)
	if err != nil || done.File != path || done.Key != "" {
		t.Fatalf("%+v, %v", done, err)
	}
	if server, err = New(t.Context(), c, quiet()); err != nil {
		t.Fatal(err)
	}
	server.Close()

	const other = "a key of another house"
	if err := os.WriteFile(path, []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	if done, err := ReplaceLostKey(t.Context(), c, by, nil); err != nil || done.File != "" {
		t.Fatalf("%+v, %v", done, err)
	}
	if b, _ := os.ReadFile(path); string(b) != other {
		t.Error("the key at hand was replaced")
	}
	if server, err = New(t.Context(), c, quiet()); err != nil {
		t.Fatal(err)
	}
	server.Close()
}
