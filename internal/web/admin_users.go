package web

import (
	"net/http"
	"net/url"
	"strings"

	"pocketid/internal/directory"
	"pocketid/internal/edge"
)

func (x *Web) usersRoutes() []edge.Route {
	const user = usersPath + "/{id}"
	return []edge.Route{
		page("GET "+usersPath, edge.Admin, x.users),
		page("GET "+usersPath+"/new", edge.Admin, x.userNew),
		page("POST "+usersPath+"/new", edge.Admin, x.userAdd),
		page("GET "+usersPath+"/picked", edge.Admin, x.usersPicked),
		page("POST "+usersPath+"/picked", edge.Admin, x.usersChanged),
		page("GET "+user+"/disable", edge.Admin, x.userLife(disableUsers)),
		page("POST "+user+"/disable", edge.Admin, x.userLived(disableUsers)),
		page("GET "+user+"/enable", edge.Admin, x.userLife(enableUsers)),
		page("POST "+user+"/enable", edge.Admin, x.userLived(enableUsers)),
		page("GET "+user+"/delete", edge.Admin, x.userLife(deleteUsers)),
		page("POST "+user+"/delete", edge.Admin, x.userLived(deleteUsers)),
		page("GET "+user+"/release", edge.Admin, x.userRelease),
		page("POST "+user+"/release", edge.Admin, x.userReleased),
		page("GET "+user+"/link", edge.Admin, x.userLink),
		page("POST "+user+"/link", edge.Admin, x.userLinked),
	}
}

// usersPage lists people.
type usersPage struct {
	Frame
	Search  string
	State   string
	Role    string
	Sorts   []sortChoice
	Heads   map[string]sortHead
	Rows    []userLine
	Total   int
	Counted bool   // Total is exact
	Asked   bool   // the list is not about everybody
	Alone   bool   // there is nobody else
	Deleted bool   // it is about those who were deleted
	Next    string // the address of the page after this one
	First   string // the address of the first page
	Later   bool   // this is not the first page
}

// A userLine is a user as the list shows it.
type userLine struct {
	directory.UserRow
	Badge Avatar
	State string
	Keys  int  // how many passkeys they have
	Self  bool // it is whoever looks at the list
	More  int  // groups that are not named
}

// A sortChoice is an order that a form offers.
type sortChoice struct {
	Value, Name string
	Chosen      bool
}

// usersShown is how many people a page shows.
const usersShown = 25

func (x *Web) users(w http.ResponseWriter, r *http.Request) error {
	query, words := r.URL.Query(), x.words(r)
	f := directory.UserFilter{
		Search: strings.TrimSpace(query.Get("q")), Sort: directory.UserSort(query.Get("sort")), After: query.Get("after"), Limit: usersShown,
		State: directory.State(query.Get("state")), Role: directory.Role(query.Get("role")),
	}.Known()
	found, err := x.directory.Users(r.Context(), actor(r), f)
	if err != nil {
		return err
	}
	ids := make([]string, len(found.Rows))
	for i := range found.Rows {
		ids[i] = found.Rows[i].ID
	}
	keys, err := x.signin.CountPasskeys(r.Context(), actor(r), ids)
	if err != nil {
		return err
	}
	p := usersPage{
		Frame:  Frame{Title: words.T("frame.users"), Area: "admin", Here: "users", Modules: []string{"table.js"}},
		Search: f.Search, State: string(f.State), Role: string(f.Role), Total: found.Total, Counted: found.Total < directory.MaxCount,
		Asked: f.Search != "" || f.State != "" || f.Role != "", Deleted: f.State == directory.StateDeleted,
		First: usersAddress(f, f.Sort, ""), Later: f.After != "", Heads: map[string]sortHead{},
	}
	for _, by := range directory.UserSorts {
		p.Heads[by.Name()] = headOf(f, by)
		c := sortChoice{Value: string(by), Name: words.T("users.sort." + by.Name()), Chosen: f.Sort.Name() == by.Name()}
		if c.Chosen {
			c.Value = string(f.Sort)
		}
		p.Sorts = append(p.Sorts, c)
	}
	p.Alone = found.Total == 1 && len(found.Rows) == 1 && !p.Asked
	now := edge.Now(r.Context())
	for _, row := range found.Rows {
		l := userLine{UserRow: row, Badge: avatarOf(row.Name(), row.ID), State: string(row.State(now)), Keys: keys[row.ID],
			Self: row.ID == actor(r).UserID, More: row.GroupCount - len(row.Groups)}
		if l.Keys == 0 && l.State == string(directory.StateActive) {
			l.State = "keyless"
		}
		p.Rows = append(p.Rows, l)
	}
	if found.Next != "" {
		p.Next = usersAddress(f, f.Sort, found.Next)
	}
	return x.show(w, r, "users", &p)
}

// usersAddress is the list that f asks for, in an order and from a page on.
func usersAddress(f directory.UserFilter, sort directory.UserSort, after string) string {
	if sort == directory.UserSorts[0] {
		sort = ""
	}
	q := url.Values{}
	for name, value := range map[string]string{"q": f.Search, "state": string(f.State), "role": string(f.Role), "sort": string(sort), "after": after} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if len(q) == 0 {
		return usersPath
	}
	return usersPath + "?" + q.Encode()
}

// headOf is the head of the column that is sorted by, in the list that f asks for.
func headOf(f directory.UserFilter, by directory.UserSort) sortHead {
	head := sortHead{Address: usersAddress(f, by, "")}
	if f.Sort.Name() == by.Name() {
		if head.State = "ascending"; f.Sort.Down() {
			head.State = "descending"
		}
		head.Address = usersAddress(f, f.Sort.Turned(), "")
	}
	return head
}
