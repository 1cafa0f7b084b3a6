// Command bench measures the server that is shipped: it builds it, starts it with a
// fresh directory, makes people and applications, and prints how long things take and
// what they cost. docs/benchmarks.md says how to read that.
//
// The load comes from the same machine, so rates and times are those of a machine
// that does both. What compares is the processor time of the server, of which the
// load has no part.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A plan says what is measured.
type plan struct {
	binary   string   // the server; built when it is ""
	against  []string // other servers, measured in turn with the first
	postgres string   // connection string of a server whose schemas we may make and drop
	profile  string   // where profiles go, "" for none
	rows     string
	at       []int         // how many people at once
	long     time.Duration // how long each row takes
	rounds   int           // how often each row is measured; the cheapest counts
	starts   int           // how often starts are measured; 0 leaves starts and memory out
	quiet    time.Duration // how long until memory has settled
	people   int
	counted  int // operations over which statements are counted; 0 leaves that out
	// crowd and entries are the people and the entries of the log of a large house;
	// 0 leaves the pages out.
	crowd, entries int
	// small is how long sign-ins go on in a small container; then nothing else is measured.
	small time.Duration
}

// whole is the plan of make bench.
func whole() plan {
	return plan{at: []int{1, 16, 64}, long: 3 * time.Second, rounds: 1, starts: 5, quiet: 13 * time.Second, people: 64, counted: 40, crowd: 100_000, entries: 1_000_000}
}

func main() {
	p := whole()
	seconds, at, small := os.Getenv("BENCH_SECONDS"), "", os.Getenv("BENCH_SMALL")
	against := ""
	flag.StringVar(&p.binary, "binary", "", "the server to measure; without it the source is built")
	flag.StringVar(&against, "against", "", "other servers to measure in turn with it, separated by commas")
	flag.StringVar(&p.postgres, "postgres", os.Getenv("BENCH_POSTGRES"), "a PostgreSQL server to measure on as well")
	flag.StringVar(&p.profile, "profile", os.Getenv("BENCH_PROFILE"), "a directory for profiles; then nothing else is measured")
	flag.StringVar(&p.rows, "rows", os.Getenv("BENCH_ROWS"), "only rows whose names contain one of these words, separated by commas, or pages; without starts and memory")
	flag.StringVar(&seconds, "seconds", seconds, "how long each row takes")
	flag.StringVar(&at, "at", "", "how many people at once, separated by commas")
	flag.IntVar(&p.rounds, "rounds", p.rounds, "how often each row is measured; the cheapest counts")
	flag.StringVar(&small, "small", small, "measure in 0.2 processors and 256 MiB alone, with so many seconds of sign-ins")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	err := p.adjust(seconds, at, against)
	if err == nil {
		p.small, err = smallFor(small)
	}
	if err == nil {
		err = p.run(ctx, os.Stdout, os.Stderr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

// adjust takes over what was said in words.
func (p *plan) adjust(seconds, at, against string) error {
	if seconds != "" {
		n, err := strconv.ParseFloat(seconds, 64)
		if err != nil || n <= 0 || n > 600 {
			return fmt.Errorf("%q is no number of seconds", seconds)
		}
		p.long = time.Duration(n * float64(time.Second))
	}
	if at != "" {
		p.at = nil
		for word := range strings.SplitSeq(at, ",") {
			n, err := strconv.Atoi(word)
			if err != nil || n < 1 || n > 1000 {
				return fmt.Errorf("%q is no number of people", word)
			}
			p.at = append(p.at, n)
		}
		p.people = max(2, slices.Max(p.at))
	}
	if against != "" {
		p.against = strings.Split(against, ",")
	}
	if p.rows != "" || against != "" {
		p.starts, p.counted = 0, 0
		if !strings.Contains(p.rows, "pages") {
			p.crowd = 0
		}
	}
	return nil
}

// run measures and writes the tables to out; news are for whoever waits.
func (p *plan) run(ctx context.Context, out, news io.Writer) (err error) {
	scratch, err := os.MkdirTemp("", "pocket-id-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	b := &bench{plan: p, scratch: scratch, out: out, news: news}
	defer func() { err = errors.Join(err, b.close()) }()
	if p.profile != "" {
		return b.profiles(ctx)
	}
	return b.tables(ctx)
}

// bench is one run.
type bench struct {
	*plan
	scratch   string
	out, news io.Writer
	running   []*server
	schemas   []string
	scale     float64 // what processor time here is on the machine of the promises
	failed    []error
}

// say tells whoever waits how far it is.
func (b *bench) say(format string, args ...any) { fmt.Fprintf(b.news, format+"\n", args...) }

// print writes a line of the result.
func (b *bench) print(format string, args ...any) { fmt.Fprintf(b.out, format+"\n", args...) }

// build builds the server, as make build does, or with the tag profile.
func (b *bench) build(ctx context.Context, tags string) (string, error) {
	to := filepath.Join(b.scratch, "pocket-id"+tags)
	args := []string{"build", "-trimpath", "-ldflags", "-s -w -X main.version=bench", "-o", to}
	if tags != "" {
		args = []string{"build", "-trimpath", "-tags", tags, "-o", to}
	}
	b.say("building the server %s", tags)
	cmd := exec.CommandContext(ctx, "go", append(args, "pocketid/cmd/pocket-id")...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the server: %w\n%s", err, text)
	}
	return to, nil
}

// shipped is the program that is measured, built if need be.
func (b *bench) shipped(ctx context.Context) (string, error) {
	if b.binary != "" {
		return filepath.Abs(b.binary)
	}
	var err error
	b.binary, err = b.build(ctx, "")
	return b.binary, err
}

// server makes an installation that the end of the run stops.
func (b *bench) server(name, binary, dsn string) (*server, error) {
	s, err := newServer(b.scratch, name, binary, dsn)
	if err == nil {
		b.running = append(b.running, s)
	}
	return s, err
}

// close stops what runs and removes what was made.
func (b *bench) close() error {
	var errs []error
	for _, s := range b.running {
		errs = append(errs, s.kill())
	}
	for _, schema := range b.schemas {
		errs = append(errs, b.dropSchema(schema))
	}
	return errors.Join(errs...)
}
