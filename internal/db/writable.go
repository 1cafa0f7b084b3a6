package db

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Writable refuses a file of SQLite that this process cannot write, or whose directory it
// cannot write in, and says who can. It changes nothing. A volume that belongs to somebody
// else is the first mishap of a container, so the cure is a command. What is wrong but for
// rights is left to those who meet it.
func Writable(connection string) error {
	c, err := parseDSN(connection)
	if err != nil || c.postgres {
		return nil // Open says it better
	}
	dir, err := filepath.Abs(filepath.Dir(c.path))
	if err != nil {
		return nil
	}
	probe, err := os.CreateTemp(dir, ".writable-*")
	if err == nil {
		probe.Close()
		err = os.Remove(probe.Name())
	}
	if refused := unwritable(dir, err); refused != nil {
		return refused
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil // Open makes it
	}
	for _, path := range []string{c.path, c.path + "-wal", c.path + "-shm"} {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err == nil {
			f.Close()
		}
		if refused := unwritable(path, err); refused != nil {
			refused.Cure = cureOf(dir)
			return refused
		}
	}
	return nil
}

// unwritable is err as a refusal, when it is one about rights.
func unwritable(path string, err error) *Refusal {
	switch {
	case errors.Is(err, syscall.EROFS):
		return &Refusal{fmt.Sprintf("%s is on a file system that is mounted for reading alone", path), "Mount a volume there that can be written"}
	case errors.Is(err, fs.ErrPermission):
		return &Refusal{fmt.Sprintf("%s belongs to %s, and this program runs as user %s, who may not write there", path, owner(path), self()), cureOf(path)}
	}
	return nil
}

// cureOf is what to do about a directory that cannot be written.
func cureOf(dir string) string {
	return fmt.Sprintf("Give it to this user, as root: chown -R %s %s; of a container's volume that is done on the host. Or run the program as its owner", self(), dir)
}

// self is whom this process runs as, in the form of chown.
func self() string { return fmt.Sprintf("%d:%d", os.Getuid(), os.Getgid()) }
