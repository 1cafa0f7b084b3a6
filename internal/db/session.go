package db

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"time"
)

// A reader reads the row that a query has come to.
type reader interface{ scan(dst []any) error }

// A session is a connection while a transaction is open on it.
type session interface {
	exec(q string, args []any) (int64, error)
	// each calls row for each row of a query, until row wants no more.
	each(q string, args []any, row func(r reader) (more bool, err error)) error
	commit() error
}

// A pool has connections of one kind: those that read, or those that write.
type pool interface {
	// begin opens a transaction. What it returns beside the session gives the
	// connection back, and undoes what was not committed.
	begin(ctx context.Context) (s session, end func(), err error)
	close() error
}

// sqlPool is a pool of database/sql.
type sqlPool struct {
	db   *sql.DB
	opts *sql.TxOptions
}

func (p *sqlPool) begin(ctx context.Context) (session, func(), error) {
	conn, err := p.db.Conn(ctx)
	if err != nil {
		return nil, nil, err
	}
	tx, err := conn.BeginTx(ctx, p.opts)
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	return &sqlSession{ctx, tx}, func() { tx.Rollback(); conn.Close() }, nil
}

func (p *sqlPool) close() error { return p.db.Close() }

type sqlSession struct {
	ctx context.Context
	tx  *sql.Tx
}

func (s *sqlSession) exec(q string, args []any) (int64, error) {
	res, err := s.tx.ExecContext(s.ctx, q, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (s *sqlSession) each(q string, args []any, row func(r reader) (more bool, err error)) error {
	rows, err := s.tx.QueryContext(s.ctx, q, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if more, err := row(sqlReader{rows}); err != nil || !more {
			return errors.Join(err, rows.Close())
		}
	}
	return rows.Err()
}

func (s *sqlSession) commit() error { return s.tx.Commit() }

type sqlReader struct{ rows *sql.Rows }

func (r sqlReader) scan(dst []any) error { return r.rows.Scan(dst...) }

// litePool is a pool of connections to an SQLite file.
type litePool struct {
	open func() (*liteConn, error)
	// slots has as many places as there may be connections at the same time; who has
	// taken one may use a connection.
	slots chan struct{}
	// idle is how long a connection without work is kept; 0 is for ever.
	idle time.Duration

	mu      sync.Mutex
	resting []resting // the one that rests longest comes first
	sweep   *time.Timer
	closed  bool
}

// resting is a connection without work.
type resting struct {
	c     *liteConn
	since time.Time
}

func newLitePool(n int, idle time.Duration, open func() (*liteConn, error)) *litePool {
	return &litePool{open: open, slots: make(chan struct{}, n), idle: idle}
}

var errClosed = errors.New("the database is closed")

// take waits for a connection.
func (p *litePool) take(ctx context.Context) (*liteConn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case p.slots <- struct{}{}:
	default:
		select {
		case p.slots <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		<-p.slots
		return nil, errClosed
	}
	if n := len(p.resting); n > 0 { // the one that worked last, so that the others can go
		c := p.resting[n-1].c
		p.resting = p.resting[:n-1]
		p.mu.Unlock()
		return c, nil
	}
	p.mu.Unlock()
	c, err := p.open()
	if err != nil {
		<-p.slots
	}
	return c, err
}

// give takes a connection back. One that is not as it was before is closed.
func (p *litePool) give(c *liteConn) {
	defer func() { <-p.slots }()
	if c.rollback() != nil || c.inTransaction() {
		c.close()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.resting = append(p.resting, resting{c, now})
	if p.idle > 0 && p.sweep == nil {
		p.sweep = time.AfterFunc(p.idle, p.closeIdle)
	}
}

// closeIdle closes what rests for too long, and comes again as long as something rests.
func (p *litePool) closeIdle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweep = nil
	if p.closed {
		return
	}
	now := time.Now()
	for len(p.resting) > 0 && now.Sub(p.resting[0].since) >= p.idle {
		p.resting[0].c.close()
		p.resting = p.resting[1:]
	}
	if len(p.resting) > 0 {
		p.sweep = time.AfterFunc(p.idle-now.Sub(p.resting[0].since), p.closeIdle)
	}
}

func (p *litePool) begin(ctx context.Context) (session, func(), error) {
	c, err := p.take(ctx)
	if err != nil {
		return nil, nil, err
	}
	if _, err := c.exec(c.begin, nil); err != nil {
		p.give(c)
		return nil, nil, err
	}
	return c, func() { p.give(c) }, nil
}

// close ends all connections. It waits for those that work.
func (p *litePool) close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	if p.sweep != nil {
		p.sweep.Stop()
	}
	p.mu.Unlock()
	for range cap(p.slots) {
		p.slots <- struct{}{}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, r := range p.resting {
		errs = append(errs, r.c.close())
	}
	p.resting = nil
	for range cap(p.slots) { // whoever comes now learns that it is closed
		<-p.slots
	}
	return errors.Join(errs...)
}
