package app

import (
	"os"
	"regexp"
	"strconv"
	"testing"
)

// resident is a line of /proc/self/status in KiB.
func resident(t *testing.T, name string) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(name + `:\s+(\d+) kB`).FindSubmatch(b)
	if m == nil {
		t.Fatalf("no %s in %s", name, b)
	}
	n, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestReleaseGivesBackPagesOfTheProgramAndHarmsNothing(t *testing.T) {
	started(t, fresh(t)) // runs through much of the program
	if len(ownPages()) == 0 {
		t.Fatal("no pages of the program were found")
	}
	before := resident(t, "RssFile")
	release()
	after := resident(t, "RssFile")
	if after > before*3/4 {
		t.Errorf("%d KiB before, %d after", before, after)
	}
	started(t, fresh(t)) // and it runs again
}
