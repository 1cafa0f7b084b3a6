package kill

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pocketid/internal/app"
	"pocketid/internal/audit"
	"pocketid/internal/directory"
)

// crowd is how many people there are who do nothing.
const crowd = 600

// span is how long a test of replicas lets load run, or PostgreSQL be away: HA_SECONDS,
// or a few.
func span(t *testing.T, few time.Duration) time.Duration {
	t.Helper()
	if testing.Short() {
		t.Skip("replicas are left out by -short")
	}
	text := os.Getenv("HA_SECONDS")
	if text == "" {
		return few
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("HA_SECONDS is %q", text)
	}
	return time.Duration(n) * time.Second
}

// Several processes on one PostgreSQL, of which one is killed every few seconds, and then
// each is replaced in turn: what was acknowledged is there, nobody misses an answer but
// those whose request was in the process that died, each job is done, and none twice.
func TestReplicasUnderKills(t *testing.T) { // threats 1, 4, 5, 52
	long := span(t, 8*time.Second)
	for _, n := range []int{2, 3} {
		if n == 3 && os.Getenv("HA_SECONDS") == "" {
			continue // the long run has both
		}
		t.Run(strconv.Itoa(n), func(t *testing.T) { replicasUnderKills(t, n, long) })
	}
}

func replicasUnderKills(t *testing.T, n int, long time.Duration) {
	choices := seed(t)
	rng := rand.New(rand.NewPCG(choices, 1))
	// A server of its own: where somebody else keeps a serializable transaction open for
	// long, PostgreSQL lets others lose races again and again.
	dsn := address(newPostgres(t))
	heard := listen(t)
	c := newCluster(t, n, dsn, "ALLOWED_PRIVATE_HOSTS=127.0.0.1")
	people := c.people(choices, "admin", "bert", "cleo", "dora")
	heard.tell(t, dsn)
	c.crowd(crowd)

	kills := 0
	for end := time.Now().Add(long); time.Now().Before(end); {
		c.under(people, func() {
			if kills == 0 {
				c.disable()
			}
			for round := time.Now().Add(15 * time.Second); time.Now().Before(round) && time.Now().Before(end); kills++ {
				time.Sleep(time.Duration(500+rng.IntN(2500)) * time.Millisecond)
				s := c.nodes[rng.IntN(len(c.nodes))]
				c.kill(s)
				time.Sleep(time.Duration(rng.IntN(800)) * time.Millisecond)
				s.start()
				s.up(t)
			}
		})
	}
	lost := c.report(people, fmt.Sprintf("%d processes, %d kills", n, kills))
	if kills == 0 || lost[http.StatusBadGateway] > 8*kills {
		t.Errorf("%d kills cost %v answers", kills, lost)
	}

	// A rolling restart costs nobody anything.
	clear(c.deaths)
	c.under(people, func() {
		for _, s := range c.nodes {
			c.stop(s)
			s.start()
			s.up(t)
		}
	})
	if after := c.report(people, "a rolling restart"); fmt.Sprint(after) != fmt.Sprint(lost) {
		t.Errorf("a rolling restart cost answers: %v before it, %v after", lost, after)
	}
	c.jobsDone(dsn, heard)
}

// report prints what happened so far and returns how many answers are missing, by status.
func (c *cluster) report(people []*worker, what string) map[int]int {
	c.t.Helper()
	var did, half, sessions, families int
	for _, w := range people {
		did, half, sessions, families = did+w.did, half+w.half, sessions+len(w.sessions), families+len(w.families)
		if w.did == 0 {
			c.t.Errorf("%s did nothing", w.person.name)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	lost := map[int]int{}
	for status, n := range c.outages {
		lost[status] = n
	}
	c.t.Logf("%s: %d things acknowledged, %d under way; %d sessions, %d grants; without an answer: %v", what, did, half, sessions, families, lost)
	return lost
}

// crowd makes people who do nothing.
func (c *cluster) crowd(n int) {
	c.front.house(func(ctx context.Context, a *app.App) {
		for i := range n {
			name := fmt.Sprintf("crowd%04d", i)
			_, err := a.Directory.AddUserAs(ctx, audit.System("cli"), directory.NewUser{Username: name, Email: name + "@example.test", FirstName: name})
			if err != nil {
				c.t.Fatal(err)
			}
		}
	})
}

// disable orders that the whole crowd is disabled, which a job does.
func (c *cluster) disable() {
	c.front.house(func(ctx context.Context, a *app.App) {
		if _, err := a.Directory.StartBatch(ctx, audit.System("cli"), directory.BatchOrder{Deed: directory.DeedDisable, Filter: directory.UserFilter{Search: "crowd"}}); err != nil {
			c.t.Error(err)
		}
	})
}

// jobsDone waits until no work is left, and looks what became of it.
func (c *cluster) jobsDone(dsn string, heard *listener) {
	c.t.Helper()
	d, err := sql.Open("pgx", dsn)
	if err != nil {
		c.t.Fatal(err)
	}
	defer d.Close()
	count := func(q string, args ...any) (n int) {
		c.t.Helper()
		if err := d.QueryRow(q, args...).Scan(&n); err != nil {
			c.t.Fatal(err)
		}
		return n
	}
	// What the last dead process held is free after a minute.
	for end := time.Now().Add(3 * time.Minute); count(`SELECT count(*) FROM jobs WHERE unique_key IS NULL AND kind <> 'user.purge'`) > 0; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			c.t.Fatal("work is left over")
		}
	}
	disabled := count(`SELECT count(*) FROM audit WHERE event = $1`, audit.UserDisabled.String())
	twice := count(`SELECT count(*) FROM (SELECT object_id FROM audit WHERE event = $1 GROUP BY object_id HAVING count(*) > 1) AS x`, audit.UserDisabled.String())
	still := count(`SELECT count(*) FROM users WHERE username LIKE 'crowd%' AND disabled_at IS NULL`)
	if disabled != crowd || twice != 0 || still != 0 {
		c.t.Errorf("of %d people %d were disabled, %d of them more than once, %d not", crowd, disabled, twice, still)
	}
	sids := map[string]bool{}
	rows, err := d.Query(`SELECT sid FROM session_clients WHERE ended_at IS NOT NULL`)
	if err != nil {
		c.t.Fatal(err)
	}
	for rows.Next() {
		var sid string
		if err := rows.Scan(&sid); err != nil {
			c.t.Fatal(err)
		}
		sids[sid] = true
	}
	if err := rows.Err(); err != nil {
		c.t.Fatal(err)
	}
	delivered := count(`SELECT count(*) FROM audit WHERE event = $1`, audit.LogoutDelivered.String())
	heard.mu.Lock()
	defer heard.mu.Unlock()
	missed, more := 0, 0
	for sid := range sids {
		switch n := heard.sids[sid]; {
		case n == 0:
			missed++
		case n > 1:
			more += n - 1
		}
	}
	c.t.Logf("%d people were disabled by a job; %d ends of sessions were told to applications, %d of them again because a process died before it had written down that it told", disabled, len(sids), more)
	if len(sids) == 0 || missed > 0 || delivered != len(sids) {
		c.t.Errorf("of %d ends of sessions %d were not told, and %d are in the log", len(sids), missed, delivered)
	}
	if more > c.ends {
		c.t.Errorf("%d processes ended, and %d ends were told again", c.ends, more)
	}
}

// A listener is an application that hears of ends of sessions, over a socket.
type listener struct {
	url  string
	mu   sync.Mutex
	sids map[string]int
}

func listen(t *testing.T) *listener {
	t.Helper()
	l := &listener{sids: map[string]int{}}
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.url = "http://" + socket.Addr().String() + "/out"
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		part := strings.Split(r.FormValue("logout_token"), ".")
		var claims struct {
			Sid string `json:"sid"`
		}
		if len(part) == 3 {
			b, _ := base64.RawURLEncoding.DecodeString(part[1])
			json.Unmarshal(b, &claims)
		}
		l.mu.Lock()
		l.sids[claims.Sid]++
		l.mu.Unlock()
		w.WriteHeader(http.StatusOK)
	}), ReadHeaderTimeout: time.Minute}
	go server.Serve(socket)
	t.Cleanup(func() { server.Close() })
	return l
}

// tell lets all applications hear of ends there.
func (l *listener) tell(t *testing.T, dsn string) {
	t.Helper()
	d, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := d.Exec(`UPDATE clients SET backchannel_logout = $1`, l.url); err != nil {
		t.Fatal(err)
	}
}

// PostgreSQL is stopped under load and comes back: answers say 503 and when to come again,
// no process ends, and what was acknowledged is there.
func TestPostgresGoesAway(t *testing.T) { // threats 52
	long := min(span(t, 4*time.Second), 20*time.Second)
	p := newPostgres(t)
	c := newCluster(t, 2, address(p))
	people := c.people(seed(t), "admin", "bert", "cleo")
	for _, mode := range []string{"fast", "immediate"} {
		c.under(people, func() {
			time.Sleep(time.Second)
			back := c.leave()
			p.stop(mode)
			time.Sleep(long)
			p.start()
			back()
			time.Sleep(2 * time.Second)
		})
		if lost := c.report(people, "PostgreSQL stopped ("+mode+") for "+long.String()); lost[http.StatusServiceUnavailable] == 0 {
			t.Error("nobody noticed that the database was away")
		}
	}
	c.sameProcesses()
}

// The server of the database fails under load and the one that followed it takes over: an
// outage of the same kind, and with a commit that waits for the second nothing is lost.
func TestPostgresFailsOver(t *testing.T) { // threats 52
	span(t, 0)
	first := newPostgres(t)
	second := first.standby()
	c := newCluster(t, 2, address(first, second))
	people := c.people(seed(t), "admin", "bert", "cleo")
	c.under(people, func() {
		time.Sleep(2 * time.Second)
		back := c.leave()
		first.stop("immediate")
		time.Sleep(time.Second)
		second.promote()
		back()
		time.Sleep(3 * time.Second)
	})
	if lost := c.report(people, "a failover"); lost[http.StatusServiceUnavailable] == 0 {
		t.Error("nobody noticed that the database failed")
	}
	c.sameProcesses()
}

// sameProcesses holds that nobody had to start anything again.
func (c *cluster) sameProcesses() {
	c.t.Helper()
	for _, s := range c.nodes {
		select {
		case <-s.done:
			c.t.Errorf("a process ended:\n%s", s.log.tail(2000))
		default:
		}
	}
}
