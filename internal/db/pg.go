package db

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Bounds of one connection to PostgreSQL.
const (
	maxPlans    = 256             // prepared statements that it keeps
	pingAfter   = time.Second     // of rest: then it is asked whether it still is there
	pingWithin  = 5 * time.Second // or it is taken for dead
	closeWithin = time.Second     // for a last word
)

// longAgo is a deadline that ends whatever waits for the network.
var longAgo = time.Unix(1, 0)

// A pgConn is a connection to PostgreSQL over its protocol, as pgconn speaks it. What
// makes a database driver of that is left out: the house has five types of columns, and
// the tables of hundreds of types were a tenth of the program, see
// docs/decisions/0200-postgresql-without-a-driver.md.
//
// It keeps its prepared statements, because planning one takes longer than running it.
// One goroutine at a time may use it, and one statement at a time is under way.
type pgConn struct {
	conn   *pgconn.PgConn
	config *pgconn.Config
	// until is when the connection has lived long enough.
	until time.Time
	// forgetful connections prepare a statement each time, without a name: behind them is
	// something that gives each transaction another server.
	forgetful bool

	plans map[string]*pgStmt
	uses  int64 // of all plans so far
	named int   // plans that had a name so far

	// ctx and what follows are of the transaction under way.
	ctx context.Context
	// begin is how it begins. It is sent together with the first statement, which saves
	// a way to the server and back; then it is empty.
	begin string
	// unwatch ends the watch over ctx, and says that nothing has happened.
	unwatch func() bool
	stale   bool // its plans are of no use any more
	gave    bool // the statement under way, or the last one, gave a row
	using   atomic.Bool

	// Room for the arguments of the statement under way.
	texts   []byte
	params  [][]byte
	formats []int16
}

// A pgStmt is a prepared statement.
type pgStmt struct {
	*pgconn.StatementDescription
	results []int16 // the format of each column
	used    int64   // what uses was when it was used last
}

// openPG connects to a server, and keeps the connection for about so long.
func openPG(ctx context.Context, config *pgconn.Config, life time.Duration, forgetful bool) (*pgConn, error) {
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	// Not all that were opened together end together.
	life -= time.Duration(rand.Int64N(int64(life)/10 + 1))
	return &pgConn{conn: conn, config: config, until: time.Now().Add(life), forgetful: forgetful, plans: map[string]*pgStmt{}}, nil
}

// reopen takes another connection to the server where this one turns out to be dead.
func (c *pgConn) reopen() error {
	conn, err := pgconn.ConnectConfig(c.ctx, c.config)
	if err != nil {
		return err
	}
	c.unwatch()
	c.conn, c.stale, c.plans = conn, false, map[string]*pgStmt{}
	c.watch()
	return nil
}

func (c *pgConn) alive(ctx context.Context, rested time.Duration) bool {
	if c.conn.IsClosed() || time.Now().After(c.until) {
		return false
	}
	if rested < pingAfter {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, pingWithin)
	defer cancel()
	return c.conn.Ping(ctx) == nil
}

func (c *pgConn) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
	defer cancel()
	c.conn.Close(ctx) // what it says of a connection that is gone already helps nobody
	return nil
}

// start begins a transaction. When ctx is done, the network ends what is under way.
func (c *pgConn) start(ctx context.Context, how string) error {
	c.ctx, c.begin = ctx, how
	c.watch()
	return nil
}

func (c *pgConn) watch() {
	conn := c.conn.Conn()
	c.unwatch = context.AfterFunc(c.ctx, func() { conn.SetDeadline(longAgo) })
}

func (c *pgConn) end() bool {
	quiet := c.unwatch()
	c.ctx, c.begin = nil, ""
	if !quiet || c.stale || c.conn.IsClosed() || c.conn.IsBusy() || time.Now().After(c.until) {
		return false
	}
	if c.conn.TxStatus() != 'I' {
		ctx, cancel := context.WithTimeout(context.Background(), pingWithin)
		defer cancel()
		if c.conn.Exec(ctx, "ROLLBACK").Close() != nil {
			return false
		}
	}
	return c.conn.TxStatus() == 'I'
}

// commit returns when the server says that it keeps what was changed.
func (c *pgConn) commit() error {
	if c.begin != "" {
		return nil // there was nothing
	}
	if err := c.ctx.Err(); err != nil {
		return err
	}
	results, err := c.conn.Exec(context.Background(), "COMMIT").ReadAll()
	if err != nil {
		return c.failure(err)
	}
	if len(results) != 1 || results[0].CommandTag.String() != "COMMIT" {
		return errors.New("postgres: the server did not commit")
	}
	return nil
}

// use says that a statement is under way, until done.
func (c *pgConn) use() {
	if !c.using.CompareAndSwap(false, true) {
		panic("db: two statements of one transaction at the same time: a Tx is for one goroutine, and a list is read to its end first")
	}
}

func (c *pgConn) done() { c.using.Store(false) }

// exec runs a statement for its effect and returns how many rows it changed. Several
// at once are a script, which takes no arguments.
func (c *pgConn) exec(q string, args []any) (int64, error) {
	if len(args) == 0 && strings.Contains(q, ";") {
		c.use()
		defer c.done()
		if c.begin != "" {
			q, c.begin = c.begin+"; "+q, ""
		}
		return 0, c.failure(c.conn.Exec(context.Background(), q).Close())
	}
	tag, err := c.run(q, args, nil)
	return tag.RowsAffected(), err
}

func (c *pgConn) each(q string, args []any, row func(r reader) (more bool, err error)) error {
	_, err := c.run(q, args, row)
	return err
}

// run runs one statement, and calls row for its rows.
func (c *pgConn) run(q string, args []any, row func(r reader) (more bool, err error)) (tag pgconn.CommandTag, err error) {
	c.use()
	defer c.done()
	how := c.begin
	c.gave = false
	tag, err = c.send(q, args, row)
	// What rests in the pool may have lost its server, as after a restart of that. Nothing was
	// done yet in this transaction, so it begins anew elsewhere.
	if err != nil && how != "" && !c.gave && c.conn.IsClosed() && c.ctx.Err() == nil {
		if c.reopen() != nil {
			return tag, err
		}
		c.begin = how
		tag, err = c.send(q, args, row)
	}
	return tag, err
}

// send sends one statement, with the begin of its transaction if it is the first, and
// calls row for its rows.
func (c *pgConn) send(q string, args []any, row func(r reader) (more bool, err error)) (tag pgconn.CommandTag, err error) {
	if c.begin != "" && c.forgetful { // nothing may come before it
		how := c.begin
		c.begin = ""
		if err := c.conn.Exec(context.Background(), how).Close(); err != nil {
			return tag, c.failure(err)
		}
	}
	s, err := c.plan(q)
	if err != nil {
		return tag, c.failure(err)
	}
	var first *pgStmt
	if c.begin != "" {
		if first, err = c.plan(c.begin); err != nil {
			return tag, c.failure(err)
		}
	}
	if err := c.bind(s, args); err != nil {
		return tag, err
	}
	defer c.unbind()
	if first == nil {
		rows := c.conn.ExecStatement(context.Background(), s.StatementDescription, c.params, c.formats, s.results)
		failed := c.readAll(rows, s, row)
		tag, err = rows.Close()
		return tag, errors.Join(failed, c.failure(err))
	}
	c.begin = ""
	var both pgconn.Batch
	both.ExecStatement(first.StatementDescription, nil, nil, nil)
	both.ExecStatement(s.StatementDescription, c.params, c.formats, s.results)
	results := c.conn.ExecBatch(context.Background(), &both)
	var failed error
	if results.NextResult() { // that of first, which says nothing
		if !results.NextResult() {
			return tag, c.failure(results.Close())
		}
		rows := results.ResultReader()
		failed = c.readAll(rows, s, row)
		tag, _ = rows.Close() // results have the same error
	}
	return tag, errors.Join(failed, c.failure(results.Close()))
}

// readAll calls row for each row, until it wants no more.
func (c *pgConn) readAll(rows *pgconn.ResultReader, s *pgStmt, row func(r reader) (more bool, err error)) error {
	for row != nil && rows.NextRow() {
		c.gave = true
		if more, err := row(pgRow{s, rows.Values()}); err != nil || !more {
			return err
		}
	}
	return nil
}

// failure is what a statement failed of: the end of its context, or what the server says.
func (c *pgConn) failure(err error) error {
	if err == nil {
		return nil
	}
	if c.conn.IsClosed() {
		if over := c.ctx.Err(); over != nil {
			return over
		}
		return broken{err}
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && (stale(pg) || pg.Code == readOnly) {
		c.stale = true
	}
	return err
}

// broken is why a connection ended under a statement.
type broken struct{ error }

// Unwrap is what was said last.
func (b broken) Unwrap() error { return b.error }

// plan is the prepared form of q.
func (c *pgConn) plan(q string) (*pgStmt, error) {
	c.uses++
	if s, ok := c.plans[q]; ok {
		s.used = c.uses
		return s, nil
	}
	name := ""
	if !c.forgetful {
		if err := c.makePlace(); err != nil {
			return nil, err
		}
		c.named++
		name = "s" + strconv.Itoa(c.named)
	}
	d, err := c.conn.Prepare(context.Background(), name, q, nil)
	if err != nil {
		return nil, err
	}
	seen("postgres", q)
	s := &pgStmt{StatementDescription: d, results: formatsOf(d.Fields), used: c.uses}
	if !c.forgetful {
		c.plans[q] = s
	}
	return s, nil
}

// makePlace gives up the plan whose last use is longest ago, when there are too many.
func (c *pgConn) makePlace() error {
	if len(c.plans) < maxPlans {
		return nil
	}
	var oldest string
	for q, s := range c.plans {
		if o := c.plans[oldest]; o == nil || s.used < o.used {
			oldest = q
		}
	}
	name := c.plans[oldest].Name
	delete(c.plans, oldest)
	return c.conn.Deallocate(context.Background(), name)
}
