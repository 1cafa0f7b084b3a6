package db_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/dbtest"
	"pocketid/internal/fault"
)

// One voucher, forty redeemers, written naively: exactly one wins.
// threats 4
func TestOneOfFortyRedeemersWins(t *testing.T) {
	engines(t, func(t *testing.T, d *db.DB) {
		write(t, d, func(tx *db.Tx) {
			addPerson(tx, "p", "p", 1)
			tx.Do(`INSERT INTO voucher (hash, person_id, expires_at) VALUES ($1, 'p', 9)`, []byte("h"))
		})
		var wins atomic.Int64
		var wg sync.WaitGroup
		for range 40 {
			wg.Go(func() {
				err := d.Write(context.Background(), func(tx *db.Tx) error {
					var used *int64
					if err := tx.One([]any{&used}, `SELECT used_at FROM voucher WHERE hash = $1`, []byte("h")); err != nil {
						return err
					}
					if used != nil {
						return db.ErrNotFound
					}
					tx.Do(`UPDATE voucher SET used_at = $2 WHERE hash = $1`, []byte("h"), int64(7))
					return nil
				})
				switch {
				case err == nil:
					wins.Add(1)
				case errors.Is(err, db.ErrBusy): // lost more races than it has patience for: it did not win
				case !errors.Is(err, db.ErrNotFound):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if wins.Load() != 1 {
			t.Errorf("%d winners", wins.Load())
		}
		t.Logf("%d retries", d.Retries())
	})
}

// Sixty-four adders with a deadline: nothing is lost and nobody is turned away.
// threats 4
func TestEveryChangeUnderContentionCounts(t *testing.T) {
	engines(t, func(t *testing.T, d *db.DB) {
		write(t, d, func(tx *db.Tx) { tx.Do(`INSERT INTO counter (id, n) VALUES ('a', 0)`) })
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() {
				err := d.Write(ctx, func(tx *db.Tx) error {
					var n int
					if err := tx.One([]any{&n}, `SELECT n FROM counter WHERE id = 'a'`); err != nil {
						return err
					}
					tx.Do(`UPDATE counter SET n = $1 WHERE id = 'a'`, n+1)
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := mustAsk[int](t, d, `SELECT n FROM counter`); n != 64 {
			t.Errorf("n = %d, want 64", n)
		}
	})
}

// hopeless makes a Write of other in the middle of each try of d, so that
// every try of d loses.
func hopeless(t *testing.T, ctx context.Context, d, other *db.DB) (tries int, err error) {
	if !d.Postgres {
		// The other process holds the lock for as long as this one tries.
		held := other.Write(t.Context(), func(tx *db.Tx) error {
			tx.Do(`UPDATE counter SET n = n + 1`)
			err = d.Write(ctx, func(tx *db.Tx) error { tries++; tx.Do(`UPDATE counter SET n = n + 1`); return nil })
			return nil
		})
		if held != nil {
			t.Fatal(held)
		}
		return tries, err
	}
	err = d.Write(ctx, func(tx *db.Tx) error {
		tries++
		var n int
		if err := tx.One([]any{&n}, `SELECT n FROM counter`); err != nil {
			return err
		}
		write(t, other, func(tx *db.Tx) { tx.Do(`UPDATE counter SET n = n + 1`) })
		tx.Do(`UPDATE counter SET n = $1`, n+1)
		return nil
	})
	return tries, err
}

func TestWriteThatCannotWinSaysWhenToComeBack(t *testing.T) {
	dbtest.Engines(t, func(t *testing.T, dsn string) {
		d := dbtest.OpenDSN(t, dsn)
		write(t, d, func(tx *db.Tx) { tx.Do(things); tx.Do(`INSERT INTO counter (id, n) VALUES ('a', 0)`) })
		other, err := db.Open(t.Context(), dsn, db.Beside)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		_, err = hopeless(t, ctx, d, other)
		f := fault.Of(err)
		if f.Kind != fault.Unavailable || f.Code != "database_busy" || f.RetryAfter != time.Second {
			t.Errorf("got %v (%v, after %v)", err, f.Kind, f.RetryAfter)
		}
		if d.Postgres {
			tries, err := hopeless(t, t.Context(), d, other)
			if tries != 10 || !errors.Is(err, db.ErrBusy) {
				t.Errorf("without a deadline: %d tries, %v", tries, err)
			}
		}
		write(t, d, func(tx *db.Tx) { tx.Do(`UPDATE counter SET n = n + 1`) })
	})
}

func TestCancelledRequestChangesNothing(t *testing.T) {
	engines(t, func(t *testing.T, d *db.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		err := d.Write(ctx, func(tx *db.Tx) error {
			tx.Do(`INSERT INTO counter (id, n) VALUES ('a', 1)`)
			cancel()
			tx.Do(`INSERT INTO counter (id, n) VALUES ('b', 1)`)
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if n := mustAsk[int](t, d, `SELECT count(*) FROM counter`); n != 0 {
			t.Errorf("%d rows", n)
		}
	})
}

func TestDeadlineIsAnOutageThatPasses(t *testing.T) {
	engines(t, func(t *testing.T, d *db.DB) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		err := d.Read(ctx, func(tx *db.Tx) error {
			<-ctx.Done()
			var n int
			return tx.One([]any{&n}, `SELECT 1`)
		})
		if !errors.Is(err, db.ErrBusy) {
			t.Errorf("got %v", err)
		}
	})
}

// With all readers of SQLite taken, a request waits, and not for ever.
func TestReadersAreBounded(t *testing.T) {
	d := dbtest.Open(t)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	release := make(chan struct{})
	var wg, in sync.WaitGroup
	for i := range 4 {
		in.Add(1)
		wg.Go(func() {
			if err := d.Read(t.Context(), func(tx *db.Tx) error {
				var n int
				err := tx.One([]any{&n}, fmt.Sprintf(`SELECT %d`, i))
				in.Done()
				<-release
				return err
			}); err != nil {
				t.Error(err)
			}
		})
	}
	in.Wait()
	if err := d.Read(ctx, func(tx *db.Tx) error { return nil }); !errors.Is(err, db.ErrBusy) {
		t.Errorf("a fifth reader: %v", err)
	}
	close(release)
	wg.Wait()
	if err := d.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}
