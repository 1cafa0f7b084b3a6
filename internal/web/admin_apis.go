package web

import (
	"net/http"
	"net/url"
	"strings"

	"pocketid/internal/edge"
	"pocketid/internal/oidc"
)

const apisPath = "/settings/admin/apis"

func (x *Web) apiRoutes() []edge.Route {
	return []edge.Route{
		page("GET "+apisPath, edge.Admin, x.apis),
		page("GET "+apisPath+"/new", edge.Admin, x.apiNew),
		page("POST "+apisPath+"/new", edge.Admin, x.apiAdd),
		page("GET "+apisPath+"/{id}", edge.Admin, x.api),
		page("POST "+apisPath+"/{id}", edge.Admin, x.apiSave),
		roomy(page("POST "+apisPath+"/{id}/permissions", edge.Admin, x.apiPermissions)),
		page("POST "+apisPath+"/{id}/documents", edge.Admin, x.apiDocuments),
		page("GET "+apisPath+"/{id}/clients/{client}", edge.Admin, x.apiClient),
		page("POST "+apisPath+"/{id}/clients/{client}", edge.Admin, x.apiClientSave),
		page("GET "+apisPath+"/{id}/delete", edge.Admin, x.apiDelete),
		page("POST "+apisPath+"/{id}/delete", edge.Admin, x.apiDeleted),
	}
}

func apiPath(id string) string { return apisPath + "/" + url.PathEscape(id) }

const (
	apiCards       = 10 // of a page of the list
	cardPermission = 8  // rows of a card
)

// apisPage lists the APIs, each with what may be done there and by whom.
type apisPage struct {
	Frame
	Search  string
	Cards   []apiCard
	Total   int
	Counted bool   // Total is exact
	Next    string // the address of the page after this one
	First   string // the address of the first page
	Later   bool   // this is not the first page
}

// An apiCard is an API as the list shows it.
type apiCard struct {
	Name, Resource, Address string
	Permissions             []permissionLine
	More                    int // permissions that do not fit
	Clients                 someNames
}

// A permissionLine is a permission with the names of the clients that have it.
type permissionLine struct {
	Name, Title string
	Clients     someNames
}

func (x *Web) apis(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	search, after := strings.TrimSpace(query.Get("q")), query.Get("after")
	found, err := x.oidc.APIs(r.Context(), actor(r), oidc.APIFilter{Search: search, After: after, Limit: apiCards})
	if err != nil {
		return err
	}
	p := apisPage{
		Frame:  Frame{Title: x.words(r).T("apis.title"), Area: "admin", Here: "apis", Narrow: true},
		Search: search, Total: found.Total, Counted: found.Total < oidc.MaxCount, Later: after != "", First: apisPath + asked("q", search),
	}
	for _, row := range found.Rows {
		card, err := x.apiCard(r, row.ID)
		if err != nil {
			return err
		}
		p.Cards = append(p.Cards, card)
	}
	if found.Next != "" {
		p.Next = apisPath + asked("q", search, "after", found.Next)
	}
	return x.show(w, r, "apis", &p)
}

func (x *Web) apiCard(r *http.Request, id string) (apiCard, error) {
	a, err := x.oidc.API(r.Context(), actor(r), id)
	if err != nil {
		return apiCard{}, err
	}
	clients, err := x.oidc.APIClients(r.Context(), actor(r), id)
	if err != nil {
		return apiCard{}, err
	}
	card := apiCard{Name: a.Name, Resource: a.Resource, Address: apiPath(a.ID), More: max(len(a.Permissions)-cardPermission, 0)}
	for _, s := range a.Permissions[:min(len(a.Permissions), cardPermission)] {
		line := permissionLine{Name: s.Name, Title: s.Title}
		for _, c := range clients {
			if c.Has(s.Name) {
				line.Clients.add(c.ClientName)
			}
		}
		card.Permissions = append(card.Permissions, line)
	}
	for _, c := range clients {
		card.Clients.add(c.ClientName)
	}
	return card, nil
}

// apiNewPage asks for a new API.
type apiNewPage struct {
	Frame
	Name, Resource string
}

func (x *Web) apiNew(w http.ResponseWriter, r *http.Request) error {
	return x.showAPINew(w, r, "", "", nil)
}

func (x *Web) showAPINew(w http.ResponseWriter, r *http.Request, name, resource string, problem *Problem) error {
	p := apiNewPage{
		Frame: Frame{Title: x.words(r).T("api_new.title"), Area: "admin", Here: "apis", Narrow: true, Fault: problem},
		Name:  name, Resource: resource,
	}
	return x.show(w, r, "api-new", &p)
}

func (x *Web) apiAdd(w http.ResponseWriter, r *http.Request) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	name, resource := form.Get("name"), form.Get("resource")
	a, err := x.oidc.AddAPI(r.Context(), actor(r), resource, oidc.APIEdit{Name: name})
	if err != nil {
		if problem := x.problem(r, err); problem != nil {
			return x.showAPINew(w, r, name, resource, problem)
		}
		return err
	}
	flash(w, r, "flash.api_created", "name", a.Name)
	return seeOther(w, apiPath(a.ID)+"#permissions")
}

// apiDeletePage asks before an API goes.
type apiDeletePage struct {
	Frame
	Name    string
	API     string // the address of its page
	Clients someNames
}

func (x *Web) apiDelete(w http.ResponseWriter, r *http.Request) error {
	a, err := x.oidc.API(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	clients, err := x.oidc.APIClients(r.Context(), actor(r), a.ID)
	if err != nil {
		return err
	}
	p := apiDeletePage{
		Frame: Frame{Title: x.words(r).T("api_delete.title", "name", a.Name), Area: "admin", Here: "apis", Narrow: true},
		Name:  a.Name, API: apiPath(a.ID),
	}
	for _, c := range clients {
		p.Clients.add(c.ClientName)
	}
	return x.show(w, r, "api-delete", &p)
}

func (x *Web) apiDeleted(w http.ResponseWriter, r *http.Request) error {
	a, err := x.oidc.DeleteAPI(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	flash(w, r, "flash.api_deleted", "name", a.Name)
	return seeOther(w, apisPath)
}
