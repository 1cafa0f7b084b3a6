//go:build unix

package db

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// lockPath is the lock file beside a database. It is never the database
// itself: closing any descriptor of that would drop the locks of SQLite.
func lockPath(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	return strings.TrimSuffix(path, filepath.Ext(path)) + ".lock"
}

// takeLock makes this process the only server of a file, until it ends: the
// kernel drops the lock with the process, so a crash leaves nothing behind.
func takeLock(path string) (*os.File, error) {
	name := lockPath(path)
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, &Refusal{fmt.Sprintf("the lock file %s cannot be made: %v", name, err), "Let this user write in its directory"}
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := io.ReadAll(io.LimitReader(f, 200))
		f.Close()
		who := strings.TrimSpace(string(holder))
		if who != "" {
			who = " (" + who + ")"
		}
		return nil, &Refusal{fmt.Sprintf("another server%s uses %s; it holds the lock on %s", who, path, name),
			"Stop it first, or give this one a database of its own; several servers need PostgreSQL"}
	}
	host, _ := os.Hostname()
	f.Truncate(0)
	fmt.Fprintf(f, "process %d on %s\n", os.Getpid(), host)
	return f, nil
}
