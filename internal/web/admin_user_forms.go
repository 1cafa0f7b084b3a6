package web

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"pocketid/internal/directory"
	"pocketid/internal/edge"
)

// A groupsForm is the groups of a user as they were picked.
type groupsForm struct {
	Choices []groupChoice
	Was     []string // the groups that this form first showed, by id
	Foreign []string // names of those that another directory gives
	// Many says that there are too many groups to offer all: those of the user are, and
	// those that Find finds.
	Many      bool
	Find      string
	Meanwhile []meanwhile
}

// A groupChoice is a group that can be picked.
type groupChoice struct {
	ID, Name string
	Chosen   bool
}

// groupsOffered is how many groups a form offers at most.
const groupsOffered = 300

// groupsFound is how many groups a search in the form offers at most.
const groupsFound = 50

// groupsTyped are groups by id.
type groupsTyped struct{ was, picked []string }

// groupsFormOf are the groups to pick from and those that are picked.
func (x *Web) groupsFormOf(r *http.Request, u *directory.User, typed *groupsTyped) (groupsForm, error) {
	mine, err := x.directory.Groups(r.Context(), u.ID)
	if err != nil {
		return groupsForm{}, err
	}
	all, err := x.directory.GroupChoices(r.Context(), actor(r), groupsOffered+1)
	if err != nil {
		return groupsForm{}, err
	}
	f := groupsForm{Many: len(all) > groupsOffered}
	var own []directory.Group
	for _, g := range mine {
		if g.LDAPID != "" {
			f.Foreign = append(f.Foreign, g.Called())
			continue
		}
		own = append(own, g)
		f.Was = append(f.Was, g.ID)
	}
	picked := f.Was
	if typed != nil {
		picked = typed.picked
	}
	if f.Many {
		if f.Find = strings.TrimSpace(r.URL.Query().Get("find")); f.Find == "" {
			all = nil
		} else if all, err = x.directory.FindGroups(r.Context(), actor(r), f.Find, groupsFound); err != nil {
			return groupsForm{}, err
		}
		all = slices.DeleteFunc(all, func(g directory.Group) bool {
			return slices.ContainsFunc(own, func(o directory.Group) bool { return o.ID == g.ID })
		})
		all = append(own, all...)
		for _, id := range picked { // that a form held which did not pass
			if !slices.ContainsFunc(all, func(g directory.Group) bool { return g.ID == id }) {
				if g, err := x.directory.Group(r.Context(), actor(r), id); err == nil && g.LDAPID == "" {
					all = append(all, g)
				}
			}
		}
	}
	for _, g := range all {
		f.Choices = append(f.Choices, groupChoice{g.ID, g.Called(), slices.Contains(picked, g.ID)})
	}
	if typed == nil {
		return f, nil
	}
	words := x.words(r)
	for _, g := range all {
		was, is := slices.Contains(typed.was, g.ID), slices.Contains(f.Was, g.ID)
		switch {
		case is && !was:
			f.Meanwhile = append(f.Meanwhile, meanwhile{g.Called(), words.T("meanwhile.added")})
		case was && !is:
			f.Meanwhile = append(f.Meanwhile, meanwhile{g.Called(), words.T("meanwhile.removed")})
		}
	}
	return f, nil
}

func (x *Web) userGroupsSave(w http.ResponseWriter, r *http.Request) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	u, err := x.directory.User(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	typed := groupsTyped{was: listed(form["was"]), picked: form["groups"]}
	err = directory.ErrStale
	if form.Has("was") {
		err = x.directory.ReplaceGroups(r.Context(), actor(r), u.ID, typed.was, typed.picked)
	}
	if err != nil {
		problem := x.problem(r, err)
		if problem == nil {
			return err
		}
		if errors.Is(err, directory.ErrStale) {
			if err := x.catchUpGroups(r, &u, &typed); err != nil {
				return err
			}
			problem.Field = "user-groups"
		}
		return x.showUser(w, r, &u, userForms{groups: &typed}, problem)
	}
	flash(w, r, "flash.user_groups_saved")
	return seeOther(w, userPath(u.ID)+"#user-groups")
}

// catchUpGroups brings what was picked up to the groups that the user is in by now:
// what somebody else added or removed is added or removed here too.
func (x *Web) catchUpGroups(r *http.Request, u *directory.User, typed *groupsTyped) error {
	mine, err := x.directory.Groups(r.Context(), u.ID)
	if err != nil {
		return err
	}
	is := []string{}
	for _, g := range mine {
		is = append(is, g.ID)
		if !slices.Contains(typed.was, g.ID) && !slices.Contains(typed.picked, g.ID) {
			typed.picked = append(typed.picked, g.ID)
		}
	}
	typed.picked = slices.DeleteFunc(typed.picked, func(id string) bool {
		return slices.Contains(typed.was, id) && !slices.Contains(is, id)
	})
	return nil
}

// A claimsForm is the custom claims of a user as they were typed.
type claimsForm struct {
	List claimList
	// Was is the claims as this form first showed them, as JSON.
	Was       string
	Meanwhile []meanwhile
}

// claimsFormOf is the claims as they begin.
func claimsFormOf(f *Frame, claims map[string]any) claimsForm {
	return claimsForm{List: claimListOf(f, claims), Was: claimsJSON(claims)}
}

func claimsJSON(claims map[string]any) string {
	was, err := json.Marshal(claims)
	if err != nil {
		panic("web: claims are always JSON")
	}
	return string(was)
}

func (x *Web) userClaimsSave(w http.ResponseWriter, r *http.Request) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	u, err := x.directory.User(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	typed, err := claimsOf(form)
	var was map[string]any
	if err == nil {
		err = showedAs(form, &was)
	}
	if err == nil {
		_, err = x.directory.ReplaceClaims(r.Context(), actor(r), u.ID, was, typed)
	}
	if err != nil {
		problem := x.problem(r, err)
		if problem == nil {
			return err
		}
		again := func(f *Frame) claimsForm { return claimsForm{List: typedClaims(f, form), Was: form.Get("was")} }
		if errors.Is(err, directory.ErrStale) {
			if u, err = x.directory.User(r.Context(), u.ID); err != nil {
				return err
			}
			problem.Field = "custom-claims"
			again = func(f *Frame) claimsForm { return x.overtaken(f, r, was, typed, u.Claims) }
		}
		return x.showUser(w, r, &u, userForms{claims: again}, problem)
	}
	flash(w, r, "flash.user_claims_saved")
	return seeOther(w, userPath(u.ID)+"#custom-claims")
}

// overtaken brings claims that were typed up to those that the user has by now: what
// was not touched follows them, what was typed stays.
func (x *Web) overtaken(f *Frame, r *http.Request, was, typed, is map[string]any) claimsForm {
	merged, words := maps.Clone(typed), x.words(r)
	var changed []meanwhile
	for _, name := range slices.Sorted(maps.Keys(is)) {
		before, had := was[name]
		if had && reflect.DeepEqual(before, is[name]) {
			continue
		}
		kind, value := directory.FormatClaim(is[name])
		if value == "" {
			value = words.T("claims.kind." + string(kind))
		}
		changed = append(changed, meanwhile{name, value})
		if mine, ok := typed[name]; ok == had && reflect.DeepEqual(mine, before) {
			merged[name] = is[name]
		}
	}
	for _, name := range slices.Sorted(maps.Keys(was)) {
		if _, still := is[name]; still {
			continue
		}
		changed = append(changed, meanwhile{name, words.T("meanwhile.removed")})
		if reflect.DeepEqual(typed[name], was[name]) {
			delete(merged, name)
		}
	}
	form := claimsFormOf(f, is)
	form.List, form.Meanwhile = claimListOf(f, merged), changed
	return form
}
