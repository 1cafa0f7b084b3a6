package web

import (
	"net/http"

	"pocketid/internal/edge"
)

// A form of a page inside is sent only after the server has said that it is there and knows
// who asks (house.js). What was typed stays in the browser meanwhile (kept.js): nothing that
// a stranger sends is kept here.

func (x *Web) keptRoutes() []edge.Route {
	return []edge.Route{script("GET /login/session", edge.SignedIn, edge.LimitGeneral, x.stillSignedIn)}
}

// stillSignedIn answers those who are, with nothing; edge answers all others.
func (x *Web) stillSignedIn(w http.ResponseWriter, _ *http.Request) error {
	w.WriteHeader(http.StatusNoContent)
	return nil
}
