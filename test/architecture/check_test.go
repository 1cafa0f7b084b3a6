package architecture

import (
	"strings"
	"testing"
)

// small is a plan with one of each thing.
var small = Plan{
	Imports: map[string]string{
		"fault": "", "db": "fault", "directory": "db fault", "signin": "db directory fault",
		"edge": "fault", "test/protocol": "signin",
	},
	Tests: map[string]string{"directory": "signin"},
	Doors: map[string]Door{
		"github.com/go-webauthn/webauthn": {Packages: "signin", Why: "passkeys"},
		"github.com/descope/virtual":      {Tests: "signin", Why: "a passkey in software"},
		"math/rand":                       {Why: "secrets are not guessed"},
		"testing":                         {Tests: "*", Why: "belongs to tests"},
	},
	Owners: map[string]string{"users": "directory", "sessions": "signin"},
}

func TestCheckFinds(t *testing.T) {
	tests := []struct {
		name, pkg, file, source string
		want                    string // a part of the one finding, "" for none
	}{
		{"an import that points upwards", "directory", "a.go", `import _ "pocketid/internal/signin"`, "directory must not import signin"},
		{"an import of its own floor", "fault", "a.go", `import _ "pocketid/internal/edge"`, "fault must not import edge"},
		{"nothing in an import that points downwards", "signin", "a.go", `import _ "pocketid/internal/directory"`, ""},
		{"nothing in a test that may import more", "directory", "a_test.go", `import _ "pocketid/internal/signin"`, ""},
		{"a test that imports upwards", "db", "a_test.go", `import _ "pocketid/internal/signin"`, "db must not import signin"},
		{"a package that is not planned", "ldap", "a.go", ``, "is not in the plan"},
		{"a package that is named for nothing", "internal/x/util", "a.go", ``, "is not in the plan"},

		{"a library beside its door", "directory", "a.go", `import _ "github.com/go-webauthn/webauthn/protocol"`, "must not import github.com/go-webauthn/webauthn: passkeys"},
		{"nothing at the door", "signin", "a.go", `import _ "github.com/go-webauthn/webauthn/protocol"`, ""},
		{"a library that has no door", "signin", "a.go", `import _ "example.com/new"`, "a library without a door"},
		{"a library with a like name", "signin", "a.go", `import _ "github.com/go-webauthn/webauthnx"`, "a library without a door"},
		{"a test's library in the server", "signin", "a.go", `import _ "github.com/descope/virtual"`, "must not import"},
		{"nothing in a test's library", "signin", "a_test.go", `import _ "github.com/descope/virtual"`, ""},
		{"guessable randomness", "signin", "a.go", `import _ "math/rand"`, "secrets are not guessed"},
		{"guessable randomness in a test", "signin", "a_test.go", `import _ "math/rand"`, "secrets are not guessed"},
		{"testing in the server", "signin", "a.go", `import _ "testing"`, "belongs to tests"},

		{"a foreign table after FROM", "signin", "a.go", "const q = `SELECT id FROM users`", "table users belongs to directory"},
		{"a foreign table after JOIN", "signin", "a.go", "const q = `SELECT id FROM sessions JOIN users ON true`", "table users belongs to directory"},
		{"a foreign table after a comma", "signin", "a.go", "const q = `SELECT id FROM sessions s, users u WHERE true`", "table users belongs to directory"},
		{"a foreign table after INTO", "signin", "a.go", "const q = `INSERT INTO users (id) VALUES ($1)`", "table users belongs to directory"},
		{"a foreign table after UPDATE", "signin", "a.go", "const q = `UPDATE users SET id = $1`", "table users belongs to directory"},
		{"a foreign table in pieces", "signin", "a.go", "const q = `SELECT ` + `id` + ` FROM users WHERE id = $1`", "table users belongs to directory"},
		{"a table that does not exist", "signin", "a.go", "const q = `SELECT id FROM person`", "no migration makes a table person"},
		{"a table that comes from elsewhere", "signin", "a.go", "var x = \"s\"; var q = `SELECT id FROM ` + x", "stands in its statement"},
		{"nothing in its own table", "signin", "a.go", "const q = `DELETE FROM sessions WHERE id = $1 RETURNING id`", ""},
		{"nothing in an upsert", "signin", "a.go", "const q = `INSERT INTO sessions (id) VALUES ($1) ON CONFLICT (id) DO UPDATE SET id = excluded.id`", ""},
		{"nothing in a named query", "signin", "a.go", "const q = `WITH old AS (SELECT id FROM sessions) SELECT id FROM old`", ""},
		{"nothing in a test's statement", "signin", "a_test.go", "const q = `SELECT id FROM users`", ""},

		{"a look at the clock", "signin", "a.go", `import "time"; var x = time.Now()`, "take tx.Now()"},
		{"a look at the clock under another name", "signin", "a.go", `import clock "time"; var x = clock.Now`, "take tx.Now()"},
		{"nothing in a test's look at the clock", "signin", "a_test.go", `import "time"; var x = time.Now()`, ""},
		{"nothing in the clock of db", "db", "a.go", `import "time"; var x = time.Now()`, ""},
		{"the environment", "signin", "a.go", `import "os"; var x = os.Getenv("X")`, "settings come from app.Config"},
		{"a request to others", "signin", "a.go", `import "net/http"; var x = http.DefaultClient`, "requests to others"},
		{"an error that is written by hand", "signin", "a.go", `import "net/http"; var x = http.Error`, "return a fault"},

		{"an exported function without a comment", "signin", "a.go", `func Finish() {}`, "Finish has no comment"},
		{"a method without a comment", "signin", "a.go", "// T is.\ntype T int\nfunc (t *T) Finish() {}", "Finish has no comment"},
		{"a boolean parameter", "signin", "a.go", "// Finish is.\nfunc Finish(admin bool) {}", "takes a boolean"},
		{"a getter", "signin", "a.go", "// GetUser is.\nfunc GetUser() {}", "no Get"},
		{"a type named for its layer", "signin", "a.go", "// UserService is.\ntype UserService int", "not which layer"},
		{"a type without a comment", "signin", "a.go", `type T int`, "type T has no comment"},
		{"a test that skips", "signin", "a_test.go", `func f(t interface{ Skip() }) { t.Skip() }`, "a test that cannot run fails"},
		{"nothing in a skip of -short", "signin", "a_test.go", `import "testing"; func f(t *testing.T) { if testing.Short() { t.Skip() } }`, ""},
		{"a file without end", "signin", "a.go", strings.Repeat("\n", 900), "lines: split it"},
		{"a file that is not Go", "signin", "a.go", `func {`, "expected"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			source := "package p\n" + strings.ReplaceAll(test.source, ";", "\n")
			found := small.Check([]Package{{Name: test.pkg, Files: []File{{Name: test.file, Source: source}}}})
			got := strings.Join(found, "\n")
			if test.want == "" && got != "" {
				t.Errorf("found %q in a good file", got)
			}
			if !strings.Contains(got, test.want) {
				t.Errorf("found %q, want %q", got, test.want)
			}
		})
	}
}

func TestDocumentWithoutMarksIsRefused(t *testing.T) {
	if _, err := small.Fill("# Architecture\n"); err == nil {
		t.Error("a document without the marks was filled")
	}
}
