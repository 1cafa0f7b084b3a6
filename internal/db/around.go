package db

import (
	"context"
	"sync/atomic"
)

// An around is what the first change of a context carries beside what it does itself. So
// a condition of the one who asks, or a note that it was done, stands in the transaction
// of the deed without the verb knowing of it.
type around struct {
	before func(*Tx) error
	spent  atomic.Bool
	next   *around
}

type aroundKey struct{}

// Before makes the first change of ctx that is committed begin with first, which may refuse
// it. Of a change that is refused, nothing of it stays, unless it is kept.
func Before(ctx context.Context, first func(*Tx) error) context.Context {
	a := &around{before: first}
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
			if !a.spent.Load() {
				if err := a.before(tx); err != nil {
					return err
				}
			}
		}
		return fn(tx)
	}
	return all, func() {
		for a := first; a != nil; a = a.next {
			a.spent.Store(true)
		}
	}
}
