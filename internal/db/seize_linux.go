package db

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// seizeLock makes the server that holds the lock of a file end, and takes the lock when it
// has. The server is asked by a signal, as if its operator had stopped it: it finishes
// what it has begun. Only a process that has the lock file open is asked.
func seizeLock(ctx context.Context, path string) (*os.File, error) {
	name, err := filepath.Abs(lockPath(path))
	if err != nil {
		return nil, err
	}
	asked := 0
	open, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, fd := range open {
		if to, err := os.Readlink(fd); err != nil || to != name {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(fd))))
		if err != nil || pid == os.Getpid() {
			continue
		}
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
			return nil, &Refusal{fmt.Sprintf("the server that uses %s, process %d, cannot be ended: %v", path, pid, err), "Stop it first"}
		}
		asked++
	}
	if asked == 0 {
		return nil, &Refusal{fmt.Sprintf("the server that uses %s runs elsewhere, perhaps in another container, and cannot be ended from here", path), "Stop it first"}
	}
	for until := time.Now().Add(seizeWithin); ; {
		f, err := takeLock(path)
		if err == nil || time.Now().After(until) {
			return f, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}
