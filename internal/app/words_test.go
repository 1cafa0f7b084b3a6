package app

import (
	"testing"

	"pocketid/internal/fault"
	"pocketid/internal/i18n"
)

// A fault without words leaves a person in front of the words of its kind, which do not
// say what to do. This package imports every other, so all faults are declared here.
func TestEveryFaultHasWords(t *testing.T) {
	var codes []string
	for _, f := range fault.All() {
		codes = append(codes, f.Code)
	}
	if len(codes) < 50 {
		t.Fatalf("only %d faults are declared", len(codes))
	}
	for _, missing := range i18n.Missing(codes) {
		t.Errorf("no words for %s", missing)
	}
}
