package db

import (
	"context"
	"path/filepath"
	"strings"
)

// An About says what database this is.
type About struct {
	Engine  string // "SQLite" or "PostgreSQL"
	Version string
	Size    int64 // in bytes, without the write-ahead log
}

// About asks the database for its version and its size.
func (d *DB) About(ctx context.Context) (About, error) {
	a := About{Engine: "SQLite"}
	q := `SELECT sqlite_version(), (SELECT page_count FROM pragma_page_count()) * (SELECT page_size FROM pragma_page_size())`
	if d.Postgres {
		a.Engine = "PostgreSQL"
		q = `SELECT current_setting('server_version'), pg_database_size(current_database())`
	}
	err := d.Read(ctx, func(tx *Tx) error { return tx.One([]any{&a.Version, &a.Size}, q) })
	a.Version, _, _ = strings.Cut(a.Version, " ") // some say who built them
	return a, err
}

// Space is the room on the disk under a database.
type Space struct {
	Dir         string
	Free, Total int64 // in bytes
}

// Space says how much room there is on the disk of the SQLite file. It is not known of
// PostgreSQL, whose disk is elsewhere, and on systems that have no statfs.
func (d *DB) Space() (Space, bool) {
	if d.Postgres || d.path == "" {
		return Space{}, false
	}
	s := Space{Dir: filepath.Dir(d.path)}
	var known bool
	s.Free, s.Total, known = diskSpace(s.Dir)
	return s, known
}
