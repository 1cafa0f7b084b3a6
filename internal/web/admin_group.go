package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"pocketid/internal/directory"
	"pocketid/internal/edge"
	"pocketid/internal/i18n"
	"pocketid/internal/oidc"
)

// groupPage shows everything about a group. Each of its tabs is saved by itself.
type groupPage struct {
	Frame
	Group   directory.Group
	Address string // of this page
	Names   groupNames
	Claims  claimsForm
	// Tab is the one to show first; "" leaves it to the address.
	Tab string

	Search  string // among the members
	Members []memberLine
	Found   int    // members that the search finds
	Counted bool   // Found is exact
	Next    string // the address of the page of members after this one
	Later   bool   // this is not the first page of members

	Find       string // people to add
	Candidates []memberLine
	MoreFound  bool

	Clients oidc.GroupClients
	// Was are the ids of the clients that the group may open, Chosen those that the form
	// says.
	Was, Chosen []string
}

// Opens is how many clients are for the group and not for everybody.
func (p *groupPage) Opens() int { return len(p.Was) }

// IsChosen says whether the form lets the group open a client.
func (p *groupPage) IsChosen(id string) bool { return slices.Contains(p.Chosen, id) }

// Asked is the query of the first page of members.
func (p *groupPage) Asked() string { return asked("q", p.Search) }

// groupNames are the names of a group as they were typed.
type groupNames struct {
	directory.GroupEdit
	Was       directory.GroupEdit // as this form first showed them
	Meanwhile []meanwhile         // what somebody else has changed since
}

// A memberLine is a person as a group shows them.
type memberLine struct {
	directory.Member
	Badge Avatar
}

func memberLines(members []directory.Member) []memberLine {
	var lines []memberLine
	for _, m := range members {
		lines = append(lines, memberLine{m, personBadge(m.Name, m.ID, m.PictureID)})
	}
	return lines
}

// Managed says that names and members are kept elsewhere.
func (p *groupPage) Managed() bool { return p.Group.LDAPID != "" }

// People is the address at which members are added and removed. It carries what was
// asked for, so that the page comes back as it was.
func (p *groupPage) People() string {
	return p.Address + "/members" + asked("q", p.Search, "find", p.Find)
}

// asked is the query of these names and values, without those that are empty.
func asked(pairs ...string) string {
	q := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

const (
	memberRows    = 25
	candidateRows = 25
	// membersPicked is how many people one form adds or removes: as many as a page shows.
	membersPicked = directory.MaxUsers
)

func (x *Web) group(w http.ResponseWriter, r *http.Request) error {
	g, err := x.directory.Group(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	return x.showGroup(w, r, &g, nil, func(*groupPage) {})
}

// showGroup shows a group as it is, but for what change sets.
func (x *Web) showGroup(w http.ResponseWriter, r *http.Request, g *directory.Group, problem *Problem, change func(*groupPage)) error {
	query := r.URL.Query()
	p := groupPage{
		Frame: Frame{Title: g.Called(), Area: "admin", Here: "groups", Narrow: true, Modules: []string{"forms.js"}, Fault: problem},
		Group: *g, Address: groupPath(g.ID), Names: groupNamesOf(g),
		Search: strings.TrimSpace(query.Get("q")), Find: strings.TrimSpace(query.Get("find")), Later: query.Get("after") != "",
	}
	p.Claims = claimsFormOf(&p.Frame, g.Claims)
	members, err := x.directory.Members(r.Context(), actor(r), g.ID,
		directory.MemberFilter{Search: p.Search, After: query.Get("after"), Limit: memberRows})
	if err != nil {
		return err
	}
	p.Members, p.Found, p.Counted = memberLines(members.Rows), members.Total, p.Search == "" || members.Total < directory.MaxCount
	if members.Next != "" {
		p.Next = p.Address + asked("q", p.Search, "after", members.Next) + "#users"
	}
	found, more, err := x.directory.Candidates(r.Context(), actor(r), g.ID, p.Find, candidateRows)
	if err != nil {
		return err
	}
	p.Candidates, p.MoreFound = memberLines(found), more
	if p.Clients, err = x.oidc.ClientsOfGroup(r.Context(), actor(r), g.ID); err != nil {
		return err
	}
	for _, c := range p.Clients.Restricted {
		if c.In {
			p.Was = append(p.Was, c.ID)
		}
	}
	p.Chosen = p.Was
	change(&p)
	return x.show(w, r, "group", &p)
}

func (x *Web) groupSave(w http.ResponseWriter, r *http.Request) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	g, err := x.directory.Group(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	typed := groupNames{
		GroupEdit: directory.GroupEdit{Name: form.Get("name"), FriendlyName: form.Get("friendly_name")},
		Was:       directory.GroupEdit{Name: form.Get("was_name"), FriendlyName: form.Get("was_friendly_name")},
	}
	if _, err := x.directory.ReviseGroup(r.Context(), actor(r), g.ID, typed.Was, typed.GroupEdit); err != nil {
		problem := x.problem(r, err)
		if problem == nil {
			return err
		}
		if errors.Is(err, directory.ErrStale) {
			if g, err = x.directory.Group(r.Context(), actor(r), g.ID); err != nil {
				return err
			}
			typed, problem.Field = typed.caughtUp(x.words(r), &g), "general"
		}
		return x.showGroup(w, r, &g, problem, func(p *groupPage) { p.Names, p.Tab = typed, "general" })
	}
	flash(w, r, "flash.group_saved")
	return seeOther(w, groupPath(g.ID))
}

// groupNamesOf are the names as they begin.
func groupNamesOf(g *directory.Group) groupNames {
	is := directory.GroupEdit{Name: g.Name, FriendlyName: g.FriendlyName}
	return groupNames{GroupEdit: is, Was: is}
}

// caughtUp are names that were overtaken with the group as it is now: what the person
// did not touch follows it, what they typed stays.
func (n groupNames) caughtUp(words *i18n.Locale, g *directory.Group) groupNames {
	is := groupNamesOf(g)
	for _, name := range []struct {
		label          string
		was, typed, is *string
	}{
		{"group.friendly_name", &n.Was.FriendlyName, &n.FriendlyName, &is.FriendlyName},
		{"group.name", &n.Was.Name, &n.Name, &is.Name},
	} {
		if *name.was != *name.is {
			is.Meanwhile = append(is.Meanwhile, meanwhile{words.T(name.label), *name.is})
		}
		if *name.typed != *name.was {
			*name.is = *name.typed
		}
	}
	return is
}

// groupMembers puts somebody in or takes somebody out, and comes back to what was
// looked for.
func (x *Web) groupMembers(w http.ResponseWriter, r *http.Request) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	g, err := x.directory.Group(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	id, said, ids, where := g.ID, "", []string(nil), "#users"
	switch {
	case form.Has("add"): // and on with the search, for the next one
		said, ids, where = "flash.member_added", form["add"], "#find"
		err = x.directory.AddMembers(r.Context(), actor(r), id, ids)
	case form.Has("remove"):
		said, ids = "flash.member_removed", form["remove"]
		err = x.directory.RemoveMembers(r.Context(), actor(r), id, ids)
	case len(form["pick"]) > membersPicked:
		err = directory.ErrTooManyUsers
	case form.Get("do") == "add":
		said, ids, where = "flash.member_added", form["pick"], "#find"
		err = x.directory.AddMembers(r.Context(), actor(r), id, ids)
	case form.Get("do") == "remove":
		said, ids = "flash.member_removed", form["pick"]
		err = x.directory.RemoveMembers(r.Context(), actor(r), id, ids)
	}
	if err != nil {
		return err
	}
	if len(ids) == 1 {
		u, err := x.directory.User(r.Context(), ids[0])
		if err != nil {
			return err
		}
		flash(w, r, said, "name", u.Name())
	} else if len(ids) > 1 {
		flash(w, r, said+".many", "n", strconv.Itoa(len(ids)))
	}
	return seeOther(w, groupPath(id)+asked("q", r.URL.Query().Get("q"), "find", r.URL.Query().Get("find"))+where)
}

// groupClients changes which clients a group opens: those that were chosen and are not
// any more, and those that are now and were not. What somebody else changed meanwhile
// stays.
func (x *Web) groupClients(w http.ResponseWriter, r *http.Request) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	g, err := x.directory.Group(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	chosen, was := form["clients"], listed(form["was"])
	but := func(a, b []string) []string {
		return slices.DeleteFunc(slices.Clone(a), func(id string) bool { return slices.Contains(b, id) })
	}
	err = oidc.ErrStale // which a form is that does not say what it showed
	if form.Has("was") {
		err = x.oidc.EditGroupClients(r.Context(), actor(r), g.ID, but(chosen, was), but(was, chosen))
	}
	if err != nil {
		if problem := x.problem(r, err); problem != nil {
			return x.showGroup(w, r, &g, problem, func(p *groupPage) { p.Chosen, p.Tab = chosen, "clients" })
		}
		return err
	}
	flash(w, r, "flash.group_clients_saved")
	return seeOther(w, groupPath(g.ID)+"#clients")
}

func (x *Web) groupClaims(w http.ResponseWriter, r *http.Request) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	g, err := x.directory.Group(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	typed, err := claimsOf(form)
	var was map[string]any
	if err == nil {
		err = showedAs(form, &was)
	}
	if err == nil {
		_, err = x.directory.ReplaceGroupClaims(r.Context(), actor(r), g.ID, was, typed)
	}
	if err != nil {
		problem := x.problem(r, err)
		if problem == nil {
			return err
		}
		again := func(f *Frame) claimsForm { return claimsForm{List: typedClaims(f, form), Was: form.Get("was")} }
		if errors.Is(err, directory.ErrStale) {
			if g, err = x.directory.Group(r.Context(), actor(r), g.ID); err != nil {
				return err
			}
			problem.Field = "custom-claims"
			again = func(f *Frame) claimsForm { return x.overtaken(f, r, was, typed, g.Claims) }
		}
		return x.showGroup(w, r, &g, problem, func(p *groupPage) { p.Claims, p.Tab = again(&p.Frame), "custom-claims" })
	}
	flash(w, r, "flash.claims_saved")
	return seeOther(w, groupPath(g.ID)+"#custom-claims")
}
