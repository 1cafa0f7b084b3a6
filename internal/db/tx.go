package db

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Tx is an open transaction. Every query of the product takes one.
//
// Its first failing statement sticks, as it does in PostgreSQL: later
// statements do nothing and return that error, and so does Write. Statements
// for their effect therefore need no check. ErrNotFound does not stick.
type Tx struct {
	ctx  context.Context
	s    session
	d    *DB
	now  time.Time
	err  error // the first failure
	rung []string
	told []string
}

// errOver is what the statements of a transaction return after its end.
var errOver = errors.New("the transaction is over: a Tx must not leave the function it was given to")

// Now is the instant of the transaction: every row it writes agrees on it.
func (tx *Tx) Now() time.Time { return tx.now }

// Ring rings a bell of this process after the commit, see DB.Bell.
func (tx *Tx) Ring(name string) {
	if !slices.Contains(tx.rung, name) {
		tx.rung = append(tx.rung, name)
	}
}

// Tell tells DB.Told what was done, once it is committed. The name is one of a few.
func (tx *Tx) Tell(name string) {
	if tx.d.Told != nil {
		tx.told = append(tx.told, name)
	}
}

// Exec runs a statement and returns the number of rows that it changed.
func (tx *Tx) Exec(q string, args ...any) (int64, error) {
	if !tx.ready() {
		return 0, tx.err
	}
	n, err := tx.s.exec(q, args)
	return n, tx.fail(err)
}

// Do runs a statement for its effect. A failure sticks to tx: nothing after it
// runs and Write returns it, so the caller need not look.
func (tx *Tx) Do(q string, args ...any) { tx.Exec(q, args...) }

// One reads the first row that q yields into dst, or returns ErrNotFound.
func (tx *Tx) One(dst []any, q string, args ...any) error {
	if !tx.ready() {
		return tx.err
	}
	found := false
	err := tx.s.each(q, args, func(r reader) (more bool, err error) {
		found = true
		return false, r.scan(dst)
	})
	if err == nil && !found {
		return ErrNotFound
	}
	return tx.fail(err)
}

// All reads every row of q into a T whose columns fields names.
func All[T any](tx *Tx, fields func(*T) []any, q string, args ...any) ([]T, error) {
	if !tx.ready() {
		return nil, tx.err
	}
	var out []T
	err := tx.s.each(q, args, func(r reader) (more bool, err error) {
		var t T
		err = r.scan(fields(&t))
		out = append(out, t)
		return true, err
	})
	if err != nil {
		return nil, tx.fail(err)
	}
	return out, nil
}

// ready says whether another statement may run, and counts it.
func (tx *Tx) ready() bool {
	if tx.err == nil {
		tx.err = classify(tx.ctx.Err())
	}
	if tx.err != nil {
		return false
	}
	tx.d.statements.Add(1)
	return true
}

func (tx *Tx) fail(err error) error {
	err = classify(err)
	if err != nil && !errors.Is(err, ErrNotFound) {
		tx.err = err
	}
	return err
}
