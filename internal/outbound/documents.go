package outbound

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ErrWait says that an address was asked so shortly before that it is not asked again
// now, or that its host is asked too often.
var ErrWait = errors.New("outbound: the address was asked a moment ago")

// How long things are kept, and how often anybody is asked. A stranger decides when a
// document is wanted, so none of this may depend on how often that is.
const (
	usualFor   = 15 * time.Minute // an answer that does not say how long it is good
	leastFor   = time.Minute
	mostFor    = 24 * time.Hour
	failureFor = 10 * time.Second // a failure is the answer for so long
	againAfter = 10 * time.Second // between two looks for something newer

	hostBurst = 60          // requests to one host at once
	hostEvery = time.Second // then one in so long

	maxEntries = 1000
	maxHosts   = 1000
	maxKept    = 8 << 20 // bytes of all documents together
)

// Documents keeps documents of elsewhere for as long as they say, within bounds. It
// asks for each one once, however many want it at the same time. It is safe for use by
// many at once.
type Documents struct {
	client *Client

	mu      sync.Mutex
	entries map[documentKey]*entry
	kept    int64 // bytes
	hosts   map[string]*bucket
}

// NewDocuments makes an empty collection that fetches with client.
func NewDocuments(client *Client) *Documents {
	return &Documents{client: client, entries: map[documentKey]*entry{}, hosts: map[string]*bucket{}}
}

// A Document is what is to be had, read into a T. One address may be read into several
// types; each is kept by itself.
type Document[T any] struct {
	// Request is how it is asked for. Only a GET is kept.
	Request
	// Read understands an answer of any status. What it refuses is not kept.
	Read func(Answer) (T, error)
	// Least and Most bound how long it is kept, whatever its headers say (RFC 9111); 0 is
	// a minute and a day.
	Least, Most time.Duration
	// Stale is for how long it still counts after that when it cannot be had anew; 0 is
	// not at all.
	Stale time.Duration
}

type documentKey struct {
	url  string
	kind reflect.Type
}

// An entry is a document, or the attempt to get it.
type entry struct {
	value  any
	has    bool // whether value is one
	size   int64
	taken  time.Time // when value was asked for
	until  time.Time // how long it is good
	err    error     // of the last attempt; nil when it succeeded
	tried  time.Time // when the last attempt ended
	used   time.Time
	flight chan struct{} // closed when the attempt that goes on has ended; nil when none does
}

// Fetch is the document, as it was kept or as it is now. The errors of Read come
// through; the others are those of this package. Nothing of them is for strangers.
func Fetch[T any](ctx context.Context, d *Documents, q Document[T]) (T, error) {
	return fetch(ctx, d, q, func(e *entry, now time.Time) bool { return now.Before(e.until) })
}

// Refetch is the document as it is now, for somebody who missed something in the one
// that was kept. An address is looked at anew once in ten seconds; until then the one
// that is there is the answer.
func Refetch[T any](ctx context.Context, d *Documents, q Document[T]) (T, error) {
	return fetch(ctx, d, q, func(e *entry, now time.Time) bool { return now.Before(e.taken.Add(againAfter)) })
}

func fetch[T any](ctx context.Context, d *Documents, q Document[T], good func(*entry, time.Time) bool) (T, error) {
	var none T
	key := documentKey{q.URL, reflect.TypeFor[T]()}
	read := func(a Answer) (any, error) { return q.Read(a) }
	l := limits{or(q.Least, leastFor), or(q.Most, mostFor), q.Stale}
	v, err := d.fetch(ctx, key, q.Request, read, l, good)
	if err != nil {
		return none, err
	}
	return v.(T), nil
}

// limits are the times of a document.
type limits struct{ least, most, stale time.Duration }

func or(d, usual time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return usual
}

func (d *Documents) fetch(ctx context.Context, key documentKey, q Request, read func(Answer) (any, error), l limits, good func(*entry, time.Time) bool) (any, error) {
	if q.Form != nil {
		return nil, fmt.Errorf("%w: only a GET is kept", ErrForbidden)
	}
	if err := d.client.check(q.URL, q.HTTP); err != nil { // costs nothing and is not kept
		return nil, err
	}
	d.mu.Lock()
	now := time.Now()
	e := d.entries[key]
	if e == nil {
		e = &entry{}
		d.entries[key] = e
	}
	e.used = now
	switch {
	case e.has && good(e, now):
		d.mu.Unlock()
		return e.value, nil
	case e.flight != nil:
	case e.err != nil && now.Before(e.tried.Add(failureFor)):
		defer d.mu.Unlock()
		return e.answer(now, l)
	case !d.mayAsk(q.URL, now):
		defer d.mu.Unlock()
		if e.err == nil && !e.has {
			delete(d.entries, key)
		}
		if v, err := e.answer(now, l); err == nil && v != nil {
			return v, nil
		}
		return nil, ErrWait
	default:
		e.flight = make(chan struct{})
		// Whoever asked first may go away; the others still wait for the answer.
		go d.fly(context.WithoutCancel(ctx), key, e, q, read, l)
	}
	flight := e.flight
	d.mu.Unlock()
	select {
	case <-flight:
	case <-ctx.Done():
		return nil, fmt.Errorf("outbound: %w", context.Cause(ctx))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return e.answer(time.Now(), l)
}

// answer is what the last attempt left: a document, one that is stale, or an error.
func (e *entry) answer(now time.Time, l limits) (any, error) {
	if e.has && (e.err == nil || now.Before(e.until.Add(l.stale))) {
		return e.value, nil
	}
	return nil, e.err
}

// fly makes the one request that everybody waits for.
func (d *Documents) fly(ctx context.Context, key documentKey, e *entry, q Request, read func(Answer) (any, error), l limits) {
	asked := time.Now()
	answer, err := d.client.Do(ctx, q)
	var value any
	if err == nil {
		value, err = read(answer)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	e.err, e.tried = err, time.Now()
	if err == nil {
		d.kept += int64(len(answer.Body)) - e.size
		e.value, e.has, e.size, e.taken = value, true, int64(len(answer.Body)), asked
		e.until = asked.Add(min(max(freshFor(answer.Header, asked), l.least), l.most))
	}
	if d.entries[key] != e { // it was thrown out meanwhile
		d.kept -= e.size
	}
	close(e.flight)
	e.flight = nil
	d.tidy(key)
}

// tidy throws out what was not wanted for longest until the bounds hold. The newest stays.
func (d *Documents) tidy(newest documentKey) {
	for len(d.entries) > 1 && (len(d.entries) > maxEntries || d.kept > maxKept) {
		var oldest documentKey
		var found *entry
		for key, e := range d.entries {
			if key != newest && e.flight == nil && (found == nil || e.used.Before(found.used)) {
				oldest, found = key, e
			}
		}
		if found == nil {
			return
		}
		d.kept -= found.size
		delete(d.entries, oldest)
	}
}

// freshFor is how long an answer says that it is good (RFC 9111 §4.2).
func freshFor(h http.Header, now time.Time) time.Duration {
	age := time.Duration(0)
	if s, err := strconv.ParseUint(h.Get("Age"), 10, 31); err == nil {
		age = time.Duration(s) * time.Second
	}
	said := strings.ToLower(strings.Join(h.Values("Cache-Control"), ","))
	for directive := range strings.SplitSeq(said, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch name {
		case "no-store", "no-cache":
			return 0
		case "max-age":
			s, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31)
			if err != nil {
				return 0
			}
			return time.Duration(s)*time.Second - age
		}
	}
	if expires := h.Get("Expires"); expires != "" {
		at, err := http.ParseTime(expires)
		if err != nil {
			return 0
		}
		if date, err := http.ParseTime(h.Get("Date")); err == nil {
			now = date
		}
		return at.Sub(now) - age
	}
	return usualFor
}

// A bucket counts the requests to one host.
type bucket struct {
	left float64
	at   time.Time
}

// mayAsk takes one request from the bucket of the host of an address.
func (d *Documents) mayAsk(address string, now time.Time) bool {
	host := address
	if u, err := url.Parse(address); err == nil {
		host = strings.ToLower(u.Hostname())
	}
	b := d.hosts[host]
	if b == nil {
		if len(d.hosts) >= maxHosts {
			for name, other := range d.hosts { // a full bucket says no more than none
				if now.Sub(other.at) >= hostBurst*hostEvery {
					delete(d.hosts, name)
				}
			}
			if len(d.hosts) >= maxHosts {
				return false
			}
		}
		b = &bucket{hostBurst, now}
		d.hosts[host] = b
	}
	b.left = min(hostBurst, b.left+float64(now.Sub(b.at))/float64(hostEvery))
	b.at = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}
