package db

import (
	"context"
	"database/sql"
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

// Newest is the version that the program knows.
func Newest() int { return newest() }

// On makes every directory lie on a file system with this magic number until
// the test ends.
func On(t *testing.T, magic uint32) {
	old := statfs
	statfs = func(string) (uint32, bool) { return magic, true }
	t.Cleanup(func() { statfs = old })
}

// Pool returns the pool that writes.
func (d *DB) Pool() *sql.DB { return d.w }

// OpenPool opens PostgreSQL without looking at its schema.
func OpenPool(dsn string) (*DB, error) { return poolPostgres(dsn) }

// Remembered is how many prepared statements the writer of SQLite keeps.
func (d *DB) Remembered(ctx context.Context) (n int, err error) {
	c, err := d.w.Conn(ctx)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	err = c.Raw(func(conn any) error { n = len(conn.(*liteConn).statements); return nil })
	return n, err
}
