package architecture

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// quiet are the functions that open a transaction to write and leave nothing in the log,
// and why. Every other one records what it did.
var quiet = map[string]string{
	"app.sealCheck":          "it keeps a mark by which the encryption key is known again",
	"oidc.sessionEnded":      "what a session had opened ends with it, and the end of the session is recorded",
	"oidc.switchClient":      "what it is handed records which way the client was switched",
	"oidc.leave":             "the end of the session is recorded by signin",
	"oidc.userOut":           "what was done to the user is recorded, and so is what clients are told",
	"oidc.clientOut":         "what was done to the client is recorded, and so is what it is told",
	"oidc.userPurged":        "directory records that a user was purged",
	"oidc.lookAtLegacy":      "a secret that proved right is kept in another way, and stays the same secret",
	"oidc.useUp":             "what a client proves itself for is recorded, if it changes anything",
	"oidc.withKey":           "whoever calls it records what was done with the key",
	"oidc.admitRegistration": "it counts who asks to register",
	"oidc.Introspect":        "it looks, and counts wrong secrets",
	"oidc.decide":            "what somebody decided is recorded when the client is answered",
	"signin.BeginSignIn":     "a challenge changes nothing",
	"signin.BeginAdd":        "a challenge changes nothing",
	"signin.BeginStepUp":     "a challenge changes nothing",
	"signin.Visit":           "it writes down when a session was last seen",
	"signin.touchKey":        "it writes down when a key was last used",
	"signin.Answered":        "it remembers an answer, for a deed that is recorded",
	"signin.Refused":         "it forgets that an answer was waited for",
	"signin.userPurged":      "directory records that a user was purged",
}

// houses are the packages that record.
var houses = []string{"audit", "directory", "signin", "oidc", "settings", "app"}

// A writer is a function that opens a transaction to write.
type writer struct{ name, place string }

// recorders reads functions by package and returns those that write, and those of them
// that cannot come to audit.Record. It goes by names within a package, and by the name of
// the package beside it.
func recorders(files map[string]string) (all, silent []writer, err error) {
	calls := map[string]map[string]bool{} // what the functions of a name call
	var writers []writer
	set := token.NewFileSet()
	for _, path := range slices.Sorted(maps.Keys(files)) {
		f, err := parser.ParseFile(set, path, files[path], 0)
		if err != nil {
			return nil, nil, err
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			pkg := filepath.Base(filepath.Dir(path))
			name := pkg + "." + fn.Name.Name
			if calls[name] == nil {
				calls[name] = map[string]bool{}
			}
			writes := false
			ast.Inspect(fn.Body, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				switch to := call.Fun.(type) {
				case *ast.Ident:
					calls[name][pkg+"."+to.Name] = true
				case *ast.SelectorExpr:
					of := pkg
					if x, ok := to.X.(*ast.Ident); ok && slices.Contains(houses, x.Name) {
						of = x.Name
					}
					calls[name][of+"."+to.Sel.Name] = true
					if to.Sel.Name == "Write" && len(call.Args) == 2 {
						if _, ok := call.Args[1].(*ast.FuncLit); ok {
							writes = true
						}
					}
				}
				return true
			})
			if writes {
				writers = append(writers, writer{name, path})
			}
		}
	}
	var reaches func(name string, seen map[string]bool) bool
	reaches = func(name string, seen map[string]bool) bool {
		if calls[name]["audit.Record"] {
			return true
		}
		if seen[name] {
			return false
		}
		seen[name] = true
		for next := range calls[name] {
			if reaches(next, seen) {
				return true
			}
		}
		return false
	}
	for _, w := range writers {
		if !reaches(w.name, map[string]bool{}) {
			silent = append(silent, w)
		}
	}
	return writers, silent, nil
}

// Whatever changes something leaves an entry in the log, or says here why it does not.
func TestWhatIsDoneIsRecorded(t *testing.T) {
	files := map[string]string{}
	for _, pkg := range houses[1:] {
		names, err := filepath.Glob("../../internal/" + pkg + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			files[name] = string(b)
		}
	}
	all, silent, err := recorders(files)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 40 {
		t.Fatalf("found %d functions that write", len(all))
	}
	left := maps.Clone(quiet)
	for _, w := range silent {
		if quiet[w.name] == "" {
			t.Errorf("%s (%s) changes something and records nothing: record it, or say why not in test/architecture/audit_test.go", w.name, w.place)
		}
		delete(left, w.name)
	}
	for name := range left {
		t.Errorf("%s records something now, or is gone", name)
	}
}

func TestTheCheckOfTheRecordsFinds(t *testing.T) {
	const head = "package p\n"
	for _, tt := range []struct {
		it, code string
		want     int
	}{
		{"finds a verb that records nothing", `func (d *D) Edit() { d.db.Write(ctx, func(tx *db.Tx) error { tx.Do("UPDATE"); return nil }) }`, 1},
		{"sees a record in the transaction", `func (d *D) Edit() { d.db.Write(ctx, func(tx *db.Tx) error { audit.Record(tx, by, audit.Event{}); return nil }) }`, 0},
		{"sees a record in a part", `func (d *D) Edit() { d.db.Write(ctx, func(tx *db.Tx) error { return part(tx) }) }; func part(tx *db.Tx) error { audit.Record(tx); return nil }`, 0},
		{"is not taken in by a read", `func (d *D) Look() { d.db.Read(ctx, func(tx *db.Tx) error { return nil }) }`, 0},
		{"is not taken in by another writer", `func Page() { w.Write(b) }`, 0},
		{"comes to an end with functions that call each other", `func (d *D) Edit() { d.db.Write(ctx, func(tx *db.Tx) error { return a() }) }; func a() error { return b() }; func b() error { return a() }`, 1},
	} {
		_, silent, err := recorders(map[string]string{"x/p/a.go": head + tt.code})
		if err != nil || len(silent) != tt.want {
			t.Errorf("it %s: found %v, %v", tt.it, silent, err)
		}
	}
}
