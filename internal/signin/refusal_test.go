package signin

import (
	"testing"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
)

// threats 80: strangers need no account to be refused, so the log keeps a bounded number.
func TestRefusalsAreRecordedUpToABound(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		refuse := func(address string, times int) {
			t.Helper()
			for range times {
				if err := h.db.Write(t.Context(), func(tx *db.Tx) error {
					return RecordRefusal(tx, audit.Actor{Via: "page", Address: address}, audit.Event{Name: audit.PasskeyRefused})
				}); err != nil {
					t.Fatal(err)
				}
			}
		}
		recorded := func(address string) (n int) {
			t.Helper()
			if err := h.db.Read(t.Context(), func(tx *db.Tx) error {
				return tx.One([]any{&n}, `SELECT count(*) FROM audit WHERE event = 'passkey.refused' AND address = $1`, address)
			}); err != nil {
				t.Fatal(err)
			}
			return n
		}
		refuse("192.0.2.1", networkRefusals.Count+20)
		refuse("192.0.2.2", 3)
		if n, m := recorded("192.0.2.1"), recorded("192.0.2.2"); n != networkRefusals.Count || m != 3 {
			t.Errorf("recorded %d of one network and %d of another", n, m)
		}
		time.Sleep(networkRefusals.Within)
		refuse("192.0.2.1", 2)
		if n := recorded("192.0.2.1"); n != networkRefusals.Count+2 {
			t.Errorf("later %d are recorded", n)
		}
		all := allRefusals
		defer func() { allRefusals = all }()
		allRefusals.Count = 1
		refuse("192.0.2.3", 2)
		if n := recorded("192.0.2.3"); n != 0 {
			t.Errorf("beyond the bound for all %d are recorded", n)
		}
	})
}
