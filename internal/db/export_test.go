package db

import (
	"context"
	"fmt"
	"testing"
	"testing/fstest"
)

// Gone and Unfit are decisions about things that a test cannot bring about from
// outside.
var (
	Gone  = gone
	Unfit = unfit
)

// Grow makes the program know these migrations after its own until the test
// ends. Their names end in _next.
func Grow(t *testing.T, scripts ...string) {
	files := fstest.MapFS{}
	for _, m := range migrations {
		files["migrations/"+m.name+".sql"] = &fstest.MapFile{Data: []byte(m.script)}
		if m.postgres != "" {
			files["migrations/"+m.name+".postgres.sql"] = &fstest.MapFile{Data: []byte(m.postgres)}
		}
	}
	for i, script := range scripts {
		files[fmt.Sprintf("migrations/%04d_next.sql", newest()+1+i)] = &fstest.MapFile{Data: []byte(script)}
	}
	old := migrations
	migrations = loadMigrations(files)
	t.Cleanup(func() { migrations = old })
}

// On makes every directory lie on a file system with this magic number until
// the test ends.
func On(t *testing.T, magic uint32) {
	old := statfs
	statfs = func(string) (uint32, bool) { return magic, true }
	t.Cleanup(func() { statfs = old })
}

// Pragma runs a statement on the connection that writes, outside of a transaction, and
// returns the text it answers.
func (d *DB) Pragma(ctx context.Context, q string) (text string, err error) {
	err = d.w.(*liteWriter).alone(ctx, func(c *liteConn) error {
		return c.each(q, nil, func(r reader) (bool, error) { return false, r.scan([]any{&text}) })
	})
	return text, err
}

// OpenPool opens PostgreSQL without looking at its schema.
func OpenPool(dsn string) (*DB, error) { return poolPostgres(dsn) }

// Remembered is how many prepared statements the writer of SQLite keeps.
func (d *DB) Remembered(ctx context.Context) (n int, err error) {
	err = d.w.(*liteWriter).alone(ctx, func(c *liteConn) error { n = len(c.statements); return nil })
	return n, err
}

// Resting is how many connections that read are open without work.
func (d *DB) Resting() int {
	p := d.r.(door)
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.resting)
}

// File is the path of the SQLite file.
func (d *DB) File() string { return d.path }

// MaxPlans is how many prepared statements a connection to PostgreSQL keeps.
const MaxPlans = maxPlans

// Understands asks the engine to prepare a statement, and does not run it.
func (d *DB) Understands(ctx context.Context, q string) error {
	s, end, err := d.r.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	switch c := s.(type) {
	case *pgConn:
		_, err = c.conn.Prepare(ctx, "", q, nil)
	case *liteConn:
		_, err = c.statement(q)
	default:
		err = fmt.Errorf("%T prepares nothing", s)
	}
	return err
}
