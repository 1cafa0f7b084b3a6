package api

import (
	"context"
	"net/http"

	"pocketid/internal/directory"
	"pocketid/internal/edge"
	"pocketid/internal/oidc"
)

func (a *API) groupEditOperations() []Operation {
	return []Operation{
		admins("GET /api/user-groups/{id}", "groups:read", "Tells of a group, of its members (up to 5,000) and of the clients that are for it.", a.group).answers(http.StatusOK, wholeGroup{}).holds(a.groupState),
		admins("PUT /api/user-groups/{id}", "groups:write", "Renames a group.", a.groupPut).takes(groupIn{}).answers(http.StatusOK, wholeGroup{}).holds(a.groupState),
		admins("GET /api/user-groups/{id}/users", "groups:read", "Lists the members of a group.", a.groupUsers).lists(user{}, userColumns),
		sized(admins("PUT /api/user-groups/{id}/users", "groups:write", "Makes exactly these accounts the members of a group.", a.groupUsersSet).
			takes(membersIn{}).answers(http.StatusOK, wholeGroup{}).holds(a.groupState)),
		admins("PUT /api/user-groups/{id}/users/{user}", "groups:write", "Puts an account into a group.", a.groupUserAdd).holds(a.groupState),
		admins("DELETE /api/user-groups/{id}/users/{user}", "groups:write", "Takes an account out of a group.", a.groupUserRemove).holds(a.groupState),
		admins("PUT /api/user-groups/{id}/allowed-oidc-clients", "groups:write", "Makes exactly these the clients that are for a group, of those that are for groups alone.", a.groupClientsSet).
			takes(groupClientsIn{}).answers(http.StatusOK, wholeGroup{}).holds(a.groupState),
	}
}

// maxMembersBody is the bound of a list of all members of a group.
const maxMembersBody = 10 << 20

// sized is an operation that takes such a list.
func sized(o Operation) Operation { o.MaxBody = maxMembersBody; return o }

// A wholeGroup is a group with what belongs to it.
type wholeGroup struct {
	group
	Users   []user        `json:"users"`
	Clients []groupClient `json:"allowedOidcClients"`
}

// A groupClient is a client that is for a group, as everybody may know it.
type groupClient struct {
	ID             string  `json:"id"`
	Name           string  `json:"name"`
	Description    string  `json:"description"`
	HasLogo        bool    `json:"hasLogo"`
	HasDarkLogo    bool    `json:"hasDarkLogo"`
	LaunchURL      *string `json:"launchURL"`
	ReauthRequired bool    `json:"requiresReauthentication"`
	Kind           string  `json:"clientType"`
}

func wholeGroupOf(w *oidc.WholeGroup) wholeGroup {
	out := wholeGroup{group: groupOf(&w.Group), Users: make([]user, 0, len(w.People)), Clients: make([]groupClient, 0, len(w.Clients))}
	for i := range w.People {
		out.Users = append(out.Users, userOf(&w.People[i], nil))
	}
	for i := range w.Clients {
		c := &w.Clients[i]
		out.Clients = append(out.Clients, groupClient{ID: c.ID, Name: c.Name, Description: c.Description, HasLogo: c.Logo.Light != "",
			HasDarkLogo: c.Logo.Dark != "", LaunchURL: maybe(c.LaunchURL), ReauthRequired: c.ReauthRequired, Kind: c.Kind})
	}
	return out
}

func (a *API) group(w http.ResponseWriter, r *http.Request) error {
	return a.showGroup(w, r, http.StatusOK, r.PathValue("id"))
}

func (a *API) showGroup(w http.ResponseWriter, r *http.Request, status int, id string) error {
	g, err := a.oidc.WholeGroup(r.Context(), actor(r), id)
	if err != nil {
		return err
	}
	return writeObject(w, r, status, wholeGroupOf(&g))
}

// groupState is a group as GET answers it.
func (a *API) groupState(ctx context.Context, r *http.Request, check func(any) error) context.Context {
	return a.oidc.WhenGroup(ctx, r.PathValue("id"), func(g *oidc.WholeGroup) error { return check(wholeGroupOf(g)) })
}

func (a *API) groupPut(w http.ResponseWriter, r *http.Request) error {
	var in groupIn
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	g, err := a.directory.EditGroup(r.Context(), actor(r), r.PathValue("id"), directory.GroupEdit{Name: in.Name, FriendlyName: in.FriendlyName})
	if err != nil {
		return err
	}
	return a.showGroup(w, r, http.StatusOK, g.ID)
}

func (a *API) groupUsers(w http.ResponseWriter, r *http.Request) error {
	q := queryOf(r, userColumns)
	list, total, err := a.directory.QueryMembers(r.Context(), actor(r), r.PathValue("id"), q)
	if err != nil {
		return err
	}
	var data []user
	for i := range list {
		data = append(data, userOf(&list[i].User, list[i].Groups))
	}
	return writePage(w, q, data, total)
}

// membersIn are the members that a program wants a group to have.
type membersIn struct {
	Users []string `json:"userIds" doc:"required"`
}

func (a *API) groupUsersSet(w http.ResponseWriter, r *http.Request) error {
	var in membersIn
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	if in.Users == nil {
		return errMember.At("userIds")
	}
	if err := a.directory.SetMembers(r.Context(), actor(r), r.PathValue("id"), in.Users); err != nil {
		return err
	}
	return a.showGroup(w, r, http.StatusOK, r.PathValue("id"))
}

func (a *API) groupUserAdd(w http.ResponseWriter, r *http.Request) error {
	return nothing(w, a.directory.AddMembers(r.Context(), actor(r), r.PathValue("id"), []string{r.PathValue("user")}))
}

func (a *API) groupUserRemove(w http.ResponseWriter, r *http.Request) error {
	return nothing(w, a.directory.RemoveMembers(r.Context(), actor(r), r.PathValue("id"), []string{r.PathValue("user")}))
}

// groupClientsIn are the clients that a program wants to be for a group.
type groupClientsIn struct {
	Clients []string `json:"oidcClientIds" doc:"required"`
}

func (a *API) groupClientsSet(w http.ResponseWriter, r *http.Request) error {
	var in groupClientsIn
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	if in.Clients == nil {
		return errMember.At("oidcClientIds")
	}
	if err := a.oidc.SetGroupClients(r.Context(), actor(r), r.PathValue("id"), in.Clients); err != nil {
		return err
	}
	return a.showGroup(w, r, http.StatusOK, r.PathValue("id"))
}
