package db

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	sqlite3 "modernc.org/sqlite/lib"
)

// liteWriter is the one connection that writes to an SQLite file. Transactions run on it
// one after the other. What several of them changed goes to the disk in one commit when
// they wait for each other anyway: who is done while others wait for their turn leaves
// the transaction of SQLite open for them, each of which is a savepoint in it, and waits
// for the commit of all. Nobody is told that something was done before it is on disk.
//
// Whoever is done queues up for the turn again, behind those who waited by then; the
// first of them to have it commits. So a commit never waits for somebody who comes later,
// and there is always somebody who does it.
type liteWriter struct {
	open func() (*liteConn, error)
	// turn is taken by whoever may use what stands below.
	turn chan struct{}
	// waiting is how many wait for the turn to begin a transaction.
	waiting atomic.Int32

	c      *liteConn
	group  *group // transactions that are done and not on disk; nil is none
	closed bool
}

// Bounds of a commit that several transactions share.
const (
	groupMost = 64                   // transactions
	groupAge  = 5 * time.Millisecond // since the first of them was done; then it is not made to wait for one more
)

// A group is transactions that wait for one commit.
type group struct {
	since time.Time
	n     int
	// done is closed after the commit, and err says how that went.
	done chan struct{}
	err  error
}

// errUndone is the end of a transaction that was done when another one of its group
// made SQLite undo everything. Like one that lost a race it is run again.
var errUndone = &liteError{sqlite3.SQLITE_BUSY, "another transaction of the same commit failed"}

func newLiteWriter(open func() (*liteConn, error)) *liteWriter {
	return &liteWriter{open: open, turn: make(chan struct{}, 1)}
}

// take waits for the turn, and for a connection that can be used in it.
func (w *liteWriter) take(ctx context.Context) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case w.turn <- struct{}{}:
	default:
		w.waiting.Add(1)
		defer w.waiting.Add(-1)
		select {
		case w.turn <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if w.closed {
		err = errClosed
	} else if w.c == nil {
		w.c, err = w.open()
	}
	if err != nil {
		<-w.turn
	}
	return err
}

// give ends the turn. A connection that cannot be brought to its rest is closed.
func (w *liteWriter) give() {
	if w.group == nil && w.c != nil && (w.c.rollback() != nil || w.c.inTransaction()) {
		w.c.close()
		w.c = nil
	}
	<-w.turn
}

func (w *liteWriter) begin(ctx context.Context) (session, func(), error) {
	if err := w.take(ctx); err != nil {
		return nil, nil, err
	}
	if g := w.group; g != nil && (g.n >= groupMost || time.Since(g.since) > groupAge) {
		w.commitGroup()
	}
	s := &liteWrite{liteConn: w.c, w: w, first: w.group == nil}
	// It takes the lock at once: it never finds out later that somebody was faster, and
	// what it reads is what it changes.
	how := "BEGIN IMMEDIATE"
	if !s.first {
		how = "SAVEPOINT deed"
	}
	if _, err := w.c.exec(how, nil); err != nil {
		w.failGroup()
		w.give()
		return nil, nil, err
	}
	return s, s.end, nil
}

// commitGroup writes to the disk what is done. The caller has the turn.
func (w *liteWriter) commitGroup() {
	w.group.err = w.c.commit()
	close(w.group.done)
	w.group = nil
	w.c.rollback() // if it did not commit; give looks again
}

// failGroup tells a group that SQLite has undone it, if it has. The caller has the turn.
func (w *liteWriter) failGroup() {
	if w.group != nil && !w.c.inTransaction() {
		w.group.err = errUndone
		close(w.group.done)
		w.group = nil
	}
}

// A liteWrite is a transaction on the connection that writes.
type liteWrite struct {
	*liteConn
	w     *liteWriter
	first bool // it began the transaction of SQLite; the others are savepoints in it
	gone  bool // the turn is over
}

// commit returns when what was changed is on disk.
func (s *liteWrite) commit() error {
	w := s.w
	if s.first && w.waiting.Load() == 0 {
		return s.liteConn.commit()
	}
	if !s.first {
		if _, err := s.exec("RELEASE deed", nil); err != nil {
			return err
		}
	}
	if w.group == nil {
		w.group = &group{since: time.Now(), done: make(chan struct{})}
	}
	g := w.group
	g.n++
	s.gone = true
	if w.waiting.Load() == 0 {
		w.commitGroup()
		w.give()
		return g.err
	}
	w.give()
	select {
	case <-g.done:
	case w.turn <- struct{}{}:
		if w.group == g {
			w.commitGroup()
		}
		w.give()
	}
	<-g.done
	return g.err
}

// end undoes what was not committed, and nothing of the others.
func (s *liteWrite) end() {
	if s.gone {
		return
	}
	if !s.first && s.inTransaction() {
		_, err := s.exec("ROLLBACK TO deed", nil)
		if err == nil {
			_, err = s.exec("RELEASE deed", nil)
		}
		if err != nil {
			s.rollback()
		}
	}
	s.w.failGroup()
	s.w.give()
}

// alone runs fn with the connection, without a transaction around it.
func (w *liteWriter) alone(ctx context.Context, fn func(c *liteConn) error) error {
	if err := w.take(ctx); err != nil {
		return err
	}
	defer w.give()
	if w.group != nil {
		w.commitGroup()
	}
	return fn(w.c)
}

// close ends the connection. It waits for what is under way.
func (w *liteWriter) close() (err error) {
	w.turn <- struct{}{}
	defer func() { <-w.turn }()
	if w.group != nil {
		w.commitGroup()
	}
	if w.c != nil {
		err = errors.Join(w.c.rollback(), w.c.close())
	}
	w.c, w.closed = nil, true
	return err
}
