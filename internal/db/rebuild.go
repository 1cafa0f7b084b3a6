package db

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A Rebuilding is how a database is made anew.
type Rebuilding struct {
	// Schema is the version whose tables Fill fills. Later migrations run after it, over
	// what it wrote.
	Schema int
	// Fill writes the rows, into tables that are empty. It is called once.
	Fill func(tx *Tx) error
	// Finish, unless it is nil, runs over the schema of the program, before the commit.
	Finish func(tx *Tx) error
	// Force takes the database from a server that runs on it.
	Force bool
	// Incumbent says that the database may be one of the other implementation.
	Incumbent bool
	// Before, unless it is nil, is the last thing before the new database counts. An error
	// of it is the end of the rebuilding, and nothing was changed.
	Before func() error
}

// Newest is the version of the schema that this program is written for.
func Newest() int { return newest() }

// Rebuild replaces everything that a database holds by what r writes, or changes nothing.
// No server may run on it meanwhile. An SQLite file that held something is kept beside
// the new one; kept is its name.
func Rebuild(ctx context.Context, connection string, r Rebuilding) (kept string, err error) {
	c, err := parseDSN(connection)
	if err != nil {
		return "", err
	}
	if r.Schema < 1 || r.Schema > newest() {
		return "", fmt.Errorf("there is no schema %d", r.Schema)
	}
	if c.postgres {
		return "", rebuildPostgres(ctx, c.raw, r)
	}
	return rebuildSQLite(ctx, c.path, r)
}

// fill makes the tables, lets r write, and brings them up to date.
func (d *DB) fill(tx *Tx, r Rebuilding) error {
	tx.Do(d.script(`CREATE TABLE migration (name TEXT PRIMARY KEY, at BIGINT NOT NULL)`))
	if err := d.steps(tx, migrations[:r.Schema]); err != nil {
		return err
	}
	if err := r.Fill(tx); err != nil {
		return err
	}
	if err := d.steps(tx, migrations[r.Schema:]); err != nil {
		return err
	}
	if r.Finish != nil {
		return r.Finish(tx)
	}
	return nil
}

// Of an SQLite file that is built, which nobody else sees and which counts only when it
// is whole: nothing of it has to survive a crash.
func buildPragmas() []string {
	return []string{
		"journal_mode(MEMORY)",
		"synchronous(OFF)",
		"foreign_keys(1)",
		fmt.Sprintf("cache_size(-%d)", 16*cacheKiB),
		"mmap_size(0)",
		"trusted_schema(0)",
	}
}

func rebuildSQLite(ctx context.Context, path string, r Rebuilding) (kept string, err error) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	found, err := peekSQLite(ctx, path, nil)
	if err != nil {
		return "", err
	}
	if err := found.refusal(path); err != nil && !(r.Incumbent && found.State == Incumbent) {
		return "", err
	}
	if err := prepareDir(path); err != nil {
		return "", err
	}
	if err := checkFilesystem(path); err != nil {
		return "", err
	}
	lock, err := takeLock(path)
	if err != nil && r.Force {
		lock, err = seizeLock(ctx, path)
	}
	if err != nil {
		return "", err
	}
	defer lock.Close()
	draft := path + ".new"
	if err := removeFile(draft); err != nil { // of somebody who was killed
		return "", err
	}
	defer removeFile(draft)
	if err := createFile(draft); err != nil {
		return "", err
	}
	if err := buildFile(ctx, draft, r); err != nil {
		return "", err
	}
	if err := syncFile(draft); err != nil {
		return "", err
	}
	if r.Before != nil {
		if err := r.Before(); err != nil {
			return "", err
		}
	}
	return swapFile(ctx, path, draft, found)
}

// buildFile makes a database in an empty file.
func buildFile(ctx context.Context, path string, r Rebuilding) error {
	uri := sqliteURI(path, nil)
	w := newLiteWriter(func() (*liteConn, error) { return openLite(uri, buildPragmas()) })
	d := &DB{path: path, w: w, r: w}
	err := d.run(ctx, w, func(tx *Tx) error { return d.fill(tx, r) })
	return errors.Join(err, w.close())
}

// removeFile removes a database and what SQLite puts beside it.
func removeFile(path string) error {
	for _, suffix := range []string{"", "-journal", "-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// swapFile puts a new database in the place of an old one, which is kept under the name
// that it returns. There is a database in that place at every moment.
func swapFile(ctx context.Context, path, draft string, found Look) (kept string, err error) {
	if found.State == Absent {
		if err := removeFile(path); err != nil { // an empty file, or a log without its database
			return "", err
		}
		return "", replaceFile(draft, path)
	}
	// What SQLite has in the log goes into the file, the log goes away, and nobody else
	// has the file open from here to the end: a log must never come to lie beside another
	// database than its own.
	busy := &Refusal{fmt.Sprintf("another program has %s open; nothing was changed", path), "Wait until it is done, or stop it"}
	old, err := openLite(sqliteURI(path, nil), []string{fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()), "journal_mode(DELETE)"})
	if err != nil {
		if lost(err) {
			return "", busy
		}
		return "", err
	}
	defer old.close()
	var mode string
	err = old.each(`PRAGMA journal_mode`, nil, func(r reader) (bool, error) { return false, r.scan([]any{&mode}) })
	if err == nil && mode == "delete" {
		_, err = old.exec(`BEGIN EXCLUSIVE`, nil)
	}
	if err != nil && !lost(err) {
		return "", err
	}
	if err != nil || mode != "delete" {
		return "", busy
	}
	kept = fmt.Sprintf("%s.before-import-%s%s", strings.TrimSuffix(path, filepath.Ext(path)), time.Now().UTC().Format("20060102-150405.000"), filepath.Ext(path))
	if err := os.Link(path, kept); err != nil {
		if err := copyFile(path, kept); err != nil { // not every file system has links
			return "", fmt.Errorf("keep the database as it was: %w", err)
		}
	}
	if err := replaceFile(draft, path); err != nil {
		os.Remove(kept)
		return "", err
	}
	return kept, nil
}

// replaceFile moves a file to its place, on the disk.
func replaceFile(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncFile(filepath.Dir(to))
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		os.Remove(to)
	}
	return err
}

func rebuildPostgres(ctx context.Context, raw string, r Rebuilding) error {
	found, err := peekPostgres(ctx, raw, nil)
	if err != nil {
		return err
	}
	if err := found.refusal("the PostgreSQL database"); err != nil {
		return err
	}
	d, err := poolPostgres(raw)
	if err != nil {
		return err
	}
	defer d.Close()
	// Not serializable: everybody else is locked out by the tables going away.
	alone := door{d.r.(door).conns, "BEGIN"}
	return d.run(ctx, alone, func(tx *Tx) error {
		if err := d.takePlace(ctx, tx, r.Force); err != nil {
			return err
		}
		tx.Do(`SELECT pg_advisory_xact_lock(1886350441, hashtext(current_schema()))`) // that of migrations
		there, err := d.tables(tx)
		if err != nil {
			return err
		}
		own := append(ownTables(), "migration")
		there = slices.DeleteFunc(there, func(name string) bool { return !slices.Contains(own, name) })
		if len(there) > 0 {
			if _, err := tx.Exec("DROP TABLE " + strings.Join(there, ", ")); err != nil {
				return fmt.Errorf("remove the tables that are there: %w", err)
			}
		}
		if err := d.fill(tx, r); err != nil {
			return err
		}
		if r.Before != nil {
			return r.Before()
		}
		return nil
	})
}
