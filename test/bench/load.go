package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"pocketid/internal/jose"
)

// A row is an operation that is measured.
type row struct {
	name string
	// budget is the promise of CPU seconds of the server for 1,000 of them; 0 is none.
	budget float64
	// do is one operation of one person.
	do func(t *town, p *person) error
}

// rows are all operations, in the order of the table.
var rows = []row{
	{"discovery", 0.03, document("/.well-known/openid-configuration")},
	{"JWKS", 0.03, document("/.well-known/jwks.json")},
	{"userinfo", 0.15, func(t *town, p *person) error { return p.userinfo(t.clients[jose.ES256], "") }},
	{"passkey sign-in", 0.5, func(_ *town, p *person) error { _, err := p.signIn(); return err }},
	{"code flow, RS256", 1.25, func(t *town, p *person) error { return p.code(t.clients[jose.RS256]) }},
	{"code flow, ES256", 0.6, func(t *town, p *person) error { return p.code(t.clients[jose.ES256]) }},
	{"refresh, RS256", 1.2, func(t *town, p *person) error { return p.renew(t.clients[jose.RS256]) }},
	{"refresh, ES256", 0.45, func(t *town, p *person) error { return p.renew(t.clients[jose.ES256]) }},
	{"client credentials", 0.27, func(t *town, p *person) error { return p.machine(t.clients[jose.ES256]) }},
	{"introspection", 0, func(t *town, p *person) error { return p.introspect(t.clients[jose.ES256]) }},
	{"pushed request and code, ES256", 0, func(t *town, p *person) error { return p.pushed(t.clients[jose.ES256]) }},
	{"device, ES256", 0, func(t *town, p *person) error { return p.device(t.clients[jose.ES256]) }},
}

// document gets a public document.
func document(path string) func(*town, *person) error {
	return func(_ *town, p *person) error {
		a, err := p.rp.get(path, "")
		if err != nil {
			return err
		}
		return a.expect(200)
	}
}

// A result is what was measured of a row.
type result struct {
	count, errors int
	first         error // of the errors
	took          time.Duration
	cpu           time.Duration // of the server
	times         []time.Duration
}

// load runs an operation by the first n people at once, each of them again and again
// for so long, after one by each that does not count.
func load(ctx context.Context, t *town, r row, n int, long time.Duration) (result, error) {
	people := t.people[:n]
	results := make([]result, n)
	var warm, done sync.WaitGroup
	warm.Add(n)
	begin := make(chan struct{})
	var end time.Time
	for i, p := range people {
		done.Go(func() {
			own := &results[i]
			own.times = make([]time.Duration, 0, 1024)
			own.note(r.do(t, p))
			warm.Done()
			<-begin
			for first := true; first || time.Now().Before(end) && ctx.Err() == nil; first = false {
				from := time.Now()
				err := r.do(t, p)
				own.times = append(own.times, time.Since(from))
				own.count++
				own.note(err)
				if err != nil && own.errors > 100 {
					return // it will not get better
				}
			}
		})
	}
	warm.Wait()
	before, err := t.cpu()
	if err != nil {
		return result{}, err
	}
	from := time.Now()
	end = from.Add(long)
	close(begin)
	done.Wait()
	all := result{took: time.Since(from)}
	after, err := t.cpu()
	if err != nil {
		return result{}, fmt.Errorf("the server is gone: %w", err)
	}
	all.cpu = after - before
	for _, own := range results {
		all.count += own.count
		all.errors += own.errors
		all.first = cmp.Or(all.first, own.first)
		all.times = append(all.times, own.times...)
	}
	slices.Sort(all.times)
	return all, ctx.Err()
}

func (r *result) note(err error) {
	if err == nil {
		return
	}
	r.errors++
	if r.first == nil {
		r.first = err
	}
}

// better is the cheaper of two measurements of the same row, as the machine has time
// for others in between; errors of both count.
func (r result) better(other result) result {
	if r.count == 0 || other.count > 0 && other.per1000() < r.per1000() {
		r, other = other, r
	}
	r.errors += other.errors
	r.first = cmp.Or(r.first, other.first)
	return r
}

// rate is how many there were a second.
func (r *result) rate() float64 { return float64(r.count) / r.took.Seconds() }

// per1000 is the processor time of the server for 1,000 operations, in seconds.
func (r *result) per1000() float64 { return r.cpu.Seconds() / float64(r.count) * 1000 }

// within is the time in milliseconds in which the share q of the operations was done.
func (r *result) within(q float64) float64 {
	if len(r.times) == 0 {
		return 0
	}
	i := min(int(q*float64(len(r.times))), len(r.times)-1)
	return float64(r.times[i].Microseconds()) / 1000
}

// wanted are the rows whose name contains one of the words, separated by commas.
func wanted(words string) []row {
	if words == "" {
		return rows
	}
	var some []row
	for _, r := range rows {
		if slices.ContainsFunc(strings.Split(words, ","), func(w string) bool { return strings.Contains(r.name, strings.TrimSpace(w)) }) {
			some = append(some, r)
		}
	}
	return some
}
