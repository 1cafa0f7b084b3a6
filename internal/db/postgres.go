package db

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Bounds of PostgreSQL.
const (
	maxConns      = 16               // of one process, at the same time
	connIdle      = time.Minute      // then an idle connection is closed
	connLife      = time.Hour        // then a connection is closed after its transaction
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
	c, err := pgconn.ParseConfig(raw)
	if err != nil {
		return nil, &Refusal{fmt.Sprintf("the connection string of PostgreSQL cannot be understood: %v", err),
			`Write it as "postgres://user:password@host:5432/database"`}
	}
	size, err := takeLimits(c.RuntimeParams)
	if err != nil {
		return nil, err
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = connectWithin
	}
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "pocket-id"
	}
	p := newConns(size.conns, size.idle, func(ctx context.Context) (connection, error) {
		conn, err := openPG(ctx, c, size.life, size.forgetful)
		if err != nil {
			return nil, err
		}
		return conn, nil
	})
	return &DB{Postgres: true,
		r: door{p, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"},
		w: door{p, "BEGIN ISOLATION LEVEL SERIALIZABLE"}}, nil
}

// limits are the bounds of a pool that a connection string may move.
type limits struct {
	conns      int
	idle, life time.Duration
	forgetful  bool // see pgConn
}

// takeLimits takes out of the parameters of a connection string what is meant for the pool,
// not for the server. The names are those that pools of PostgreSQL in Go have; those that
// ask for what this one does not do are let pass.
func takeLimits(params map[string]string) (limits, error) {
	l := limits{conns: maxConns, idle: connIdle, life: connLife}
	for name, text := range params {
		var err error
		switch name {
		case "pool_max_conns":
			l.conns, err = strconv.Atoi(text)
			if err == nil && (l.conns < 2 || l.conns > 1000) { // a migration takes two
				err = errors.New("it has to be between 2 and 1000")
			}
		case "pool_max_conn_idle_time":
			l.idle, err = positive(text)
		case "pool_max_conn_lifetime":
			l.life, err = positive(text)
		case "default_query_exec_mode":
			l.forgetful = text != "cache_statement"
		case "statement_cache_capacity":
			l.forgetful = l.forgetful || text == "0"
		case "description_cache_capacity", "pool_min_conns", "pool_min_idle_conns", "pool_max_conn_lifetime_jitter",
			"pool_health_check_period", "pool_ping_timeout":
		default:
			continue
		}
		if err != nil {
			return l, &Refusal{fmt.Sprintf("the parameter %s of the connection string of PostgreSQL cannot be used: %v", name, err),
				"Leave it out, or write it like pool_max_conns=16 or pool_max_conn_lifetime=1h"}
		}
		delete(params, name)
	}
	return l, nil
}

// positive is a duration that passes.
func positive(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err == nil && d <= 0 {
		err = errors.New("it has to be more than 0")
	}
	return d, err
}

// locked runs fn while this process alone may migrate the schema. The lock
// has a transaction of its own and is taken before the snapshot of the
// migration, so that who waited sees what the winner did.
func (d *DB) locked(ctx context.Context, fn func() error) error {
	if !d.Postgres {
		return fn()
	}
	s, end, err := d.r.begin(ctx)
	if err != nil {
		return classify(err)
	}
	defer end()
	if _, err := s.exec(`SELECT pg_advisory_xact_lock(1886350441, hashtext(current_schema()))`, nil); err != nil {
		return classify(err)
	}
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
