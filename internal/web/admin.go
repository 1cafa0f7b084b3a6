package web

import (
	"net/http"

	"pocketid/internal/edge"
)

const clientsPath = "/settings/admin/oidc-clients"

func (x *Web) adminRoutes() []edge.Route {
	return []edge.Route{
		page("GET /settings/admin", edge.Admin, x.admin),
	}
}

// admin is the first page of the administration.
func (x *Web) admin(w http.ResponseWriter, r *http.Request) error { return seeOther(w, clientsPath) }
