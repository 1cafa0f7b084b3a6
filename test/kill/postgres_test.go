package kill

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// A postgres is a server of PostgreSQL that belongs to one test, which stops it, starts it
// and makes another one of it. It waits for the disk as one of an operator does.
type postgres struct {
	t    *testing.T
	bin  string // the directory of its programs
	data string
	port int
	args string
}

// newPostgres makes a server and starts it.
func newPostgres(t *testing.T) *postgres {
	t.Helper()
	if testing.Short() {
		t.Skip("PostgreSQL is left out by -short")
	}
	p := &postgres{t: t, bin: postgresBin(t), data: filepath.Join(ownDir(t), "data"), port: freePort(t)}
	p.run("initdb", "-D", p.data, "-A", "trust", "-U", "postgres", "--locale=C.UTF-8", "-E", "UTF8", "--no-sync")
	p.start()
	return p
}

// standby makes a server that follows p and that p waits for with each commit.
func (p *postgres) standby() *postgres {
	p.t.Helper()
	s := &postgres{t: p.t, bin: p.bin, data: filepath.Join(ownDir(p.t), "data"), port: freePort(p.t), args: "-c synchronous_standby_names="}
	p.run("pg_basebackup", "-D", s.data, "-h", "127.0.0.1", "-p", strconv.Itoa(p.port), "-U", "postgres", "-R", "-X", "stream", "-c", "fast", "--no-sync",
		"-d", "application_name=second")
	s.start()
	p.run("psql", "-h", "127.0.0.1", "-p", strconv.Itoa(p.port), "-U", "postgres", "-c", "ALTER SYSTEM SET synchronous_standby_names = 'second'", "-c", "SELECT pg_reload_conf()")
	return s
}

func (p *postgres) start() {
	p.t.Helper()
	socket := filepath.Dir(p.data)
	p.run("pg_ctl", "-D", p.data, "-w", "-t", "60", "-s", "-l", filepath.Join(socket, "log"),
		"-o", fmt.Sprintf("-p %d -k %s -c listen_addresses=127.0.0.1 -c max_connections=200 %s", p.port, socket, p.args), "start")
	p.t.Cleanup(func() { p.command("pg_ctl", "-D", p.data, "-m", "immediate", "-s", "stop").Run() })
}

// stop ends the server: by "fast" connections are cut and all is written, by "immediate"
// it is as if the machine had failed.
func (p *postgres) stop(mode string) {
	p.t.Helper()
	p.run("pg_ctl", "-D", p.data, "-m", mode, "-w", "-s", "stop")
}

// promote makes the one that followed the one that leads.
func (p *postgres) promote() {
	p.t.Helper()
	p.run("pg_ctl", "-D", p.data, "-w", "-s", "promote")
}

// address is where one is, or several in the order in which they are asked.
func address(all ...*postgres) string {
	hosts := ""
	for i, p := range all {
		if i > 0 {
			hosts += ","
		}
		hosts += fmt.Sprintf("127.0.0.1:%d", p.port)
	}
	return "postgres://postgres@" + hosts + "/postgres?sslmode=disable&target_session_attrs=read-write"
}

func (p *postgres) run(name string, args ...string) {
	p.t.Helper()
	cmd := p.command(name, args...)
	out := &log{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(filepath.Join(filepath.Dir(p.data), "log"))
		p.t.Fatalf("%s: %v\n%s\n%s", name, err, out.tail(2000), said[max(0, len(said)-2000):])
	}
}

// command runs a program of PostgreSQL, as somebody whom it accepts, which root is not.
func (p *postgres) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(p.bin, name), args...)
	cmd.Dir = "/"
	if os.Getuid() == 0 {
		uid, gid := unprivileged(p.t)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid}}
	}
	return cmd
}

// ownDir is a directory that PostgreSQL may write to.
func ownDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pocket-id-pg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if os.Getuid() == 0 {
		uid, gid := unprivileged(t)
		if err := os.Chown(dir, int(uid), int(gid)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func unprivileged(t *testing.T) (uid, gid uint32) {
	t.Helper()
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			a, _ := strconv.ParseUint(u.Uid, 10, 32)
			b, _ := strconv.ParseUint(u.Gid, 10, 32)
			return uint32(a), uint32(b)
		}
	}
	t.Fatal("there is nobody who may run PostgreSQL: neither postgres nor nobody exists")
	return 0, 0
}

// postgresBin finds the newest PostgreSQL.
func postgresBin(t *testing.T) string {
	t.Helper()
	var best string
	var version int
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pg_basebackup")
	for _, path := range found {
		dir := filepath.Dir(path)
		if v, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir))); v > version {
			best, version = dir, v
		}
	}
	if best == "" {
		path, err := exec.LookPath("pg_basebackup")
		if err != nil {
			t.Fatal("PostgreSQL is not installed; on Debian: sudo apt-get install postgresql")
		}
		best = filepath.Dir(path)
	}
	return best
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
