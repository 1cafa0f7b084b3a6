package api

import (
	"net/http"
	"time"

	"pocketid/internal/directory"
	"pocketid/internal/edge"
)

func (a *API) groupOperations() []Operation {
	return []Operation{
		admins("GET /api/user-groups", "groups:read", "Lists groups.", a.groups).lists(group{}, groupColumns),
		admins("POST /api/user-groups", "groups:write", "Makes a group.", a.groupAdd).takes(groupIn{}).answers(http.StatusCreated, wholeGroup{}),
		admins("DELETE /api/user-groups/{id}", "groups:write", "Deletes a group.", a.groupDelete).holds(a.groupState),
	}
}

// A group is a group as programs know it.
type group struct {
	ID           string    `json:"id"`
	FriendlyName string    `json:"friendlyName"`
	Name         string    `json:"name"`
	Claims       []claim   `json:"customClaims"`
	Members      int       `json:"userCount"`
	LDAPID       *string   `json:"ldapId"`
	CreatedAt    time.Time `json:"createdAt"`
}

func groupOf(g *directory.Group) group {
	return group{ID: g.ID, FriendlyName: g.FriendlyName, Name: g.Name, Claims: claimsOf(g.ClaimTexts()), Members: g.Members, LDAPID: maybe(g.LDAPID), CreatedAt: g.CreatedAt}
}

// groupsOf are groups, none of which is an empty list.
func groupsOf(list []directory.Group) []group {
	out := make([]group, 0, len(list))
	for i := range list {
		out = append(out, groupOf(&list[i]))
	}
	return out
}

var groupColumns = columns{sortable: []string{"friendlyName", "name", "createdAt", "userCount"}}

func (a *API) groups(w http.ResponseWriter, r *http.Request) error {
	q := queryOf(r, groupColumns)
	list, total, err := a.directory.QueryGroups(r.Context(), actor(r), q)
	if err != nil {
		return err
	}
	return writePage(w, q, groupsOf(list), total)
}

// groupIn is what a program says of a group.
type groupIn struct {
	Name         string `json:"name"`
	FriendlyName string `json:"friendlyName"`
}

func (a *API) groupAdd(w http.ResponseWriter, r *http.Request) error {
	var in groupIn
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	g, err := a.directory.AddGroup(r.Context(), actor(r), directory.GroupEdit{Name: in.Name, FriendlyName: in.FriendlyName})
	if err != nil {
		return err
	}
	return a.showGroup(w, r, http.StatusCreated, g.ID)
}

func (a *API) groupDelete(w http.ResponseWriter, r *http.Request) error {
	if _, err := a.oidc.DeleteGroup(r.Context(), actor(r), r.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
