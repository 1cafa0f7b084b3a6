package metrics

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
)

func cpuTime() (float64, bool) {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		return 0, false
	}
	return float64(use.Utime.Nano()+use.Stime.Nano()) / 1e9, true
}

// resident reads the second number of statm, which is in pages.
func resident() (float64, bool) {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, false
	}
	parts := bytes.Fields(b)
	if len(parts) < 2 {
		return 0, false
	}
	pages, err := strconv.ParseInt(string(parts[1]), 10, 64)
	return float64(pages) * float64(os.Getpagesize()), err == nil
}

func openFiles() (float64, bool) {
	d, err := os.Open("/proc/self/fd")
	if err != nil {
		return 0, false
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	return float64(len(names) - 1), err == nil // less the one that looks
}

func maxFiles() (float64, bool) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, false
	}
	return float64(limit.Cur), true
}
