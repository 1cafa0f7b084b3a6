//go:build unix

package db

import (
	"fmt"
	"os"
	"syscall"
)

// owner is whom a file belongs to, and its rights.
func owner(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return "somebody else"
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "somebody else"
	}
	return fmt.Sprintf("user %d:%d (%s)", s.Uid, s.Gid, info.Mode())
}
