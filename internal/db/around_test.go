package db_test

import (
	"context"
	"errors"
	"testing"

	"pocketid/internal/db"
	"pocketid/internal/dbtest"
)

// What a context carries is done with its first change, refuses it, and is not done again.
func TestBefore(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		no := errors.New("no")
		ran := 0
		ctx := db.Before(t.Context(), func(tx *db.Tx) error {
			ran++
			var n int
			if err := tx.One([]any{&n}, `SELECT count(*) FROM settings`); err != nil || ran == 1 {
				return errors.Join(err, no)
			}
			return nil
		})
		did := 0
		write := func(ctx context.Context) error { return d.Write(ctx, func(*db.Tx) error { did++; return nil }) }
		if err := write(ctx); !errors.Is(err, no) || did != 0 {
			t.Errorf("a refused change: %v, and it was done %d times", err, did)
		}
		if err := d.Write(ctx, func(*db.Tx) error { return no }); !errors.Is(err, no) {
			t.Error(err)
		}
		ran = 1
		for range 2 {
			if err := write(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if ran != 2 || did != 2 {
			t.Errorf("it ran %d times before, and the changes %d times", ran, did)
		}
	})
}
