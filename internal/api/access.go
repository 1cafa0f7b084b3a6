package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"pocketid/internal/edge"
	"pocketid/internal/oidc"
)

func (a *API) accessOperations() []Operation {
	return []Operation{
		admins("GET /api/apis", "apis:read", "Lists APIs.", a.apis).lists(resource{}, resourceColumns),
		admins("POST /api/apis", "apis:write", "Makes an API. Its resource stays as it is for ever.", a.apiAdd).takes(resourceNew{}).answers(http.StatusCreated, resource{}),
		admins("GET /api/apis/{id}", "apis:read", "Tells of an API.", a.api).answers(http.StatusOK, resource{}).holds(a.apiState),
		admins("PUT /api/apis/{id}", "apis:write", "Sets the name of an API, and what else is said.", a.apiEdit).takes(resourceIn{}).answers(http.StatusOK, resource{}).holds(a.apiState),
		admins("DELETE /api/apis/{id}", "apis:write", "Deletes an API with its permissions.", a.apiDelete).holds(a.apiState),
		admins("PUT /api/apis/{id}/permissions", "apis:write", "Sets the permissions of an API. One whose key stays keeps its id, and who may use it.", a.apiPermissions).
			takes(permissionsIn{}).upTo(clientBody).answers(http.StatusOK, resource{}).holds(a.apiState),
		admins("PUT /api/apis/{id}/cimd-access", "apis:write", "Says what clients that are read from a metadata document may do at an API.", a.apiDocuments).
			takes(documentsIn{}).answers(http.StatusOK, resource{}).holds(a.apiState),
		admins("GET /api/apis/{id}/clients", "apis:read", "Lists the clients that may use an API.", a.apiClients).lists(resourceClient{}, accessColumns),
		admins("GET /api/apis/{id}/assignable-clients", "apis:read", "Lists the clients that may not use an API yet.", a.apiAssignable).lists(accessClient{}, clientColumns),
		admins("PUT /api/apis/{id}/clients/{client}", "apis:write", "Says what a client may do at an API.", a.accessSet).takes(accessIn{}).answers(http.StatusOK, access{}),
		admins("DELETE /api/apis/{id}/clients/{client}", "apis:write", "Takes an API from a client.", a.accessRemove),
		admins("GET /api/api-access/{client}/apis", "apis:read", "Lists the APIs that a client reaches.", a.clientAPIs).answers(http.StatusOK, []clientAccess{}),
		admins("GET /api/api-access/{client}/assignable-apis", "apis:read", "Lists the APIs that a client may not use yet.", a.clientAssignable).lists(resource{}, resourceColumns),
	}
}

// A permission is something that a client may be allowed to do at an API.
type permission struct {
	ID          string  `json:"id"`
	Key         string  `json:"key"`
	Name        string  `json:"name"`
	Description *string `json:"description"`
	ForCIMD     bool    `json:"allowedForCimdClients"`
}

// A resource is an API as programs know it.
type resource struct {
	ID          string       `json:"id"`
	Name        string       `json:"name"`
	Resource    string       `json:"resource"`
	CreatedAt   time.Time    `json:"createdAt"`
	Permissions []permission `json:"permissions"`
	AllowCIMD   bool         `json:"allowCimdClients"`

	Description    string  `json:"description"`
	AccessMinutes  int     `json:"accessTokenDurationMinutes"`
	AccessTokenAlg string  `json:"accessTokenSigningAlg"`
	Introspector   *string `json:"introspectionClientId"`
}

func resourceOf(a *oidc.API) resource {
	out := resource{ID: a.ID, Name: a.Name, Resource: a.Resource, CreatedAt: a.CreatedAt.UTC(), Permissions: []permission{}, AllowCIMD: a.ForDocuments,
		Description: a.Description, AccessMinutes: int(a.AccessTokenFor / time.Minute), AccessTokenAlg: string(a.AccessTokenAlg), Introspector: maybe(a.Introspector)}
	for _, p := range a.Permissions {
		out.Permissions = append(out.Permissions, permission{p.ID, p.Name, p.Title, maybe(p.Description), p.ForDocuments})
	}
	return out
}

var (
	resourceColumns = columns{sortable: []string{"name", "resource", "createdAt"}}
	accessColumns   = columns{}
)

// apiState is an API as GET answers it.
func (a *API) apiState(ctx context.Context, r *http.Request, check func(any) error) context.Context {
	return a.oidc.WhenAPI(ctx, r.PathValue("id"), func(p *oidc.API) error { return check(resourceOf(p)) })
}

func (a *API) apis(w http.ResponseWriter, r *http.Request) error {
	q := queryOf(r, resourceColumns)
	list, total, err := a.oidc.QueryAPIs(r.Context(), actor(r), q)
	if err != nil {
		return err
	}
	return writePage(w, q, resourcesOf(list), total)
}

func resourcesOf(list []oidc.API) (data []resource) {
	for i := range list {
		data = append(data, resourceOf(&list[i]))
	}
	return data
}

func (a *API) api(w http.ResponseWriter, r *http.Request) error {
	return showAPI(w, r, http.StatusOK, func() (oidc.API, error) { return a.oidc.API(r.Context(), actor(r), r.PathValue("id")) })
}

// showAPI answers the API that do returns.
func showAPI(w http.ResponseWriter, r *http.Request, status int, do func() (oidc.API, error)) error {
	p, err := do()
	if err != nil {
		return err
	}
	return writeObject(w, r, status, resourceOf(&p))
}

// resourceIn is what a program says of an API. What is left out beside the name stays as it is.
type resourceIn struct {
	Name           string  `json:"name" doc:"required min=1 max=50"`
	Description    *string `json:"description" doc:"max=200"`
	AccessMinutes  *int    `json:"accessTokenDurationMinutes"`
	AccessTokenAlg *string `json:"accessTokenSigningAlg"`
	Introspector   *string `json:"introspectionClientId"`
}

func (in *resourceIn) onto(e oidc.APIEdit) oidc.APIEdit {
	e.Name = in.Name
	set(&e.Description, in.Description)
	setSpan(&e.AccessTokenFor, in.AccessMinutes, time.Minute)
	setAs(&e.AccessTokenAlg, in.AccessTokenAlg)
	set(&e.Introspector, in.Introspector)
	return e
}

// resourceNew is what a program says of a new API.
type resourceNew struct {
	resourceIn
	Resource string `json:"resource" doc:"required max=350"`
}

func (a *API) apiAdd(w http.ResponseWriter, r *http.Request) error {
	var in resourceNew
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	return showAPI(w, r, http.StatusCreated, func() (oidc.API, error) {
		return a.oidc.AddAPI(r.Context(), actor(r), in.Resource, in.onto(oidc.APIEdit{}))
	})
}

func (a *API) apiEdit(w http.ResponseWriter, r *http.Request) error {
	var in resourceIn
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	return a.apiRevised(w, r, func(p *oidc.API) (oidc.API, error) {
		return a.oidc.ReviseAPI(r.Context(), actor(r), p.ID, p.Seen(), in.onto(p.APIEdit))
	})
}

// apiRevised changes an API as it was just read, and answers it as it is then.
func (a *API) apiRevised(w http.ResponseWriter, r *http.Request, change func(*oidc.API) (oidc.API, error)) error {
	p, err := a.oidc.API(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	return showAPI(w, r, http.StatusOK, func() (oidc.API, error) { return change(&p) })
}

func (a *API) apiDelete(w http.ResponseWriter, r *http.Request) error {
	if _, err := a.oidc.DeleteAPI(r.Context(), actor(r), r.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// permissionIn is what a program says of a permission.
type permissionIn struct {
	Key         string `json:"key" doc:"required max=128"`
	Name        string `json:"name" doc:"required max=50"`
	Description string `json:"description" doc:"max=200"`
}

// permissionsIn are all permissions of an API.
type permissionsIn struct {
	Permissions []permissionIn `json:"permissions" doc:"required"`
}

func (a *API) apiPermissions(w http.ResponseWriter, r *http.Request) error {
	var in permissionsIn
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	return a.apiRevised(w, r, func(p *oidc.API) (oidc.API, error) {
		var list []oidc.Permission
		for _, s := range in.Permissions {
			one := oidc.Permission{Name: s.Key, Title: s.Name, Description: s.Description}
			if at := slices.IndexFunc(p.Permissions, func(o oidc.Permission) bool { return o.Name == s.Key }); at >= 0 {
				one.ForDocuments = p.Permissions[at].ForDocuments
			}
			list = append(list, one)
		}
		return a.oidc.RevisePermissions(r.Context(), actor(r), p.ID, p.Seen(), list)
	})
}

// documentsIn is what clients of a document may do.
type documentsIn struct {
	Enabled       bool     `json:"enabled" doc:"required"`
	PermissionIDs []string `json:"permissionIds" doc:"required"`
}

func (a *API) apiDocuments(w http.ResponseWriter, r *http.Request) error {
	var in documentsIn
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	return a.apiRevised(w, r, func(p *oidc.API) (oidc.API, error) {
		names, err := permissionNames(p, "permissionIds", in.PermissionIDs)
		if err != nil {
			return oidc.API{}, err
		}
		return a.oidc.ReviseDocumentAccess(r.Context(), actor(r), p.ID, p.Seen(), oidc.DocumentAccess{Open: in.Enabled, Permissions: names})
	})
}

// permissionNames are the names of the permissions with these ids.
func permissionNames(p *oidc.API, field string, ids []string) (names []string, err error) {
	for i, id := range ids {
		at := slices.IndexFunc(p.Permissions, func(s oidc.Permission) bool { return s.ID == id })
		if at < 0 {
			return nil, oidc.ErrNoPermission.At(fmt.Sprintf("%s[%d]", field, i))
		}
		names = append(names, p.Permissions[at].Name)
	}
	return names, nil
}

// permissionIDs are the ids of the permissions with these names.
func permissionIDs(p *oidc.API, names []string) []string {
	ids := []string{}
	for _, s := range p.Permissions {
		if slices.Contains(names, s.Name) {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// An access is what a client was given at an API.
type access struct {
	UserAccess      bool     `json:"userDelegatedAccess"`
	ClientAccess    bool     `json:"clientAccess"`
	UserPermissions []string `json:"userDelegatedPermissionIds"`
	OwnPermissions  []string `json:"clientPermissionIds"`
}

// A reach is an access with what all clients of a document have.
type reach struct {
	access
	CIMDAccess      bool     `json:"cimdGrantedAccess"`
	CIMDPermissions []string `json:"cimdGrantedPermissionIds"`
}

func accessOf(p *oidc.API, g oidc.APIGrant) access {
	return access{g.ForUsers, g.ForMachine, permissionIDs(p, g.UserPermissions), permissionIDs(p, g.MachinePermissions)}
}

func reachOf(p *oidc.API, g oidc.APIGrant, kind string) reach {
	out := reach{access: accessOf(p, g), CIMDPermissions: []string{}}
	if out.CIMDAccess = kind == oidc.KindDocument && p.ForDocuments; out.CIMDAccess {
		for _, s := range p.Permissions {
			if s.ForDocuments {
				out.CIMDPermissions = append(out.CIMDPermissions, s.ID)
			}
		}
	}
	return out
}

// An accessClient is a client as lists about APIs show it.
type accessClient struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	ClientType  string `json:"clientType"`
	IsPublic    bool   `json:"isPublic"`
	HasLogo     bool   `json:"hasLogo"`
	HasDarkLogo bool   `json:"hasDarkLogo"`
}

// A resourceClient is a client with what it may do at an API.
type resourceClient struct {
	Client accessClient `json:"client"`
	reach
}

// A clientAccess is an API with what a client may do there.
type clientAccess struct {
	API resource `json:"api"`
	reach
}

// apiClients lists the clients of an API. There are few, so they are cut into pages here.
func (a *API) apiClients(w http.ResponseWriter, r *http.Request) error {
	p, err := a.oidc.API(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	all, err := a.oidc.APIClients(r.Context(), actor(r), p.ID)
	if err != nil {
		return err
	}
	q := queryOf(r, accessColumns)
	var data []resourceClient
	for _, c := range all[min(q.Offset, len(all)):min(q.Offset+q.Limit, len(all))] {
		data = append(data, resourceClient{accessClient{c.ClientID, c.ClientName, c.Kind, c.Public, c.Logo.Light != "", c.Logo.Dark != ""}, reachOf(&p, c.APIGrant, c.Kind)})
	}
	return writePage(w, q, data, len(all))
}

func (a *API) apiAssignable(w http.ResponseWriter, r *http.Request) error {
	q := queryOf(r, clientColumns)
	list, total, err := a.oidc.QueryClientsFor(r.Context(), actor(r), r.PathValue("id"), q)
	if err != nil {
		return err
	}
	var data []accessClient
	for i := range list {
		c := &list[i]
		data = append(data, accessClient{c.ID, c.Name, c.Kind, c.Public, c.Logo.Light != "", c.Logo.Dark != ""})
	}
	return writePage(w, q, data, total)
}

// accessIn is what a program says that a client may do.
type accessIn struct {
	UserAccess      bool     `json:"userDelegatedAccess"`
	ClientAccess    bool     `json:"clientAccess"`
	UserPermissions []string `json:"userDelegatedPermissionIds"`
	OwnPermissions  []string `json:"clientPermissionIds"`
}

func (a *API) accessSet(w http.ResponseWriter, r *http.Request) error {
	var in accessIn
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	ctx, by, id := r.Context(), actor(r), oidc.ParsePathID(r.PathValue("client"))
	p, err := a.oidc.API(ctx, by, r.PathValue("id"))
	if err != nil {
		return err
	}
	// A permission is of no use without the access, so it brings that along.
	g := oidc.APIGrant{ForUsers: in.UserAccess || len(in.UserPermissions) > 0, ForMachine: in.ClientAccess || len(in.OwnPermissions) > 0}
	if g.UserPermissions, err = permissionNames(&p, "userDelegatedPermissionIds", in.UserPermissions); err != nil {
		return err
	}
	if g.MachinePermissions, err = permissionNames(&p, "clientPermissionIds", in.OwnPermissions); err != nil {
		return err
	}
	if g.ForUsers || g.ForMachine {
		err = a.oidc.SetAPIClient(ctx, by, p.ID, id, g)
	} else {
		err = a.oidc.RemoveAPIClient(ctx, by, p.ID, id)
	}
	if err != nil {
		return err
	}
	return edge.WriteJSON(w, http.StatusOK, accessOf(&p, g))
}

func (a *API) accessRemove(w http.ResponseWriter, r *http.Request) error {
	return nothing(w, a.oidc.RemoveAPIClient(r.Context(), actor(r), r.PathValue("id"), oidc.ParsePathID(r.PathValue("client"))))
}

func (a *API) clientAPIs(w http.ResponseWriter, r *http.Request) error {
	ctx, by, id := r.Context(), actor(r), oidc.ParsePathID(r.PathValue("client"))
	c, err := a.oidc.Client(ctx, by, id)
	if err != nil {
		return err
	}
	grants, err := a.oidc.GrantsOfClient(ctx, by, id)
	if err != nil {
		return err
	}
	list := []clientAccess{}
	for i := range grants {
		g := &grants[i]
		list = append(list, clientAccess{resourceOf(&g.API), reachOf(&g.API, g.APIGrant, c.Kind)})
	}
	return edge.WriteJSON(w, http.StatusOK, list)
}

func (a *API) clientAssignable(w http.ResponseWriter, r *http.Request) error {
	q := queryOf(r, resourceColumns)
	list, total, err := a.oidc.QueryAPIsFor(r.Context(), actor(r), oidc.ParsePathID(r.PathValue("client")), q)
	if err != nil {
		return err
	}
	return writePage(w, q, resourcesOf(list), total)
}
