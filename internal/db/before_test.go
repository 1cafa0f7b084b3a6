package db_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pocketid/internal/db"
	"pocketid/internal/dbtest"
)

// While replicas are replaced, the release before still asks the schema of this one. So
// each statement that a release was seen to run is understood by the newer schema, on
// both engines. A release with a new schema leaves its statements here by
// test/statements.sh.
func TestReleasesBeforeFindTheirTables(t *testing.T) {
	files, err := filepath.Glob("testdata/before/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatal("there are no statements of releases before", err)
	}
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		engine := "sqlite"
		if d.Postgres {
			engine = "postgres"
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			asked := 0
			for line := range strings.Lines(string(b)) {
				on, q, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
				if !ok {
					t.Fatalf("%s: %q", file, line)
				}
				if on != "both" && on != engine {
					continue
				}
				asked++
				if err := d.Understands(t.Context(), q); err != nil {
					t.Errorf("%s: %s: %v", filepath.Base(file), q, err)
				}
			}
			if asked < 300 {
				t.Errorf("%s has only %d statements for %s", file, asked, engine)
			}
		}
	})
}

// A newer schema only adds: no table, column or key of a release before is gone or other than
// it was, and what is new in a table that was there asks nothing of who does not know it.
func TestSchemasOnlyGrow(t *testing.T) {
	files, err := filepath.Glob("testdata/before/*.golden")
	if err != nil || len(files) == 0 {
		t.Fatal("there are no schemas of releases before", err)
	}
	now := schemaIn(t, "testdata/schema.golden")
	for _, file := range files {
		for name, lines := range schemaIn(t, file) {
			if now[name] == nil {
				t.Errorf("since %s the table %s is gone", file, name)
				continue
			}
			for _, l := range lines {
				if !slices.Contains(now[name], l) && !strings.HasPrefix(l, "- INDEX ") {
					t.Errorf("since %s %s has no more: %s", file, name, l)
				}
			}
			for _, l := range now[name] {
				if slices.Contains(lines, l) || strings.HasPrefix(l, "- INDEX ") {
					continue
				}
				if strings.HasPrefix(l, "- ") || strings.Contains(l, "NOT NULL") && !strings.Contains(l, "DEFAULT") {
					t.Errorf("since %s %s asks for what nobody knew: %s", file, name, l)
				}
			}
		}
	}
}

// schemaIn reads a golden schema: lines by table.
func schemaIn(t *testing.T, file string) map[string][]string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	tables, name := map[string][]string{}, ""
	for l := range strings.Lines(string(b)) {
		l = strings.TrimSuffix(l, "\n")
		if column, ok := strings.CutPrefix(l, "    "); ok {
			tables[name] = append(tables[name], column)
		} else if name = l; name != "" {
			tables[name] = []string{}
		}
	}
	return tables
}
