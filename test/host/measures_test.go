package host

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"pocketid/internal/dbtest"
)

// A line of the text format: a name, labels, a number.
var sample = regexp.MustCompile(`^([a-z_]+)(\{([a-z_]+="[^"\\\n]*",?)+\})? ([0-9.e+-]+)$`)

// measures reads what Prometheus would.
func measures(t *testing.T, port string) map[string]string {
	t.Helper()
	r, err := http.Get("http://localhost:" + port + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	if r.StatusCode != http.StatusOK || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/plain; version=0.0.4") {
		t.Fatalf("measures: %s %v", r.Status, r.Header)
	}
	all, of := map[string]string{}, ""
	lines := bufio.NewScanner(strings.NewReader(read(t, r)))
	for lines.Scan() {
		line := lines.Text()
		if name, ok := strings.CutPrefix(line, "# TYPE "); ok {
			of, _, _ = strings.Cut(name, " ")
			continue
		}
		if strings.HasPrefix(line, "# HELP ") {
			continue
		}
		m := sample.FindStringSubmatch(line)
		if m == nil || !strings.HasPrefix(m[1], of) {
			t.Errorf("no sample of %s: %q", of, line)
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		if _, twice := all[line[:at]]; twice {
			t.Errorf("twice: %s", line)
		}
		all[line[:at]] = line[at+1:]
	}
	return all
}

// Prometheus reads how the server is, on a port of its own; and strangers, whatever they
// ask for, add nothing to what it has to keep. // threats 81
func TestMeasures(t *testing.T) {
	whole(t)
	t.Parallel()
	for _, engine := range []string{dbtest.SQLite, dbtest.Postgres} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			port, watched := freePort(t), freePort(t)
			i := install(t, "PORT="+port, "DB_CONNECTION_STRING="+dbtest.MigratedDSN(t, engine), "APP_URL=http://localhost:"+port, "DISABLE_RATE_LIMITING=true",
				"OTEL_METRICS_EXPORTER=prometheus", "OTEL_EXPORTER_PROMETHEUS_PORT="+watched)
			i.serve()
			for _, path := range []string{"/", "/healthz", "/metrics/more"} {
				r, err := http.Get("http://localhost:" + watched + path)
				if err != nil {
					t.Fatal(err)
				}
				if read(t, r); r.StatusCode != http.StatusNotFound {
					t.Errorf("%s beside the measures: %s", path, r.Status)
				}
			}
			if r, err := http.Get("http://localhost:" + port + "/metrics"); err != nil || r.StatusCode != http.StatusNotFound {
				t.Errorf("measures are there for everybody: %v %v", r, err)
			}

			make := func(name string) int {
				r, err := http.NewRequest("POST", "http://localhost:"+port+"/api/users", strings.NewReader(`{"username":"`+name+`","firstName":"Eve","email":"`+name+`@example.test"}`))
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("X-API-Key", static)
				r.Header.Set("Content-Type", "application/json")
				answer, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				read(t, answer)
				return answer.StatusCode
			}
			before := measures(t, watched)
			if status := make("eve"); status != http.StatusCreated {
				t.Fatalf("an account: %d", status)
			}
			if make("eve") == http.StatusCreated { // is undone, so it does not count
				t.Fatal("the same account twice")
			}
			after := measures(t, watched)
			for name, want := range map[string]string{
				`pocket_id_events_total{event="ACCOUNT_CREATED"}`: "1",
				`pocket_id_database_up`:                           "1",
				`pocket_id_jobs_resting`:                          "0",
				`http_server_request_duration_seconds_count{http_request_method="POST",http_route="/api/users",http_response_status_code="201"}`: "1",
				`http_server_request_duration_seconds_count{http_request_method="GET",http_route="",http_response_status_code="404"}`:            before[`http_server_request_duration_seconds_count{http_request_method="GET",http_route="",http_response_status_code="404"}`],
			} {
				if after[name] != want || want == "" {
					t.Errorf("%s is %q, want %q", name, after[name], want)
				}
			}
			if after[`pocket_id_build_info{version="development",database="`+engine+`"}`] == "" && !strings.Contains(fmt.Sprint(after), `database="`+engine+`"`) {
				t.Error("nothing says what runs")
			}

			hostile := func(n int) {
				c, err := net.Dial("tcp", "localhost:"+port)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				answers := bufio.NewReader(c)
				for j := range 100 {
					line := []string{"GET /nowhere-%d", "GET /api/users/%d", "GET /settings/admin/users/%d", "X%d /login", "GET /.well-known/%d", "POST /authorize?x=%d", "GET /api/apis/%d/x"}[j%7]
					fmt.Fprintf(c, line+" HTTP/1.1\r\nHost: localhost:%s\r\nX-Request-Id: %d\r\nUser-Agent: \"%d\\\r\nX-API-Key: %d\r\nContent-Length: 0\r\n\r\n", n*100+j, port, n, j, j)
					r, err := http.ReadResponse(answers, nil)
					if err != nil {
						t.Fatalf("%s: %v", line, err)
					}
					read(t, r)
				}
			}
			hostile(1)
			some := len(measures(t, watched))
			for n := range 5 {
				hostile(n + 2)
			}
			if more := len(measures(t, watched)); more != some {
				t.Errorf("%d series, then %d", some, more)
			}
		})
	}
}
