package db

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// Bounds of PostgreSQL.
const (
	maxConns      = 16               // of one process, at the same time
	connIdle      = time.Minute      // then an idle connection is closed
	connectWithin = 10 * time.Second // unless the connection string says otherwise
	minPostgres   = 140000           // server_version_num of the oldest supported
)

func openPostgres(ctx context.Context, raw string, mode Mode) (*DB, error) {
	look, err := peekPostgres(ctx, raw, nil)
	if err != nil {
		return nil, err
	}
	if err := look.refusal("the PostgreSQL database"); err != nil {
		return nil, err
	}
	if mode == Beside {
		if look.State == Absent {
			return nil, &Refusal{"the PostgreSQL database is empty", "Start the server once, it makes the tables"}
		}
		if err := look.mustBeCurrent(); err != nil {
			return nil, err
		}
	}
	d, err := poolPostgres(raw)
	if err != nil {
		return nil, err
	}
	if mode == Serve && look.Version < newest() {
		if err := d.migrate(ctx); err != nil {
			d.Close()
			return nil, err
		}
	}
	return d, nil
}

// poolPostgres makes the pool. Nothing is connected yet.
func poolPostgres(raw string) (*DB, error) {
	c, err := pgx.ParseConfig(raw)
	if err != nil {
		return nil, &Refusal{fmt.Sprintf("the connection string of PostgreSQL cannot be understood: %v", err),
			`Write it as "postgres://user:password@host:5432/database"`}
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = connectWithin
	}
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "pocket-id"
	}
	p := stdlib.OpenDB(*c)
	p.SetMaxOpenConns(maxConns)
	p.SetMaxIdleConns(maxConns) // in a busy time one that is closed is opened again at once
	p.SetConnMaxIdleTime(connIdle)
	return &DB{Postgres: true, sql: p,
		r: &sqlPool{p, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}},
		w: &sqlPool{p, &sql.TxOptions{Isolation: sql.LevelSerializable}}}, nil
}

// locked runs fn while this process alone may migrate the schema. The lock
// has a connection of its own and is taken before the snapshot of the
// migration, so that who waited sees what the winner did.
func (d *DB) locked(ctx context.Context, fn func() error) error {
	if !d.Postgres {
		return fn()
	}
	c, err := d.sql.Conn(ctx)
	if err != nil {
		return classify(err)
	}
	defer c.Close()
	if _, err := c.ExecContext(ctx, `SELECT pg_advisory_lock(1886350441, hashtext(current_schema()))`); err != nil {
		return classify(err)
	}
	defer c.ExecContext(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock(1886350441, hashtext(current_schema()))`)
	return fn()
}

// unfit refuses a server_version_num that is too old, and a database that
// cannot store every name.
func unfit(version int, encoding string) error {
	if version < minPostgres {
		return &Refusal{fmt.Sprintf("the server is PostgreSQL %d", version/10000), fmt.Sprintf("Use PostgreSQL %d or newer", minPostgres/10000)}
	}
	if encoding != "UTF8" {
		return &Refusal{fmt.Sprintf("the PostgreSQL database has the encoding %s", encoding),
			"Make one with UTF-8: CREATE DATABASE pocketid ENCODING 'UTF8' TEMPLATE template0"}
	}
	return nil
}
