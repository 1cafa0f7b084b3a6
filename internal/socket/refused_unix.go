//go:build unix

package socket

import (
	"errors"
	"io/fs"
	"syscall"
)

// refused says whether nobody listens on the socket that could not be reached.
func refused(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist)
}

// keep keeps a descriptor from programs that this one starts.
func keep(fd int) { syscall.CloseOnExec(fd) }
