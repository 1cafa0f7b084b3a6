package web

import "pocketid/internal/edge"

const clientsPath = "/settings/admin/oidc-clients"

func (x *Web) adminRoutes() []edge.Route {
	return []edge.Route{
		page("GET "+clientsPath, edge.Admin, x.clients),
		page("GET "+clientsPath+"/new", edge.Admin, x.clientNew),
		roomy(page("POST "+clientsPath+"/new", edge.Admin, x.clientAdd)),
		page("GET "+clientsPath+"/{id}", edge.Admin, x.client),
		roomy(page("POST "+clientsPath+"/{id}", edge.Admin, x.clientSave)),
		{Pattern: "POST " + clientsPath + "/{id}/check", Access: edge.Admin, Surface: edge.Script, MaxBody: 1 << 20, Handler: x.clientCheck},
		page("GET "+clientsPath+"/{id}/disable", edge.Admin, x.clientDisable),
		page("POST "+clientsPath+"/{id}/disable", edge.Admin, x.clientDisabled),
		page("GET "+clientsPath+"/{id}/enable", edge.Admin, x.clientEnable),
		page("POST "+clientsPath+"/{id}/enable", edge.Admin, x.clientEnabled),
		page("POST "+clientsPath+"/{id}/refresh", edge.Admin, x.clientRefresh),
		pictureForm("POST "+clientsPath+"/{id}/logo/{ground}", edge.Admin, x.clientLogo),
		page("POST "+clientsPath+"/{id}/exchanges", edge.Admin, x.exchangeAdd),
		page("POST "+clientsPath+"/{id}/exchanges/end", edge.Admin, x.exchangeEnd),
		page("GET "+clientsPath+"/{id}/delete", edge.Admin, x.clientDelete),
		page("POST "+clientsPath+"/{id}/delete", edge.Admin, x.clientDeleted),
		page("POST "+clientsPath+"/{id}/secrets", edge.Admin, x.secretAdd),
		page("GET "+clientsPath+"/{id}/secrets/{sid}/delete", edge.Admin, x.secretDelete),
		page("POST "+clientsPath+"/{id}/secrets/{sid}/delete", edge.Admin, x.secretDeleted),
	}
}

// roomy takes forms with as many addresses as a client may have.
func roomy(r edge.Route) edge.Route {
	r.MaxBody = 1 << 20
	return r
}
