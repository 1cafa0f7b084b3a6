// Package metrics counts what goes on in the process, for whoever watches it, and writes
// the counts in the text format of Prometheus (version 0.0.4).
//
// Labels come from sets that the program knows beforehand: patterns of routes, kinds of
// jobs, names of events. Nothing that a stranger sends becomes one, and should that be
// got wrong, a metric takes no more than MaxSeries different ones.
package metrics

import (
	"bufio"
	"cmp"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// MaxSeries is how many different labels one metric takes. What comes later is not counted.
	MaxSeries = 4096
	// ContentType is what Set.Write writes.
	ContentType = "text/plain; version=0.0.4; charset=utf-8"
	// maxLabels is how many labels a metric may have.
	maxLabels = 3
)

// seconds are the bounds of the buckets of durations.
var seconds = [...]float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// values are those of the labels of one series, in the order of the metric's names.
type values [maxLabels]string

// A Set is the metrics of a process, in the order in which they were made.
type Set struct {
	mu  sync.Mutex
	all []metric
}

type metric interface{ write(w *bufio.Writer) }

// New returns a Set that holds nothing yet.
func New() *Set { return &Set{} }

func add[M metric](s *Set, m M) M {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, m)
	return m
}

// Write writes all metrics as they are now.
func (s *Set) Write(w io.Writer) error {
	s.mu.Lock()
	all := slices.Clone(s.all)
	s.mu.Unlock()
	b := bufio.NewWriter(w)
	for _, m := range all {
		m.write(b)
	}
	return b.Flush()
}

// A head is what all series of a metric have in common.
type head struct {
	name, kind, help string
	labels           []string
}

func (h *head) write(w *bufio.Writer) {
	w.WriteString("# HELP " + h.name + " " + h.help + "\n# TYPE " + h.name + " " + h.kind + "\n")
}

// line writes one sample. more is a label beyond those of the metric.
func (h *head) line(w *bufio.Writer, suffix string, of values, more, value string) {
	w.WriteString(h.name)
	w.WriteString(suffix)
	sep := byte('{')
	for i, l := range h.labels {
		w.WriteByte(sep)
		sep = ','
		w.WriteString(l)
		w.WriteString(`="`)
		escape.WriteString(w, of[i])
		w.WriteByte('"')
	}
	if more != "" {
		w.WriteByte(sep)
		sep = ','
		w.WriteString(more)
	}
	if sep == ',' {
		w.WriteByte('}')
	}
	w.WriteByte(' ')
	w.WriteString(value)
	w.WriteByte('\n')
}

var escape = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// A vector is the series of a metric by their labels.
type vector[T any] struct {
	head
	mu     sync.RWMutex
	series map[values]*T
}

func (v *vector[T]) init(h head) {
	if len(h.labels) > maxLabels {
		panic("metrics: " + h.name + " has too many labels")
	}
	v.head, v.series = h, map[values]*T{}
}

// of is the series with these labels, or nil when there are too many already.
func (v *vector[T]) of(labels []string) *T {
	var k values
	copy(k[:], labels)
	v.mu.RLock()
	t := v.series[k]
	v.mu.RUnlock()
	if t != nil {
		return t
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if t = v.series[k]; t == nil && len(v.series) < MaxSeries {
		t = new(T)
		v.series[k] = t
	}
	return t
}

// each goes over the series in the order of their labels.
func (v *vector[T]) each(fn func(values, *T)) {
	v.mu.RLock()
	keys := make([]values, 0, len(v.series))
	for k := range v.series {
		keys = append(keys, k)
	}
	v.mu.RUnlock()
	slices.SortFunc(keys, func(a, b values) int { return slices.Compare(a[:], b[:]) })
	for _, k := range keys {
		v.mu.RLock()
		t := v.series[k]
		v.mu.RUnlock()
		fn(k, t)
	}
}

// A Counter only goes up.
type Counter struct{ vector[atomic.Int64] }

// Counter adds a counter to the set. Its name ends in _total.
func (s *Set) Counter(name, help string, labels ...string) *Counter {
	c := &Counter{}
	c.init(head{name, "counter", help, labels})
	return add(s, c)
}

// Inc counts one, of the series with these values of its labels.
func (c *Counter) Inc(labels ...string) {
	if n := c.of(labels); n != nil {
		n.Add(1)
	}
}

func (c *Counter) write(w *bufio.Writer) {
	c.head.write(w)
	c.each(func(k values, n *atomic.Int64) { c.line(w, "", k, "", strconv.FormatInt(n.Load(), 10)) })
}

// Durations are how long things took, in seconds.
type Durations struct{ vector[durations] }

type durations struct {
	buckets [len(seconds) + 1]atomic.Int64
	sum     atomic.Int64 // nanoseconds
}

// Durations adds a histogram to the set. Its name ends in _seconds.
func (s *Set) Durations(name, help string, labels ...string) *Durations {
	d := &Durations{}
	d.init(head{name, "histogram", help, labels})
	return add(s, d)
}

// Observe notes that something took so long.
func (d *Durations) Observe(took time.Duration, labels ...string) {
	t := d.of(labels)
	if t == nil {
		return
	}
	at, _ := slices.BinarySearch(seconds[:], took.Seconds())
	t.buckets[at].Add(1)
	t.sum.Add(int64(took))
}

func (d *Durations) write(w *bufio.Writer) {
	d.head.write(w)
	d.each(func(k values, t *durations) {
		var n int64
		for i := range t.buckets {
			n += t.buckets[i].Load()
			bound := "+Inf"
			if i < len(seconds) {
				bound = number(seconds[i])
			}
			d.line(w, "_bucket", k, `le="`+bound+`"`, strconv.FormatInt(n, 10))
		}
		d.line(w, "_sum", k, "", number(time.Duration(t.sum.Load()).Seconds()))
		d.line(w, "_count", k, "", strconv.FormatInt(n, 10))
	})
}

// A reading is a metric that is asked for when somebody looks.
type reading struct {
	head
	read func() (float64, bool)
}

// Gauge adds what goes up and down. Where read says false there is nothing to say.
func (s *Set) Gauge(name, help string, read func() (float64, bool)) {
	add(s, &reading{head{name, "gauge", help, nil}, read})
}

// Reading adds a counter that somebody else keeps. Its name ends in _total.
func (s *Set) Reading(name, help string, read func() (float64, bool)) {
	add(s, &reading{head{name, "counter", help, nil}, read})
}

func (r *reading) write(w *bufio.Writer) {
	if v, ok := r.read(); ok {
		r.head.write(w)
		r.line(w, "", values{}, "", number(v))
	}
}

// A fact is a metric that is always 1, and whose labels say something.
type fact struct {
	head
	of values
}

// Fact adds what does not change while the process runs, as pairs of labels and values.
func (s *Set) Fact(name, help string, pairs ...string) {
	f := &fact{head: head{name, "gauge", help, nil}}
	for i := 0; i < len(pairs); i += 2 {
		f.of[i/2] = cmp.Or(pairs[i+1], "unknown")
		f.labels = append(f.labels, pairs[i])
	}
	add(s, f)
}

func (f *fact) write(w *bufio.Writer) {
	f.head.write(w)
	f.line(w, "", f.of, "", "1")
}

// number is v as the format has it.
func number(v float64) string {
	if math.IsInf(v, 1) {
		return "+Inf"
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}
