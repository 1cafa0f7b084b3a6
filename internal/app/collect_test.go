package app

import (
	"runtime/debug"
	"runtime/metrics"
	"testing"
)

// collecting is how the runtime collects: growth in percent, and the limit in bytes.
func collecting() (percent, limit uint64) {
	s := []metrics.Sample{{Name: "/gc/gogc:percent"}, {Name: "/gc/gomemlimit:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64(), s[1].Value.Uint64()
}

func TestCollectLeavesTheWordToTheEnvironment(t *testing.T) {
	oldPercent, oldLimit := debug.SetGCPercent(50), debug.SetMemoryLimit(-1)
	defer func() { debug.SetGCPercent(oldPercent); debug.SetMemoryLimit(oldLimit) }()
	debug.SetMemoryLimit(1 << 30)
	Collect([]string{"GOGC=50", "GOMEMLIMIT=1GiB"})
	if percent, limit := collecting(); percent != 50 || limit != 1<<30 {
		t.Errorf("with GOGC and GOMEMLIMIT: %d %%, %d bytes", percent, limit)
	}
	Collect([]string{"GOGCX=1"})
	if percent, limit := collecting(); percent != collectAt || limit != collectHard {
		t.Errorf("without: %d %%, %d bytes", percent, limit)
	}
}
