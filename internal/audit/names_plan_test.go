package audit_test

import (
	"strings"
	"testing"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/dbtest"
)

// Names are looked for along their beginning, however many words of a kind there are.
func TestNamesAreFoundAlongTheirBeginning(t *testing.T) {
	err := dbtest.Open(t).Read(t.Context(), func(tx *db.Tx) error {
		plan, err := audit.FindPlan(tx)
		if !strings.Contains(plan, "(word>? AND word<?)") {
			t.Errorf("it goes\n%s", plan)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
