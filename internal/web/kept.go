package web

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"

	"pocketid/internal/directory"
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

// showed is what a form says that it showed, where one text says it. A form that says nothing
// showed nothing that there is, so that saving it changes nothing.
func showed(form url.Values) string { return cmp.Or(form.Get("was"), "nothing") }

// showedAs reads it as JSON into v, or is ErrStale.
func showedAs(form url.Values, v any) error {
	if !form.Has("was") || json.Unmarshal([]byte(form.Get("was")), v) != nil {
		return directory.ErrStale.Because("the form does not say what it showed")
	}
	return nil
}

// listed are the ids in a list of a form: an empty one says that there is a list, and none in it.
func listed(ids []string) []string {
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == "" })
}
