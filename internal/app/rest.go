package app

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"
)

// quietFor is how long nobody has to ask for anything before memory that is no
// longer needed goes back to the system. The runtime would do so too, but late,
// and not below what its collector keeps in reserve for a busy time.
const quietFor = 10 * time.Second

// counted counts requests on their way to the handler.
func counted(h http.Handler, n *atomic.Int64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		h.ServeHTTP(w, r)
	})
}

// rest gives memory back once after each busy time, the start among them, until
// ctx ends.
func rest(ctx context.Context, requests *atomic.Int64, release func()) {
	tick := time.NewTicker(quietFor)
	defer tick.Stop()
	last, rested := requests.Load(), false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		switch n := requests.Load(); {
		case n > last+probes:
			rested = false
		case !rested:
			release()
			rested = true
		}
		last = requests.Load()
	}
}

// probes is how many requests in quietFor are no busy time: somebody asks
// whether the server lives.
const probes = 20
