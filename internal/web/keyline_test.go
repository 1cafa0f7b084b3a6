package web

import (
	"bufio"
	"os"
	"strings"
	"testing"
)

// Each mark is of a maker in the list of models, the longer of two names comes first, and a
// model that nobody knows has none.
func TestMarksAreOfModelsThatExist(t *testing.T) {
	f, err := os.Open("../signin/models.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	used := map[string]bool{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		_, model, _ := strings.Cut(lines.Text(), " ")
		for _, m := range makers {
			if strings.HasPrefix(model, m.name) {
				used[m.name] = true
				break
			}
		}
	}
	for _, m := range makers {
		if !used[m.name] {
			t.Errorf("no model begins with %q, or an earlier mark takes it", m.name)
		}
		if m.mark.Hue < 1 || m.mark.Hue > 5 {
			t.Errorf("the mark of %s has the hue %d", m.name, m.mark.Hue)
		}
	}
	if got := markOf("KeePassXC"); got.Initials != "KX" {
		t.Errorf("KeePassXC is marked %q", got.Initials)
	}
	for _, unknown := range []string{"", "Thales PIN iOS SDK"} {
		if got := markOf(unknown); got.Hue != 0 {
			t.Errorf("%q is marked %+v", unknown, got)
		}
	}
}
