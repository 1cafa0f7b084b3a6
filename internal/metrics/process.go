package metrics

import (
	"runtime"
	rt "runtime/metrics"
	"time"
)

// Process adds what the process uses, under the names that are usual for it. It is called
// when the process begins.
func (s *Set) Process() {
	started := time.Now()
	s.Fact("go_info", "The version of Go that the program was made with.", "version", runtime.Version())
	s.Gauge("process_start_time_seconds", "When the process began, in seconds since 1970.", func() (float64, bool) {
		return float64(started.UnixMilli()) / 1000, true
	})
	s.Reading("process_cpu_seconds_total", "Processor time of the process, in seconds.", cpuTime)
	s.Gauge("process_resident_memory_bytes", "Memory of the process that lies in RAM.", resident)
	s.Gauge("process_open_fds", "Open files and connections.", openFiles)
	s.Gauge("process_max_fds", "How many files and connections may be open.", maxFiles)
	s.Gauge("go_goroutines", "What goes on at the same time.", read("/sched/goroutines:goroutines"))
	s.Gauge("go_memstats_heap_inuse_bytes", "Memory that holds objects.", read("/memory/classes/heap/objects:bytes"))
	s.Gauge("go_memory_limit_bytes", "What the garbage collector keeps the memory below.", read("/gc/gomemlimit:bytes"))
	s.Reading("go_gc_cycles_total", "How often garbage was collected.", read("/gc/cycles/total:gc-cycles"))
}

// read reads a measure of the runtime.
func read(name string) func() (float64, bool) {
	return func() (float64, bool) {
		sample := []rt.Sample{{Name: name}}
		rt.Read(sample)
		if sample[0].Value.Kind() != rt.KindUint64 {
			return 0, false
		}
		return float64(sample[0].Value.Uint64()), true
	}
}
