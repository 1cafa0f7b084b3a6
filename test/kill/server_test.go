package kill

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pocketid/internal/app"
	"pocketid/internal/dbtest"
)

// program is the built binary; TestMain makes it once for all tests.
var program string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "pocket-id-kill")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "pocket-id")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, "pocketid/cmd/pocket-id")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the program: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// A server is one installation, which is started again and again.
type server struct {
	t    *testing.T
	dir  string
	file string // the database, "" on PostgreSQL
	port int
	env  []string
	cmd  *exec.Cmd
	done chan struct{} // closed once the process has ended
	log  *log
}

// newServer makes an installation without a start. Without a key it makes its own.
func newServer(t *testing.T, dsn string, settings ...string) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, dir: t.TempDir(), port: l.Addr().(*net.TCPAddr).Port, log: &log{}}
	l.Close()
	if !strings.HasPrefix(dsn, "postgres") {
		s.file = dsn
	}
	s.env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "APP_URL=" + s.url(), "HOST=127.0.0.1", "PORT=" + strconv.Itoa(s.port),
		"DISABLE_RATE_LIMITING=true", "DB_CONNECTION_STRING=" + dsn}, settings...)
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Logf("errors in the log:\n%sand its end:\n%s", s.log.errors(), s.log.tail(1000))
		}
	})
	return s
}

func (s *server) url() string { return "http://localhost:" + strconv.Itoa(s.port) }

// start runs the program and does not wait.
func (s *server) start() {
	s.t.Helper()
	s.cmd = exec.Command(program)
	s.cmd.Dir, s.cmd.Env, s.cmd.Stdout, s.cmd.Stderr = s.dir, s.env, s.log, s.log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) { cmd.Wait(); close(done) }(s.cmd, s.done)
}

// ready waits until the server says that it is: after a kill at any moment, without a
// cure by hand.
func (s *server) ready() {
	s.t.Helper()
	client := http.Client{Timeout: 5 * time.Second}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		select {
		case <-s.done:
			s.t.Fatalf("the server does not start after a kill:\n%s", s.log.tail(3000))
		default:
		}
		res, err := client.Get(s.url() + "/readyz")
		if err == nil {
			res.Body.Close()
			if res.StatusCode/100 == 2 {
				return
			}
		}
	}
	s.t.Fatalf("the server is not ready a minute after a kill:\n%s", s.log.tail(3000))
}

// kill ends the process at once, wherever it is.
func (s *server) kill() {
	if s.cmd != nil && s.cmd.Process != nil {
		s.cmd.Process.Kill()
		<-s.done
		s.cmd = nil
	}
}

// cli runs a command beside the server.
func (s *server) cli(args ...string) (string, error) {
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Env = s.dir, s.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// house opens the installation beside its server, to fill it before the first kill.
func (s *server) house(fn func(ctx context.Context, a *app.App)) {
	s.t.Helper()
	c, err := app.Load(s.env, "")
	if err != nil {
		s.t.Fatal(err)
	}
	a, err := app.Beside(s.t.Context(), c, c.Logger(io.Discard))
	if err != nil {
		s.t.Fatal(err)
	}
	defer a.Close()
	fn(s.t.Context(), a)
}

// sound looks at a copy of the files that the dead server left behind, so that the next
// start finds them as they are.
func (s *server) sound() {
	s.t.Helper()
	if s.file == "" {
		return
	}
	to := filepath.Join(s.t.TempDir(), "copy.db")
	for _, end := range []string{"", "-wal"} {
		b, err := os.ReadFile(s.file + end)
		if os.IsNotExist(err) {
			if end == "" {
				return // it did not come so far
			}
			continue
		}
		if err != nil {
			s.t.Fatal(err)
		}
		if err := os.WriteFile(to+end, b, 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	d, err := sql.Open("sqlite", to)
	if err != nil {
		s.t.Fatal(err)
	}
	defer d.Close()
	var verdict string
	if err := d.QueryRow(`PRAGMA integrity_check`).Scan(&verdict); err != nil || verdict != "ok" {
		s.t.Errorf("the database is damaged: %s, %v", verdict, err)
	}
	var orphans int
	if err := d.QueryRow(`SELECT count(*) FROM pragma_foreign_key_check`).Scan(&orphans); err != nil || orphans != 0 {
		s.t.Errorf("%d rows refer to nothing: %v", orphans, err)
	}
	os.Remove(to)
	os.Remove(to + "-wal")
	os.Remove(to + "-shm")
}

// log is what the processes wrote.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) tail(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.b.Bytes()
	return string(b[max(0, len(b)-n):])
}

// errors are the lines that tell of one, the first and the last of them.
func (l *log) errors() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []string
	for line := range strings.Lines(l.b.String()) {
		if strings.Contains(line, "level=ERROR") {
			all = append(all, line)
		}
	}
	if len(all) > 12 {
		all = append(all[:6:6], all[len(all)-6:]...)
	}
	return strings.Join(all, "")
}

// kills is how many times the server dies on each engine in all tests together.
func kills(t *testing.T) int {
	s := os.Getenv("KILLS")
	if s == "" {
		return 5
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		t.Fatalf("KILLS is %q", s)
	}
	return n
}

// seed is what all choices come from; it is printed, and KILL_SEED gives it again.
func seed(t *testing.T) uint64 {
	n, err := strconv.ParseUint(os.Getenv("KILL_SEED"), 10, 64)
	if err != nil {
		n = rand.Uint64N(1e9)
	}
	t.Logf("KILL_SEED=%d", n)
	return n
}

// engines runs fn on both, on PostgreSQL where there is one.
func engines(t *testing.T, fn func(t *testing.T, dsn string)) {
	if testing.Short() {
		t.Skip("kills are left out by -short")
	}
	dbtest.Engines(t, fn)
}
