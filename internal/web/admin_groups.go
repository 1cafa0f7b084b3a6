package web

import (
	"net/http"
	"net/url"
	"strings"

	"pocketid/internal/directory"
	"pocketid/internal/edge"
)

const groupsPath = "/settings/admin/user-groups"

func (x *Web) groupRoutes() []edge.Route {
	return []edge.Route{
		page("GET "+groupsPath, edge.Admin, x.groups),
		page("GET "+groupsPath+"/new", edge.Admin, x.groupNew),
		page("POST "+groupsPath+"/new", edge.Admin, x.groupAdd),
		page("GET "+groupsPath+"/{id}", edge.Admin, x.group),
		page("POST "+groupsPath+"/{id}", edge.Admin, x.groupSave),
		page("POST "+groupsPath+"/{id}/members", edge.Admin, x.groupMembers),
		page("POST "+groupsPath+"/{id}/clients", edge.Admin, x.groupClients),
		roomy(page("POST "+groupsPath+"/{id}/claims", edge.Admin, x.groupClaims)),
		page("GET "+groupsPath+"/{id}/delete", edge.Admin, x.groupDelete),
		page("POST "+groupsPath+"/{id}/delete", edge.Admin, x.groupDeleted),
	}
}

func groupPath(id string) string { return groupsPath + "/" + url.PathEscape(id) }

// groupsPage lists the groups.
type groupsPage struct {
	Frame
	Search  string
	Rows    []groupLine
	Heads   map[string]sortHead
	Total   int
	Counted bool   // Total is exact
	Next    string // the address of the page after this one
	First   string // the address of the first page
	Later   bool   // this is not the first page
}

// A groupLine is a group as the list shows it.
type groupLine struct {
	directory.GroupRow
	Size    int64 // how many members
	Clients int   // that it opens
}

// A sortHead is the head of a column by which a list can be sorted.
type sortHead struct {
	Address string // sorts by it, or turns the order round
	State   string // "ascending", "descending" or "" when the list is in another order
}

func (x *Web) groups(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	search, after, sort := strings.TrimSpace(query.Get("q")), query.Get("after"), directory.GroupOrder(directory.Order(query.Get("sort")))
	found, err := x.directory.ListGroups(r.Context(), actor(r), directory.GroupFilter{Search: search, Sort: sort, After: after, Limit: 25})
	if err != nil {
		return err
	}
	ids := make([]string, len(found.Rows))
	for i, row := range found.Rows {
		ids[i] = row.ID
	}
	clients, err := x.oidc.CountGroupClients(r.Context(), actor(r), ids)
	if err != nil {
		return err
	}
	p := groupsPage{
		Frame:  Frame{Title: x.words(r).T("groups.title"), Area: "admin", Here: "groups"},
		Search: search, Total: found.Total, Counted: found.Total < directory.MaxCount, Later: after != "", Heads: map[string]sortHead{},
	}
	address := func(sort directory.Order, after string) string {
		q := url.Values{}
		for name, value := range map[string]string{"q": search, "after": after, "sort": string(sort)} {
			if value != "" && value != string(directory.GroupsByFriendlyName) {
				q.Set(name, value)
			}
		}
		if len(q) == 0 {
			return groupsPath
		}
		return groupsPath + "?" + q.Encode()
	}
	for _, by := range []directory.Order{directory.GroupsByFriendlyName, directory.GroupsByMembers, directory.GroupsByCreation} {
		head := sortHead{Address: address(by, "")}
		switch sort {
		case by:
			head.Address, head.State = address(by.Turned(), ""), "ascending"
		case by.Turned():
			head.State = "descending"
		case directory.GroupsByFriendlyName:
		}
		p.Heads[string(by)] = head
	}
	for _, row := range found.Rows {
		p.Rows = append(p.Rows, groupLine{row, int64(row.Members), clients[row.ID]})
	}
	p.First = address(sort, "")
	if found.Next != "" {
		p.Next = address(sort, found.Next)
	}
	return x.show(w, r, "groups", &p)
}

// groupNewPage asks for the names of a new group.
type groupNewPage struct {
	Frame
	Edit directory.GroupEdit
}

func (x *Web) groupNew(w http.ResponseWriter, r *http.Request) error {
	return x.showGroupNew(w, r, directory.GroupEdit{}, nil)
}

func (x *Web) showGroupNew(w http.ResponseWriter, r *http.Request, edit directory.GroupEdit, problem *Problem) error {
	p := groupNewPage{
		Frame: Frame{Title: x.words(r).T("group_new.title"), Area: "admin", Here: "groups", Narrow: true, Modules: []string{"forms.js"}, Fault: problem},
		Edit:  edit,
	}
	return x.show(w, r, "group-new", &p)
}

func (x *Web) groupAdd(w http.ResponseWriter, r *http.Request) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	edit := directory.GroupEdit{Name: form.Get("name"), FriendlyName: form.Get("friendly_name")}
	if strings.TrimSpace(edit.Name) == "" {
		edit.Name = directory.GroupNameOf(edit.FriendlyName)
	}
	g, err := x.directory.AddGroup(r.Context(), actor(r), edit)
	if err != nil {
		if problem := x.problem(r, err); problem != nil {
			return x.showGroupNew(w, r, edit, problem)
		}
		return err
	}
	flash(w, r, "flash.group_created", "name", g.Called())
	return seeOther(w, groupPath(g.ID)+"#users")
}

// groupDeletePage asks before a group goes.
type groupDeletePage struct {
	Frame
	Name    string // what to call it
	Members int
	Group   string // the address of its page
	// Clients are those that its members lose unless another group opens them, and Closed
	// those that are for nobody from then on.
	Clients, Closed someNames
}

// someNames are the first of some names, and how many others there are.
type someNames struct {
	Names []string
	More  int
}

func (s *someNames) add(name string) {
	if len(s.Names) < 5 {
		s.Names = append(s.Names, name)
		return
	}
	s.More++
}

func (x *Web) groupDelete(w http.ResponseWriter, r *http.Request) error {
	g, err := x.directory.Group(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	all, err := x.oidc.ClientsOfGroup(r.Context(), actor(r), g.ID)
	if err != nil {
		return err
	}
	p := groupDeletePage{
		Frame: Frame{Title: x.words(r).T("group_delete.title", "name", g.Called()), Area: "admin", Here: "groups", Narrow: true},
		Name:  g.Called(), Members: g.Members, Group: groupPath(g.ID),
	}
	for _, c := range all.Restricted {
		switch {
		case !c.In:
		case c.Groups == 1:
			p.Closed.add(c.Name)
		default:
			p.Clients.add(c.Name)
		}
	}
	return x.show(w, r, "group-delete", &p)
}

func (x *Web) groupDeleted(w http.ResponseWriter, r *http.Request) error {
	g, err := x.oidc.DeleteGroup(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	flash(w, r, "flash.group_deleted", "name", g.Called())
	return seeOther(w, groupsPath)
}
