package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"pocketid/internal/directory"
	"pocketid/internal/oidc"
)

// A clientAccess is who may use a client, on its page.
type clientAccess struct {
	Err    string
	Groups []groupOption
	More   bool // there are other groups that do not fit
	// Members and Everybody say how many people the two choices mean.
	Members, Everybody string
}

// A groupOption is a group that can be chosen.
type groupOption struct {
	directory.GroupRow
	Chosen bool
}

// groupOptions is how many groups a page offers beside those that are chosen.
const groupOptions = 300

// readAccess sets who may use the client, when the form says anything about it: a form
// that does not never opens a client to everybody.
func (f *clientForm) readAccess(form url.Values) {
	if !form.Has("group_restricted") {
		return
	}
	f.GroupRestricted, f.AllowedGroups = form.Get("group_restricted") == "1", []string{}
	if f.GroupRestricted {
		f.AllowedGroups = append(f.AllowedGroups, slices.Compact(slices.Sorted(slices.Values(form["allowed_groups"])))...)
	}
}

func (x *Web) clientAccess(r *http.Request, c *oidc.Client, f *Frame, form clientForm) (a clientAccess, err error) {
	options, more, err := x.directory.GroupOptions(r.Context(), actor(r), form.AllowedGroups, groupOptions)
	if err != nil {
		return a, err
	}
	a.More = more
	for _, g := range options {
		a.Groups = append(a.Groups, groupOption{g, slices.Contains(form.AllowedGroups, g.ID)})
	}
	if f.Fault != nil && strings.HasPrefix(f.Fault.Field, "allowed_groups") {
		f.Fault.Field, a.Err = "allowed_groups", f.Fault.Text // one field holds all of them
	}
	n, err := x.oidc.Audience(r.Context(), actor(r), c.AllowedGroups)
	if err != nil {
		return a, err
	}
	words := x.words(r)
	people := func(n int) string {
		if n >= directory.MaxCount {
			return words.T("client.access.people.over", "n", n)
		}
		return words.T("client.access.people", "n", n)
	}
	a.Members, a.Everybody = people(n.Members), people(n.Everybody)
	return a, nil
}
