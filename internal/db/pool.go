package db

import (
	"context"
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

// A connection is a session that transactions use one after the other.
type connection interface {
	session
	// start begins a transaction, by the statement how.
	start(ctx context.Context, how string) error
	// end undoes what was not committed, and says whether the connection is as
	// it was before.
	end() bool
	// alive says whether the connection can be used after it rested that long.
	alive(ctx context.Context, rested time.Duration) bool
	close() error
}

// A door is a pool that begins its transactions in one way. Several may share their
// connections.
type door struct {
	*conns
	how string
}

func (d door) begin(ctx context.Context) (session, func(), error) {
	c, err := d.take(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err := c.start(ctx, d.how); err != nil {
		d.give(c)
		return nil, nil, err
	}
	return c, func() { d.give(c) }, nil
}

// conns are connections, of which there are never more than so many.
type conns struct {
	open func(ctx context.Context) (connection, error)
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
	c     connection
	since time.Time
}

func newConns(n int, idle time.Duration, open func(ctx context.Context) (connection, error)) *conns {
	return &conns{open: open, slots: make(chan struct{}, n), idle: idle}
}

var errClosed = errors.New("the database is closed")

// take waits for a connection.
func (p *conns) take(ctx context.Context) (connection, error) {
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
	for {
		r, err := p.rested()
		if err != nil {
			<-p.slots
			return nil, err
		}
		if r.c == nil {
			break
		}
		if r.c.alive(ctx, time.Since(r.since)) {
			return r.c, nil
		}
		r.c.close()
	}
	c, err := p.open(ctx)
	if err != nil {
		<-p.slots
		return nil, err
	}
	return c, nil
}

// rested takes out the connection that worked last, so that the others can go. There may
// be none.
func (p *conns) rested() (r resting, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return r, errClosed
	}
	if n := len(p.resting); n > 0 {
		r = p.resting[n-1]
		p.resting = p.resting[:n-1]
	}
	return r, nil
}

// give takes a connection back. One that is not as it was before is closed.
func (p *conns) give(c connection) {
	defer func() { <-p.slots }()
	if !c.end() {
		c.close()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resting = append(p.resting, resting{c, time.Now()})
	if p.idle > 0 && p.sweep == nil {
		p.sweep = time.AfterFunc(p.idle, p.closeIdle)
	}
}

// closeIdle closes what rests for too long, and comes again as long as something rests.
func (p *conns) closeIdle() {
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

// close ends all connections. It waits for those that work.
func (p *conns) close() error {
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
