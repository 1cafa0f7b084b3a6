package app

import (
	"pocketid/internal/edge"
)

// Routes is every address that the server answers, and who may use it.
func (a *App) Routes() []edge.Route {
	return []edge.Route{
		{Pattern: "GET /healthz", Access: edge.Open, Surface: edge.Problem, Limit: edge.LimitNone, Handler: a.healthz},
		{Pattern: "GET /readyz", Access: edge.Open, Surface: edge.Problem, Limit: edge.LimitNone, Handler: a.readyz},
	}
}
