package db_test

import (
	"testing"
	"testing/synctest"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/dbtest"
)

func TestClockOff(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		off, err := d.ClockOff(t.Context())
		if err != nil || off.Abs() > 5*time.Second {
			t.Errorf("got %v, %v", off, err)
		}
	})
}

func TestClockThatIsOffIsSeen(t *testing.T) {
	dbtest.Engines(t, func(t *testing.T, dsn string) {
		synctest.Test(t, func(t *testing.T) { // in the bubble it is the year 2000
			d, err := db.Open(t.Context(), dsn, db.Serve)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			off, err := d.ClockOff(t.Context())
			if err != nil || d.Postgres != (off > 24*time.Hour) {
				t.Errorf("got %v, %v", off, err)
			}
		})
	})
}
