package architecture

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// Read reads the source of every package of this module, tests included.
func Read(root string) ([]Package, error) {
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Dir,GoFiles,TestGoFiles,XTestGoFiles,IgnoredGoFiles", "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list packages: %w", err)
	}
	var packages []Package
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath, Dir                                    string
			GoFiles, TestGoFiles, XTestGoFiles, IgnoredGoFiles []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages, nil
		} else if err != nil {
			return nil, fmt.Errorf("read list of packages: %w", err)
		}
		pkg := Package{Name: short(p.ImportPath)}
		for _, names := range [][]string{p.GoFiles, p.TestGoFiles, p.XTestGoFiles, p.IgnoredGoFiles} {
			for _, name := range names {
				b, err := os.ReadFile(filepath.Join(p.Dir, name))
				if err != nil {
					return nil, err
				}
				pkg.Files = append(pkg.Files, File{Name: name, Source: string(b)})
			}
		}
		packages = append(packages, pkg)
	}
}

var created = regexp.MustCompile(`(?i)CREATE TABLE (?:IF NOT EXISTS )?([a-z_]+)`)

// Tables lists the tables that the migrations make.
func Tables(root string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(root, "internal/db/migrations/*.sql"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no migrations found: %w", err)
	}
	var tables []string
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		for _, m := range created.FindAllStringSubmatch(string(b), -1) {
			tables = append(tables, m[1])
		}
	}
	return tables, nil
}

// Fill puts each table of the plan between its two marks in a document.
func (p Plan) Fill(document string) (string, error) {
	for name, table := range map[string]string{"imports": p.importTable(), "doors": p.doorTable(), "tables": p.ownerTable()} {
		from, to := "<!-- plan: "+name+" -->\n", "<!-- end of plan -->"
		before, rest, found := strings.Cut(document, from)
		_, after, closed := strings.Cut(rest, to)
		if !found || !closed {
			return "", fmt.Errorf("the document lacks the marks %q and %q", strings.TrimSpace(from), to)
		}
		document = before + from + "\n" + table + "\n" + to + after
	}
	return document, nil
}
