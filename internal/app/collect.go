package app

import (
	"runtime/debug"
	"slices"
	"strings"
)

const (
	// collectAt is how much the heap may grow between two collections, in percent of
	// what is alive. An idle server has so little alive that the runtime's own 100
	// makes it collect every few megabytes, hundreds of times a second under load;
	// see docs/decisions/0114-fewer-collections.md.
	collectAt = 400
	// collectHard is how many bytes the runtime may hold before it collects as often as
	// it takes: half of the memory that a container of ours gets.
	collectHard = 128 << 20
)

// Collect sets how often memory is collected, unless the environment does.
func Collect(environ []string) {
	unset := func(name string) bool {
		return !slices.ContainsFunc(environ, func(line string) bool { return strings.HasPrefix(line, name+"=") })
	}
	if unset("GOGC") {
		debug.SetGCPercent(collectAt)
	}
	if unset("GOMEMLIMIT") {
		debug.SetMemoryLimit(collectHard)
	}
}
