package db

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A volume that belongs to somebody else is told from what is well, and what to do is a
// command. The rights of a file do not hold root back, who runs some of the tests; so the
// faults themselves are tried.
func TestUnwritable(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "pocket-id.db")
	for _, tt := range []struct {
		name      string
		err       error
		why, cure string
		is        bool
	}{
		{name: "says whose the volume is", err: fmt.Errorf("open: %w", os.ErrPermission), is: true,
			why: fmt.Sprintf("%s belongs to user %d:%d (drwxr-xr-x), and this program runs as user %s,", dir, os.Getuid(), os.Getgid(), self()), cure: "chown -R " + self() + " " + dir + ";"},
		{name: "says that the volume is mounted for reading", err: fmt.Errorf("open: %w", syscall.EROFS), is: true, why: dir + " is on a file system", cure: "Mount a volume"},
		{name: "lets other faults pass", err: os.ErrNotExist},
		{name: "is content", err: nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := unwritable(dir, tt.err)
			if (got != nil) != tt.is || tt.is && (!strings.Contains(got.Why, tt.why) || !strings.Contains(got.Cure, tt.cure)) {
				t.Errorf("%+v", got)
			}
		})
	}
	for _, connection := range []string{path, filepath.Join(dir, "new", "pocket-id.db"), "postgres://nowhere.invalid/x"} {
		if err := Writable(connection); err != nil {
			t.Errorf("%s: %v", connection, err)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("it left %v", left)
	}
	if os.Getuid() == 0 {
		return // whoever may do everything is refused nothing; the test of the image goes on as somebody else
	}
	for _, lock := range []string{path, dir} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(lock, 0o500); err != nil {
			t.Fatal(err)
		}
		if err := Writable(path); !errors.As(err, new(*Refusal)) {
			t.Errorf("%s cannot be written: %v", lock, err)
		}
		os.Chmod(lock, 0o700)
	}
}
