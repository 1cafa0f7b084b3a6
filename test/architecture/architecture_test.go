package architecture

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
)

const (
	root     = "../.."
	document = root + "/docs/architecture.md"
)

var update = flag.Bool("update", false, "write the tables of the plan into docs/architecture.md")

func TestHouseIsAsPlanned(t *testing.T) {
	packages, err := Read(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range House.Check(packages) {
		t.Error(found)
	}
}

func TestEveryTableHasAnOwner(t *testing.T) {
	tables, err := Tables(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		if House.Owners[table] == "" {
			t.Errorf("table %s has no owner in the plan", table)
		}
	}
	for table, owner := range House.Owners {
		if owner != "db" && !slices.Contains(tables, table) {
			t.Errorf("the plan gives %s a table %s that no migration makes", owner, table)
		}
	}
}

func TestImportsPointDownwards(t *testing.T) {
	var visit func(path []string, name string)
	visit = func(path []string, name string) {
		if slices.Contains(path, name) {
			t.Fatalf("the plan lets packages import each other: %s", strings.Join(append(path, name), ", "))
		}
		for _, below := range strings.Fields(House.Imports[name]) {
			if _, planned := House.Imports[below]; !planned {
				t.Errorf("%s may import %s, which is not in the plan", name, below)
			}
			visit(append(path, name), below)
		}
	}
	for name := range House.Imports {
		visit(nil, name)
	}
}

func TestDocumentShowsThePlan(t *testing.T) {
	b, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	want, err := House.Fill(string(b))
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(document, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(b) != want {
		t.Errorf("docs/architecture.md shows another plan than test/architecture/plan.go; run make golden")
	}
}
