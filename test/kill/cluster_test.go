package kill

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A cluster is several processes on one PostgreSQL, with nginx before them.
type cluster struct {
	t *testing.T
	// front is what people and applications talk to: its address is that of nginx. It is
	// never started itself; commands are run beside it.
	front *server
	nodes []*server

	mu     sync.Mutex
	deaths map[string][]death // by the address of the process
	ends   int                // how many processes ended, in whatever way
	// away is when PostgreSQL was not there. The last one has no end while it goes on.
	away []absence
	// outages counts what was excused, by its status.
	outages map[int]int
}

// A death is from when to when a process died.
type death struct{ from, to time.Time }

// An absence is a time in which answers may be 503.
type absence struct{ from, to time.Time }

// grace is how long after the return of the database requests that waited for it may still
// come back with 503: as long as a connection may take to be found dead.
const grace = 8 * time.Second

// unseen is how long a busy nginx may take to see that a process has closed what it kept open.
const unseen = time.Second

// newCluster makes n processes and the proxy before them, which runs until the test ends.
func newCluster(t *testing.T, n int, dsn string, settings ...string) *cluster {
	t.Helper()
	c := &cluster{t: t, deaths: map[string][]death{}, outages: map[int]int{}}
	c.front = newServer(t, dsn, append([]string{key, "TRUST_PROXY=127.0.0.1"}, settings...)...)
	for range n {
		c.nodes = append(c.nodes, newServer(t, dsn, append([]string{key, "TRUST_PROXY=127.0.0.1", "APP_URL=" + c.front.url()}, settings...)...))
	}
	c.proxy()
	var starting sync.WaitGroup
	for _, s := range c.nodes {
		s.start()
		starting.Go(s.ready)
	}
	starting.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return c
}

func (s *server) address() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// proxy starts nginx. Which process answered is in a header of the answer. A process that
// refuses a connection is left out for that request, and asked again with the next: it
// may be back by then, and on one machine a refusal costs nothing.
func (c *cluster) proxy() {
	c.t.Helper()
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		if nginx = "/usr/sbin/nginx"; !executable(nginx) {
			c.t.Fatal("nginx is not installed; on Debian: sudo apt-get install nginx-light")
		}
	}
	dir := c.t.TempDir()
	var to strings.Builder
	for _, s := range c.nodes {
		fmt.Fprintf(&to, "server %s max_fails=0;\n", s.address())
	}
	conf := filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error.log warn;
events { worker_connections 512; }
http {
	access_log off;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi; uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
	upstream houses { %[2]s keepalive 16; }
	server {
		listen 127.0.0.1:%[3]d;
		add_header X-Upstream $upstream_addr always;
		location / {
			proxy_pass http://houses;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_set_header Host $http_host;
			proxy_set_header X-Forwarded-For $remote_addr;
			proxy_set_header X-Forwarded-Proto $scheme;
			proxy_read_timeout 60s;
		}
	}
}
`, dir, to.String(), c.front.port)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	cmd := exec.Command(nginx, "-c", conf, "-p", dir, "-e", filepath.Join(dir, "error.log"))
	out := &log{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if c.t.Failed() {
			said, _ := os.ReadFile(filepath.Join(dir, "error.log"))
			c.t.Logf("nginx said:\n%s%s", out.tail(2000), said[max(0, len(said)-4000):])
		}
	})
	for range 500 {
		if conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", c.front.port)); err == nil {
			conn.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	c.t.Fatalf("nginx does not start: %s", out.tail(2000))
}

func executable(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode()&0o111 != 0
}

// kill ends one process at once.
func (c *cluster) kill(s *server) {
	from := time.Now()
	s.kill()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deaths[s.address()] = append(c.deaths[s.address()], death{from, time.Now()})
	c.ends++
}

// stop ends one process as an orchestrator does, and waits for its end. Nothing that it
// was asked is excused.
func (c *cluster) stop(s *server) {
	c.ends++
	s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.done:
	case <-time.After(30 * time.Second):
		c.t.Error("a process does not stop")
		s.kill()
	}
	s.cmd = nil
}

// up waits until a process is ready: asked itself, not through the proxy.
func (s *server) up(t *testing.T) {
	client := http.Client{Timeout: 5 * time.Second}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if res, err := client.Get("http://" + s.address() + "/readyz"); err == nil {
			res.Body.Close()
			if res.StatusCode/100 == 2 {
				return
			}
		}
	}
	t.Errorf("a process is not ready after a minute:\n%s", s.log.tail(3000))
}

// leave says that PostgreSQL goes now, and returns what says that it is back.
func (c *cluster) leave() (back func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.away = append(c.away, absence{from: time.Now()})
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.away[len(c.away)-1].to = time.Now()
	}
}

// excused says whether the cluster has a reason for a missing answer: the last process that
// was asked died under the request, or the database was away and the answer says when to
// come back.
func (c *cluster) excused(err error) bool {
	o, ok := errors.AsType[*outage](err)
	if !ok {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	excuse := false
	switch o.status {
	case http.StatusBadGateway:
		asked := strings.Split(o.upstream, ", ")
		for _, d := range c.deaths[asked[len(asked)-1]] {
			to := d.to
			if len(asked) == 1 { // it was sent, or nginx had asked another: on a kept connection whose end it had not seen
				to = to.Add(unseen)
			}
			excuse = excuse || o.begun.Before(to)
		}
	case http.StatusServiceUnavailable:
		for _, a := range c.away {
			excuse = excuse || o.retry != "" && (a.to.IsZero() || o.begun.Before(a.to.Add(grace)))
		}
	}
	if excuse {
		c.outages[o.status]++
	}
	return excuse
}

// people are workers with their accounts and applications.
func (c *cluster) people(choices uint64, names ...string) (all []*worker) {
	c.t.Helper()
	for i, name := range names {
		p := (*person)(nil)
		if i == 0 {
			p = setUp(c.t, c.front)
		} else {
			p = arrive(c.t, c.front, name)
		}
		w := &worker{t: c.t, person: p, rng: rand.New(rand.NewPCG(choices, uint64(i+2))), excused: c.excused, clients: applications(c.t, c.front, name)}
		if i == 0 {
			w.titles = map[*client]*text{}
		}
		all = append(all, w)
	}
	return all
}

// under lets people work while fn runs, and looks afterwards whether all that was
// acknowledged is there.
func (c *cluster) under(people []*worker, fn func()) {
	c.t.Helper()
	var over atomic.Bool
	var working sync.WaitGroup
	for _, w := range people {
		working.Go(func() {
			for !over.Load() && !c.t.Failed() {
				if w.step() {
					w.did++
				} else {
					time.Sleep(20 * time.Millisecond)
				}
			}
		})
	}
	fn()
	over.Store(true)
	working.Wait()
	for _, w := range people {
		working.Go(func() { w.check(true) })
	}
	working.Wait()
	if c.t.Failed() {
		c.t.FailNow()
	}
}
