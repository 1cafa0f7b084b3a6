package audit

import "testing"

// A spreadsheet runs what begins like a formula.
func TestCellsAreNoFormulas(t *testing.T) {
	for in, want := range map[string]string{"": "", "ada": "ada", "=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", "\tx": "'\tx", "\r=1": "'\r=1", "a=1": "a=1", "{}": "{}"} {
		if got := cell(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}
