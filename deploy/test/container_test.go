package test

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

// inside is a command in the unpacked image, as a container has it: the root is mounted for
// reading alone, a volume is at /app/data, the process has no rights and cannot get any.
// Whoever is not root gets a name space in which they are; then the user is their own.
func inside(t *testing.T, volume, user string, env []string, args ...string) *exec.Cmd {
	t.Helper()
	if _, err := program(); err != nil {
		t.Fatal(err)
	}
	const script = `set -e
root=$1 volume=$2 user=$3
shift 3
mount --bind "$root" "$root"
mount --bind "$volume" "$root/app/data"
mount -o remount,bind,ro "$root"
exec setpriv --no-new-privs chroot ${user:+--userspec=$user} "$root" "$@"`
	flags := []string{"--mount", "--propagation", "private"}
	if os.Getuid() != 0 {
		flags, user = append(flags, "--map-root-user"), ""
	}
	cmd := exec.CommandContext(t.Context(), "unshare", append(append(flags, "sh", "-c", script, "sh", filepath.Join(scratch, "root"), volume, user), args...)...)
	cmd.Env = append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TMPDIR=/app/data", "DB_CONNECTION_STRING=/app/data/pocket-id.db"}, env...)
	return cmd
}

// volume is an empty directory that belongs to a user.
func volume(t *testing.T, owner int) string {
	t.Helper()
	dir, err := os.MkdirTemp(scratch, "volume")
	if err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		if err := os.Chown(dir, owner, owner); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// The image runs, as user 1000 on a root that cannot be written: it gets ready, its health
// check is content, it stops by itself on SIGTERM, and has written to its volume alone.
func TestContainer(t *testing.T) {
	dir := volume(t, 1000)
	port := freePort(t)
	env := []string{"PORT=" + port, "HOST=127.0.0.1", "APP_URL=http://localhost:" + port}
	stop := started(t, dir, port, env)
	if out, err := inside(t, dir, "1000:1000", env, "/app/pocket-id", "healthcheck").CombinedOutput(); err != nil {
		t.Errorf("the health check is not content: %v: %s", err, out)
	}
	if out, err := inside(t, dir, "1000:1000", append(env, "PORT=1"), "/app/pocket-id", "healthcheck").CombinedOutput(); err == nil {
		t.Errorf("the health check is content with another port: %s", out)
	}
	// A command beside it, as docker exec runs it, here by a user that has no name in the image.
	if out, err := inside(t, dir, "1000:1000", env, "/app/pocket-id", "user", "create", "--username", "ada", "--email", "ada@example.test").CombinedOutput(); err != nil {
		t.Errorf("a command beside it: %v: %s", err, out)
	}
	stop()
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range left {
		names = append(names, f.Name())
	}
	if got := strings.Join(names, " "); !strings.HasPrefix(got, "encryption-key pocket-id.db") || strings.Contains(got, "writable") {
		t.Errorf("on the volume are %s", got)
	}
}

// freePort is a port of this machine that nobody listens on.
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

// started starts the image and returns when it is ready at a port; stop ends it and checks
// that it ends as it should.
func started(t *testing.T, dir, port string, env []string) (stop func()) {
	t.Helper()
	var log bytes.Buffer
	server := inside(t, dir, "1000:1000", env, "/app/pocket-id")
	server.Stderr, server.Stdout = &log, &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	for begun := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		if res, err := http.Get("http://127.0.0.1:" + port + "/readyz"); err == nil {
			if res.Body.Close(); res.StatusCode == http.StatusNoContent {
				break
			}
		}
		select {
		case err := <-ended:
			t.Fatalf("the container ends: %v: %s", err, log.String())
		default:
		}
		if time.Since(begun) > time.Minute {
			server.Process.Kill()
			t.Fatal("the container does not get ready")
		}
	}
	return func() {
		t.Helper()
		server.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-ended:
			if err != nil || !strings.Contains(log.String(), "msg=stopped") {
				t.Errorf("it does not stop as it should: %v: %s", err, log.String())
			}
		case <-time.After(time.Minute):
			t.Error("it does not stop")
		}
	}
}

// A volume of somebody else stops the start with the command that puts it right, and that
// command does.
func TestForeignVolume(t *testing.T) {
	if os.Getuid() != 0 {
		return // nobody else than root has volumes of others; CI is root
	}
	dir := volume(t, 4711)
	out, err := inside(t, dir, "1000:1000", nil, "/app/pocket-id").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "/app/data belongs to user 4711:4711") || !strings.Contains(string(out), "chown -R 1000:1000 /app/data;") {
		t.Errorf("%v: %s", err, out)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("it left %v", left)
	}
}

// The Compose file, and that of the other Pocket ID with the image's name put in, ask for what the
// image has.
func TestCompose(t *testing.T) {
	for _, tt := range []struct{ name, text string }{
		{"ours", read(t, "../compose/docker-compose.yml")},
		{"one that was there before", "services:\n  pocket-id:\n    image: registry.example.com/pocket-id:1.0.0\n    restart: unless-stopped\n    env_file: .env\n    ports:\n      - 1411:1411\n    volumes:\n      - \"./data:/app/data\"\n" +
			"    healthcheck:\n      test: [ \"CMD\", \"/app/pocket-id\", \"healthcheck\" ]\n      interval: 1m30s\n      timeout: 5s\n      retries: 2\n      start_period: 10s\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var file struct {
				Services map[string]struct {
					Image, Restart, User string
					EnvFile              string `json:"env_file"`
					Ports, Volumes       []string
					ReadOnly             bool     `json:"read_only"`
					CapDrop              []string `json:"cap_drop"`
					SecurityOpt          []string `json:"security_opt"`
					Grace                string   `json:"stop_grace_period"`
					Healthcheck          struct {
						Test              []string
						Interval, Timeout string
						Retries           int
						StartPeriod       string `json:"start_period"`
					}
				}
			}
			if err := yaml.UnmarshalStrict([]byte(tt.text), &file); err != nil {
				t.Fatal(err)
			}
			s := file.Services["pocket-id"]
			if len(file.Services) != 1 || len(s.Ports) != 1 || s.Ports[0] != "1411:1411" || len(s.Volumes) != 1 || s.Volumes[0] != "./data:/app/data" {
				t.Errorf("%+v", s)
			}
			if s.User != "" && s.User != "1000:1000" {
				t.Errorf("it runs as %s", s.User)
			}
			if d, _ := time.ParseDuration(s.Healthcheck.Timeout); d < 5*time.Second { // what healthcheck takes at most
				t.Errorf("the health check has %s", s.Healthcheck.Timeout)
			}
			c := s.Healthcheck.Test
			if len(c) != 3 || c[0] != "CMD" {
				t.Fatalf("the health check is %v", c)
			}
			if out, err := inside(t, volume(t, 1000), "1000:1000", nil, append(c[1:], "--help")...).CombinedOutput(); err != nil {
				t.Errorf("%v: %v: %s", c, err, out)
			}
		})
	}
	var env []string
	for line := range strings.Lines(read(t, "../compose/.env.example")) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			name, value, _ := strings.Cut(line, "=")
			if !variables(t)[name] {
				t.Errorf("the program knows no %s", name)
			}
			env = append(env, name+"="+value)
		}
	}
	takes(t, env)
}
