package db_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/dbtest"
)

// queue is a writer of SQLite with transactions that wait for each other.
type queue struct {
	t      *testing.T
	d      *db.DB
	hold   chan struct{}
	done   atomic.Int32
	ending sync.WaitGroup
}

// newQueue makes a counter that stands at 0, and one transaction that holds the turn
// until go is closed.
func newQueue(t *testing.T) *queue {
	t.Helper()
	d, err := db.Open(t.Context(), dbtest.DSN(t, dbtest.SQLite), db.Serve)
	if err != nil {
		t.Fatal(err)
	}
	q := &queue{t: t, d: d, hold: make(chan struct{})}
	write(t, d, func(tx *db.Tx) {
		tx.Do(`CREATE TABLE counter (id TEXT PRIMARY KEY, n BIGINT)`)
		tx.Do(`INSERT INTO counter (id, n) VALUES ('a', 0)`)
	})
	return q
}

// add begins a transaction that adds to the counter, then does more, and in the end
// has to come to want. It returns when the transaction waits or is over.
func (q *queue) add(n int, want error, more func(tx *db.Tx) error) {
	q.ending.Go(func() {
		defer func() {
			q.done.Add(1)
			if v := recover(); v != nil && v != want {
				q.t.Errorf("recovered %v, not %v", v, want)
			}
		}()
		err := q.d.Write(q.t.Context(), func(tx *db.Tx) error {
			tx.Do(`UPDATE counter SET n = n + $1`, n)
			return more(tx)
		})
		if !errors.Is(err, want) {
			q.t.Errorf("the transaction that adds %d: %v, not %v", n, err, want)
		}
	})
	synctest.Wait()
}

func (q *queue) counter() int { return mustAsk[int](q.t, q.d, `SELECT n FROM counter WHERE id = 'a'`) }

func fine(*db.Tx) error { return nil }

// Transactions that wait for each other share a commit: none is told that it is done
// before that, none sees or keeps what one undoes that failed, and readers see all or
// nothing.
func TestTransactionsShareACommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t)
		defer q.d.Close()
		last, refusal := make(chan struct{}), errors.New("a refusal")
		q.add(1, nil, func(*db.Tx) error { <-q.hold; return nil })
		q.add(10, nil, fine)
		q.add(100, refusal, func(*db.Tx) error { return refusal })
		q.add(1000, nil, func(tx *db.Tx) error {
			var n int
			if err := tx.One([]any{&n}, `SELECT n FROM counter WHERE id = 'a'`); err != nil || n != 1011 {
				t.Errorf("the fourth transaction sees %d, %v", n, err)
			}
			return nil
		})
		q.add(10000, refusal, func(*db.Tx) error { panic(refusal) })
		q.add(100000, refusal, func(tx *db.Tx) error {
			tx.Do(`INSERT INTO counter (id, n) VALUES ('kept', 1)`)
			return db.Keep(refusal)
		})
		q.add(1000000, nil, func(*db.Tx) error { <-last; return nil })
		close(q.hold)
		synctest.Wait()
		if n := q.done.Load(); n != 2 { // the refusal and the panic, which have nothing to wait for
			t.Errorf("%d transactions are over before the commit", n)
		}
		if n := q.counter(); n != 0 {
			t.Errorf("a reader sees %d before the commit", n)
		}
		close(last)
		q.ending.Wait()
		if n := q.counter(); n != 1101011 {
			t.Errorf("the counter is %d in the end", n)
		}
		if n := mustAsk[int](t, q.d, `SELECT count(*) FROM counter`); n != 2 {
			t.Errorf("there are %d rows, so what was to be kept was not", n)
		}
	})
}

// When one transaction makes SQLite undo everything, those that were done run again.
func TestWhatAnotherUndidRunsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t)
		defer q.d.Close()
		q.add(1, nil, func(*db.Tx) error { <-q.hold; return nil })
		q.add(10, nil, fine)
		q.add(100, db.ErrConflict, func(tx *db.Tx) error {
			tx.Do(`INSERT OR ROLLBACK INTO counter (id, n) VALUES ('a', 7)`)
			return nil
		})
		q.add(1000, nil, fine)
		close(q.hold)
		q.ending.Wait()
		if n := q.counter(); n != 1011 {
			t.Errorf("the counter is %d", n)
		}
		if q.d.Retries() == 0 {
			t.Error("nothing ran again, so nothing was undone")
		}
	})
}

// Whoever closes the database waits for what is under way, and all of it is on disk.
func TestCloseCommitsWhatIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t)
		q.add(1, nil, func(*db.Tx) error { <-q.hold; return nil })
		q.add(10, nil, fine)
		path := q.d.File()
		closed := make(chan error)
		go func() { closed <- q.d.Close() }()
		synctest.Wait()
		close(q.hold)
		q.ending.Wait()
		if err := <-closed; err != nil {
			t.Error(err)
		}
		var err error
		if q.d, err = db.Open(t.Context(), path, db.Serve); err != nil {
			t.Fatal(err)
		}
		defer q.d.Close()
		if n := q.counter(); n != 11 {
			t.Errorf("the counter is %d", n)
		}
	})
}

// Many at once lose nothing, whatever becomes of some of them.
func TestManyWriters(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		write(t, d, func(tx *db.Tx) {
			tx.Do(`CREATE TABLE counter (id TEXT PRIMARY KEY, n BIGINT)`)
			tx.Do(`INSERT INTO counter (id, n) VALUES ('a', 0)`)
		})
		refusal := errors.New("a refusal")
		var all sync.WaitGroup
		// With a deadline a lost race is run again until then, so nobody is turned away.
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		for i := range 16 {
			all.Go(func() {
				for j := range 20 {
					err := d.Write(ctx, func(tx *db.Tx) error {
						tx.Do(`UPDATE counter SET n = n + 1`)
						if (i+j)%4 == 0 {
							return refusal
						}
						return nil
					})
					if (i+j)%4 == 0 != errors.Is(err, refusal) || err != nil && !errors.Is(err, refusal) {
						t.Errorf("got %v", err)
					}
				}
			})
		}
		all.Wait()
		if n := mustAsk[int](t, d, `SELECT n FROM counter`); n != 16*20*3/4 {
			t.Errorf("the counter is %d", n)
		}
	})
}
