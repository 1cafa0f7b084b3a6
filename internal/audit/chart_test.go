package audit_test

import (
	"testing"
	"testing/synctest"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/dbtest"
)

// The chart and the log count the same entries, whichever part of them was counted ahead,
// and the chart begins where the log is whole.
func TestChartAgreesWithTheLog(t *testing.T) {
	dbtest.Engines(t, func(t *testing.T, dsn string) {
		synctest.Test(t, func(t *testing.T) {
			d := dbtest.OpenDSN(t, dsn)
			log := audit.New(d, 90*24*time.Hour)
			names := append(audit.SignedIn.Names(), audit.TurnedAway.Names()...)
			names = append(names, audit.UserEdited, audit.SessionEnded)
			write := func(fn func(tx *db.Tx) error) {
				t.Helper()
				if err := d.Write(t.Context(), fn); err != nil {
					t.Fatal(err)
				}
			}
			count := func() (rounds int) {
				for more := true; more; rounds++ {
					write(func(tx *db.Tx) error {
						n, err := audit.CountHours(tx, 500)
						more = n == 500
						return err
					})
				}
				return rounds
			}
			agree := func(what string, log *audit.Log, days int) {
				t.Helper()
				before := d.Statements()
				c, err := log.SignIns(t.Context(), audit.System("cli"), 30)
				if err != nil {
					t.Fatal(err)
				}
				if n := d.Statements() - before; n != 3 {
					t.Errorf("%s: %d statements, want 3", what, n)
				}
				if len(c.Days) != days || c.Partial {
					t.Errorf("%s: %d days (partial: %t), want %d", what, len(c.Days), c.Partial, days)
				}
				all := 0
				for _, day := range c.Days {
					for f, n := range map[audit.Family]int{audit.SignedIn: day.In, audit.TurnedAway: day.Away} {
						p, err := log.List(t.Context(), audit.System("cli"), audit.Filter{Events: f.Names(), From: day.At, Until: day.At.AddDate(0, 0, 1), Limit: 100})
						if err != nil || p.Total != n {
							t.Errorf("%s: on %s the chart has %d %s, the log %d: %v", what, day.At.Format(time.DateOnly), n, f, p.Total, err)
						}
						all += n
					}
				}
				if all < 20 {
					t.Errorf("%s: only %d entries", what, all)
				}
			}
			// Six weeks with an entry every 89 minutes, so that some lie at the edge of an hour or a day.
			for i := range 45 * 24 * 60 / 89 {
				write(func(tx *db.Tx) error {
					audit.Record(tx, audit.System("cli"), audit.Event{Name: names[i*i%len(names)]})
					return nil
				})
				time.Sleep(89 * time.Minute)
			}
			agree("nothing was counted ahead", log, 30)
			write(func(tx *db.Tx) error { _, err := audit.CountHours(tx, 500); return err })
			agree("some was counted ahead", log, 30)
			if n := count(); n < 20 {
				t.Errorf("32 days were counted in %d transactions", n)
			}
			agree("all was counted ahead", log, 30)
			if n := count(); n != 1 {
				t.Errorf("what was counted is counted again, %d times", n)
			}
			for i := range 40 {
				write(func(tx *db.Tx) error {
					audit.Record(tx, audit.System("cli"), audit.Event{Name: names[i%len(names)]})
					return nil
				})
				time.Sleep(7 * time.Minute)
				count()
			}
			agree("some came since", log, 30)

			short := audit.New(d, 5*24*time.Hour)
			write(func(tx *db.Tx) error { _, err := audit.Forget(tx, short.Keep, 10_000); return err })
			agree("only five days are kept", short, 5)
			if _, err := log.SignIns(t.Context(), audit.Actor{UserID: "ada"}, 30); err != audit.ErrNotAdmin {
				t.Errorf("somebody who is no administrator sees the chart: %v", err)
			}
			time.Sleep(40 * 24 * time.Hour)
			count()
			var rows int
			if err := d.Read(t.Context(), func(tx *db.Tx) error {
				return tx.One([]any{&rows}, `SELECT count(*) FROM audit_hours`)
			}); err != nil || rows != 1 {
				t.Errorf("%d hours are kept that no chart shows: %v", rows-1, err)
			}
		})
	})
}
