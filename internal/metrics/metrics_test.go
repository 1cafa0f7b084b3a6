package metrics

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

func text(t *testing.T, s *Set) string {
	t.Helper()
	var b bytes.Buffer
	if err := s.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestText holds what is written to the text format of Prometheus.
func TestText(t *testing.T) {
	s := New()
	c := s.Counter("things_total", "Things.", "kind", "name")
	c.Inc("b", "plain")
	c.Inc("a", "with \"quotes\", a \\ and\na line")
	c.Inc("b", "plain")
	d := s.Durations("took_seconds", "How long.", "way")
	for _, took := range []time.Duration{time.Millisecond, 1001 * time.Microsecond, 2 * time.Second, time.Minute} {
		d.Observe(took, "up")
	}
	s.Gauge("level", "A level.", func() (float64, bool) { return 0.5, true })
	s.Gauge("silent", "Nothing to say.", func() (float64, bool) { return 1, false })
	s.Reading("far_total", "Much.", func() (float64, bool) { return 12345678, true })
	s.Fact("info", "Facts.", "version", "1.2", "other", "")
	want := `# HELP things_total Things.
# TYPE things_total counter
things_total{kind="a",name="with \"quotes\", a \\ and\na line"} 1
things_total{kind="b",name="plain"} 2
# HELP took_seconds How long.
# TYPE took_seconds histogram
took_seconds_bucket{way="up",le="0.001"} 1
took_seconds_bucket{way="up",le="0.0025"} 2
took_seconds_bucket{way="up",le="0.005"} 2
took_seconds_bucket{way="up",le="0.01"} 2
took_seconds_bucket{way="up",le="0.025"} 2
took_seconds_bucket{way="up",le="0.05"} 2
took_seconds_bucket{way="up",le="0.1"} 2
took_seconds_bucket{way="up",le="0.25"} 2
took_seconds_bucket{way="up",le="0.5"} 2
took_seconds_bucket{way="up",le="1"} 2
took_seconds_bucket{way="up",le="2.5"} 3
took_seconds_bucket{way="up",le="5"} 3
took_seconds_bucket{way="up",le="10"} 3
took_seconds_bucket{way="up",le="+Inf"} 4
took_seconds_sum{way="up"} 62.002001
took_seconds_count{way="up"} 4
# HELP level A level.
# TYPE level gauge
level 0.5
# HELP far_total Much.
# TYPE far_total counter
far_total 1.2345678e+07
# HELP info Facts.
# TYPE info gauge
info{version="1.2",other="unknown"} 1
`
	if got := text(t, s); got != want {
		t.Errorf("got\n%s", got)
	}
}

// TestSeriesHaveABound lets labels come from outside, which none should. // threats 81
func TestSeriesHaveABound(t *testing.T) {
	s := New()
	c := s.Counter("things_total", "Things.", "name")
	for i := range MaxSeries + 100 {
		c.Inc(fmt.Sprint(i))
	}
	c.Inc("0") // what is there goes on
	got := text(t, s)
	if n := strings.Count(got, "\nthings_total{"); n != MaxSeries {
		t.Errorf("%d series", n)
	}
	if !strings.Contains(got, "things_total{name=\"0\"} 2\n") {
		t.Error("what was there is counted no more")
	}
}

// TestCountsOfMany counts from many sides while somebody looks.
func TestCountsOfMany(t *testing.T) {
	s := New()
	c, d := s.Counter("things_total", "Things.", "name"), s.Durations("took_seconds", "How long.", "name")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 500 {
				c.Inc(fmt.Sprint(i % 5))
				d.Observe(time.Second, fmt.Sprint(i%5))
			}
		})
	}
	text(t, s)
	all.Wait()
	got := text(t, s)
	for i := range 5 {
		for _, line := range []string{"things_total{name=\"%d\"} 800\n", "took_seconds_count{name=\"%d\"} 800\n", "took_seconds_sum{name=\"%d\"} 800\n"} {
			if want := fmt.Sprintf(line, i); !strings.Contains(got, want) {
				t.Errorf("%s is missing", want)
			}
		}
	}
}

// TestProcess reads what the process uses.
func TestProcess(t *testing.T) {
	s := New()
	s.Process()
	got := text(t, s)
	for _, name := range []string{"process_start_time_seconds", "process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds", "process_max_fds",
		"go_goroutines", "go_memstats_heap_inuse_bytes", "go_memory_limit_bytes", "go_gc_cycles_total"} {
		if !regexp.MustCompile(`(?m)^` + name + ` [0-9.e+]+$`).MatchString(got) {
			t.Errorf("%s is missing in\n%s", name, got)
		}
	}
	if !strings.Contains(got, `go_info{version="go1.`) {
		t.Error("the version of Go is missing")
	}
}
