package socket

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// A proxy that is slow with its header is closed after its time, and holds up nobody.
func TestASlowHeaderHoldsUpNobody(t *testing.T) { // threats 71, 82
	synctest.Test(t, func(t *testing.T) {
		l := &pair{conns: make(chan net.Conn)}
		p := Proxied(l, allProxies)
		slow, theirs := net.Pipe()
		l.conns <- theirs
		go slow.Write([]byte("PROXY TCP4 "))
		quick, theirs := net.Pipe()
		l.conns <- theirs
		go quick.Write([]byte("PROXY TCP4 203.0.113.9 192.0.2.1 1 2\r\n"))
		c, err := p.Accept()
		if err != nil || c.RemoteAddr().String() != "203.0.113.9:1" {
			t.Errorf("got %v, %v", c, err)
		}
		begun := time.Now()
		if _, err := slow.Read(make([]byte, 1)); err == nil || time.Since(begun) != headerFor {
			t.Errorf("the slow one is closed after %v: %v", time.Since(begun), err)
		}
		p.Close()
		if _, err := p.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after the end: %v", err)
		}
		c.Close()
		quick.Close()
	})
}

// pair is a listener without a network.
type pair struct{ conns chan net.Conn }

func (p *pair) Accept() (net.Conn, error) {
	c, ok := <-p.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (p *pair) Close() error   { close(p.conns); return nil }
func (p *pair) Addr() net.Addr { return &net.UnixAddr{} }

// A Unix socket appears with its mode, makes way for nobody who lives, and goes with its server.
func TestUnixSocket(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "s.sock")
	open := func() (net.Listener, error) { return Unix(t.Context(), path, 0o666) }
	l, err := open()
	if err != nil {
		t.Fatal(err)
	}
	about, err := os.Lstat(path)
	if err != nil || about.Mode() != fs.ModeSocket|0o666 {
		t.Errorf("the socket is %v, %v", about.Mode(), err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("beside the socket lies something: %v", left)
	}
	if _, err := open(); !errors.Is(err, ErrTaken) {
		t.Errorf("a second server: %v", err)
	}
	if c, err := net.Dial("unix", path); err != nil {
		t.Errorf("after a second server: %v", err)
	} else {
		c.Close()
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket of a server that ended: %v", err)
	}

	// What a server left behind that was killed.
	old, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	old.(*net.UnixListener).SetUnlinkOnClose(false)
	old.Close()
	if l, err = open(); err != nil {
		t.Fatalf("over a stale socket: %v", err)
	}
	// Another server took the name meanwhile: its socket stays.
	os.Remove(path)
	other, err := open()
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if c, err := net.Dial("unix", path); err != nil {
		t.Errorf("the first server took the socket of the second away: %v", err)
	} else {
		c.Close()
	}
	other.Close()

	if err := os.WriteFile(path, []byte("a letter"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := open(); !errors.Is(err, ErrNoSocket) {
		t.Errorf("over a file: %v", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "a letter" {
		t.Error("the file is gone")
	}
	if _, err := Unix(t.Context(), filepath.Join(dir, "nowhere", "s"), 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a directory: %v", err)
	}
}

// Sockets that were passed to somebody else, or not at all, are not taken.
func TestNoSocketIsTakenFromOthers(t *testing.T) {
	own := strconv.Itoa(os.Getpid())
	for _, tt := range [][2]string{{"", ""}, {"1", "1"}, {own, ""}, {own, "0"}, {own, "-1"}, {own, "x"}, {own, "100"}, {own + " ", "1"}} {
		if l, err := Passed(tt[0], tt[1]); err == nil {
			t.Errorf("LISTEN_PID=%q LISTEN_FDS=%q: %v", tt[0], tt[1], l)
		}
	}
}

// Whoever started the process is told how it is, by a name in the file system or without.
func TestSupervisor(t *testing.T) {
	for _, name := range []string{filepath.Join(t.TempDir(), "n"), "@pocket-id-test-" + strconv.Itoa(os.Getpid())} {
		c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		s := Supervisor{Address: name, Patience: 2 * time.Millisecond}
		hear := func() string {
			b := make([]byte, 100)
			n, err := c.Read(b)
			if err != nil {
				t.Fatal(err)
			}
			return string(b[:n])
		}
		if err := s.Tell("READY=1"); err != nil || hear() != "READY=1" {
			t.Errorf("%s was not told: %v", name, err)
		}
		ctx, end := context.WithCancel(t.Context())
		done := make(chan struct{})
		asked := 0
		go func() {
			s.Reassure(ctx, func(context.Context) bool { asked++; return asked > 3 })
			close(done)
		}()
		if got := hear(); got != "WATCHDOG=1" {
			t.Errorf("got %q", got)
		}
		end()
		<-done
		if asked < 4 {
			t.Errorf("a sign of life was given by who is not alive")
		}
		c.Close()
		if s.Tell("READY=1") == nil {
			t.Error("nobody hears, and that is no error")
		}
	}
	if err := (Supervisor{}).Tell("READY=1"); err != nil {
		t.Errorf("without a supervisor: %v", err)
	}
}
