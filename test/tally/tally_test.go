package main

import (
	"strings"
	"testing"
)

// report is what "go test -json" says, shortened: a letter for the action, the
// package and the test.
func report(t *tally, lines ...string) {
	actions := map[string]string{"R": "run", "P": "pass", "F": "fail", "S": "skip"}
	for _, line := range lines {
		f := strings.Fields(line)
		test := ""
		if len(f) > 2 {
			test = f[2]
		}
		t.line([]byte(`{"Action":"` + actions[f[0]] + `","Package":"pocketid/` + f[1] + `","Test":"` + test + `"}`))
	}
}

func TestTally(t *testing.T) {
	tests := []struct {
		name  string
		lines []string
		need  string
		ok    bool
		end   string
	}{
		{"counts leaves, not headings",
			[]string{"R internal/db T", "R internal/db T/sqlite", "P internal/db T/sqlite", "R internal/db T/postgres", "P internal/db T/postgres", "P internal/db T", "P internal/db"},
			"sqlite,postgres", true, "1 tests on SQLite, 1 on PostgreSQL, 0 in the browser\n2 passed, 0 failed\n"},
		{"counts a failed leaf once",
			[]string{"R internal/db T", "R internal/db T/sqlite", "F internal/db T/sqlite", "F internal/db T", "F internal/db"},
			"", false, "0 passed, 1 failed\n"},
		{"counts a heading that fails by itself",
			[]string{"R internal/db T", "R internal/db T/sqlite", "P internal/db T/sqlite", "F internal/db T", "F internal/db"},
			"", false, "1 passed, 1 failed\n"},
		{"counts a package that fails without a test",
			[]string{"R internal/db T", "P internal/db T", "F internal/db"},
			"", false, "1 passed, 1 failed\n"},
		{"fails a run with a skipped test",
			[]string{"R internal/db T", "P internal/db T", "R internal/db U", "S internal/db U", "P internal/db"},
			"", false, "1 passed, 1 failed\n"},
		{"fails a run that lacks a kind",
			[]string{"R internal/db T", "P internal/db T", "P internal/db"},
			"browser", false, "no test ran: browser\n0 tests on SQLite, 0 on PostgreSQL, 0 in the browser\n1 passed, 1 failed\n"},
		{"counts the browser, per engine too",
			[]string{"R test/browser T", "R test/browser T/sqlite", "P test/browser T/sqlite", "P test/browser T", "P test/browser"},
			"browser", true, "1 tests on SQLite, 0 on PostgreSQL, 1 in the browser\n1 passed, 0 failed\n"},
		{"fails a run in which nothing ran", nil, "", false, "0 passed, 0 failed\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out strings.Builder
			tally := newTally(&out)
			report(tally, test.lines...)
			ok := tally.end(strings.FieldsFunc(test.need, func(r rune) bool { return r == ',' }))
			if ok != test.ok {
				t.Errorf("ok is %t, want %t", ok, test.ok)
			}
			if !strings.HasSuffix(out.String(), test.end) {
				t.Errorf("got\n%s\nwant it to end with\n%s", out.String(), test.end)
			}
		})
	}
}

func TestOutputOfAFailedTestIsShown(t *testing.T) {
	var out strings.Builder
	tally := newTally(&out)
	report(tally, "R internal/db T")
	tally.line([]byte(`{"Action":"output","Package":"pocketid/internal/db","Test":"T","Output":"a_test.go:1: got 1, want 2\n"}`))
	report(tally, "F internal/db T", "F internal/db")
	if !strings.Contains(out.String(), "FAIL  internal/db T\n      a_test.go:1: got 1, want 2\n") {
		t.Errorf("got %s", out.String())
	}
}

func TestABuildThatFailsIsShownAndCounted(t *testing.T) {
	var out strings.Builder
	tally := newTally(&out)
	tally.line([]byte(`{"ImportPath":"pocketid/internal/db","Action":"build-output","Output":"a.go:1: undefined: x\n"}`))
	tally.line([]byte(`{"ImportPath":"pocketid/internal/db","Action":"build-fail"}`))
	report(tally, "F internal/db")
	if tally.end(nil) || !strings.Contains(out.String(), "undefined: x") || !strings.HasSuffix(out.String(), "0 passed, 1 failed\n") {
		t.Errorf("got %s", out.String())
	}
}

func TestTestThatWasRunningWhenTheProcessDiedIsNamed(t *testing.T) {
	var out strings.Builder
	tally := newTally(&out)
	report(tally, "R internal/db T")
	tally.line([]byte(`{"Action":"output","Package":"pocketid/internal/db","Test":"T","Output":"panic: test timed out\n"}`))
	report(tally, "F internal/db")
	if !strings.Contains(out.String(), "internal/db T did not end") || !strings.Contains(out.String(), "timed out") {
		t.Errorf("got %s", out.String())
	}
}
