package signin

import (
	"context"
	"slices"
	"testing"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/jobs"
)

// A session that nobody ends ends all the same, once, for those who listen.
func TestExpiredSessionsAreTold(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ada, bob, eve := h.person("ada", newKey()), h.person("bob", newKey()), h.person("eve", newKey())
		must(t, eve.visit())
		h.write(func(tx *db.Tx) error { return End(tx, root, eve.visitor.Session.ID, "signed_out") })
		var told []string
		r := jobs.New(h.db)
		r.Handle("told", func(_ context.Context, id string) error { told = append(told, id); return nil })
		r.Subscribe("session.ended", "told")
		sweep := func() (n int64) {
			h.write(func(tx *db.Tx) (err error) {
				n, err = expire(tx, 1)
				return err
			})
			return n
		}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go r.Run(ctx)
		time.Sleep(time.Minute)
		told = nil // of what ended before
		if n := sweep(); n != 0 {
			t.Fatalf("%d living sessions ended", n)
		}
		must(t, ada.visit())
		must(t, bob.visit())
		want := []string{ada.visitor.Session.ID, bob.visitor.Session.ID}
		time.Sleep(61 * time.Minute)
		if a, b, c := sweep(), sweep(), sweep(); a != 1 || b != 1 || c != 0 {
			t.Errorf("ended %d, %d, %d: one at a time, each once", a, b, c)
		}
		time.Sleep(time.Minute)
		slices.Sort(told)
		slices.Sort(want)
		if !slices.Equal(told, want) {
			t.Errorf("told of %v, want %v", told, want)
		}
	})
}
