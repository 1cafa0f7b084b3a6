package app

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestMemoryGoesBackOnceAfterEachBusyTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		var requests, released atomic.Int64
		go rest(ctx, &requests, func() { released.Add(1) })
		check := func(when string, want int64) {
			t.Helper()
			if got := released.Load(); got != want {
				t.Errorf("%s: released %d times, want %d", when, got, want)
			}
		}
		time.Sleep(quietFor + time.Second)
		check("after the start", 1)
		for range 20 { // probes do not count
			requests.Add(2)
			time.Sleep(quietFor)
		}
		check("while nothing happens", 1)
		for range 5 {
			requests.Add(1000)
			time.Sleep(quietFor)
		}
		check("while busy", 1)
		time.Sleep(10 * quietFor)
		check("after a busy time", 2)
		stop()
		synctest.Wait()
	})
}
