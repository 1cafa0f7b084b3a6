// Package socket is how connections come into the house: by TCP, by a Unix socket, by the
// sockets that systemd opened, each with the PROXY protocol in front and TLS on top where
// the settings say so. What is asked over them is none of its business.
package socket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"
)

// The reasons why a Unix socket is not opened that an operator can do something about.
var (
	// ErrTaken is that a server listens there.
	ErrTaken = errors.New("another server listens there")
	// ErrNoSocket is that something else than a socket has that name.
	ErrNoSocket = errors.New("what has that name is no socket")
)

// knockFor is how long a server may take to answer the question whether it is there.
const knockFor = time.Second

// Unix listens on a Unix socket, which appears under its name with its mode at once: it is
// made in a directory that nobody else may enter, and moved when it is ready. What a server
// left behind that died makes way; one that listens does not.
func Unix(ctx context.Context, path string, mode fs.FileMode) (net.Listener, error) {
	if err := vacant(ctx, path); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	made, err := os.MkdirTemp(filepath.Dir(path), ".s")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(made)
	var c net.ListenConfig
	first := filepath.Join(made, "s")
	l, err := c.Listen(ctx, "unix", first)
	if err != nil {
		return nil, err
	}
	u := l.(*net.UnixListener)
	u.SetUnlinkOnClose(false) // it has another name soon
	if err = os.Chmod(first, mode.Perm()); err == nil {
		err = os.Rename(first, path)
	}
	var about fs.FileInfo
	if err == nil {
		about, err = os.Lstat(path)
	}
	if err != nil {
		u.Close()
		return nil, err
	}
	return &unixListener{UnixListener: u, path: path, about: about}, nil
}

// vacant says whether a socket may be put in a place: nothing is there, or a socket that
// nobody listens on.
func vacant(ctx context.Context, path string) error {
	about, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case about.Mode().Type() != fs.ModeSocket:
		return ErrNoSocket
	}
	d := net.Dialer{Timeout: knockFor}
	c, err := d.DialContext(ctx, "unix", path)
	if err == nil {
		c.Close()
		return ErrTaken
	}
	if refused(err) {
		return nil
	}
	return fmt.Errorf("it cannot be told whether somebody listens there: %w", err)
}

// A unixListener takes its name away when it ends.
type unixListener struct {
	*net.UnixListener
	path  string
	about fs.FileInfo
}

// Addr is the name that the socket has now.
func (l *unixListener) Addr() net.Addr { return &net.UnixAddr{Name: l.path, Net: "unix"} }

// Close ends the listener. The name goes if it is still that of this socket: another server
// may have come meanwhile.
func (l *unixListener) Close() error {
	if now, err := os.Lstat(l.path); err == nil && os.SameFile(now, l.about) {
		os.Remove(l.path)
	}
	return l.UnixListener.Close()
}
