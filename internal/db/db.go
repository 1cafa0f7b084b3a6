// Package db opens the database and runs transactions. The SQL that the
// product speaks lives with the code that needs it; this package only makes
// the same statement mean the same thing on SQLite and on PostgreSQL.
//
// There are two doors: Read for a snapshot, Write for a serializable change.
// Because writes are serializable on both engines, code may read, decide in Go
// and write, without row locks or version columns.
package db

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// DB is an open database. It is made by Open.
type DB struct {
	// Postgres says which engine this is. Code that asks is suspect: the
	// statements are the same.
	Postgres bool
	// Told, unless it is nil, hears what transactions did: Tx.Tell. It is set before the
	// first one begins.
	Told func(name string)

	r, w pool // on SQLite there is one writer; on PostgreSQL both share their connections
	lock *os.File
	path string // of the SQLite file

	closing sync.Once
	closed  error

	statements, retries atomic.Int64

	bells struct {
		sync.Mutex
		m map[string]chan struct{}
	}
}

// tries is how often a change without a deadline is run again after a lost
// race.
const tries = 10

// Write runs fn in a serializable transaction. When it lost a race it is run
// again, until the deadline of ctx or tries times, so fn may run more than
// once and must touch nothing but tx. Then, and when the database is dead, the
// answer is a fault of kind Unavailable.
//
// A statement that failed outranks what fn makes of it; an error of fn undoes
// everything, unless it comes wrapped by Keep. What ctx carries (Before) is in the same
// transaction.
func (d *DB) Write(ctx context.Context, fn func(*Tx) error) error {
	_, bounded := ctx.Deadline()
	fn, committed := surrounded(ctx, fn)
	pause := time.Millisecond
	for try := 1; ; try++ {
		err := d.run(ctx, d.w, fn)
		if err == nil {
			committed()
			return nil
		}
		if !lost(err) {
			return err
		}
		d.retries.Add(1)
		if try == tries && !bounded {
			return ErrBusy.Because("lost %d races: %w", try, err)
		}
		t := time.NewTimer(time.Duration(rand.Int64N(int64(pause)) + int64(pause)/2))
		select {
		case <-ctx.Done():
			t.Stop()
			if errors.Is(ctx.Err(), context.Canceled) {
				return ctx.Err()
			}
			return ErrBusy.Because("lost %d races: %w", try, err)
		case <-t.C:
		}
		pause = min(2*pause, 250*time.Millisecond)
	}
}

// Read runs fn over one snapshot: what others commit meanwhile is not seen.
func (d *DB) Read(ctx context.Context, fn func(*Tx) error) error {
	return d.run(ctx, d.r, fn)
}

func (d *DB) run(ctx context.Context, p pool, fn func(*Tx) error) error {
	s, end, err := p.begin(ctx)
	if err != nil {
		return classify(err)
	}
	defer end()
	tx := &Tx{ctx: ctx, s: s, d: d, now: time.Now().UTC().Truncate(time.Microsecond)}
	err = fn(tx)
	failed := tx.err
	tx.err = errOver
	k, keep := errors.AsType[kept](err)
	if failed != nil { // outranks what fn made of it, or a lost race would pass for a refusal
		if !keep && errors.Is(err, failed) {
			return err // the failure, and what was being done
		}
		return failed
	}
	if err != nil && !keep {
		return err
	}
	if err := s.commit(); err != nil {
		return classify(err)
	}
	for _, name := range tx.rung {
		d.ring(name)
	}
	for _, name := range tx.told {
		d.Told(name)
	}
	if keep {
		return k.error
	}
	return nil
}

// Ping asks the database for an answer.
func (d *DB) Ping(ctx context.Context) error {
	return d.Read(ctx, func(tx *Tx) error {
		var n int
		return tx.One([]any{&n}, `SELECT 1`)
	})
}

// Statements counts the statements that were run so far, without BEGIN and
// COMMIT: for tests and benchmarks that hold a budget.
func (d *DB) Statements() int64 { return d.statements.Load() }

// Retries counts the transactions that were run again after a lost race.
func (d *DB) Retries() int64 { return d.retries.Load() }

// Close ends every connection and frees the file. It waits for transactions
// that are under way.
func (d *DB) Close() error {
	d.closing.Do(func() {
		d.closed = errors.Join(d.r.close(), d.w.close())
		if d.lock != nil {
			d.closed = errors.Join(d.closed, d.lock.Close())
		}
	})
	return d.closed
}

// Bell returns the channel of the bell with this name: something comes out of
// it after a transaction of this process that rang it was committed. Several
// rings may come out as one, and each is heard by one listener. A bell wakes
// somebody early; it is never the only way to learn a thing, for other
// processes do not hear it.
func (d *DB) Bell(name string) <-chan struct{} { return d.bell(name) }

func (d *DB) bell(name string) chan struct{} {
	d.bells.Lock()
	defer d.bells.Unlock()
	if d.bells.m == nil {
		d.bells.m = map[string]chan struct{}{}
	}
	c := d.bells.m[name]
	if c == nil {
		c = make(chan struct{}, 1)
		d.bells.m[name] = c
	}
	return c
}

func (d *DB) ring(name string) {
	select {
	case d.bell(name) <- struct{}{}:
	default:
	}
}
