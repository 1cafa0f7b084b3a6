package socket

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"
)

// firstPassed is the first descriptor that systemd passes on (sd_listen_fds(3)).
const firstPassed = 3

// maxPassed is how many sockets it may pass on; more are a mistake.
const maxPassed = 16

// Passed are the sockets that systemd opened and passed to this process, as LISTEN_PID and
// LISTEN_FDS say. They are taken once: nothing that this process starts finds them.
func Passed(listenPID, listenFDs string) ([]net.Listener, error) {
	os.Unsetenv("LISTEN_PID")
	os.Unsetenv("LISTEN_FDS")
	os.Unsetenv("LISTEN_FDNAMES")
	pid, err := strconv.Atoi(listenPID)
	if err != nil || pid != os.Getpid() {
		return nil, fmt.Errorf("no socket was passed to this process: LISTEN_PID is %q", listenPID)
	}
	n, err := strconv.Atoi(listenFDs)
	if err != nil || n < 1 || n > maxPassed {
		return nil, fmt.Errorf("no socket was passed to this process: LISTEN_FDS is %q", listenFDs)
	}
	var passed []net.Listener
	for fd := firstPassed; fd < firstPassed+n; fd++ {
		keep(fd)
		f := os.NewFile(uintptr(fd), "LISTEN_FD_"+strconv.Itoa(fd))
		l, err := net.FileListener(f) // which makes a copy
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("descriptor %d that was passed: %w", fd, err)
		}
		if u, ok := l.(*net.UnixListener); ok {
			u.SetUnlinkOnClose(false) // the name is systemd's
		}
		passed = append(passed, l)
	}
	return passed, nil
}

// A Supervisor is who started this process and wants to know how it is: systemd, by
// NOTIFY_SOCKET and WATCHDOG_USEC (sd_notify(3)). The zero value is nobody.
type Supervisor struct {
	// Address is that of a datagram socket; an @ in front is one without a name in the
	// file system.
	Address string
	// Patience is after how long without a sign the process is taken for dead; 0 is never.
	Patience time.Duration
}

// Tell tells it a state, like READY=1.
func (s Supervisor) Tell(state string) error {
	if s.Address == "" {
		return nil
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: s.Address, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Write([]byte(state))
	return err
}

// Reassure gives signs of life until ctx ends, twice as often as wanted. alive is asked
// each time, and has to be quick.
func (s Supervisor) Reassure(ctx context.Context, alive func(context.Context) bool) {
	if s.Address == "" || s.Patience <= 0 {
		return
	}
	every := time.NewTicker(s.Patience / 2)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
			if alive(ctx) {
				s.Tell("WATCHDOG=1")
			}
		}
	}
}
