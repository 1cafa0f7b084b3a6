package app

import (
	"net/http"
	"time"

	"pocketid/internal/fault"
)

// maxClockOff is how far the clock of the database may be from ours.
const maxClockOff = 5 * time.Second

// errNotReady is the answer of a process that should get no requests.
var errNotReady = fault.New(fault.Unavailable, "not_ready")

// healthz says that the process answers. It asks nobody, so a database that is
// away restarts nothing.
func (a *App) healthz(w http.ResponseWriter, r *http.Request) error {
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// readyz says whether requests should come here: not while the process stops,
// not without the database, and not when the clocks disagree about what has
// expired.
func (a *App) readyz(w http.ResponseWriter, r *http.Request) error {
	if a.stopping.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return nil
	}
	off, err := a.DB.ClockOff(r.Context())
	if err != nil {
		return err
	}
	if off.Abs() > maxClockOff {
		return errNotReady.Because("the clock of the database is %v ahead of ours: set both by NTP", off.Round(time.Millisecond))
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
