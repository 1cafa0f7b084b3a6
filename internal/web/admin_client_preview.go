package web

import (
	"net/http"
	"slices"
	"strings"

	"pocketid/internal/directory"
	"pocketid/internal/fault"
	"pocketid/internal/oidc"
)

// A clientPreview is the tab that shows what a client is told about somebody.
type clientPreview struct {
	Who      string // that was searched for
	Resource string
	Scopes   []scopeChoice
	People   []directory.UserRow // who it may be
	More     bool                // there are others
	User     *directory.User     // whom it is about
	oidc.Preview
	// Turned says in words why the person would be turned away.
	Turned *Problem
	// Wrong says why there is no preview.
	Wrong *Problem
}

// A scopeChoice is a scope that the preview may ask for.
type scopeChoice struct {
	Name   string
	Chosen bool
}

// Asked says whether somebody asked for a preview.
func (p clientPreview) Asked() bool { return p.Who != "" || p.User != nil || p.Wrong != nil }

// A previewToken is something that the client would get.
type previewToken struct{ Title, JSON string }

// Tokens are what there is of the three.
func (p clientPreview) Tokens() (list []previewToken) {
	for _, t := range []previewToken{{"client.preview.id_token", p.IDToken}, {"client.preview.access_token", p.AccessToken}, {"client.preview.userinfo", p.Userinfo}} {
		if t.JSON != "" {
			list = append(list, t)
		}
	}
	return list
}

// previewScopes are what a preview may ask for.
var previewScopes = []string{"openid", "profile", "email", "groups", "address", "phone", "offline_access"}

// maxTold bounds what the page repeats of its query.
const maxTold = 200

// peopleFound is how many people a search for one offers.
const peopleFound = 8

func (x *Web) clientPreview(r *http.Request, c *oidc.Client) (p clientPreview, err error) {
	q := r.URL.Query()
	for _, scope := range previewScopes {
		p.Scopes = append(p.Scopes, scopeChoice{scope, slices.Contains(q["scope"], scope) || !q.Has("scope") && scope != "offline_access"})
	}
	if r.Method != http.MethodGet {
		return p, nil
	}
	if p.Who, p.Resource = strings.TrimSpace(q.Get("who")), strings.TrimSpace(q.Get("resource")); len(p.Who) > maxTold {
		p.Who = ""
	}
	if len(p.Resource) > maxTold {
		p.Resource = ""
	}
	id := q.Get("person")
	if id == "" && p.Who != "" {
		found, err := x.directory.Users(r.Context(), actor(r), directory.UserFilter{Search: p.Who, Limit: peopleFound})
		if err != nil {
			return p, err
		}
		p.People, p.More = found.Rows, found.Next != ""
		for _, u := range found.Rows {
			if len(found.Rows) == 1 && !p.More || strings.EqualFold(u.Username, p.Who) {
				id, p.People = u.ID, nil
				break
			}
		}
	}
	if id == "" || len(id) > maxTold {
		return p, nil
	}
	users, err := x.directory.UsersByID(r.Context(), actor(r), []string{id})
	if err != nil || len(users) == 0 {
		return p, err
	}
	p.User = &users[0]
	var scopes, resources []string
	for _, s := range p.Scopes {
		if s.Chosen {
			scopes = append(scopes, s.Name)
		}
	}
	if p.Resource != "" {
		resources = []string{p.Resource}
	}
	p.Preview, err = x.oidc.Preview(r.Context(), actor(r), c.ID, id, scopes, resources)
	if err != nil {
		f := fault.Of(err)
		if f.Kind == fault.Internal || f.Kind == fault.Unavailable {
			return p, err
		}
		p.Wrong = x.problemOf(r, f)
		return p, nil
	}
	if p.Refused != nil {
		p.Turned = x.problemOf(r, fault.Of(p.Refused))
	}
	return p, nil
}
