package db

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	sqlite3 "modernc.org/sqlite/lib"

	"pocketid/internal/fault"
)

var (
	// ErrNotFound is what One returns when there is no row.
	ErrNotFound = errors.New("not found")

	// ErrConflict matches every *Conflict.
	ErrConflict = errors.New("already exists")

	// ErrBusy says that a change lost every race until its deadline.
	ErrBusy = fault.New(fault.Unavailable, "database_busy").After(time.Second)

	// ErrGone says that the database cannot be reached or cannot store.
	ErrGone = fault.New(fault.Unavailable, "database_gone").After(5 * time.Second)
)

// A Conflict says which unique column a row collided on.
type Conflict struct {
	// Column is "table.column", the same string on both engines.
	Column string
	err    error
}

// Error names the column.
func (c *Conflict) Error() string { return c.Column + " already exists" }

// Unwrap is what the engine said.
func (c *Conflict) Unwrap() error { return c.err }

// Is makes every Conflict an ErrConflict.
func (c *Conflict) Is(target error) bool { return target == ErrConflict }

// Keep wraps a refusal that must leave a trace: Write commits what fn did and
// then returns err. Without it a refused request would undo its own evidence.
func Keep(err error) error { return kept{err} }

type kept struct{ error }

// Unwrap is the refusal.
func (k kept) Unwrap() error { return k.error }

// readOnly is what a server answers to a change that follows another one by now.
const readOnly = "25006"

// lost says that a transaction lost a race and may be run again.
func lost(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Code == "40001" || pg.Code == "40P01" || stale(pg) // serialization failure, deadlock
	}
	if lite, ok := errors.AsType[*liteError](err); ok {
		return lite.primary() == sqlite3.SQLITE_BUSY
	}
	return false
}

// stale says that the statements which a connection prepared are of no use any more: the
// server has lost them, or they give other columns since the schema was changed.
func stale(pg *pgconn.PgError) bool {
	return pg.Code == "26000" || pg.Code == "0A000" && pg.Routine == "RevalidateCachedQuery"
}

// gone says that the database is not there, or not able, at the moment.
func gone(err error) bool {
	if _, ok := errors.AsType[broken](err); ok {
		return true
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch pg.Code[:2] {
		case "08", "53", "58": // connection, resources (too many connections, disk full), system
			return true
		}
		switch pg.Code {
		case "57P01", "57P02", "57P03", readOnly: // shutting down, crashed, starting
			return true
		}
		return false
	}
	if lite, ok := errors.AsType[*liteError](err); ok {
		switch lite.primary() {
		case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY:
			return true
		}
		return false
	}
	if errors.Is(err, context.Canceled) {
		return false
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded)
}

// classify turns what a driver says into what the house says: the same on both
// engines.
func classify(err error) error {
	if err == nil {
		return nil
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch {
		case pg.Code == "23505":
			return &Conflict{column(err), err}
		case stale(pg):
			return ErrBusy.Because("%w", err)
		}
	}
	if lite, ok := errors.AsType[*liteError](err); ok {
		switch lite.code {
		case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
			return &Conflict{column(err), err}
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return ErrBusy.Because("%w", err)
	}
	if gone(err) {
		return ErrGone.Because("%w", err)
	}
	return err
}

// column reads which column a row collided on out of the engine's words; of a
// constraint over several columns it is the first.
func column(err error) string {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok { // Detail: Key (email_key)=(…) …
		_, rest, _ := strings.Cut(pg.Detail, "(")
		cols, _, _ := strings.Cut(rest, ")")
		col, _, _ := strings.Cut(cols, ",")
		return pg.TableName + "." + col
	}
	_, rest, _ := strings.Cut(err.Error(), "UNIQUE constraint failed: ")
	cols, _, _ := strings.Cut(rest, " (")
	col, _, _ := strings.Cut(cols, ",")
	return col
}
