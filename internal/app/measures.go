package app

import (
	"context"
	"net"
	"net/http"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/jobs"
	"pocketid/internal/metrics"
)

const (
	// lookFor is how long measures may ask the database, and watchers how many may be connected.
	lookFor  = 2 * time.Second
	watchers = 16
)

// Metrics says where measures can be read.
type Metrics struct {
	On   bool
	Host string
	Port int
}

// measure begins to count what the house does, where somebody wants to know. It comes
// before the first transaction and the first request.
func (a *App) measure() {
	if !a.config.Metrics.On {
		return
	}
	s := metrics.New()
	a.measures = s
	engine := "sqlite"
	if a.DB.Postgres {
		engine = "postgres"
	}
	s.Fact("pocket_id_build_info", "What runs here.", "version", a.config.Version, "database", engine)
	s.Process()

	events := s.Counter("pocket_id_events_total", "What entered the audit log, by the name of the event.", "event")
	a.DB.Told = func(name string) { events.Inc(name) }
	s.Reading("pocket_id_database_statements_total", "Statements that the database was given.", count(a.DB.Statements))
	s.Reading("pocket_id_database_retries_total", "Transactions that were run again because they lost a race.", count(a.DB.Retries))
	s.Gauge("pocket_id_database_up", "1 when the database answers.", func() (float64, bool) {
		ctx, cancel := context.WithTimeout(context.Background(), lookFor)
		defer cancel()
		if a.DB.Ping(ctx) != nil {
			return 0, true
		}
		return 1, true
	})

	runs := s.Counter("pocket_id_job_runs_total", "Runs of jobs in this process, by what became of them.", "job", "became")
	took := s.Durations("pocket_id_job_duration_seconds", "How long jobs took.", "job")
	a.Jobs.Ended = func(kind, became string, d time.Duration) {
		runs.Inc(kind, became)
		took.Observe(d, kind)
	}
	s.Gauge("pocket_id_jobs_resting", "Jobs of all replicas that failed too often to be tried again by themselves, 200 at most.", func() (n float64, ok bool) {
		ctx, cancel := context.WithTimeout(context.Background(), lookFor)
		defer cancel()
		err := a.DB.Read(ctx, func(tx *db.Tx) error {
			all, err := jobs.CountResting(tx)
			n = float64(all)
			return err
		})
		return n, err == nil
	})
	s.Gauge("pocket_id_certificate_expires_seconds", "When the certificate of this server runs out, in seconds since 1970.", func() (float64, bool) {
		certs := a.certificates.Load()
		if certs == nil {
			return 0, false
		}
		leaf, err := certs.Leaf()
		if err != nil {
			return 0, false
		}
		return float64(leaf.NotAfter.Unix()), true
	})
}

// count is a number that somebody else keeps.
func count(of func() int64) func() (float64, bool) {
	return func() (float64, bool) { return float64(of()), true }
}

// measured is what the gate tells of requests, or nil where nobody wants to know.
func (a *App) measured() func(route, method string, status int, took time.Duration) {
	if a.measures == nil {
		return nil
	}
	requests := a.measures.Durations("http_server_request_duration_seconds", "How long requests took, by route and answer.",
		"http_request_method", "http_route", "http_response_status_code")
	return func(route, method string, status int, took time.Duration) {
		requests.Observe(took, method, route, statusText(status))
	}
}

// statusText is a status as a label. All that the house answers are of three digits.
func statusText(status int) string {
	if status < 100 || status > 599 {
		return "other"
	}
	return string([]byte{byte('0' + status/100), byte('0' + status/10%10), byte('0' + status%10)})
}

// tellMeasures lets measures be read at /metrics, until the server that it returns is closed.
func (a *App) tellMeasures(l net.Listener) *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", metrics.ContentType)
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		a.measures.Write(w) // whoever leaves meanwhile misses nothing
	})
	s := &http.Server{Handler: mux, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 8 << 10}
	go s.Serve(limited(l, make(chan struct{}, watchers)))
	a.log.Info("measures can be read", "listening", l.Addr().String())
	return s
}
