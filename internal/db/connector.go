package db

import (
	"context"
	"database/sql/driver"
	"strings"

	"modernc.org/sqlite"
)

// maxStatements is how many prepared statements a connection to SQLite keeps.
// The flows of the house use far fewer; lists of many lengths could use more.
const maxStatements = 100

// connector opens connections to one SQLite file.
type connector struct {
	uri    string
	driver *sqlite.Driver
}

func newConnector(uri string) *connector { return &connector{uri, &sqlite.Driver{}} }

// Connect opens a connection.
func (c *connector) Connect(context.Context) (driver.Conn, error) {
	conn, err := c.driver.Open(c.uri)
	if err != nil {
		return nil, err
	}
	return &liteConn{bareConn: conn.(bareConn), statements: map[string]driver.Stmt{}}, nil
}

// Driver returns the driver beneath.
func (c *connector) Driver() driver.Driver { return c.driver }

// bareConn is what the driver's connections can do.
type bareConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.SessionResetter
	driver.Validator
}

// liteConn is a connection that keeps its prepared statements: compiling one
// takes SQLite four times as long as running it. A transaction reads all rows
// of a statement before it runs the next, so none is used twice at a time.
type liteConn struct {
	bareConn
	statements map[string]driver.Stmt
}

// statement returns the prepared form of q, or nil if q is a script.
func (c *liteConn) statement(ctx context.Context, q string) (driver.Stmt, error) {
	if s, ok := c.statements[q]; ok {
		return s, nil
	}
	if strings.Contains(q, ";") {
		return nil, nil
	}
	s, err := c.PrepareContext(ctx, q)
	if err != nil {
		return nil, err
	}
	if len(c.statements) >= maxStatements {
		c.forget()
	}
	c.statements[q] = s
	return s, nil
}

func (c *liteConn) forget() {
	for _, s := range c.statements {
		s.Close()
	}
	clear(c.statements)
}

// ExecContext runs a statement for its effect.
func (c *liteConn) ExecContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.statement(ctx, q)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.bareConn.ExecContext(ctx, q, args)
	}
	return s.(driver.StmtExecContext).ExecContext(ctx, args)
}

// QueryContext runs a statement for its rows.
func (c *liteConn) QueryContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.statement(ctx, q)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.bareConn.QueryContext(ctx, q, args)
	}
	return s.(driver.StmtQueryContext).QueryContext(ctx, args)
}

// Close ends the connection and its statements.
func (c *liteConn) Close() error {
	c.forget()
	return c.bareConn.Close()
}
