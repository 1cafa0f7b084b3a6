package app

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pocketid/internal/edge"
)

// TestRoutes keeps the list of all addresses, and who may use each, in sight of
// whoever reviews a change.
func TestRoutes(t *testing.T) {
	a, err := New(t.Context(), fresh(t), quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	var lines []string
	for _, r := range a.Routes() {
		method, path, _ := strings.Cut(r.Pattern, " ")
		var more []string
		if r.Limit != edge.LimitGeneral {
			more = append(more, "limit "+r.Limit)
		}
		if r.Key != "" {
			more = append(more, "key "+r.Key)
		}
		if r.CORS {
			more = append(more, "any origin")
		}
		if r.MaxBody != 0 {
			more = append(more, fmt.Sprintf("%d KiB", r.MaxBody>>10))
		}
		lines = append(lines, strings.TrimRight(fmt.Sprintf("%-46s %-6s %-10s %-8s %s", path, method, r.Access, r.Surface, strings.Join(more, ", ")), " "))
	}
	slices.Sort(lines)
	golden(t, "testdata/routes.txt", strings.Join(lines, "\n")+"\n")
}
