package edge

import (
	"context"
	"time"
)

// A state is the context of its request: it carries itself, and ends at
// RequestTimeout. Most requests are over before anybody waits for that end, so
// the timer, which costs as much as finding the route, is made when somebody
// does; until then a look at the clock says the same.

// bounded is the context with the timer.
func (st *state) bounded() context.Context {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.timed.Load() == nil {
		ctx, cancel := context.WithDeadline(st.parent, st.start.Add(RequestTimeout))
		st.cancel = cancel
		st.timed.Store(&ctx)
	}
	return *st.timed.Load()
}

// over frees the timer, if there is one. The server ends the parent.
func (st *state) over() {
	st.mu.Lock()
	cancel := st.cancel
	st.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

// Deadline is when the request has to be over.
func (st *state) Deadline() (time.Time, bool) {
	own := st.start.Add(RequestTimeout)
	if earlier, ok := st.parent.Deadline(); ok && earlier.Before(own) {
		return earlier, true
	}
	return own, true
}

// Done is closed when the request is over, or has to be.
func (st *state) Done() <-chan struct{} { return st.bounded().Done() }

// Err says why the request is over, or nil.
func (st *state) Err() error {
	if ctx := st.timed.Load(); ctx != nil {
		return (*ctx).Err()
	}
	if err := st.parent.Err(); err != nil {
		return err
	}
	if now().Sub(st.start) >= RequestTimeout {
		return context.DeadlineExceeded
	}
	return nil
}

// Value finds the state itself. All else is asked of the context with the timer
// where there is one, so that contexts made from this one end with it without
// a goroutine that watches.
func (st *state) Value(key any) any {
	if key == (stateKey{}) {
		return st
	}
	if ctx := st.timed.Load(); ctx != nil {
		return (*ctx).Value(key)
	}
	return st.parent.Value(key)
}
