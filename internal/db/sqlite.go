package db

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Bounds of SQLite. Memory is what they are for: a connection holds its page
// cache and its statements for as long as it lives.
const (
	maxReaders   = 4                // readers at the same time
	readerIdle   = 30 * time.Second // then a reader is closed
	cacheKiB     = 1024             // pages that a connection keeps
	busyTimeout  = 2 * time.Second  // wait for another process, in one try of a Write
	maxWALBytes  = 8 << 20          // the -wal file is cut back to this
	checkpointAt = 1000             // pages in the -wal file that start a checkpoint
	fullSync     = 2                // what SQLite answers for synchronous=FULL
)

// sqliteURI is the file with everything that a connection to it needs.
func sqliteURI(path string, params url.Values) string {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: params.Encode()}
	return u.String()
}

// readPragmas are how a connection that only reads is set up.
func readPragmas() []string {
	return []string{
		fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()),
		fmt.Sprintf("cache_size(-%d)", cacheKiB),
		"mmap_size(0)",
		"trusted_schema(0)",
		"query_only(1)",
	}
}

// writePragmas are how the connection that writes is set up. A commit is on
// disk when it returns: synchronous=FULL with the write-ahead log.
func writePragmas() []string {
	return []string{
		fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()),
		"journal_mode(WAL)",
		"synchronous(FULL)",
		"foreign_keys(1)",
		fmt.Sprintf("cache_size(-%d)", cacheKiB),
		"mmap_size(0)",
		"trusted_schema(0)",
		fmt.Sprintf("journal_size_limit(%d)", maxWALBytes),
		fmt.Sprintf("wal_autocheckpoint(%d)", checkpointAt),
	}
}

func openSQLite(ctx context.Context, path string, mode Mode) (_ *DB, err error) {
	look, err := peekSQLite(ctx, path, nil)
	if err != nil {
		return nil, err
	}
	if err := look.refusal(path); err != nil {
		return nil, err
	}
	if mode == Beside {
		if look.State == Absent {
			return nil, &Refusal{fmt.Sprintf("there is no database at %s", path), "Start the server once, it makes the database; or run this command where the server runs"}
		}
		if err := look.mustBeCurrent(); err != nil {
			return nil, err
		}
	}
	d := &DB{path: path}
	defer func() {
		if err != nil && d.lock != nil {
			d.lock.Close()
		}
	}()
	if mode == Serve {
		if err := prepareDir(path); err != nil {
			return nil, err
		}
		if err := checkFilesystem(path); err != nil {
			return nil, err
		}
		if d.lock, err = takeLock(path); err != nil {
			return nil, err
		}
		if err := createFile(path); err != nil {
			return nil, err
		}
	}
	uri := sqliteURI(path, nil)
	d.r = door{newConns(maxReaders, readerIdle, func(context.Context) (connection, error) { return openReader(uri, readPragmas()) }), "BEGIN"}
	writer := newLiteWriter(func() (*liteConn, error) { return openLite(uri, writePragmas()) })
	d.w = writer
	if mode == Serve {
		if err := d.prepareFile(ctx, writer, look); err != nil {
			d.Close()
			return nil, err
		}
	}
	return d, nil
}

// prepareFile brings the file to the schema of the program.
func (d *DB) prepareFile(ctx context.Context, writer *liteWriter, found Look) error {
	var journal string
	var synchronous int
	err := writer.alone(ctx, func(c *liteConn) error {
		for pragma, dst := range map[string]any{`PRAGMA journal_mode`: &journal, `PRAGMA synchronous`: &synchronous} {
			err := c.each(pragma, nil, func(r reader) (bool, error) { return false, r.scan([]any{dst}) })
			if err != nil {
				return fmt.Errorf("open %s: %w", d.path, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if journal != "wal" {
		return &Refusal{fmt.Sprintf("the place of %s does not allow a write-ahead log (SQLite fell back to %q)", d.path, journal),
			"Put the data directory on a local disk, or use PostgreSQL"}
	}
	if synchronous != fullSync {
		return fmt.Errorf("open %s: commits do not wait for the disk (synchronous=%d)", d.path, synchronous)
	}
	if found.State == Ours && found.Version < newest() {
		if err := d.snapshot(ctx, writer, found.Version); err != nil {
			return err
		}
	}
	if found.State == Ours && found.Version == newest() {
		return nil
	}
	return d.migrate(ctx)
}

// createFile makes an empty database for its owner alone; SQLite gives the
// files it puts beside it the same rights.
func createFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return &Refusal{fmt.Sprintf("the database %s cannot be made: %v", path, err), "Let this user write there"}
	}
	return f.Close()
}

// snapshotPath is where the snapshot of a file is kept before it is migrated
// away from a version.
func snapshotPath(path string, version int) string {
	return fmt.Sprintf("%s.before-%04d.db", strings.TrimSuffix(path, filepath.Ext(path)), version+1)
}

// snapshot keeps the database as it is before a migration: it is the way back,
// as there are no migrations downwards.
func (d *DB) snapshot(ctx context.Context, writer *liteWriter, version int) error {
	to := snapshotPath(d.path, version)
	part := to + ".part"
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("keep a snapshot before the migration: %w", err)
	}
	defer os.Remove(part)
	f.Close()
	err = writer.alone(ctx, func(c *liteConn) error {
		_, err := c.exec(`VACUUM INTO $1`, []any{part})
		return err
	})
	if err != nil {
		return fmt.Errorf("keep a snapshot before the migration: %w", err)
	}
	if err := syncFile(part); err != nil {
		return err
	}
	if err := os.Rename(part, to); err != nil {
		return err
	}
	slog.InfoContext(ctx, "kept a snapshot of the database before its migration", "file", to)
	return syncFile(filepath.Dir(to))
}

func syncFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
