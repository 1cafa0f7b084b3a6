package db_test

import (
	"testing"
	"testing/synctest"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/dbtest"
)

// The database works inside a bubble of testing/synctest: its transactions
// carry the bubble's clock, and it leaves no goroutine behind.
func TestTimePassesInABubble(t *testing.T) {
	dbtest.Engines(t, func(t *testing.T, dsn string) {
		synctest.Test(t, func(t *testing.T) {
			d := dbtest.OpenDSN(t, dsn)
			at := func() (now time.Time) {
				write(t, d, func(tx *db.Tx) { now = tx.Now() })
				return now
			}
			started := time.Now()
			first := at()
			if first.Before(started.Truncate(time.Microsecond)) || first.Sub(started) > time.Second || first.Location() != time.UTC {
				t.Errorf("now is %v in a bubble that began at %v", first, started)
			}
			time.Sleep(time.Hour) // idle connections are closed on the way
			if passed := at().Sub(first); passed < time.Hour || passed > time.Hour+time.Second {
				t.Errorf("%v passed", passed)
			}
		})
	})
}

// All statements of a transaction agree on the time.
func TestTransactionIsOneInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := dbtest.Open(t)
		write(t, d, func(tx *db.Tx) {
			before := tx.Now()
			time.Sleep(time.Second)
			if !tx.Now().Equal(before) {
				t.Error("time went on inside a transaction")
			}
		})
	})
}
