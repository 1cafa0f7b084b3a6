package jobs

import (
	"context"
	"errors"
	"time"
)

// A Lane is a way of its own for jobs of one kind: they wait for what lies outside the
// house, so they neither stand in the way of other jobs nor are tried as long as those.
type Lane struct {
	// AtOnce is how many of them run at the same time in one process.
	AtOnce int
	// Waits are how long a job waits after its first failure, its second and so on. After
	// the last try it rests, unless its handler says that nothing is left to do.
	Waits []time.Duration

	busy int
}

// HandleApart is Handle for jobs that have a lane of their own.
func (r *Runner) HandleApart(kind string, l Lane, fn func(ctx context.Context, body string) error) {
	if l.AtOnce < 1 {
		panic("jobs: nobody would run " + kind)
	}
	r.Handle(kind, fn)
	r.lanes[kind] = &l
}

// later is what a handler returns that did not begin.
type later struct{ wait time.Duration }

func (l later) Error() string { return "put off for " + l.wait.String() }

// Later is what a handler returns whose job was not begun, because somebody else has to
// finish first. It waits about as long as it says, and that does not count as a try.
func Later(wait time.Duration) error { return later{wait} }

type tryKey struct{}

// A try is how often a job was begun, and how often it is at most.
type try struct{ n, most int }

// Try says how often the job that runs under ctx was begun, and whether this is the last
// time that it is by itself.
func Try(ctx context.Context) (n int, last bool) {
	t, _ := ctx.Value(tryKey{}).(try)
	return t.n, t.n >= t.most
}

// laneOf is the lane of a kind; most kinds share one.
func (r *Runner) laneOf(kind string) *Lane {
	if l := r.lanes[kind]; l != nil {
		return l
	}
	return r.shared
}

// tries is how often a job of a kind is begun at most.
func (r *Runner) tries(kind string) int {
	if l := r.lanes[kind]; l != nil {
		return len(l.Waits) + 1
	}
	return maxTries
}

// wait is how long a job of a kind waits after so many tries.
func (r *Runner) wait(kind string, tries int) time.Duration {
	if l := r.lanes[kind]; l != nil {
		return uneven(l.Waits[min(tries, len(l.Waits))-1])
	}
	return backoff(tries)
}

// putOff says whether err is of Later, and for how long.
func putOff(err error) (time.Duration, bool) {
	l, ok := errors.AsType[later](err)
	return l.wait, ok
}
