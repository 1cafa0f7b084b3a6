package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// The bench runs to its end, a moment for each row, and no operation errs. What it
// measures is asserted nowhere: that would be a test of the machine.
func TestBench(t *testing.T) {
	p := plan{at: []int{1, 2}, long: 10 * time.Millisecond, rounds: 1, starts: 1, quiet: time.Millisecond, people: 2, counted: 2, crowd: 60, entries: 300}
	var out, news bytes.Buffer
	if err := p.run(t.Context(), &out, &news); err != nil {
		t.Fatalf("%v\n%s", err, news.String())
	}
	for _, r := range rows {
		if n := strings.Count(out.String(), "\n| "+r.name+" |"); n != 1+len(p.at) { // what it takes inside, and its rows
			t.Errorf("%d rows of %s", n, r.name)
		}
	}
	for _, what := range []string{"RSA-2048", "binary, stripped", "resident memory, idle", "start to ready", "With limits", "people, search for nobody", "audit log, 20 pages back"} {
		if !strings.Contains(out.String(), what) {
			t.Errorf("%q is not in the output", what)
		}
	}
	if t.Failed() {
		t.Log(out.String())
	}
}

// A row with an error fails the run and says which error.
func TestErrorsFailTheRun(t *testing.T) {
	p := plan{at: []int{1}, long: time.Millisecond, rounds: 1, people: 1, rows: "nothing"}
	old := rows
	defer func() { rows = old }()
	rows = []row{{"nothing", 0, document("/api/nothing")}}
	var out, news bytes.Buffer
	if err := p.run(t.Context(), &out, &news); err == nil || !strings.Contains(err.Error(), "the status is 404") {
		t.Errorf("got %v", err)
	}
}

func TestFlagsThatMeanNothing(t *testing.T) {
	for _, words := range [][2]string{{"x", ""}, {"-1", ""}, {"0", ""}, {"", "0"}, {"", "1,x"}} {
		p := whole()
		if err := p.adjust(words[0], words[1], ""); err == nil {
			t.Errorf("%q is accepted", words)
		}
	}
}
