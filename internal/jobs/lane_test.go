package jobs_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/jobs"
)

// Jobs that hang in a lane of their own leave the workers to the others, and no more of
// them run at once than the lane has room for.
func TestALaneHoldsNobodyUp(t *testing.T) {
	bubble(t, func(t *testing.T, d *db.DB) {
		r := jobs.New(d)
		var busy, most atomic.Int64
		r.HandleApart("slow", jobs.Lane{AtOnce: 3, Waits: []time.Duration{time.Minute}}, func(context.Context, string) error {
			most.Store(max(most.Load(), busy.Add(1)))
			time.Sleep(time.Minute)
			busy.Add(-1)
			return nil
		})
		var done atomic.Int64
		r.Handle("quick", func(context.Context, string) error { done.Add(1); return nil })
		write(t, d, func(tx *db.Tx) {
			for range 9 {
				jobs.Add(tx, "slow", "")
			}
			for range 20 {
				jobs.Add(tx, "quick", "")
			}
		})
		stop := start(t, r)
		defer stop()
		time.Sleep(30 * time.Second)
		if done.Load() != 20 || busy.Load() != 3 {
			t.Errorf("%d of 20 others are done, and %d hang", done.Load(), busy.Load())
		}
		time.Sleep(4 * time.Minute)
		if most.Load() != 3 || busy.Load() != 0 {
			t.Errorf("%d ran at once, %d still do", most.Load(), busy.Load())
		}
	})
}

// A lane has waits of its own. Its handler knows the last try, and whoever puts a job off
// has not tried.
func TestALaneHasItsOwnWaits(t *testing.T) {
	bubble(t, func(t *testing.T, d *db.DB) {
		r := jobs.New(d)
		var mu sync.Mutex
		var at []time.Duration
		var last []bool
		began := time.Now()
		off := 2
		r.HandleApart("sour", jobs.Lane{AtOnce: 1, Waits: []time.Duration{time.Minute, time.Hour}}, func(ctx context.Context, _ string) error {
			mu.Lock()
			defer mu.Unlock()
			if off--; off >= 0 {
				return jobs.Later(10 * time.Second)
			}
			n, l := jobs.Try(ctx)
			if n != len(at)+1 {
				t.Errorf("try %d calls itself %d", len(at)+1, n)
			}
			at, last = append(at, time.Since(began)), append(last, l)
			if l {
				return nil
			}
			return errors.New("sour")
		})
		write(t, d, func(tx *db.Tx) { jobs.Add(tx, "sour", "") })
		stop := start(t, r)
		defer stop()
		time.Sleep(3 * time.Hour)
		mu.Lock()
		defer mu.Unlock()
		if !slices.Equal(last, []bool{false, false, true}) {
			t.Fatalf("the tries are %v, %v", at, last)
		}
		for i, want := range []time.Duration{20 * time.Second, time.Minute, time.Hour} {
			got := at[i]
			if i > 0 {
				got -= at[i-1]
			}
			if got < want*9/10 || got > want*12/10 {
				t.Errorf("before try %d it waits %s, want about %s", i+1, got, want)
			}
		}
	})
}
