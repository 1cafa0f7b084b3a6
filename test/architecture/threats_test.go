package architecture

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	threatRow   = regexp.MustCompile(`(?m)^\| (\d+) \| .+ \| .+ \| (.+) \|$`)
	threatTests = regexp.MustCompile("`([a-z0-9/]+)` ((?:(?:Test|Fuzz)\\w+(?:, )?)+)")
	threatNames = regexp.MustCompile(`threats (\d+(?:, \d+)*)`)
)

// TestThreatsHaveOneRowEachAndTestsThatExist keeps docs/threats.md true: numbers in
// order and once, every test that it names is there, and every number that a test
// names has a row.
func TestThreatsHaveOneRowEachAndTestsThatExist(t *testing.T) {
	document, err := os.ReadFile("../../docs/threats.md")
	if err != nil {
		t.Fatal(err)
	}
	sources := map[string]string{} // the tests of a package, by its directory
	for _, pattern := range []string{"../../*/*/*_test.go", "../../*/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			dir, err := filepath.Rel("../..", filepath.Dir(file))
			if err != nil {
				t.Fatal(err)
			}
			sources[filepath.ToSlash(dir)] += string(text)
		}
	}
	rows, last := map[int]bool{}, 0
	for _, row := range threatRow.FindAllStringSubmatch(string(document), -1) {
		n, _ := strconv.Atoi(row[1])
		if n <= last {
			t.Errorf("row %d comes after row %d: each number has one row, in order", n, last)
		}
		rows[n], last = true, n
		named := threatTests.FindAllStringSubmatch(row[2], -1)
		if named == nil {
			t.Errorf("row %d names no test", n)
		}
		for _, m := range named {
			for name := range strings.SplitSeq(m[2], ", ") {
				if !strings.Contains(sources[m[1]], "func "+name+"(") {
					t.Errorf("row %d: there is no %s in %s", n, name, m[1])
				}
			}
		}
	}
	if len(rows) < 50 {
		t.Errorf("only %d rows are understood", len(rows))
	}
	for dir, text := range sources {
		for _, m := range threatNames.FindAllStringSubmatch(text, -1) {
			for number := range strings.SplitSeq(m[1], ", ") {
				if n, _ := strconv.Atoi(number); !rows[n] && dir != "test/architecture" {
					t.Errorf("a test in %s names threat %d, which has no row", dir, n)
				}
			}
		}
	}
}
