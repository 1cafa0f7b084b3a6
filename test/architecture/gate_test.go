package architecture

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// ways are the ways into the provider, its exported methods, and how each stands to the
// gate: "asks" reaches mayUse, and everything else says in words why it does not. A way
// that is new has to be named, unless it is for administrators: then by.MustAdmin comes first.
var ways = map[string]string{
	"Authorize": "asks", "Push": "it takes a request in and tells the client nothing of anybody", "Next": "asks", "Token": "asks", "Userinfo": "asks", "Introspect": "asks",
	"Waiting": "asks", "Allow": "asks", "Deny": "asks", "SelectAccount": "asks",

	"OpenDevice": "asks", "DeviceQuestion": "asks", "AllowDevice": "asks", "DenyDevice": "asks",

	"DeviceAuthorize": "nobody is there yet: the person comes with the code that it makes",

	"Apps": "asks", "QueryApps": "asks",
	"ShownClient": "the page on which people sign in to an application says so too",
	"WhenClient":  "it makes a change wait for a condition, and tells nothing", "WhenAPI": "it makes a change wait for a condition, and tells nothing",

	"Allowed":        "it tells people alone what they allowed themselves, so that they can take it back",
	"RevokeConsent":  "who may take nothing may still take back",
	"Revoke":         "whoever may not have a token may still give it back",
	"EndSession":     "signing out is refused to nobody, and the client learns nothing by it",
	"LogoutQuestion": "it names the client that asks to sign out",
	"ConfirmLogout":  "signing out is refused to nobody",
	"Departure":      "it tells the person which applications they had open",

	"SignOutEverywhere": "signing out is refused to nobody",
	"DeleteAccount":     "an account goes, whatever it may use",

	"Register": "clients speak of themselves here, and nobody signs in", "Registered": "it tells a client of itself",
	"Reregister": "it changes what a client says of itself", "Deregister": "a client takes itself away",
	"AccentOf": "how the pages on the way to an application look is for everybody", "Background": "a picture of an application is for everybody",
	"Logo": "a picture of an application is for everybody", "Logos": "a picture of an application is for everybody",
	"SettingsChanged": "it follows a change that an administrator made",

	"Discovery": "it is the same for everybody", "JWKS": "it is the same for everybody", "Endpoints": "they are the same for everybody",
	"WhenGroup": "it makes a change depend on a state and changes nothing",

	"Keys": "the ring is run by app and knows nobody", "Work": "it names work and does none",
}

// giving is SQL that gives a client something about a user. It stands in functions that
// take a pass, or that are called by such alone.
var giving = regexp.MustCompile(`INSERT INTO (codes|grants)\b`)

// A gatekeeper reads the package of the provider.
type gatekeeper struct {
	set   *token.FileSet
	files []*ast.File
	info  *types.Info
	pkg   *types.Package
	// uses are the functions and variables of the package that one of them names.
	uses  map[types.Object]map[types.Object]bool
	nodes map[types.Object]ast.Node
	found []string
}

// readProvider parses and types the package; what is outside it has no types.
func readProvider(files map[string]string) (*gatekeeper, error) {
	k := &gatekeeper{set: token.NewFileSet(), uses: map[types.Object]map[types.Object]bool{}, nodes: map[types.Object]ast.Node{},
		info: &types.Info{Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}, Types: map[ast.Expr]types.TypeAndValue{}, Selections: map[*ast.SelectorExpr]*types.Selection{}}}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f, err := parser.ParseFile(k.set, name, files[name], 0)
		if err != nil {
			return nil, err
		}
		k.files = append(k.files, f)
	}
	c := types.Config{Importer: nothing{}, Error: func(error) {}}
	k.pkg, _ = c.Check("oidc", k.set, k.files, k.info)
	for _, f := range k.files {
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				k.node(k.info.Defs[d.Name], d)
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if s, ok := spec.(*ast.ValueSpec); ok {
						for _, name := range s.Names {
							k.node(k.info.Defs[name], s)
						}
					}
				}
			}
		}
	}
	return k, nil
}

// nothing imports nothing: the package is judged by what it says itself.
type nothing struct{}

func (nothing) Import(string) (*types.Package, error) { return nil, errors.New("not here") }

// node notes what an object of the package names.
func (k *gatekeeper) node(o types.Object, n ast.Node) {
	if o == nil {
		return
	}
	k.nodes[o], k.uses[o] = n, map[types.Object]bool{}
	ast.Inspect(n, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			if used := k.info.Uses[id]; used != nil && used.Pkg() == k.pkg && used != o {
				k.uses[o][used] = true
			}
		}
		return true
	})
}

func (k *gatekeeper) say(format string, args ...any) {
	k.found = append(k.found, fmt.Sprintf(format, args...))
}

// reaches says whether o comes to a function of that name.
func (k *gatekeeper) reaches(o types.Object, name string, seen map[types.Object]bool) bool {
	if o.Name() == name {
		return true
	}
	seen[o] = true
	for used := range k.uses[o] {
		if !seen[used] && k.uses[used] != nil && k.reaches(used, name, seen) {
			return true
		}
	}
	return false
}

// carries says whether a type is a pass, or a struct that has one embedded.
func (k *gatekeeper) carries(t types.Type) bool {
	if p, ok := t.(*types.Pointer); ok {
		t = p.Elem()
	}
	named, ok := t.(*types.Named)
	if !ok || named.Obj().Pkg() != k.pkg {
		return false
	}
	if named.Obj().Name() == "pass" {
		return true
	}
	s, ok := named.Underlying().(*types.Struct)
	if !ok {
		return false
	}
	for f := range s.Fields() {
		if f.Embedded() && k.carries(f.Type()) {
			return true
		}
	}
	return false
}

// passed says whether a function takes a pass.
func (k *gatekeeper) passed(o types.Object) bool {
	f, ok := o.(*types.Func)
	if !ok {
		return false
	}
	sig := f.Signature()
	if r := sig.Recv(); r != nil && k.carries(r.Type()) {
		return true
	}
	for v := range sig.Params().Variables() {
		if k.carries(v.Type()) {
			return true
		}
	}
	return false
}

// text is every string of a node.
func text(n ast.Node) string {
	var b strings.Builder
	ast.Inspect(n, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			s, _ := strconv.Unquote(lit.Value)
			b.WriteString(s + "\n")
		}
		return true
	})
	return b.String()
}

// check says what of the package is against the rules of the gate.
func (k *gatekeeper) check(ways map[string]string) []string {
	k.makers()
	k.givers()
	k.entrances(ways)
	slices.Sort(k.found)
	return k.found
}

// makers: mayUse alone makes a pass, and nobody changes one.
func (k *gatekeeper) makers() {
	for o, n := range k.nodes {
		ast.Inspect(n, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CompositeLit:
				if t := k.info.Types[n].Type; t != nil && k.carries(t) && t.(*types.Named).Obj().Name() == "pass" && o.Name() != "mayUse" && o.Name() != "mayAct" {
					k.say("%s makes a pass; only mayUse and mayAct do", o.Name())
				}
			case *ast.CallExpr:
				if t := k.info.Types[n.Fun]; t.IsType() && k.carries(t.Type) {
					k.say("%s turns something into a pass; only mayUse makes one", o.Name())
				}
			case *ast.AssignStmt:
				for _, left := range n.Lhs {
					sel, ok := left.(*ast.SelectorExpr)
					if !ok {
						continue
					}
					if s := k.info.Selections[sel]; s != nil && (s.Obj().Name() == "user" || s.Obj().Name() == "client") && k.carries(s.Recv()) {
						k.say("%s changes the %s of a pass", o.Name(), s.Obj().Name())
					}
				}
			}
			return true
		})
	}
}

// givers: what gives a client something takes a pass, or is called by such alone.
func (k *gatekeeper) givers() {
	var seen map[types.Object]bool
	var must func(o types.Object, why string)
	must = func(o types.Object, why string) {
		if seen[o] || k.passed(o) {
			return
		}
		seen[o] = true
		callers := 0
		for by, uses := range k.uses {
			if uses[o] {
				callers++
				must(by, why)
			}
		}
		if callers == 0 || ast.IsExported(o.Name()) {
			k.say("%s comes to %s without a pass", o.Name(), why)
		}
	}
	for o, n := range k.nodes {
		if f, ok := n.(*ast.FuncDecl); ok {
			if m := giving.FindString(text(f)); m != "" {
				seen = map[types.Object]bool{}
				must(o, m)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.CallExpr:
					// A logout token takes away: whoever may use a client no more is the first whom it is about.
					if sel, ok := n.Fun.(*ast.SelectorExpr); ok && k.method(sel) == "Keyring.Sign" && o.Name() != "logoutToken" {
						seen = map[types.Object]bool{}
						must(o, "a signature")
					}
				case *ast.CompositeLit:
					if t, ok := k.info.Types[n].Type.(*types.Named); ok && t.Obj().Name() == "tokenAnswer" {
						seen = map[types.Object]bool{}
						must(o, "an answer with tokens")
					}
				}
				return true
			})
		}
	}
	for _, name := range []string{"claims", "idClaims"} {
		for o := range k.nodes {
			if o.Name() == name && !k.passed(o) {
				k.say("%s speaks of a user without a pass", name)
			}
		}
	}
}

// method is the receiver and name of a selected method, without the pointer.
func (k *gatekeeper) method(sel *ast.SelectorExpr) string {
	s := k.info.Selections[sel]
	if s == nil {
		return ""
	}
	t := s.Recv()
	if p, ok := t.(*types.Pointer); ok {
		t = p.Elem()
	}
	named, ok := t.(*types.Named)
	if !ok {
		return ""
	}
	return named.Obj().Name() + "." + sel.Sel.Name
}

// entrances: each exported method of the provider is named and does what it is named for.
func (k *gatekeeper) entrances(ways map[string]string) {
	left := maps.Clone(ways)
	for o, n := range k.nodes {
		f, ok := n.(*ast.FuncDecl)
		if !ok || f.Recv == nil || !ast.IsExported(o.Name()) {
			continue
		}
		if types.ExprString(f.Recv.List[0].Type) != "*Provider" {
			continue
		}
		way, named := ways[o.Name()]
		delete(left, o.Name())
		switch {
		case !named && k.forAdmins(f):
		case !named:
			k.say("%s is a new way into the provider: name in test/architecture/gate_test.go whether it asks the gate, or why not", o.Name())
		case way == "asks" && !k.reaches(o, "mayUse", map[types.Object]bool{}):
			k.say("%s does not ask the gate", o.Name())
		}
	}
	for name := range left {
		k.say("there is no %s any more", name)
	}
}

// forAdmins says whether a function begins with by.MustAdmin, or hands everything to one
// that does.
func (k *gatekeeper) forAdmins(f *ast.FuncDecl) bool {
	if len(f.Body.List) == 0 {
		return false
	}
	switch s := f.Body.List[0].(type) {
	case *ast.IfStmt:
		call, ok := s.Init.(*ast.AssignStmt)
		return ok && types.ExprString(call.Rhs[0]) == "by.MustAdmin()"
	case *ast.ReturnStmt:
		call, ok := s.Results[0].(*ast.CallExpr)
		if !ok {
			return false
		}
		sel, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return false
		}
		next, ok := k.nodes[k.info.Uses[sel.Sel]].(*ast.FuncDecl)
		return ok && k.forAdmins(next)
	}
	return false
}

// provider is the source of the package.
func provider(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob("../../internal/oidc/*.go")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, name := range names {
		if !strings.HasSuffix(name, "_test.go") {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			files[filepath.Base(name)] = string(b)
		}
	}
	return files
}

// Every way that gives a client something about a user asks the gate, and one that is new
// is named (threats 3, 21, 62).
func TestEveryWayAsksTheGate(t *testing.T) {
	k, err := readProvider(provider(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, finding := range k.check(ways) {
		t.Error(finding)
	}
}

// The check is tried on the package as it would be with a hole.
func TestTheCheckOfTheGateFinds(t *testing.T) {
	for _, test := range []struct{ name, file, old, new, want string }{
		{"a grant that forgets the gate", "grant.go", "h.pass, err = mayUse(tx, user, c)", "err = error(nil)", "Userinfo does not ask the gate"},
		{"a request that forgets the gate", "authorize.go", "s.pass, s.gate = mayUse(tx, user, d.client)", "s.pass = pass{user, d.client}", "situation makes a pass"},
		{"another user in a pass", "userinfo.go", "if !slices.Contains(scopes, scopeOpenID) {", "h.user = h.user\nif !slices.Contains(scopes, scopeOpenID) {", "Userinfo changes the user of a pass"},
		{"a new way", "token.go", "func (p *Provider) token(", "func (p *Provider) Device() {}\nfunc (p *Provider) token(", "Device is a new way"},
		{"a code from nowhere", "grant_code.go", "func newCode(tx *db.Tx, r codeRequest) string {", "func newCode(tx *db.Tx, r struct{ codeRequest }) string {", "comes to INSERT INTO codes without a pass"},
		{"a grant from nowhere", "token.go", "func (p *Provider) token(", "func (p *Provider) Deny2(tx *db.Tx) { insertGrant(tx, nil) }\nfunc (p *Provider) token(", "Deny2 comes to INSERT INTO grants without a pass"},
		{"a signature from nowhere", "token.go", "func (p *Provider) token(", "func (p *Provider) other() { p.keys.Sign(nil, \"\", \"\", nil) }\nfunc (p *Provider) token(", "other comes to a signature without a pass"},
		{"claims of anybody", "claims.go", "func (p *Provider) claims(of pass,", "func (p *Provider) claims(of struct{ user directory.User },", "claims speaks of a user without a pass"},
		{"a way of administrators that is open", "client.go", "if err := by.MustAdmin(); err != nil {", "if err := error(nil); err != nil {", "Client is a new way"},
	} {
		files := provider(t)
		if !strings.Contains(files[test.file], test.old) {
			t.Errorf("%s: %s has no %q", test.name, test.file, test.old)
			continue
		}
		files[test.file] = strings.Replace(files[test.file], test.old, test.new, 1)
		k, err := readProvider(files)
		if err != nil {
			t.Fatal(err)
		}
		if found := k.check(ways); !slices.ContainsFunc(found, func(s string) bool { return strings.Contains(s, test.want) }) {
			t.Errorf("%s: found %q", test.name, found)
		}
	}
}
