package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"pocketid/internal/app"
)

// A server is one installation: a program, its directory and its database.
type server struct {
	name    string // what the table calls it
	binary  string
	dir     string
	dsn     string // "" is SQLite in dir
	port    int
	environ []string

	cmd *exec.Cmd
	log *os.File
}

// newServer makes an installation in a fresh directory below scratch.
func newServer(scratch, name, binary, dsn string) (*server, error) {
	dir, err := os.MkdirTemp(scratch, "house-")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s := &server{name: name, binary: binary, dir: dir, dsn: dsn, port: port}
	s.environ = []string{
		"APP_URL=" + s.url(), "HOST=127.0.0.1", "PORT=" + strconv.Itoa(port), "DISABLE_RATE_LIMITING=true",
		"ENCRYPTION_KEY=a key for measuring, not for people", "DB_CONNECTION_STRING=" + s.connection(),
	}
	return s, nil
}

// freePort is a port that nobody uses just now.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func (s *server) connection() string {
	if s.dsn != "" {
		return s.dsn
	}
	return filepath.Join(s.dir, "data", "pocket-id.db")
}

func (s *server) host() string { return "localhost:" + strconv.Itoa(s.port) }
func (s *server) url() string  { return "http://" + s.host() }

// wire is a new connection to the server.
func (s *server) wire(headers string) wire {
	return wire{address: "127.0.0.1:" + strconv.Itoa(s.port), host: s.host(), headers: headers}
}

// start runs the program in a control group, "" for none, and waits until it is
// ready. It returns how long that took from its first instruction on.
func (s *server) start(ctx context.Context, g *group) (time.Duration, error) {
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return 0, err
	}
	s.log = log
	// The shell waits until it is in its group, and then becomes the program.
	cmd := exec.Command("/bin/sh", "-c", `read -r _ && exec "$0"`, s.binary)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, log, log
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "GOTRACEBACK=all"}, s.environ...)
	for _, name := range []string{"GOGC", "GOMEMLIMIT", "GODEBUG"} { // for trying out
		if v := os.Getenv(name); v != "" {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	hold, err := cmd.StdinPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	s.cmd = cmd
	if err := g.add(cmd.Process.Pid); err != nil {
		return 0, errors.Join(err, s.kill())
	}
	begun := time.Now()
	if _, err := hold.Write([]byte("\n")); err != nil {
		return 0, errors.Join(err, s.kill())
	}
	if err := s.ready(ctx); err != nil {
		return 0, errors.Join(err, s.kill())
	}
	return time.Since(begun), nil
}

// ready waits until the server says that it is.
func (s *server) ready(ctx context.Context) error {
	w := s.wire("User-Agent: bench\r\n")
	defer w.close()
	for end := time.Now().Add(patience); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(500 * time.Microsecond) {
		if a, err := w.get("/readyz", ""); err == nil && a.status/100 == 2 {
			return nil
		}
	}
	text, _ := os.ReadFile(s.log.Name())
	return fmt.Errorf("the server is not ready after %v: %.2000s", patience, text)
}

// stop ends the server as somebody at a terminal does, without the pause that is
// meant for balancers.
func (s *server) stop() error {
	if s.cmd == nil {
		return nil
	}
	if err := s.cmd.Process.Signal(syscall.SIGINT); err != nil {
		return errors.Join(err, s.kill())
	}
	cmd := s.cmd
	s.cmd = nil
	defer s.log.Close()
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("stop the server: %w", err)
	}
	return nil
}

// kill ends it at once.
func (s *server) kill() error {
	if s.cmd == nil {
		return nil
	}
	err := s.cmd.Process.Kill()
	s.cmd.Wait()
	s.cmd = nil
	return errors.Join(err, s.log.Close())
}

// house opens the installation beside its server.
func (s *server) house(ctx context.Context) (*app.App, error) {
	c, err := app.Load(s.environ, "")
	if err != nil {
		return nil, err
	}
	return app.Beside(ctx, c, c.Logger(s.log))
}

// ticks are how many of them a second of processor time has in /proc (USER_HZ).
const ticks = 100

// cpu is the processor time that the server has used so far.
func (s *server) cpu() (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	text := string(b)
	f := strings.Fields(text[strings.LastIndexByte(text, ')')+1:]) // begins with the third field
	if len(f) < 13 {
		return 0, fmt.Errorf("/proc/…/stat is %q", text)
	}
	user, err1 := strconv.ParseInt(f[11], 10, 64)
	system, err2 := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+system) * time.Second / ticks, errors.Join(err1, err2)
}

// memory is a figure of /proc/…/status in MiB: VmRSS is what is resident now,
// VmHWM the most that ever was.
func (s *server) memory(name string) (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			kib, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
			return kib / 1024, err
		}
	}
	return 0, fmt.Errorf("/proc/…/status has no %s", name)
}
