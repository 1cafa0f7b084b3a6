package audit_test

import (
	"testing"
	"testing/synctest"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/dbtest"
)

func TestForgetDropsTheOldestAndKeepsTheRest(t *testing.T) {
	dbtest.Migrated(t, func(t *testing.T, dsn string) {
		synctest.Test(t, func(t *testing.T) {
			d := dbtest.OpenDSN(t, dsn)
			for range 5 {
				if err := d.Write(t.Context(), func(tx *db.Tx) error {
					audit.Record(tx, audit.System("cli"), audit.Event{Name: audit.UserEdited})
					return nil
				}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(24 * time.Hour)
			}
			forget := func(keep time.Duration, limit int) (n, left int64) {
				if err := d.Write(t.Context(), func(tx *db.Tx) (err error) {
					if n, err = audit.Forget(tx, keep, limit); err != nil {
						return err
					}
					return tx.One([]any{&left}, `SELECT count(*) FROM audit`)
				}); err != nil {
					t.Fatal(err)
				}
				return n, left
			}
			if n, left := forget(60*time.Hour, 2); n != 2 || left != 3 {
				t.Errorf("at most two: %d gone, %d left", n, left)
			}
			if n, left := forget(60*time.Hour, 100); n != 1 || left != 2 {
				t.Errorf("older than 60 hours: %d gone, %d left", n, left)
			}
			if n, left := forget(60*time.Hour, 100); n != 0 || left != 2 {
				t.Errorf("again: %d gone, %d left", n, left)
			}
		})
	})
}
