package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/dbtest"
	"pocketid/internal/jobs"
)

// bubble runs fn on each engine with a clock of its own.
func bubble(t *testing.T, fn func(t *testing.T, d *db.DB)) {
	dbtest.Migrated(t, func(t *testing.T, dsn string) {
		synctest.Test(t, func(t *testing.T) { fn(t, dbtest.OpenDSN(t, dsn)) })
	})
}

// start runs a Runner until the test or the returned function ends it.
func start(t *testing.T, r *jobs.Runner) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.Run(ctx)
	}()
	stop = sync.OnceFunc(func() { cancel(); <-ended })
	t.Cleanup(stop)
	return stop
}

func write(t *testing.T, d *db.DB, fn func(tx *db.Tx)) {
	t.Helper()
	if err := d.Write(t.Context(), func(tx *db.Tx) error { fn(tx); return nil }); err != nil {
		t.Fatal(err)
	}
}

func count(t *testing.T, d *db.DB, where string) (n int) {
	t.Helper()
	if err := d.Read(t.Context(), func(tx *db.Tx) error {
		return tx.One([]any{&n}, `SELECT count(*) FROM jobs WHERE `+where)
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

// diary is what handlers did, and when.
type diary struct {
	mu      sync.Mutex
	begun   time.Time
	entries []string
	at      []time.Duration
}

func newDiary() *diary { return &diary{begun: time.Now()} }

func (d *diary) note(s string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.entries = append(d.entries, s)
	d.at = append(d.at, time.Since(d.begun))
}

func (d *diary) sorted() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(slices.Sorted(slices.Values(d.entries)), " ")
}

func (d *diary) after(n int) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.entries[n:])
}

func (d *diary) times() []time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.at)
}

func (d *diary) len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.entries)
}

func TestJobRunsIfAndOnlyIfItsTransactionCommits(t *testing.T) {
	bubble(t, func(t *testing.T, d *db.DB) {
		did, r := newDiary(), jobs.New(d)
		r.Handle("mail", func(_ context.Context, body string) error { did.note(body); return nil })
		start(t, r)
		synctest.Wait()
		write(t, d, func(tx *db.Tx) { jobs.Add(tx, "mail", "kept") })
		refused := errors.New("refused")
		if err := d.Write(t.Context(), func(tx *db.Tx) error { jobs.Add(tx, "mail", "undone"); return refused }); err != refused {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if got := did.sorted(); got != "kept" {
			t.Errorf("did %q, want kept", got)
		}
		if n := count(t, d, "TRUE"); n != 0 {
			t.Errorf("%d rows are left", n)
		}
	})
}

func TestCommitOfThisProcessWakesTheRunner(t *testing.T) {
	bubble(t, func(t *testing.T, d *db.DB) {
		did, r := newDiary(), jobs.New(d)
		r.Poll = time.Hour
		r.Handle("mail", func(_ context.Context, body string) error { did.note(body); return nil })
		start(t, r)
		time.Sleep(time.Second)
		write(t, d, func(tx *db.Tx) { jobs.Add(tx, "mail", "x") })
		time.Sleep(time.Second)
		if did.len() != 1 {
			t.Error("the runner slept on")
		}
	})
}

func TestJobOfAnotherProcessIsFoundWithinFiveSeconds(t *testing.T) {
	dbtest.Migrated(t, func(t *testing.T, dsn string) {
		synctest.Test(t, func(t *testing.T) {
			d := dbtest.OpenDSN(t, dsn)
			other, err := db.Open(t.Context(), dsn, db.Beside)
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close()
			did, r := newDiary(), jobs.New(d)
			r.Handle("mail", func(_ context.Context, body string) error { did.note(body); return nil })
			start(t, r)
			time.Sleep(time.Second)
			write(t, other, func(tx *db.Tx) { jobs.Add(tx, "mail", "x") })
			time.Sleep(5100 * time.Millisecond)
			if did.len() != 1 {
				t.Error("the job was not found")
			}
		})
	})
}

func TestJobWaitsForItsTime(t *testing.T) {
	bubble(t, func(t *testing.T, d *db.DB) {
		did, r := newDiary(), jobs.New(d)
		r.Handle("mail", func(_ context.Context, body string) error { did.note(body); return nil })
		start(t, r)
		write(t, d, func(tx *db.Tx) { jobs.AddAt(tx, "mail", "x", tx.Now().Add(7*time.Second)) })
		time.Sleep(6900 * time.Millisecond)
		if did.len() != 0 {
			t.Error("it ran too early")
		}
		time.Sleep(200 * time.Millisecond)
		if did.len() != 1 {
			t.Error("it did not run")
		}
	})
}

func TestFailingJobIsTriedTenTimesAndThenRests(t *testing.T) {
	bubble(t, func(t *testing.T, d *db.DB) {
		did, r := newDiary(), jobs.New(d)
		var broken atomic.Bool
		broken.Store(true)
		r.Handle("mail", func(_ context.Context, body string) error {
			did.note(body)
			if broken.Load() {
				return fmt.Errorf("the mail server is away %s", strings.Repeat("€", 1000))
			}
			return nil
		})
		r.Poll = time.Hour
		start(t, r)
		write(t, d, func(tx *db.Tx) { jobs.Add(tx, "mail", "x") })
		time.Sleep(12 * time.Second)
		if did.len() != 1 {
			t.Errorf("tried %d times at once", did.len())
		}
		time.Sleep(60 * time.Hour)
		if did.len() != 10 {
			t.Fatalf("tried %d times, want 10", did.len())
		}
		at := did.times()
		for i := 2; i < 10; i++ {
			if gap, before := at[i]-at[i-1], at[i-1]-at[i-2]; gap < before && gap < 5*time.Hour {
				t.Errorf("waited %v after %v", gap, before)
			}
		}
		if last := at[9]; last < 12*time.Hour || last > 24*time.Hour {
			t.Errorf("the last try was after %v", last)
		}
		var resting []jobs.Job
		if err := d.Read(t.Context(), func(tx *db.Tx) (err error) {
			resting, err = jobs.Resting(tx, 9)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if len(resting) != 1 || resting[0].Kind != "mail" || resting[0].Tries != 10 || !strings.HasPrefix(resting[0].Error, "the mail server is away") {
			t.Fatalf("resting: %+v", resting)
		}
		write(t, d, func(tx *db.Tx) { jobs.Add(tx, "mail", "y") })
		time.Sleep(time.Second)
		if got := did.after(10); !slices.Equal(got, []string{"y"}) {
			t.Errorf("a new job brought back %v", got)
		}
		write(t, d, func(tx *db.Tx) { jobs.Again(tx, resting[0].ID) })
		time.Sleep(time.Second)
		if did.len() != 12 || count(t, d, "body = 'x' AND rests = FALSE AND tries = 1") != 1 {
			t.Error("it did not start anew")
		}
		broken.Store(false)
		time.Sleep(time.Minute)
		if count(t, d, "TRUE") != 0 {
			t.Error("it was not done in the end")
		}
	})
}

func TestTwoRunnersShareTheWork(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		const n = 200
		write(t, d, func(tx *db.Tx) {
			for i := range n {
				jobs.Add(tx, "mail", fmt.Sprint(i))
			}
		})
		var mu sync.Mutex
		seen, all := map[string]int{}, make(chan struct{})
		for range 2 {
			r := jobs.New(d)
			r.Handle("mail", func(_ context.Context, body string) error {
				mu.Lock()
				defer mu.Unlock()
				if seen[body]++; len(seen) == n && seen[body] == 1 {
					close(all)
				}
				return nil
			})
			start(t, r)
		}
		select {
		case <-all:
		case <-time.After(time.Minute):
			t.Fatal("the work is not done")
		}
		mu.Lock()
		defer mu.Unlock()
		for id, times := range seen {
			if times != 1 {
				t.Errorf("%s was done %d times", id, times)
			}
		}
	})
}

func TestScheduleIsHeldByOneReplica(t *testing.T) {
	bubble(t, func(t *testing.T, d *db.DB) {
		did := newDiary()
		var stops []func()
		for i := range 3 {
			r := jobs.New(d)
			r.Poll = 20 * time.Second
			r.Every("sync", time.Hour, func(context.Context) error {
				did.note(fmt.Sprint(i))
				time.Sleep(10 * time.Minute) // longer than a claim holds by itself
				return nil
			})
			stops = append(stops, start(t, r))
		}
		time.Sleep(3 * time.Hour)
		// The first after 30 seconds, then one every 70 minutes.
		if did.len() != 3 {
			t.Errorf("ran %d times in three hours, want 3", did.len())
		}
		at := did.times()
		for i := 1; i < len(at); i++ {
			if gap := at[i] - at[i-1]; gap < 70*time.Minute {
				t.Errorf("two runs are %v apart", gap)
			}
		}
		if n := count(t, d, "kind = 'sync'"); n != 1 {
			t.Errorf("%d rows", n)
		}
		for _, stop := range stops {
			stop()
		}
	})
}

func TestFailingScheduleComesBackSoonerAndNeverRests(t *testing.T) {
	bubble(t, func(t *testing.T, d *db.DB) {
		did, r := newDiary(), jobs.New(d)
		r.Poll = 20 * time.Second
		r.Every("sync", 10*time.Minute, func(context.Context) error {
			did.note("x")
			if did.len() < 14 {
				return errors.New("no answer")
			}
			return nil
		})
		start(t, r)
		time.Sleep(10 * time.Minute)
		if did.len() < 3 {
			t.Errorf("tried %d times in ten minutes", did.len())
		}
		time.Sleep(2 * time.Hour)
		if did.len() < 14 {
			t.Errorf("gave up after %d times", did.len())
		}
		if n := count(t, d, "rests = FALSE AND tries = 0 AND error IS NULL"); n != 1 {
			t.Error("success did not clear the error")
		}
	})
}

func TestShorterIntervalHoldsAfterARestart(t *testing.T) {
	bubble(t, func(t *testing.T, d *db.DB) {
		did := newDiary()
		every := func(interval time.Duration) (stop func()) {
			r := jobs.New(d)
			r.Poll = 20 * time.Second
			r.Every("sync", interval, func(context.Context) error { did.note("x"); return nil })
			return start(t, r)
		}
		stop := every(24 * time.Hour)
		time.Sleep(time.Minute)
		stop()
		stop = every(time.Hour)
		time.Sleep(61 * time.Minute)
		if did.len() != 2 {
			t.Errorf("ran %d times, want 2", did.len())
		}
		stop()
		stop = every(time.Hour)
		time.Sleep(50 * time.Minute)
		if did.len() != 2 {
			t.Error("a restart ran it out of turn")
		}
		stop()
	})
}

func TestLongJobIsNotTakenByAnother(t *testing.T) {
	bubble(t, func(t *testing.T, d *db.DB) {
		did := newDiary()
		for range 2 {
			r := jobs.New(d)
			r.Poll = 20 * time.Second
			r.Handle("import", func(ctx context.Context, body string) error {
				did.note("begun")
				time.Sleep(10 * time.Minute)
				did.note("done")
				return ctx.Err()
			})
			start(t, r)
		}
		write(t, d, func(tx *db.Tx) { jobs.Add(tx, "import", "x") })
		time.Sleep(20 * time.Minute)
		if got := did.sorted(); got != "begun done" {
			t.Errorf("got %q", got)
		}
		if n := count(t, d, "TRUE"); n != 0 {
			t.Errorf("%d rows are left", n)
		}
	})
}

func TestNoJobRunsForEver(t *testing.T) {
	bubble(t, func(t *testing.T, d *db.DB) {
		did, r := newDiary(), jobs.New(d)
		r.Poll = 20 * time.Second
		r.Handle("import", func(ctx context.Context, body string) error {
			<-ctx.Done()
			did.note("stopped")
			return ctx.Err()
		})
		stop := start(t, r)
		write(t, d, func(tx *db.Tx) { jobs.Add(tx, "import", "x") })
		time.Sleep(15*time.Minute + time.Second)
		if did.sorted() != "stopped" {
			t.Error("it runs still")
		}
		if n := count(t, d, "tries = 1 AND error IS NOT NULL"); n != 1 {
			t.Error("the failure is not written down")
		}
		stop()
	})
}

func TestJobOfADeadProcessIsRunAgain(t *testing.T) {
	bubble(t, func(t *testing.T, d *db.DB) {
		write(t, d, func(tx *db.Tx) {
			jobs.Add(tx, "mail", "x")
			tx.Do(`UPDATE jobs SET tries = 1, locked_to = $1`, tx.Now().Add(time.Minute).UnixMicro())
		})
		did, r := newDiary(), jobs.New(d)
		r.Handle("mail", func(_ context.Context, body string) error { did.note(body); return nil })
		start(t, r)
		time.Sleep(59 * time.Second)
		if did.len() != 0 {
			t.Error("it was taken from who has it")
		}
		time.Sleep(7 * time.Second)
		if did.len() != 1 {
			t.Error("it was lost")
		}
	})
}

func TestWhoLostTheClaimStops(t *testing.T) {
	bubble(t, func(t *testing.T, d *db.DB) {
		did, r := newDiary(), jobs.New(d)
		r.Handle("import", func(ctx context.Context, body string) error {
			<-ctx.Done()
			did.note("stopped")
			return ctx.Err()
		})
		start(t, r)
		write(t, d, func(tx *db.Tx) { jobs.Add(tx, "import", "x") })
		time.Sleep(time.Second)
		taken := time.Now().Add(time.Hour).UnixMicro()
		write(t, d, func(tx *db.Tx) { tx.Do(`UPDATE jobs SET locked_to = $1`, taken) })
		time.Sleep(30 * time.Second)
		if did.sorted() != "stopped" {
			t.Error("two do the same job")
		}
		var locked int64
		d.Read(t.Context(), func(tx *db.Tx) error { return tx.One([]any{&locked}, `SELECT locked_to FROM jobs`) })
		if locked != taken {
			t.Error("it touched a job that another has")
		}
	})
}

func TestNewsReachEachSubscriberOnce(t *testing.T) {
	bubble(t, func(t *testing.T, d *db.DB) {
		did, r := newDiary(), jobs.New(d)
		note := func(who string) func(context.Context, string) error {
			return func(_ context.Context, body string) error { did.note(who + ":" + body); return nil }
		}
		r.Handle("scim.push", note("scim"))
		r.Handle("logout.send", note("logout"))
		r.Subscribe("user.changed", "scim.push")
		r.Subscribe("user.changed", "logout.send")
		r.Subscribe("session.ended", "logout.send")
		start(t, r)
		write(t, d, func(tx *db.Tx) {
			jobs.Publish(tx, "user.changed", "u 1")
			jobs.Publish(tx, "session.ended", "s")
			jobs.Publish(tx, "nobody.cares", "n")
		})
		time.Sleep(time.Second)
		if got, want := did.sorted(), "logout:s logout:u 1 scim:u 1"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if n := count(t, d, "TRUE"); n != 0 {
			t.Errorf("%d rows are left", n)
		}
	})
}

func TestPanicOfAJobIsItsFailure(t *testing.T) {
	bubble(t, func(t *testing.T, d *db.DB) {
		r := jobs.New(d)
		r.Handle("mail", func(context.Context, string) error { panic("out of paper") })
		start(t, r)
		write(t, d, func(tx *db.Tx) { jobs.Add(tx, "mail", "x") })
		time.Sleep(time.Second)
		if n := count(t, d, "tries = 1 AND error = 'panic: out of paper' AND locked_to = 0"); n != 1 {
			t.Error("the panic is not written down")
		}
	})
}

func TestJobThatNobodyKnowsWaits(t *testing.T) {
	bubble(t, func(t *testing.T, d *db.DB) {
		r := jobs.New(d)
		start(t, r)
		write(t, d, func(tx *db.Tx) { jobs.Add(tx, "of a newer version", "x") })
		time.Sleep(time.Minute)
		if n := count(t, d, "tries = 0"); n != 1 {
			t.Error("it was touched")
		}
	})
}

func TestStoppedRunnerGivesItsJobBack(t *testing.T) {
	bubble(t, func(t *testing.T, d *db.DB) {
		did, r := newDiary(), jobs.New(d)
		r.Handle("mail", func(ctx context.Context, body string) error {
			did.note("begun")
			<-ctx.Done()
			return ctx.Err()
		})
		stop := start(t, r)
		write(t, d, func(tx *db.Tx) { jobs.Add(tx, "mail", "x") })
		time.Sleep(time.Second)
		stop()
		if did.len() != 1 || count(t, d, "tries = 0 AND locked_to = 0") != 1 {
			t.Error("the job is not free for the next process")
		}
	})
}

func TestNoMoreThanFourJobsAtATime(t *testing.T) {
	bubble(t, func(t *testing.T, d *db.DB) {
		var mu sync.Mutex
		var now, most, all int
		r := jobs.New(d)
		r.Handle("mail", func(context.Context, string) error {
			mu.Lock()
			now, all = now+1, all+1
			most = max(most, now)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			now--
			mu.Unlock()
			return nil
		})
		start(t, r)
		write(t, d, func(tx *db.Tx) {
			for range 12 {
				jobs.Add(tx, "mail", "x")
			}
		})
		time.Sleep(4 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		if most != 4 || all != 12 {
			t.Errorf("%d at a time, %d in all; want 4, 12", most, all)
		}
	})
}

func TestPurgeGoesOnUntilNothingIsLeft(t *testing.T) {
	bubble(t, func(t *testing.T, d *db.DB) {
		r := jobs.New(d)
		var calls []int64
		left := int64(1200)
		r.Purge("ceremonies", func(tx *db.Tx, limit int) (int64, error) {
			n := min(left, int64(limit))
			left -= n
			calls = append(calls, n)
			return n, nil
		})
		second := 0
		r.Purge("broken", func(tx *db.Tx, limit int) (int64, error) { return 0, errors.New("x") })
		r.Purge("after a broken one", func(tx *db.Tx, limit int) (int64, error) { second++; return 0, nil })
		stop := start(t, r)
		time.Sleep(31 * time.Second)
		stop()
		if fmt.Sprint(calls) != "[500 500 200]" || second != 1 {
			t.Errorf("calls %v, %d", calls, second)
		}
	})
}
