package db

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// attendAfter is how long a server waits before it takes its place again, when it lost
	// the connection that held it: whoever forces it out needs less.
	attendAfter = time.Second
	// seizeWithin is how long whoever forces a server out waits for it to go.
	seizeWithin = 30 * time.Second
)

// place is the advisory lock of PostgreSQL that every server shares while it runs, and
// that who replaces the database has alone.
const place = `1886350443, hashtext(current_schema())`

// Attend says to others that a server works on this database, until ctx ends. It returns
// early when somebody is replacing the database, who has forced this server out or was
// here before it.
//
// Of an SQLite file the lock beside it says so from Open on. On PostgreSQL it is an
// advisory lock on a connection of its own; behind something that shares connections
// among programs there can be none, and replacing the database is then safe by its
// transaction alone.
func (d *DB) Attend(ctx context.Context) error {
	pool, ok := d.r.(door)
	for ok && d.Postgres {
		taken, err := attend(ctx, pool.conns)
		switch {
		case ctx.Err() != nil:
			return nil
		case taken:
			return &Refusal{"somebody is replacing the database by an import", "Start the server when the import is done"}
		case err == nil: // there is nothing to hold
			<-ctx.Done()
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(attendAfter):
		}
	}
	<-ctx.Done()
	return nil
}

// attend holds the lock until its connection ends, or says that somebody else has it.
func attend(ctx context.Context, pool *conns) (taken bool, err error) {
	c, err := pool.open(ctx)
	if err != nil {
		return false, err
	}
	defer c.close()
	pg := c.(*pgConn)
	if pg.forgetful {
		return false, nil
	}
	results, err := pg.conn.Exec(ctx, `SELECT pg_try_advisory_lock_shared(`+place+`)`).ReadAll()
	if err != nil {
		return false, err
	}
	if len(results) != 1 || len(results[0].Rows) != 1 || string(results[0].Rows[0][0]) != "t" {
		return true, nil
	}
	for err == nil {
		err = pg.conn.WaitForNotification(ctx) // nobody sends any: it is the end of the connection
	}
	return false, err
}

// takePlace makes sure that no server runs on the PostgreSQL database until the end of tx.
func (d *DB) takePlace(ctx context.Context, tx *Tx, force bool) error {
	alone := false
	try := func() error { return tx.One([]any{&alone}, `SELECT pg_try_advisory_xact_lock(`+place+`)`) }
	if err := try(); err != nil || alone {
		return err
	}
	if !force {
		return &Refusal{"a server runs on the PostgreSQL database", "Stop every server first, or use --forcefully-acquire-lock, which makes them end"}
	}
	for until := time.Now().Add(seizeWithin); !alone; {
		var ended int
		err := tx.One([]any{&ended}, `SELECT count(*) FILTER (WHERE pg_terminate_backend(l.pid)) FROM pg_catalog.pg_locks l
			WHERE l.locktype = 'advisory' AND l.granted AND l.pid <> pg_backend_pid()
				AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
				AND l.classid = 1886350443 AND CAST(l.objid AS BIGINT) = (CAST(hashtext(current_schema()) AS BIGINT) & 4294967295)`)
		if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == "42501" {
			return &Refusal{fmt.Sprintf("the servers cannot be ended: %s", pg.Message), "Stop them first"}
		}
		if err != nil {
			return err
		}
		time.Sleep(attendAfter / 10)
		if err := try(); err != nil {
			return err
		}
		if !alone && time.Now().After(until) {
			return &Refusal{"a server on the PostgreSQL database did not end", "Stop every server first"}
		}
	}
	return nil
}
