package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"pocketid/internal/db"
)

// Bounds of the work.
const (
	workers   = 4                // jobs at the same time in one process
	maxTries  = 10               // then a job rests
	lease     = time.Minute      // a claim; if the process dies, others wait this long
	heartbeat = lease / 3        // a claim is renewed this often
	longest   = 15 * time.Minute // one run of one job
	poll      = 5 * time.Second  // look for jobs of other processes this often
	firstWait = 15 * time.Second // after the first failure; three times as long after each further one
	maxWait   = 6 * time.Hour
	firstRun  = 30 * time.Second // of a new schedule
	finishing = 5 * time.Second  // to write down what became of a job

	cleanEvery = 15 * time.Minute
	cleanAtOne = 500 // rows in one transaction
)

// A Handler does a job. It must bear being run twice, and it stops when ctx
// ends.
type Handler func(ctx context.Context, body string) error

// A Runner runs jobs. Handlers are declared before Run.
type Runner struct {
	// Poll is how often the Runner looks for jobs that other processes added;
	// zero means 5 seconds.
	Poll time.Duration
	// Ended, unless it is nil, hears of each run of a job: what became of it is one of
	// "done", "failed", "rests" and "put off".
	Ended func(kind, became string, took time.Duration)

	d           *db.DB
	handlers    map[string]Handler
	subscribers map[string][]string
	schedules   map[string]time.Duration // kind -> interval
	purges      []purge

	lanes  map[string]*Lane // kind -> its own
	shared *Lane            // of all other kinds
	room   sync.Mutex       // guards how busy lanes are
	freed  chan struct{}    // something comes out when a lane has room again
}

type purge struct {
	name string
	fn   func(tx *db.Tx, limit int) (int64, error)
}

// New returns a Runner over d that knows no kind of job yet.
func New(d *db.DB) *Runner {
	r := &Runner{d: d, handlers: map[string]Handler{}, subscribers: map[string][]string{}, schedules: map[string]time.Duration{},
		lanes: map[string]*Lane{}, shared: &Lane{AtOnce: workers}, freed: make(chan struct{}, 1)}
	r.handlers[publication] = nil // done as it is claimed
	return r
}

// Handle says who does the jobs of a kind. Jobs of a kind that nobody does
// wait for a process that knows them.
func (r *Runner) Handle(kind string, fn func(ctx context.Context, body string) error) {
	if _, twice := r.handlers[kind]; twice {
		panic("jobs: two handlers for " + kind)
	}
	r.handlers[kind] = fn
}

// Subscribe adds a job of the kind, whose body is the published id, whenever
// something is published on topic.
func (r *Runner) Subscribe(topic, kind string) {
	r.subscribers[topic] = append(r.subscribers[topic], kind)
}

// Every runs fn again and again, with interval between the end of one run and
// the start of the next, on one replica at a time. A failure is tried again
// sooner, and never for the last time.
func (r *Runner) Every(kind string, interval time.Duration, fn func(ctx context.Context) error) {
	r.Handle(kind, func(ctx context.Context, _ string) error { return fn(ctx) })
	r.schedules[kind] = interval
}

// Purge deletes what is no longer needed, now and then, or sums it up: fn deletes
// at most limit rows and returns how many it did; it is called again, in a new
// transaction, as long as that was limit.
func (r *Runner) Purge(name string, fn func(tx *db.Tx, limit int) (int64, error)) {
	if len(r.purges) == 0 {
		r.Every("housekeeping", cleanEvery, r.clean)
	}
	r.purges = append(r.purges, purge{name, fn})
}

func (r *Runner) clean(ctx context.Context) error {
	var errs []error
	for _, p := range r.purges {
		for {
			var n int64
			err := r.d.Write(ctx, func(tx *db.Tx) (err error) {
				n, err = p.fn(tx, cleanAtOne)
				return err
			})
			if err != nil {
				errs = append(errs, fmt.Errorf("purge %s: %w", p.name, err))
			}
			if err != nil || n < cleanAtOne {
				break
			}
		}
	}
	return errors.Join(errs...)
}

// Run runs jobs until ctx ends, and returns when the last handler did.
func (r *Runner) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	every := r.Poll
	if every == 0 {
		every = poll
	}
	planted := false
	for ctx.Err() == nil {
		kinds := r.kinds()
		if len(kinds) == 0 {
			select {
			case <-r.freed:
			case <-ctx.Done():
			}
			continue
		}
		wait := every
		err := r.plant(ctx, &planted)
		var j *Job
		if err == nil {
			j, wait, err = r.next(ctx, kinds, every)
		}
		if err != nil && ctx.Err() == nil {
			slog.ErrorContext(ctx, "jobs cannot be read", "err", err)
		}
		if j != nil {
			l := r.laneOf(j.Kind)
			r.occupy(l, 1)
			running.Go(func() {
				defer r.occupy(l, -1)
				r.do(ctx, *j)
			})
			continue
		}
		if wait <= 0 {
			continue
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-r.d.Bell(bell):
		case <-r.freed:
		case <-t.C:
		}
		t.Stop()
	}
}

// kinds are the kinds that this process can do now, as arguments of a statement: those
// of lanes with room.
func (r *Runner) kinds() []any {
	r.room.Lock()
	defer r.room.Unlock()
	var all []any
	for _, k := range slices.Sorted(maps.Keys(r.handlers)) {
		if l := r.laneOf(k); l.busy < l.AtOnce {
			all = append(all, k)
		}
	}
	return all
}

// occupy notes that n more jobs run in a lane. One that was full has room again: there
// may be work of its kinds that nobody looked for.
func (r *Runner) occupy(l *Lane, n int) {
	r.room.Lock()
	defer r.room.Unlock()
	full := l.busy >= l.AtOnce
	l.busy += n
	if full && l.busy < l.AtOnce {
		select {
		case r.freed <- struct{}{}:
		default:
		}
	}
}

// plant makes the rows of the schedules, once.
func (r *Runner) plant(ctx context.Context, planted *bool) error {
	if *planted || len(r.schedules) == 0 {
		return nil
	}
	err := r.d.Write(ctx, func(tx *db.Tx) error {
		for _, kind := range slices.Sorted(maps.Keys(r.schedules)) {
			if err := plant(tx, kind, r.schedules[kind]); err != nil {
				return err
			}
		}
		return nil
	})
	*planted = err == nil
	return err
}

// next claims a job, or says how long to wait for one. It looks before it
// claims: to look takes no lock from anybody.
func (r *Runner) next(ctx context.Context, kinds []any, every time.Duration) (*Job, time.Duration, error) {
	var wait time.Duration
	err := r.d.Read(ctx, func(tx *db.Tx) error {
		at, err := due(tx, kinds)
		wait = at.Sub(tx.Now())
		return err
	})
	switch {
	case errors.Is(err, db.ErrNotFound):
		return nil, every, nil
	case err != nil:
		return nil, every, err
	case wait > 0:
		return nil, min(wait, every), nil
	}
	var j Job
	err = r.d.Write(ctx, func(tx *db.Tx) (err error) {
		if j, err = claim(tx, kinds); err != nil {
			return err
		}
		if j.Kind == publication {
			topic, id := published(j.Body)
			for _, kind := range r.subscribers[topic] {
				Add(tx, kind, id)
			}
			done(tx, j)
		}
		return nil
	})
	switch {
	case errors.Is(err, db.ErrNotFound): // another process was faster
		return nil, 0, nil
	case err != nil:
		return nil, every, err
	case j.Kind == publication:
		return nil, 0, nil
	}
	return &j, 0, nil
}

// do runs a claimed job and writes down what became of it.
func (r *Runner) do(ctx context.Context, j Job) {
	started := time.Now()
	most := r.tries(j.Kind)
	runCtx, cancel := context.WithTimeout(context.WithValue(ctx, tryKey{}, try{j.Tries, most}), longest)
	held := make(chan Job, 1)
	beating, stopBeating := context.WithCancel(runCtx)
	go func() { held <- r.hold(beating, j, cancel) }()
	err := call(runCtx, r.handlers[j.Kind], j.Body)
	stopBeating()
	j = <-held
	cancel()

	wait, off := putOff(err)
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishing)
	defer cancel()
	wrote := r.d.Write(ending, func(tx *db.Tx) error {
		switch {
		case err == nil && j.scheduled:
			again(tx, j, r.schedules[j.Kind], 0, nil)
		case err == nil:
			done(tx, j)
		case ctx.Err() != nil: // the process stops: that is not the job's fault
			giveBack(tx, j)
		case off:
			again(tx, j, uneven(wait), j.Tries-1, nil)
		case j.scheduled:
			again(tx, j, min(backoff(j.Tries), r.schedules[j.Kind]), j.Tries, err)
		case j.Tries >= most:
			rest(tx, j, err)
		default:
			again(tx, j, r.wait(j.Kind, j.Tries), j.Tries, err)
		}
		return nil
	})
	if wrote != nil { // its claim runs out, then it is run again
		slog.ErrorContext(ctx, "job result not written", "job", j.ID, "kind", j.Kind, "err", wrote)
	}
	if r.Ended != nil && ctx.Err() == nil {
		r.Ended(j.Kind, became(err, off, !j.scheduled && j.Tries >= most), time.Since(started))
	}
	if err == nil || off || ctx.Err() != nil {
		return
	}
	level := slog.LevelWarn
	if j.Tries >= most {
		level = slog.LevelError
	}
	slog.Log(ctx, level, "job failed", "job", j.ID, "kind", j.Kind, "tries", j.Tries, "took", time.Since(started), "err", err)
}

// became is what came of a run, in a word.
func became(err error, off, last bool) string {
	switch {
	case err == nil:
		return "done"
	case off:
		return "put off"
	case last:
		return "rests"
	}
	return "failed"
}

// hold renews the claim on a job until ctx ends, and returns the job as it is
// held then. Who lost the claim, because the process slept for instance, stops:
// somebody else does the job.
func (r *Runner) hold(ctx context.Context, j Job, lost func()) Job {
	t := time.NewTicker(heartbeat)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return j
		case <-t.C:
		}
		held := j
		// A renewal that has begun is seen to its end: cut off in the middle nobody would
		// know under which claim the job is held, and its result could not be written.
		whole, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishing)
		err := r.d.Write(whole, func(tx *db.Tx) error {
			held = j
			return renew(tx, &held)
		})
		cancel()
		switch {
		case err == nil:
			j = held
		case errors.Is(err, db.ErrNotFound):
			lost()
			return j
		}
	}
}

// call runs a handler. Its panic is an error, so that one job does not take
// the server down.
func call(ctx context.Context, fn Handler, body string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return fn(ctx, body)
}

// backoff is how long a job waits after so many tries: 15 seconds, 45, two
// minutes, … six hours, about 17 hours in all, give or take a tenth so that
// jobs which failed together do not come back together.
func backoff(tries int) time.Duration {
	wait := firstWait
	for range tries - 1 {
		wait = min(3*wait, maxWait)
	}
	return uneven(wait)
}

// uneven is wait, give or take a tenth.
func uneven(wait time.Duration) time.Duration { return wait - wait/10 + rand.N(wait/5) }
