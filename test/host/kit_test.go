// Package host runs the built program as a plain host does: by its own TLS, by sockets, under
// systemd's tools, and behind the proxies of deploy with their files as they are but for
// names and ports.
package host

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pocketid/internal/dbtest"
)

const (
	name   = "id.example.test"
	origin = "https://" + name
	// visitor is where the browser of the tests is: an address of this machine that no proxy has.
	visitor = "127.0.0.77"
	static  = "a key of programs, for tests alone"
)

// program is the built binary; TestMain makes it once for all tests.
var program string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	if testing.Short() {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "pocket-id-host")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	os.Chmod(dir, 0o755)
	program = filepath.Join(dir, "pocket-id")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, "pocketid/cmd/pocket-id")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the program: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// whole leaves a test out where -short asks for that.
func whole(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("plain hosts are left out by -short")
	}
}

// tool finds a program that the tests drive.
func tool(t *testing.T, name, from string) string {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin") {
		path := filepath.Join(dir, name)
		if about, err := os.Stat(path); err == nil && about.Mode()&0o111 != 0 {
			return path
		}
	}
	t.Fatalf("%s is not installed; on Debian: sudo apt-get install %s", name, from)
	return ""
}

// log is what a process wrote.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// A process is one that ends with its test, and whose log is shown when that fails.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	log  *log
	done chan struct{}
	bye  syscall.Signal // what ends it with all that it started
}

// launch starts a program.
func launch(t *testing.T, dir string, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(args[0], args[1:]...), log: &log{}, done: make(chan struct{}), bye: syscall.SIGKILL}
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = dir, env, p.log, p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.cmd.Wait(); close(p.done) }()
	t.Cleanup(func() {
		p.end(p.bye)
		if t.Failed() {
			s := p.log.String()
			t.Logf("%s said:\n%s", filepath.Base(args[0]), s[max(0, len(s)-6000):])
		}
	})
	return p
}

// end sends a signal that ends the process, and waits for that.
func (p *process) end(s syscall.Signal) {
	p.t.Helper()
	p.cmd.Process.Signal(s)
	select {
	case <-p.done:
	case <-time.After(time.Minute):
		p.t.Errorf("it does not end by %v", s)
		p.cmd.Process.Kill()
	}
}

// until waits for something that a process does.
func (p *process) until(what string, done func() bool) {
	p.t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(5 * time.Millisecond) {
		select {
		case <-p.done:
			p.t.Fatalf("it ended before this: %s\n%s", what, p.log)
		default:
		}
		if time.Now().After(end) {
			p.t.Fatalf("after a minute not: %s\n%s", what, p.log)
		}
	}
}

// An installation has a directory, a database and settings.
type installation struct {
	t   *testing.T
	dir string
	env []string
}

func install(t *testing.T, settings ...string) *installation {
	t.Helper()
	i := &installation{t: t, dir: t.TempDir()}
	i.env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + i.dir, "APP_URL=" + origin, "HOST=127.0.0.1", "LOG_LEVEL=debug",
		"ENCRYPTION_KEY=a key of a plain host", "STATIC_API_KEY=" + static, "DB_CONNECTION_STRING=" + dbtest.MigratedDSN(t, dbtest.SQLite)}, settings...)
	return i
}

// serve starts the server and waits until it is ready.
func (i *installation) serve(settings ...string) *process {
	i.t.Helper()
	p := launch(i.t, i.dir, append(i.env, settings...), program)
	p.until("ready", func() bool { return strings.Contains(p.log.String(), "msg=ready") })
	return p
}

// command runs one beside the server.
func (i *installation) command(args ...string) (string, error) {
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Env = i.dir, i.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// freePort is a port that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// A certificate lies in files, and is signed by itself.
type certificate struct {
	cert, key, both string // paths
	leaf            *x509.Certificate
}

// certify makes one for the name of the tests, in a directory.
func certify(t *testing.T, dir string, until time.Time) certificate {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{SerialNumber: big.NewInt(until.Unix()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: until, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, about, about, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	c := certificate{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "both.pem"), nil}
	if c.leaf, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	text, secret := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	for path, b := range map[string][]byte{c.cert: text, c.key: secret, c.both: append(bytes.Clone(text), secret...)} {
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// year is when certificates end that no test is about.
func year() time.Time { return time.Now().Add(365 * 24 * time.Hour) }

// site is how a browser at visitor reaches the name of the tests: https at one port, http at
// another, and no other certificate counts.
func site(t *testing.T, c certificate, https, plain string) *http.Transport {
	roots := x509.NewCertPool()
	roots.AddCert(c.leaf)
	tr := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			to := plain
			if strings.HasSuffix(address, ":443") {
				to = https
			}
			d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(visitor)}}
			return d.DialContext(ctx, "tcp", "127.0.0.1:"+to)
		},
	}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// read is what an answer holds.
func read(t *testing.T, r *http.Response) string {
	t.Helper()
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
