package host

import (
	"crypto/tls"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"pocketid/internal/app"
)

// The server speaks TLS by files: HTTP/2, a new certificate at a signal and no connection
// lost, a broken one that changes nothing; who speaks http is told. The doctor sees the end.
func TestCertificateOfItsOwn(t *testing.T) {
	whole(t)
	t.Parallel()
	dir, port := t.TempDir(), freePort(t)
	first := certify(t, dir, time.Now().Add(5*24*time.Hour))
	i := install(t, "PORT="+port, "TLS_CERT_FILE="+first.cert, "TLS_KEY_FILE="+first.key)
	s := i.serve()
	serial := func() int64 {
		t.Helper()
		c, err := tls.Dial("tcp", "127.0.0.1:"+port, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if c.ConnectionState().NegotiatedProtocol != "h2" {
			t.Errorf("it speaks %q", c.ConnectionState().NegotiatedProtocol)
		}
		return c.ConnectionState().PeerCertificates[0].NotAfter.Unix()
	}
	by := site(t, first, port, port)
	client := &http.Client{Transport: by}
	asks := func() {
		t.Helper()
		r, err := client.Get(origin + "/login")
		if err != nil {
			t.Fatal(err)
		}
		if read(t, r); r.ProtoMajor != 2 || r.Header.Get("Strict-Transport-Security") == "" {
			t.Errorf("by %s with %v", r.Proto, r.Header)
		}
	}
	asks()
	if serial() != first.leaf.NotAfter.Unix() {
		t.Error("it has another certificate")
	}
	if out, _ := i.command("doctor", "--inside", "--quiet"); !strings.Contains(out, "The certificate ends soon") || !strings.Contains(out, "Cure: Renew it") {
		t.Errorf("the doctor sees no end:\n%s", out)
	}
	if out, err := i.command("healthcheck", "-v"); err != nil || !strings.Contains(out, "https://127.0.0.1:"+port) {
		t.Errorf("healthcheck: %s", out)
	}
	second := certify(t, dir, year())
	s.cmd.Process.Signal(syscall.SIGHUP)
	s.until("a new certificate", func() bool { return strings.Contains(s.log.String(), "a new certificate is in use") })
	if serial() != second.leaf.NotAfter.Unix() {
		t.Error("the new certificate is not in use")
	}
	asks() // the old connection goes on
	if err := os.WriteFile(second.key, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.cmd.Process.Signal(syscall.SIGHUP)
	s.until("a broken key is told", func() bool { return strings.Contains(s.log.String(), "the old one stays in use") })
	if serial() != second.leaf.NotAfter.Unix() {
		t.Error("a broken key changes the certificate")
	}
	if strings.Contains(s.log.String(), "BEGIN") {
		t.Error("the log shows a file")
	}
	// A browser that was sent to http.
	r, err := http.Get("http://127.0.0.1:" + port + "/login")
	if err != nil {
		t.Fatal(err)
	}
	if text := read(t, r); r.StatusCode != http.StatusBadRequest || !strings.Contains(text, "HTTPS") {
		t.Errorf("http at the port of https: %d %q", r.StatusCode, text)
	}
	s.end(syscall.SIGINT)
	// It does not start with that key, and says so in a line.
	if out, err := i.command("serve"); exit(err) != 2 || !strings.HasPrefix(out, "TLS_CERT_FILE and its key cannot be used: ") || strings.Count(out, "\n") != 1 {
		t.Errorf("a start with a broken key: %v %s", err, out)
	}
}

// exit is the status of a process that ended.
func exit(err error) int {
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		return e.ExitCode()
	}
	return 0
}

// A Unix socket has its mode, outlives a kill, and goes with the server.
func TestUnixSocket(t *testing.T) {
	whole(t)
	t.Parallel()
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "pocket-id.sock")
	i := install(t, "UNIX_SOCKET="+path)
	s := i.serve()
	if about, err := os.Lstat(path); err != nil || about.Mode() != fs.ModeSocket|0o660 {
		t.Errorf("the socket: %v, %v", about, err)
	}
	for _, args := range [][]string{{"healthcheck", "-v"}, {"healthcheck", "--unix-socket", path, "-v"}} {
		if out, err := i.command(args...); err != nil || !strings.Contains(out, "answers at "+path) {
			t.Errorf("%v: %v %s", args, err, out)
		}
	}
	if out, _ := i.command("doctor", "--quiet"); strings.Contains(out, "The server does not run here") || !strings.Contains(out, "TRUST_PROXY=127.0.0.1") {
		t.Errorf("the doctor: %s", out)
	}
	other := install(t, "UNIX_SOCKET="+path)
	if out, err := other.command("serve"); exit(err) != 1 || !strings.Contains(out, "another server listens there") {
		t.Errorf("a second server: %v %s", err, out)
	}
	s.end(syscall.SIGKILL)
	if err := app.ProbeThrough(t.Context(), path, origin+"/healthz"); err == nil {
		t.Error("it answers after its end")
	}
	s = i.serve()
	s.end(syscall.SIGINT)
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket of a server that ended: %v", err)
	}
	if out, err := i.command("healthcheck"); err == nil {
		t.Errorf("healthcheck without a server: %s", out)
	}
}

// The program takes its socket from systemd's own tool, started by the first connection.
func TestSocketOfSystemd(t *testing.T) {
	whole(t)
	t.Parallel()
	i, port := install(t), freePort(t)
	args := []string{tool(t, "systemd-socket-activate", "systemd"), "--listen=127.0.0.1:" + port}
	for _, line := range append(i.env, "SYSTEMD_SOCKET=true") {
		args = append(args, "--setenv="+line)
	}
	p := launch(t, i.dir, i.env, append(args, program)...)
	p.until("the tool listens", func() bool { return strings.Contains(p.log.String(), "Listening on") })
	// The connection that starts it waits for it.
	if err := app.Probe(t.Context(), "http://127.0.0.1:"+port+"/healthz"); err != nil {
		t.Error(err)
	}
	p.until("it listens there", func() bool { return strings.Contains(p.log.String(), "listening=127.0.0.1:"+port) })
	p.end(syscall.SIGINT)
	if out, err := i.commandWith("SYSTEMD_SOCKET=true", "serve"); exit(err) != 1 || !strings.Contains(out, "there is no socket to take") {
		t.Errorf("without a socket: %v %s", err, out)
	}
}

// commandWith runs a command with one setting more.
func (i *installation) commandWith(setting string, args ...string) (string, error) {
	more := *i
	more.env = append(append([]string{}, i.env...), setting)
	return more.command(args...)
}

// Whoever started the server hears when it is ready, that it lives, reads again, and stops.
func TestNewsForSystemd(t *testing.T) {
	whole(t)
	t.Parallel()
	dir, err := os.MkdirTemp("", "n")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	at := filepath.Join(dir, "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: at, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	port := freePort(t)
	i := install(t, "PORT="+port)
	p := launch(t, i.dir, append(i.env, "NOTIFY_SOCKET="+at, "WATCHDOG_USEC=200000"), program)
	hear := func(want string) {
		t.Helper()
		c.SetReadDeadline(time.Now().Add(time.Minute))
		for {
			b := make([]byte, 500)
			n, err := c.Read(b)
			if err != nil {
				t.Fatalf("%s is not heard: %v", want, err)
			}
			if first, _, _ := strings.Cut(string(b[:n]), "\n"); first == want {
				return
			}
		}
	}
	hear("READY=1")
	if err := app.Probe(t.Context(), "http://127.0.0.1:"+port+"/healthz"); err != nil {
		t.Errorf("it says that it is ready: %v", err)
	}
	hear("WATCHDOG=1")
	p.cmd.Process.Signal(syscall.SIGHUP)
	hear("RELOADING=1")
	hear("READY=1")
	p.cmd.Process.Signal(syscall.SIGINT)
	hear("STOPPING=1")
	<-p.done
}

// The units of deploy are understood by systemd, and expose as little as they can.
func TestUnits(t *testing.T) {
	whole(t)
	t.Parallel()
	analyze := tool(t, "systemd-analyze", "systemd")
	dir := t.TempDir()
	service := write(t, filepath.Join(dir, "pocket-id.service"), filled(t, "systemd/pocket-id.service", "/usr/local/bin/pocket-id", program))
	socket := write(t, filepath.Join(dir, "pocket-id.socket"), filled(t, "systemd/pocket-id.socket", "ListenStream=443", "ListenStream=443"))
	if out, err := exec.Command(analyze, "verify", service, socket).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v: %s", err, out)
	}
	out, err := exec.Command(analyze, "security", "--offline=true", "--no-pager", service).CombinedOutput()
	m := regexp.MustCompile(`exposure level for pocket-id.service: ([0-9.]+)`).FindSubmatch(out)
	if err != nil || m == nil {
		t.Fatalf("%v: %s", err, out)
	}
	if level, err := strconv.ParseFloat(string(m[1]), 64); err != nil || level > 1.3 {
		t.Errorf("the exposure level is %s:\n%s", m[1], out)
	}
}
