package db

import (
	"context"
	"sync/atomic"
)

// An around is what the first change of a context carries beside what it does itself. So
// a condition of the one who asks, or a note that it was done, stands in the transaction
// of the deed without the verb knowing of it.
type around struct {
	before, after func(*Tx) error // one of them
	spent         atomic.Bool
	next          *around
}

type aroundKey struct{}

// Before makes the first change of ctx that succeeds begin with check, which refuses it.
func Before(ctx context.Context, check func(*Tx) error) context.Context {
	return with(ctx, &around{before: check})
}

// After makes the first change of ctx that succeeds end with also, which can still refuse
// it. What is refused by itself does not come so far.
func After(ctx context.Context, also func(*Tx) error) context.Context {
	return with(ctx, &around{after: also})
}

func with(ctx context.Context, a *around) context.Context {
	a.next, _ = ctx.Value(aroundKey{}).(*around)
	return context.WithValue(ctx, aroundKey{}, a)
}

// surrounded is fn with what ctx carries, and what to call when it is committed.
func surrounded(ctx context.Context, fn func(*Tx) error) (func(*Tx) error, func()) {
	first, _ := ctx.Value(aroundKey{}).(*around)
	if first == nil {
		return fn, func() {}
	}
	all := func(tx *Tx) error {
		for a := first; a != nil; a = a.next {
			if a.before != nil && !a.spent.Load() {
				if err := a.before(tx); err != nil {
					return err
				}
			}
		}
		if err := fn(tx); err != nil {
			return err
		}
		for a := first; a != nil; a = a.next {
			if a.after != nil && !a.spent.Load() {
				if err := a.after(tx); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return all, func() {
		for a := first; a != nil; a = a.next {
			a.spent.Store(true)
		}
	}
}
