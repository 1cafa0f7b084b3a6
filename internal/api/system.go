package api

import (
	"net/http"

	"pocketid/internal/edge"
)

func (a *API) systemOperations() []Operation {
	return []Operation{
		mine("GET /api/version/current", edge.AnyKey, "Tells the version that runs.", a.current).answers(http.StatusOK, current{}),
	}
}

// current is the version that runs.
type current struct {
	Version string `json:"currentVersion"`
}

func (a *API) current(w http.ResponseWriter, r *http.Request) error {
	return edge.WriteJSON(w, http.StatusOK, current{a.version})
}
