package architecture

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// importTable is the plan's map of imports as Markdown, lowest floor first.
func (p Plan) importTable() string {
	var b strings.Builder
	b.WriteString("| package | may import (of ours) | its tests also |\n|---|---|---|\n")
	for _, name := range p.upwards() {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", name, p.Imports[name], p.Tests[name])
	}
	return b.String()
}

// upwards sorts the packages so that each comes after those that it imports.
func (p Plan) upwards() []string {
	depth := map[string]int{}
	var of func(name string) int
	of = func(name string) int {
		if d, known := depth[name]; known {
			return d
		}
		depth[name] = 0
		d := 0
		for _, below := range strings.Fields(p.Imports[name]) {
			d = max(d, of(below)+1)
		}
		depth[name] = d
		return d
	}
	names := slices.Collect(maps.Keys(p.Imports))
	slices.SortFunc(names, func(a, b string) int {
		outside := func(s string) int { return strings.Count(s, "/") }
		if d := outside(a) - outside(b); d != 0 && (outside(a) == 0 || outside(b) == 0) {
			return d
		}
		if d := of(a) - of(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	return names
}

// doorTable is the plan's map of libraries as Markdown.
func (p Plan) doorTable() string {
	var b strings.Builder
	b.WriteString("| library | may be imported by | by the tests of | because |\n|---|---|---|---|\n")
	for _, lib := range slices.Sorted(maps.Keys(p.Doors)) {
		d := p.Doors[lib]
		tests := d.Tests
		if tests == "*" {
			tests = "all"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", lib, d.Packages, tests, d.Why)
	}
	return b.String()
}

// ownerTable is the plan's map of tables as Markdown, one line an owner.
func (p Plan) ownerTable() string {
	tables := map[string][]string{}
	for _, table := range slices.Sorted(maps.Keys(p.Owners)) {
		owner := p.Owners[table]
		tables[owner] = append(tables[owner], "`"+table+"`")
	}
	var b strings.Builder
	b.WriteString("| package | tables |\n|---|---|\n")
	for _, owner := range slices.Sorted(maps.Keys(tables)) {
		fmt.Fprintf(&b, "| `%s` | %s |\n", owner, strings.Join(tables[owner], ", "))
	}
	return b.String()
}
