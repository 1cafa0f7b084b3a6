package web

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"pocketid/internal/directory"
	"pocketid/internal/edge"
	"pocketid/internal/signin"
)

const servicesPath = "/settings/admin/service-accounts"

func (x *Web) serviceRoutes() []edge.Route {
	const one = servicesPath + "/{id}"
	const key = one + "/api-keys/{key}"
	return []edge.Route{
		page("GET "+servicesPath, edge.Admin, x.services),
		page("GET "+servicesPath+"/new", edge.Admin, x.serviceNew),
		page("POST "+servicesPath+"/new", edge.Admin, x.serviceAdd),
		script("GET /settings/admin/owners", edge.Admin, edge.LimitGeneral, x.ownerNames),
		page("GET "+one, edge.Admin, x.service),
		page("POST "+one, edge.Admin, x.serviceSave),
		page("POST "+one+"/owner", edge.Admin, x.serviceOwner),
		page("GET "+one+"/disable", edge.Admin, x.serviceLife(disableServices)),
		page("POST "+one+"/disable", edge.Admin, x.serviceLived(disableServices)),
		page("GET "+one+"/enable", edge.Admin, x.serviceLife(enableServices)),
		page("POST "+one+"/enable", edge.Admin, x.serviceLived(enableServices)),
		page("GET "+one+"/delete", edge.Admin, x.serviceLife(deleteServices)),
		page("POST "+one+"/delete", edge.Admin, x.serviceLived(deleteServices)),
		page("GET "+one+"/api-keys/new", edge.Admin, shelved(x.serviceShelf, x.keyNew)),
		page("POST "+one+"/api-keys/new", edge.Admin, shelved(x.serviceShelf, x.keyMake)),
		page("GET "+key+"/renew", edge.Admin, shelved(x.serviceShelf, x.keyRenew)),
		page("POST "+key+"/renew", edge.Admin, shelved(x.serviceShelf, x.keyRenewed)),
		page("GET "+key+"/revoke", edge.Admin, shelved(x.serviceShelf, x.keyRevoke)),
		page("POST "+key+"/revoke", edge.Admin, shelved(x.serviceShelf, x.keyRevoked)),
	}
}

func servicePath(id string) string { return servicesPath + "/" + url.PathEscape(id) }

// servicesPage lists service accounts.
type servicesPage struct {
	Frame
	Search, State         string
	Owner                 string // their username, or what was typed
	Nobody                bool   // Owner is nobody
	States                []directory.ServiceState
	Sorts                 []sortChoice
	Heads                 map[string]sortHead
	Rows                  []serviceLine
	Total                 int
	Counted, Asked, Later bool
	Next, First           string
}

// A serviceLine is a service account in the list.
type serviceLine struct {
	directory.ServiceRow
	signin.KeyTotal
	Stands directory.ServiceState
	Badge  Avatar // of its owner
}

// servicesShown is how many service accounts a page shows.
const servicesShown = 25

func (x *Web) services(w http.ResponseWriter, r *http.Request) error {
	query, words := r.URL.Query(), x.words(r)
	f := directory.ServiceFilter{Search: query.Get("q"), State: directory.ServiceState(query.Get("state")), Sort: directory.Order(query.Get("sort")), After: query.Get("after"), Limit: servicesShown}.Known()
	p := servicesPage{Frame: Frame{Title: words.T("frame.services"), Area: "admin", Here: "services", Modules: []string{"log.js"}},
		Search: f.Search, State: string(f.State), States: directory.ServiceStates, Owner: strings.TrimSpace(query.Get("owner")), Later: f.After != "", Heads: map[string]sortHead{}}
	p.Asked = p.Search != "" || p.State != "" || p.Owner != ""
	var found directory.ServicePage
	var err error
	if p.Owner != "" {
		var owner directory.User
		owner, err = x.directory.Find(r.Context(), actor(r), p.Owner)
		f.Owner, p.Nobody = owner.ID, errors.Is(err, directory.ErrNoUser)
		if err == nil {
			p.Owner = owner.Username
		}
	}
	if err == nil {
		found, err = x.directory.Services(r.Context(), actor(r), f)
	}
	if err != nil && !p.Nobody {
		return err
	}
	ids := make([]string, len(found.Rows))
	for i := range found.Rows {
		ids[i] = found.Rows[i].ID
	}
	keys, err := x.signin.KeyTotals(r.Context(), actor(r), ids)
	if err != nil {
		return err
	}
	address := func(sort directory.Order, after string) string {
		if sort == directory.ServiceSorts[0] {
			sort = ""
		}
		return servicesPath + asked("q", p.Search, "owner", p.Owner, "state", p.State, "sort", string(sort), "after", after)
	}
	p.Total, p.Counted, p.First = found.Total, found.Total < directory.MaxCount, address(f.Sort, "")
	for _, by := range directory.ServiceSorts {
		head := sortHead{Address: address(by, "")}
		c := sortChoice{Value: string(by), Name: words.T("users.sort." + by.Name()), Chosen: f.Sort.Name() == by.Name()}
		if c.Chosen {
			c.Value = string(f.Sort)
			if head.State = "ascending"; f.Sort.Down() {
				head.State = "descending"
			}
			head.Address = address(f.Sort.Turned(), "")
		}
		p.Heads[by.Name()], p.Sorts = head, append(p.Sorts, c)
	}
	for i := range found.Rows {
		row := &found.Rows[i]
		p.Rows = append(p.Rows, serviceLine{*row, keys[row.ID], row.State(edge.Now(r.Context())), badgeOf(&row.Owner)})
	}
	if found.Next != "" {
		p.Next = address(f.Sort, found.Next)
	}
	return x.show(w, r, "services", &p)
}

// ownersOffered is how many people a field offers while somebody types a name.
const ownersOffered = 10

// ownerNames are people with words that begin with what is typed, for fields that name an
// owner. Nobody is offered who may not answer for an account, unless all are asked for.
func (x *Web) ownerNames(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	answer := namesAnswer{Names: []nameAnswer{}}
	if q := strings.TrimSpace(query.Get("q")); q != "" {
		found, err := x.directory.Users(r.Context(), actor(r), directory.UserFilter{Search: q, Limit: 2 * ownersOffered})
		if err != nil {
			return err
		}
		for _, row := range found.Rows {
			switch row.State(edge.Now(r.Context())) {
			case directory.StateDisabled, directory.StateExpired:
				if query.Get("who") != "all" {
					continue
				}
			}
			if len(answer.Names) < ownersOffered {
				answer.Names = append(answer.Names, nameAnswer{ID: row.ID, Name: row.Name(), Username: row.Username})
			}
		}
	}
	w.Header().Set("Cache-Control", "no-store")
	return edge.WriteJSON(w, http.StatusOK, answer)
}

// serviceNewPage asks what a service account needs to begin with.
type serviceNewPage struct {
	Frame
	Edit  directory.ServiceEdit
	Owner string // as it was typed
	// LastDay is the last day on which the account works, as it was typed.
	LastDay string
	// Draft is the id that the account gets. It makes sending the form twice one account.
	Draft string
}

func (x *Web) serviceNew(w http.ResponseWriter, r *http.Request) error {
	return x.showServiceNew(w, r, &serviceNewPage{Owner: visitor(r).User.Username}, nil)
}

func (x *Web) showServiceNew(w http.ResponseWriter, r *http.Request, p *serviceNewPage, problem *Problem) error {
	p.Frame = Frame{Title: x.words(r).T("services.add"), Area: "admin", Here: "services", Narrow: true, Modules: []string{"log.js"}, Fault: atOwner(problem)}
	p.Draft = directory.NewID()
	return x.show(w, r, "service-new", p)
}

// atOwner is a problem beside the field of the owner, when it is about them.
func atOwner(problem *Problem) *Problem {
	if problem != nil && problem.Field == directory.ErrNoOwner.Field {
		problem.Field = "owner"
	}
	return problem
}

// read sets e to what was typed about an account that was once was.
func (e *serviceEdit) read(form url.Values, was directory.ServiceEdit) (err error) {
	e.Username, e.DisplayName, e.Description = strings.TrimSpace(form.Get("username")), strings.TrimSpace(form.Get("display_name")), strings.TrimSpace(form.Get("description"))
	e.Admin, e.LastDay = form.Has("admin"), strings.TrimSpace(form.Get("expires_at"))
	e.ExpiresAt, err = endOf("expires_at", e.LastDay, was.ExpiresAt)
	return err
}

func (x *Web) serviceAdd(w http.ResponseWriter, r *http.Request) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	var typed serviceEdit
	draft, owner := form.Get("draft"), form.Get("owner")
	err = typed.read(form, directory.ServiceEdit{})
	if err == nil {
		var u directory.User
		if u, err = x.directory.AddServiceOf(r.Context(), actor(r), draft, owner, typed.ServiceEdit); err == nil {
			flash(w, r, "flash.service_created", "name", u.Name())
			return seeOther(w, servicePath(u.ID))
		}
	}
	if errors.Is(err, directory.ErrIDTaken) {
		return seeOther(w, servicePath(draft)) // the form was sent twice
	}
	if problem := x.problem(r, err); problem != nil {
		return x.showServiceNew(w, r, &serviceNewPage{Edit: typed.ServiceEdit, Owner: owner, LastDay: typed.LastDay}, problem)
	}
	return err
}
