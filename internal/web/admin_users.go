package web

import (
	"net/http"
	"net/url"
	"slices"
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
		page("POST "+usersPath+"/columns", edge.Admin, x.userColumns),
		page("GET "+batchesPath, edge.Admin, x.batches),
		page("GET "+batchesPath+"/{id}", edge.Admin, x.batch),
		page("POST "+batchesPath+"/{id}/stop", edge.Admin, x.batchStop),
		page("POST "+batchesPath+"/{id}/undo", edge.Admin, x.batchUndo),
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
	Search string
	State  string
	Role   string
	// Passkeys is how many of them people have.
	Passkeys string
	Group    string
	Groups   []groupChoice
	// MoreGroups says that there are groups which the filter does not offer.
	MoreGroups bool
	Columns    []columnChoice
	Sorts      []sortChoice
	Heads      map[string]sortHead
	Rows       []userLine
	Total      int
	Counted    bool   // Total is exact
	Asked      bool   // the list is not about everybody
	Alone      bool   // there is nobody else
	Deleted    bool   // it is about those who were deleted
	Next       string // the address of the page after this one
	First      string // the address of the first page
	Later      bool   // this is not the first page
	// Going is the work on many accounts that is not done.
	Going []batchLine
}

// Shows reports whether a column is chosen.
func (p *usersPage) Shows(column string) bool {
	return slices.ContainsFunc(p.Columns, func(c columnChoice) bool { return c.ID == column && c.Chosen })
}

// A userLine is a user as the list shows it.
type userLine struct {
	directory.UserRow
	Badge Avatar
	State string
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

// userFilterOf is what a list of people is asked for.
func userFilterOf(query url.Values) directory.UserFilter {
	return directory.UserFilter{
		Search: strings.TrimSpace(query.Get("q")), Sort: directory.Order(query.Get("sort")), After: query.Get("after"), Limit: usersShown,
		State: directory.State(query.Get("state")), Role: directory.Role(query.Get("role")), Passkeys: directory.PasskeyCount(query.Get("passkeys")), Group: query.Get("group"),
	}.Known()
}

func (x *Web) users(w http.ResponseWriter, r *http.Request) error {
	words, f := x.words(r), userFilterOf(r.URL.Query())
	found, err := x.directory.Users(r.Context(), actor(r), f)
	if err != nil {
		return err
	}
	p := usersPage{
		Frame:  Frame{Title: words.T("frame.users"), Area: "admin", Here: "users", Modules: []string{"table.js"}},
		Search: f.Search, State: string(f.State), Role: string(f.Role), Passkeys: string(f.Passkeys), Group: f.Group, Total: found.Total, Counted: found.Total < directory.MaxCount,
		Asked: f.Search != "" || f.State != "" || f.Role != "" || f.Passkeys != "" || f.Group != "", Deleted: f.State == directory.StateDeleted,
		First: usersAddress(f, f.Sort, ""), Later: f.After != "", Heads: map[string]sortHead{}, Columns: columnsOf(r, words),
	}
	if p.Groups, p.MoreGroups, err = x.groupFilter(r, f.Group); err != nil {
		return err
	}
	if p.Going, err = x.openBatches(r); err != nil {
		return err
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
		p.Rows = append(p.Rows, userLine{UserRow: row, Badge: personBadge(row.Name(), row.ID, row.PictureID), State: string(row.State(now)),
			Self: row.ID == actor(r).UserID, More: row.GroupCount - len(row.Groups)})
	}
	if found.Next != "" {
		p.Next = usersAddress(f, f.Sort, found.Next)
	}
	return x.show(w, r, "users", &p)
}

// groupFilter are the groups that the list offers to show the members of: the first ones,
// and the one that was chosen. The page of any group leads to the list of its members.
func (x *Web) groupFilter(r *http.Request, chosen string) (choices []groupChoice, more bool, err error) {
	options, more, err := x.directory.GroupOptions(r.Context(), actor(r), []string{chosen}, groupsFiltered)
	for _, g := range options {
		choices = append(choices, groupChoice{g.ID, g.Called(), g.ID == chosen})
	}
	return choices, more, err
}

// groupsFiltered is how many groups the list offers.
const groupsFiltered = 50

// usersAddress is the list that f asks for, in an order and from a page on.
func usersAddress(f directory.UserFilter, sort directory.Order, after string) string {
	if sort == directory.UserSorts[0] {
		sort = ""
	}
	q := url.Values{}
	for name, value := range map[string]string{"q": f.Search, "state": string(f.State), "role": string(f.Role), "passkeys": string(f.Passkeys), "group": f.Group, "sort": string(sort), "after": after} {
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
func headOf(f directory.UserFilter, by directory.Order) sortHead {
	head := sortHead{Address: usersAddress(f, by, "")}
	if f.Sort.Name() == by.Name() {
		if head.State = "ascending"; f.Sort.Down() {
			head.State = "descending"
		}
		head.Address = usersAddress(f, f.Sort.Turned(), "")
	}
	return head
}
