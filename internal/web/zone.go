package web

import (
	"net/http"
	"time"

	"pocketid/internal/directory"
	"pocketid/internal/edge"
)

// zoneOf is the name of the zone in which the reader's clock runs, as house.js tells it in
// a cookie; "" when it did not, and for UTC.
func zoneOf(r *http.Request) string {
	c, err := r.Cookie("zone")
	if err != nil || c.Value == "UTC" {
		return ""
	}
	if _, ok := directory.Zone(c.Value); !ok {
		return ""
	}
	return c.Value
}

// nowOf is the time of the request on the reader's clock, or else in UTC.
func nowOf(r *http.Request) time.Time {
	now := edge.Now(r.Context())
	if zone, ok := directory.Zone(zoneOf(r)); ok {
		return now.In(zone)
	}
	return now.UTC()
}
