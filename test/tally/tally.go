package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// event is one line of "go test -json" (go doc test2json).
type event struct {
	Action     string
	Package    string
	ImportPath string // of a build that failed
	Test       string
	Output     string
	Elapsed    float64
}

// name is a test in a package; the package itself has an empty test.
type name struct{ pkg, test string }

// A tally counts tests. Only leaves are counted: a test that runs subtests
// is a heading, unless it fails where none of its subtests does.
type tally struct {
	out    io.Writer
	output map[name][]string // what a test has printed so far
	parent map[name]bool     // tests that have subtests
	broken map[name]bool     // tests below which something failed
	done   map[name]string   // how each test ended
	order  []name
	slow   []slowTest
}

// A slowTest is shown at the end, so that the suite stays quick.
type slowTest struct {
	name name
	took time.Duration
}

func newTally(out io.Writer) *tally {
	return &tally{
		out: out, output: map[name][]string{}, parent: map[name]bool{},
		broken: map[name]bool{}, done: map[name]string{},
	}
}

// above is the test of which n is a subtest, or false.
func (n name) above() (name, bool) {
	i := strings.LastIndex(n.test, "/")
	if i < 0 {
		return name{}, false
	}
	return name{n.pkg, n.test[:i]}, true
}

// line takes one line of the report. What is not an event is shown as it is.
func (t *tally) line(b []byte) {
	var e event
	if json.Unmarshal(b, &e) != nil {
		fmt.Fprintf(t.out, "%s", b)
		return
	}
	n := name{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(t.out, e.Output)
	case "build-fail":
		n.pkg = e.ImportPath
		fmt.Fprintf(t.out, "FAIL  %s does not build\n", e.ImportPath)
	case "run":
		if up, ok := n.above(); ok {
			t.parent[up] = true
		}
	case "output":
		if !dull(e.Output) {
			t.output[n] = append(t.output[n], e.Output)
		}
	case "pass", "fail", "skip":
		t.ended(n, e)
	}
}

// dull says whether a line only repeats what the events say.
func dull(s string) bool {
	for _, start := range []string{"=== RUN", "=== PAUSE", "=== CONT", "=== NAME", "--- PASS", "PASS\n", "ok  \t"} {
		if strings.HasPrefix(strings.TrimLeft(s, " "), start) {
			return true
		}
	}
	return false
}

// ended notes how a test or, when n has no test, a whole package ended.
func (t *tally) ended(n name, e event) {
	if n.test == "" {
		t.packageEnded(n, e)
		return
	}
	t.done[n] = e.Action
	t.order = append(t.order, n)
	took := time.Duration(e.Elapsed * float64(time.Second))
	if took > 5*time.Second && !t.parent[n] {
		t.slow = append(t.slow, slowTest{n, took})
	}
	if e.Action == "fail" {
		for up, ok := n.above(); ok; up, ok = up.above() {
			t.broken[up] = true
		}
		t.broken[name{pkg: n.pkg}] = true
	}
	if e.Action != "pass" {
		fmt.Fprintf(t.out, "%s  %s %s\n", strings.ToUpper(e.Action), short(n.pkg), n.test)
		for _, line := range t.output[n] {
			fmt.Fprint(t.out, "      ", line)
		}
	}
	delete(t.output, n)
}

// packageEnded prints the line of a package. A package that fails without a
// failed test (a panic, a goroutine that hangs, a build) counts as one.
func (t *tally) packageEnded(n name, e event) {
	if e.Action == "fail" && !t.broken[n] {
		t.done[n] = "fail"
		t.order = append(t.order, n)
		for test, lines := range t.output {
			if test.pkg == n.pkg && test.test != "" { // it was running when the process died
				fmt.Fprintf(t.out, "FAIL  %s %s did not end\n", short(test.pkg), test.test)
				fmt.Fprint(t.out, strings.Join(lines, ""))
			}
		}
		fmt.Fprint(t.out, strings.Join(t.output[n], ""))
	}
	passed, total := 0, 0
	for done, action := range t.done {
		if done.pkg == n.pkg && done.test != "" && !t.parent[done] {
			total++
			if action == "pass" {
				passed++
			}
		}
	}
	if e.Action == "fail" || total > 0 {
		fmt.Fprintf(t.out, "%-5s %-34s %4d of %4d  %6.1fs\n", map[bool]string{true: "ok", false: "FAIL"}[e.Action != "fail"], short(n.pkg), passed, total, e.Elapsed)
	}
	delete(t.output, n)
}

// kinds says where a test ran; a test may be of several kinds or of none.
func (n name) kinds() []string {
	var kinds []string
	for part := range strings.SplitSeq(n.test, "/") {
		if part == "sqlite" || part == "postgres" {
			kinds = append(kinds, part)
		}
	}
	if strings.HasSuffix(n.pkg, "/test/browser") {
		kinds = append(kinds, "browser")
	}
	return kinds
}

// end prints the sums and says whether all is well.
func (t *tally) end(need []string) bool {
	passed, failed, skipped := 0, 0, []name{}
	ran := map[string]int{}
	for _, n := range t.order {
		switch t.done[n] {
		case "skip":
			skipped = append(skipped, n)
			continue
		case "fail":
			if t.broken[n] && n.test != "" {
				continue // its subtests are counted
			}
			failed++
		case "pass":
			if t.parent[n] {
				continue
			}
			passed++
		}
		for _, kind := range n.kinds() {
			ran[kind]++
		}
	}
	fmt.Fprintln(t.out)
	slices.SortFunc(t.slow, func(a, b slowTest) int { return int(b.took - a.took) })
	for _, s := range t.slow[:min(len(t.slow), 8)] {
		fmt.Fprintf(t.out, "slow  %s %s %.1fs\n", short(s.name.pkg), s.name.test, s.took.Seconds())
	}
	for _, n := range skipped {
		fmt.Fprintf(t.out, "skipped, and so not proved: %s %s\n", short(n.pkg), n.test)
	}
	for _, kind := range need {
		if ran[kind] == 0 {
			fmt.Fprintf(t.out, "no test ran: %s\n", kind)
			failed++
		}
	}
	fmt.Fprintf(t.out, "%d tests on SQLite, %d on PostgreSQL, %d in the browser\n", ran["sqlite"], ran["postgres"], ran["browser"])
	fmt.Fprintf(t.out, "%d passed, %d failed\n", passed, failed+len(skipped))
	return failed == 0 && len(skipped) == 0 && passed > 0
}

// short leaves out the name of this module.
func short(pkg string) string { return strings.TrimPrefix(pkg, "pocketid/") }
