//go:build profile

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"syscall"

	"pocketid/internal/app"
)

// instrument lets whoever measures look inside: with PROFILE_DIR set, SIGUSR1 begins a
// processor profile and the next one ends it and writes cpu.pprof and allocs.pprof
// there; SIGUSR2 writes counts, which are lines of a name and a number. There is
// nothing of this in a program that was built without the tag profile, and nothing of
// it on the network in any.
func instrument(a *app.App) {
	dir := os.Getenv("PROFILE_DIR")
	if dir == "" {
		return
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2)
	go func() {
		var cpu *bytes.Buffer
		for s := range signals {
			switch {
			case s == syscall.SIGUSR2:
				keep(dir, "counts", counts(a))
			case cpu == nil:
				cpu = &bytes.Buffer{}
				if err := pprof.StartCPUProfile(cpu); err != nil {
					fmt.Fprintln(os.Stderr, "profile:", err)
				}
			default:
				pprof.StopCPUProfile()
				var allocs bytes.Buffer
				if err := pprof.Lookup("allocs").WriteTo(&allocs, 0); err != nil {
					fmt.Fprintln(os.Stderr, "profile:", err)
				}
				keep(dir, "allocs.pprof", allocs.Bytes())
				keep(dir, "cpu.pprof", cpu.Bytes())
				cpu = nil
			}
		}
	}()
}

// counts are what was done since the start.
func counts(a *app.App) []byte {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return fmt.Appendf(nil, "statements %d\nretries %d\nallocations %d\nbytes %d\ncollections %d\nheap %d\n",
		a.DB.Statements(), a.DB.Retries(), m.Mallocs, m.TotalAlloc, m.NumGC, m.HeapAlloc)
}

// keep writes a file that is there whole or not at all.
func keep(dir, name string, text []byte) {
	path := filepath.Join(dir, name)
	err := os.WriteFile(path+".part", text, 0o600)
	if err == nil {
		err = os.Rename(path+".part", path)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "profile:", err)
	}
}
