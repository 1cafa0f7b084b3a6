package db

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// A liteError is what SQLite says of a statement that failed.
type liteError struct {
	code    int32 // extended result code
	message string
}

// Error is SQLite's own words and its code.
func (e *liteError) Error() string { return fmt.Sprintf("sqlite: %s (%d)", e.message, e.code) }

// primary is the code without what extends it.
func (e *liteError) primary() int32 { return e.code & 0xff }

// maxStatements is how many prepared statements a connection to SQLite keeps.
// The flows of the house use far fewer; lists of many lengths could use more.
const maxStatements = 100

// A liteConn is a connection to an SQLite file, over the C interface of SQLite as
// modernc.org/sqlite has it in Go. database/sql is left out: between a statement and
// its rows it and the driver did four times the work of SQLite itself, see
// docs/decisions/0113-sqlite-without-database-sql.md.
//
// It keeps its prepared statements, because compiling one takes several times as long
// as running it. One goroutine at a time may use it, and one statement at a time is
// under way; both are seen to here, because SQLite was told not to.
type liteConn struct {
	tls *libc.TLS
	db  uintptr // sqlite3*
	// out is where C puts the two pointers that it returns.
	out uintptr
	// room is memory of C that holds the arguments of the statement under way.
	room     uintptr
	roomSize int
	values   []value // of the same arguments
	using    atomic.Bool

	statements map[string]*liteStmt
}

// A liteStmt is a prepared statement.
type liteStmt struct {
	c       *liteConn
	p       uintptr // sqlite3_stmt*
	columns int
	// args says for each parameter which argument it is, beginning with 0: SQLite takes
	// $2 for a name and numbers parameters as they come.
	args []int
	want int // how many arguments there have to be
}

// spillAt is how many bytes of pages a savepoint keeps in memory before it goes on in a
// file: about what a sign-in or a code changes. It has to stay below 128 KiB, because SQLite
// writes it to that file in one piece and takes no larger ones.
const spillAt = 120 << 10

// configure sets SQLite up, once for the process.
var configure sync.Once

// pointerSize is that of C on this machine.
const pointerSize = bits.UintSize / 8

// openLite opens a connection to a file, which is a URI as sqliteURI makes it. Pragmas
// set it up.
func openLite(uri string, pragmas []string) (_ *liteConn, err error) {
	c := &liteConn{tls: libc.NewTLS(), statements: map[string]*liteStmt{}}
	configure.Do(func() {
		// What a savepoint could have to put back lies in memory up to this size, not in a
		// file beside the database: see litewriter.go. When SQLite is in use already, as
		// in tests, it stays as it was.
		bytes := libc.NewVaList(int32(spillAt))
		sqlite3.Xsqlite3_config(c.tls, sqlite3.SQLITE_CONFIG_STMTJRNL_SPILL, bytes)
		libc.Xfree(c.tls, bytes)
	})
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	if c.out, err = c.allocate(2 * pointerSize); err != nil {
		return nil, err
	}
	name, err := c.text(uri)
	if err != nil {
		return nil, err
	}
	defer sqlite3.Xsqlite3_free(c.tls, name)
	const flags = sqlite3.SQLITE_OPEN_READWRITE | sqlite3.SQLITE_OPEN_CREATE | sqlite3.SQLITE_OPEN_URI |
		sqlite3.SQLITE_OPEN_NOMUTEX | sqlite3.SQLITE_OPEN_EXRESCODE
	rc := sqlite3.Xsqlite3_open_v2(c.tls, name, c.out, flags, 0)
	c.db = c.pointer(0)
	if rc != sqlite3.SQLITE_OK {
		return nil, c.fault(rc)
	}
	for _, p := range pragmas {
		if _, err := c.exec("PRAGMA "+p, nil); err != nil {
			return nil, err
		}
	}
	return c, nil
}

var errNoMemory = errors.New("sqlite: there is no memory")

// allocate takes memory of C.
func (c *liteConn) allocate(size int) (uintptr, error) {
	if p := sqlite3.Xsqlite3_malloc64(c.tls, uint64(size)); p != 0 {
		return p, nil
	}
	return 0, errNoMemory
}

// text is s in memory of C, with a zero at its end.
func (c *liteConn) text(s string) (uintptr, error) {
	p, err := c.allocate(len(s) + 1)
	if err == nil {
		b := libc.GoBytes(p, len(s)+1)
		b[copy(b, s)] = 0
	}
	return p, err
}

// pointer is the i-th of the pointers that C returned.
func (c *liteConn) pointer(i int) uintptr {
	b := libc.GoBytes(c.out+uintptr(i*pointerSize), pointerSize)
	if pointerSize == 4 {
		return uintptr(binary.NativeEndian.Uint32(b))
	}
	return uintptr(binary.NativeEndian.Uint64(b))
}

// fault is the error behind a result code.
func (c *liteConn) fault(rc int32) error {
	if c.db == 0 {
		return &liteError{rc, libc.GoString(sqlite3.Xsqlite3_errstr(c.tls, rc))}
	}
	if extended := sqlite3.Xsqlite3_extended_errcode(c.tls, c.db); extended&0xff == rc&0xff {
		rc = extended
	}
	return &liteError{rc, libc.GoString(sqlite3.Xsqlite3_errmsg(c.tls, c.db))}
}

// close ends the connection and its statements.
func (c *liteConn) close() (err error) {
	c.forget()
	if c.db != 0 {
		if rc := sqlite3.Xsqlite3_close_v2(c.tls, c.db); rc != sqlite3.SQLITE_OK {
			err = c.fault(rc)
		}
		c.db = 0
	}
	sqlite3.Xsqlite3_free(c.tls, c.out)
	sqlite3.Xsqlite3_free(c.tls, c.room)
	c.tls.Close()
	return err
}

// forget gives all statements back. None may be under way.
func (c *liteConn) forget() {
	for _, s := range c.statements {
		sqlite3.Xsqlite3_finalize(c.tls, s.p)
	}
	clear(c.statements)
}

// use says that a statement is under way, until done.
func (c *liteConn) use() {
	if !c.using.CompareAndSwap(false, true) {
		panic("db: two statements of one transaction at the same time: a Tx is for one goroutine, and a list is read to its end first")
	}
}

func (c *liteConn) done() { c.using.Store(false) }

// statement is the prepared form of q.
func (c *liteConn) statement(q string) (*liteStmt, error) {
	if s, ok := c.statements[q]; ok {
		return s, nil
	}
	s, rest, err := c.prepare(q, sqlite3.SQLITE_PREPARE_PERSISTENT)
	if err != nil {
		return nil, err
	}
	seen("sqlite", q)
	if s == nil || strings.TrimSpace(rest) != "" {
		if s != nil {
			sqlite3.Xsqlite3_finalize(c.tls, s.p)
		}
		return nil, errors.New("sqlite: that is not one statement")
	}
	if len(c.statements) >= maxStatements {
		c.forget()
	}
	c.statements[q] = s
	return s, nil
}

// prepare compiles the first statement of q, and says what comes after it. There is
// none in a comment.
func (c *liteConn) prepare(q string, flags uint32) (s *liteStmt, rest string, err error) {
	text, err := c.text(q)
	if err != nil {
		return nil, "", err
	}
	defer sqlite3.Xsqlite3_free(c.tls, text)
	if rc := sqlite3.Xsqlite3_prepare_v3(c.tls, c.db, text, int32(len(q)+1), flags, c.out, c.out+pointerSize); rc != sqlite3.SQLITE_OK {
		return nil, "", c.fault(rc)
	}
	p, rest := c.pointer(0), q[c.pointer(1)-text:]
	if p == 0 {
		return nil, rest, nil
	}
	s = &liteStmt{c: c, p: p, columns: int(sqlite3.Xsqlite3_column_count(c.tls, p))}
	for i := range sqlite3.Xsqlite3_bind_parameter_count(c.tls, p) {
		name := libc.GoString(sqlite3.Xsqlite3_bind_parameter_name(c.tls, p, i+1))
		n, err := strconv.Atoi(strings.TrimPrefix(name, "$"))
		if err != nil || n < 1 || name[0] != '$' {
			sqlite3.Xsqlite3_finalize(c.tls, p)
			return nil, "", fmt.Errorf("sqlite: the parameter %q is not written as $1", name)
		}
		s.args, s.want = append(s.args, n-1), max(s.want, n)
	}
	return s, rest, nil
}

// exec runs a statement for its effect and returns how many rows it changed. Several
// at once are a script, which takes no arguments.
func (c *liteConn) exec(q string, args []any) (int64, error) {
	c.use()
	defer c.done()
	if len(args) == 0 && strings.Contains(q, ";") {
		return c.script(q)
	}
	s, err := c.statement(q)
	if err != nil {
		return 0, err
	}
	defer s.reset()
	if err := s.bind(args); err != nil {
		return 0, err
	}
	for more := true; more; {
		if more, err = s.step(); err != nil {
			return 0, err
		}
	}
	return int64(sqlite3.Xsqlite3_changes(c.tls, c.db)), nil
}

// script runs the statements of q one after the other.
func (c *liteConn) script(q string) (changed int64, err error) {
	for q != "" {
		var s *liteStmt
		if s, q, err = c.prepare(q, 0); err != nil {
			return 0, err
		}
		if s == nil {
			continue
		}
		for more := err == nil; more && err == nil; {
			more, err = s.step()
		}
		sqlite3.Xsqlite3_finalize(c.tls, s.p)
		if err != nil {
			return 0, err
		}
		changed = int64(sqlite3.Xsqlite3_changes(c.tls, c.db))
	}
	return changed, nil
}

// each runs a query and calls row for each of its rows, until row wants no more. What
// row is given reads the row.
func (c *liteConn) each(q string, args []any, row func(r reader) (more bool, err error)) error {
	c.use()
	defer c.done()
	s, err := c.statement(q)
	if err != nil {
		return err
	}
	defer s.reset()
	if err := s.bind(args); err != nil {
		return err
	}
	for {
		some, err := s.step()
		if err != nil || !some {
			return err
		}
		if more, err := row(s); err != nil || !more {
			return err
		}
	}
}

// step runs the statement to its next row, and says whether there is one.
func (s *liteStmt) step() (bool, error) {
	switch rc := sqlite3.Xsqlite3_step(s.c.tls, s.p); rc & 0xff {
	case sqlite3.SQLITE_ROW:
		return true, nil
	case sqlite3.SQLITE_DONE:
		return false, nil
	default:
		return false, s.c.fault(rc)
	}
}

// reset makes the statement ready for its next use, and forgets its arguments.
func (s *liteStmt) reset() {
	sqlite3.Xsqlite3_reset(s.c.tls, s.p) // what it returns, step has said before
	if len(s.args) > 0 {
		sqlite3.Xsqlite3_clear_bindings(s.c.tls, s.p)
	}
}

// openReader opens a connection to a file for a pool.
func openReader(uri string, pragmas []string) (connection, error) {
	c, err := openLite(uri, pragmas)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (c *liteConn) alive(context.Context, time.Duration) bool { return true }

func (c *liteConn) start(_ context.Context, how string) error {
	_, err := c.exec(how, nil)
	return err
}

func (c *liteConn) end() bool { return c.rollback() == nil && !c.inTransaction() }

// inTransaction says whether a transaction is open.
func (c *liteConn) inTransaction() bool {
	return sqlite3.Xsqlite3_get_autocommit(c.tls, c.db) == 0
}

// commit ends the transaction. When that fails it is undone.
func (c *liteConn) commit() error {
	_, err := c.exec("COMMIT", nil)
	return err
}

// rollback undoes the transaction, unless SQLite has done so itself.
func (c *liteConn) rollback() error {
	if !c.inTransaction() {
		return nil
	}
	_, err := c.exec("ROLLBACK", nil)
	return err
}
