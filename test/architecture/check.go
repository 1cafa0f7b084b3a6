package architecture

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A Package is the Go source of one directory.
type Package struct {
	Name  string // "oidc" for internal/oidc, else the path below the module
	Files []File
}

// A File is one Go file.
type File struct {
	Name   string
	Source string
}

const module = "pocketid/"

// short turns an import path of this module into the name that the plan uses.
func short(path string) string {
	path = strings.TrimPrefix(path, module)
	if name, ok := strings.CutPrefix(path, "internal/"); ok && !strings.Contains(name, "/") {
		return name
	}
	return path
}

// Check says in one sentence each what in the packages is against the plan.
func (p Plan) Check(packages []Package) []string {
	c := checker{plan: p}
	for _, pkg := range packages {
		c.packageOf(pkg)
	}
	slices.Sort(c.found)
	return slices.Compact(c.found)
}

// checker gathers what is found.
type checker struct {
	plan  Plan
	found []string
}

// say notes one finding.
func (c *checker) say(where, format string, args ...any) {
	c.found = append(c.found, where+": "+fmt.Sprintf(format, args...))
}

// packageOf checks one package.
func (c *checker) packageOf(pkg Package) {
	if _, planned := c.plan.Imports[pkg.Name]; !planned {
		c.say(pkg.Name, "is not in the plan; add it to test/architecture/plan.go")
	}
	last := pkg.Name[strings.LastIndex(pkg.Name, "/")+1:]
	if slices.Contains([]string{"util", "utils", "common", "helper", "helpers", "base", "manager", "misc"}, last) {
		c.say(pkg.Name, "a package is named for what it holds")
	}
	for _, f := range pkg.Files {
		c.file(pkg.Name, f)
	}
}

// file checks one file of a package.
func (c *checker) file(pkg string, f File) {
	where := pkg + "/" + f.Name
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, f.Name, f.Source, parser.ParseComments)
	if err != nil {
		c.say(where, "%v", err)
		return
	}
	test := strings.HasSuffix(f.Name, "_test.go")
	for _, spec := range tree.Imports {
		path, _ := strconv.Unquote(spec.Path.Value)
		c.imported(where, pkg, path, test)
	}
	c.length(where, tree, f.Source)
	if test {
		c.skips(where, tree)
		return
	}
	c.clock(where, pkg, tree)
	if pkg != "dbtest" { // which compares whole databases
		c.tables(where, pkg, tree)
	}
	c.names(where, pkg, tree)
}

// imported checks one import against the floors and the doors.
func (c *checker) imported(where, pkg, path string, test bool) {
	if strings.HasPrefix(path, module) {
		in := short(path)
		may := strings.Fields(c.plan.Imports[pkg])
		if test {
			may = append(may, strings.Fields(c.plan.Tests[pkg])...)
			may = append(may, pkg)
		}
		if !slices.Contains(may, in) {
			c.say(where, "%s must not import %s", pkg, in)
		}
		return
	}
	lib, door, guarded := c.door(path)
	if !guarded {
		if strings.Contains(strings.Split(path, "/")[0], ".") {
			c.say(where, "%s is a library without a door; name the package that may import it", path)
		}
		return
	}
	may := strings.Fields(door.Packages)
	if test {
		may = append(may, strings.Fields(door.Tests)...)
	}
	if !slices.Contains(may, pkg) && !(test && door.Tests == "*") {
		c.say(where, "%s must not import %s: %s", pkg, lib, door.Why)
	}
}

// door finds the door that an import path goes through. A package of the
// standard library is guarded by its whole path, a library by its module; of modules
// within one another the inner one counts.
func (c *checker) door(path string) (string, Door, bool) {
	if d, ok := c.plan.Doors[path]; ok {
		return path, d, true
	}
	found := ""
	for lib := range c.plan.Doors {
		if strings.Contains(strings.Split(lib, "/")[0], ".") && strings.HasPrefix(path, lib+"/") && len(lib) > len(found) {
			found = lib
		}
	}
	return found, c.plan.Doors[found], found != ""
}

// length refuses files that nobody reads to the end.
func (c *checker) length(where string, tree *ast.File, source string) {
	lines := strings.Count(source, "\n")
	if lines > 800 && !strings.Contains(strings.ToLower(tree.Doc.Text()), "long because") {
		c.say(where, "%d lines: split it, or say above the package clause why it is long", lines)
	}
}

// calls walks over every use of a name of another package, like time.Now.
func calls(tree *ast.File, visit func(pkg, name string)) {
	local := map[string]string{}
	for _, spec := range tree.Imports {
		path, _ := strconv.Unquote(spec.Path.Value)
		name := path[strings.LastIndex(path, "/")+1:]
		if spec.Name != nil {
			name = spec.Name.Name
		}
		local[name] = path
	}
	ast.Inspect(tree, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if id, ok := sel.X.(*ast.Ident); ok && id.Obj == nil {
				if path, ok := local[id.Name]; ok {
					visit(path, sel.Sel.Name)
				}
			}
		}
		return true
	})
}

// clock refuses a look at the clock, at the environment and at the network in
// the wrong place.
func (c *checker) clock(where, pkg string, tree *ast.File) {
	inside := !strings.Contains(pkg, "/") && pkg != "apptest" && pkg != "dbtest"
	if !inside {
		return
	}
	calls(tree, func(of, name string) {
		switch of + "." + name {
		case "time.Now", "time.Since", "time.Until":
			if !slices.Contains(strings.Fields(clocks), pkg) {
				c.say(where, "time.%s: only %s look at the clock; take tx.Now()", name, clocks)
			}
		case "os.Getenv", "os.LookupEnv", "os.Environ", "os.Setenv":
			c.say(where, "os.%s: settings come from app.Config", name)
		case "net/http.Get", "net/http.Post", "net/http.PostForm", "net/http.Head", "net/http.DefaultClient", "net/http.DefaultTransport", "net/http.Client":
			if pkg != "app" && pkg != "outbound" {
				c.say(where, "http.%s: requests to others go out in one place", name)
			}
		case "net/http.Error", "net/http.NotFound":
			if pkg == "edge" {
				return
			}
			c.say(where, "http.%s: return a fault, edge turns it into the answer", name)
		}
	})
}

// skips refuses tests that pass without having run.
func (c *checker) skips(where string, tree *ast.File) {
	short := map[*ast.BlockStmt]bool{}
	ast.Inspect(tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.IfStmt:
			if call, ok := n.Cond.(*ast.CallExpr); ok {
				if sel, ok := call.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Short" {
					short[n.Body] = true
				}
			}
		case *ast.BlockStmt:
			return !short[n]
		case *ast.SelectorExpr:
			if slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, n.Sel.Name) {
				c.say(where, "%s: a test that cannot run fails and says what to install", n.Sel.Name)
			}
		}
		return true
	})
}

var (
	verb   = regexp.MustCompile(`\b(?:FROM|JOIN|INTO|UPDATE|TABLE(?: IF (?:NOT )?EXISTS)?|REFERENCES)\s+((?:[a-z_][a-z0-9_]*)(?:(?:\s+(?:AS\s+)?[a-z][a-z0-9_]*)?\s*,\s*[a-z_][a-z0-9_]*)*)(\s*\()?`)
	with   = regexp.MustCompile(`\b([a-z_][a-z0-9_]*)\s+AS\s+(?:MATERIALIZED\s+)?\(`)
	ending = regexp.MustCompile(`\b(?:FROM|JOIN|INTO|UPDATE)\s+$`)
)

// mover is the package that copies the rows of everybody, and reads the tables of others.
const mover = "moving"

// tables refuses a statement that names somebody else's table.
func (c *checker) tables(where, pkg string, tree *ast.File) {
	if pkg == mover {
		return
	}
	own := func(name string) {
		owner, known := c.plan.Owners[name]
		switch {
		case !known && pkg == "db" && (strings.HasPrefix(name, "pg_") || strings.HasPrefix(name, "sqlite_") || strings.HasPrefix(name, "information_schema") || strings.HasPrefix(name, "pragma_")):
		case !known:
			c.say(where, "no migration makes a table %s", name)
		case owner != pkg:
			c.say(where, "table %s belongs to %s", name, owner)
		}
	}
	ast.Inspect(tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.BinaryExpr:
			if lit, ok := n.X.(*ast.BasicLit); ok && n.Op == token.ADD && lit.Kind == token.STRING {
				if s, _ := strconv.Unquote(lit.Value); ending.MatchString(s) {
					c.say(where, "%q: the name of a table stands in its statement", strings.TrimSpace(s))
				}
			}
		case *ast.BasicLit:
			if n.Kind != token.STRING {
				return true
			}
			s, _ := strconv.Unquote(n.Value)
			var local []string
			for _, m := range with.FindAllStringSubmatch(s, -1) {
				local = append(local, m[1])
			}
			for _, m := range verb.FindAllStringSubmatch(s, -1) {
				for part := range strings.SplitSeq(m[1], ",") {
					name := strings.Fields(part)[0]
					function := m[2] != "" && !strings.Contains(m[0], "INTO") && !strings.Contains(m[0], "TABLE") && !strings.Contains(m[0], "REFERENCES")
					if !function && !slices.Contains(local, name) {
						own(name)
					}
				}
			}
		}
		return true
	})
}

// names refuses exported names and signatures that docs/style.md does.
func (c *checker) names(where, pkg string, tree *ast.File) {
	if strings.Contains(pkg, "/") {
		return
	}
	for _, d := range tree.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			c.function(where, d)
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				c.declared(where, d, spec)
			}
		}
	}
}

// declared checks an exported type, variable or constant.
func (c *checker) declared(where string, d *ast.GenDecl, spec ast.Spec) {
	switch s := spec.(type) {
	case *ast.TypeSpec:
		if !s.Name.IsExported() {
			return
		}
		for _, end := range []string{"Impl", "Service", "Repository", "DTO", "Manager", "Helper"} {
			if strings.HasSuffix(s.Name.Name, end) && s.Name.Name != end {
				c.say(where, "type %s: a name says what it is, not which layer it is in", s.Name.Name)
			}
		}
		if d.Doc == nil && s.Doc == nil {
			c.say(where, "type %s has no comment", s.Name.Name)
		}
	case *ast.ValueSpec:
		ofType := d.Tok == token.CONST && (s.Type != nil || len(s.Values) == 0) // the comment of the type speaks for its values
		if s.Names[0].IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil && !ofType {
			c.say(where, "%s has no comment", s.Names[0].Name)
		}
	}
}

// wellKnown are methods that mean the same on every type.
var wellKnown = []string{"Error", "Is", "LogValue", "MarshalJSON", "Scan", "String", "Unwrap", "UnmarshalJSON", "Value"}

// function checks an exported function or method.
func (c *checker) function(where string, d *ast.FuncDecl) {
	if !d.Name.IsExported() || d.Recv != nil && !exportedReceiver(d.Recv) {
		return
	}
	name := d.Name.Name
	if strings.HasPrefix(name, "Get") && len(name) > 3 && name[3] >= 'A' && name[3] <= 'Z' {
		c.say(where, "%s: no Get, the noun is enough", name)
	}
	if d.Doc == nil && !(d.Recv != nil && slices.Contains(wellKnown, name)) {
		c.say(where, "%s has no comment", name)
	}
	for _, field := range d.Type.Params.List {
		if id, ok := field.Type.(*ast.Ident); ok && id.Name == "bool" {
			c.say(where, "%s takes a boolean; write two functions", name)
		}
	}
}

// exportedReceiver says whether a method belongs to a type that others see.
func exportedReceiver(recv *ast.FieldList) bool {
	t := recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return false
		}
	}
}
