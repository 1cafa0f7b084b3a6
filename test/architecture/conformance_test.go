package architecture

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	moduleRow   = regexp.MustCompile("(?m)^\\| `(oidcc-[\\w-]+)` \\| (\\w+|not yet) \\| (passes|REVIEW: .+|skipped: .+|fails: .+) \\|$")
	moduleTests = regexp.MustCompile(`(?m)^func (Test_oidcc_\w+)\(`)
)

// modulesNotYet is how many modules of docs/conformance.md have no test. It is there to
// become zero.
const modulesNotYet = 1

// TestEveryModuleOfTheConformanceSuiteHasATest keeps docs/conformance.md true: each row has
// the form of one, names a test that is there and is named after its module, and no such
// test is missing on the page.
func TestEveryModuleOfTheConformanceSuiteHasATest(t *testing.T) {
	document, err := os.ReadFile("../../docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../protocol/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]bool{}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range moduleTests.FindAllStringSubmatch(string(source), -1) {
			tests[m[1]] = true
		}
	}
	rows, missing, named := moduleRow.FindAllStringSubmatch(string(document), -1), 0, map[string]bool{}
	if n := strings.Count(string(document), "\n| `oidcc-"); n != len(rows) {
		t.Errorf("%d rows name a module, %d of them have the form of a row", n, len(rows))
	}
	for _, row := range rows {
		module, test := row[1], row[2]
		if test == "not yet" {
			missing++
			continue
		}
		named[test] = true
		if !tests[test] {
			t.Errorf("%s: there is no test %s", module, test)
		}
		// The same module may stand in two plans and be tested for each.
		if want := "Test_" + strings.ReplaceAll(module, "-", "_"); test != want && !strings.HasPrefix(test, want+"_") {
			t.Errorf("%s: its test is called %s, want %s", module, test, want)
		}
	}
	for test := range tests {
		if !named[test] {
			t.Errorf("%s plays a module that docs/conformance.md does not name", test)
		}
	}
	if missing > modulesNotYet || len(rows) == 0 {
		t.Errorf("%d of %d modules have no test, want at most %d", missing, len(rows), modulesNotYet)
	}
}
