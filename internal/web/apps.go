package web

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"pocketid/internal/edge"
	"pocketid/internal/i18n"
	"pocketid/internal/oidc"
)

const appsPath = "/settings/apps"

func (x *Web) appsRoutes() []edge.Route {
	return []edge.Route{
		page("GET "+appsPath, edge.SignedIn, x.apps),
	}
}

// appsPage is what somebody may open.
type appsPage struct {
	Frame
	Call   string // what to call the person
	Search string
	Tiles  []appTile
	// Others have no address of their own: people go there by themselves.
	Others []appTile
	Total  int
	Over   bool   // there are more than Total
	Next   string // the address of the page after this one
	Later  bool   // this is not the first page
	// Unused says that there are applications, and none is for this administrator.
	Unused bool
}

// Paged says that not all applications are on this page, so the server has to search.
func (p *appsPage) Paged() bool { return p.Next != "" || p.Later || p.Search != "" }

// An appTile is an application as people see it.
type appTile struct {
	oidc.App
	Badge  Avatar
	Host   string // where it starts
	Edit   string // its page, for administrators
	Revoke string // the page that asks before access is taken back; "" when there is none
	Menu   string // the id of its menu
}

func (x *Web) apps(w http.ResponseWriter, r *http.Request) error {
	words, query, v := x.words(r), r.URL.Query(), visitor(r)
	search, after := strings.TrimSpace(query.Get("q")), query.Get("after")
	found, err := x.oidc.Apps(r.Context(), actor(r), oidc.AppFilter{Search: search, After: after})
	if err != nil {
		return err
	}
	p := appsPage{
		Frame: Frame{Title: words.T("apps.title"), Area: "apps", Plain: true, Modules: []string{"apps.js"}},
		Call:  v.User.FirstName, Search: search, Total: found.Total, Over: found.Total >= oidc.MaxCount, Later: after != "",
	}
	if p.Call == "" {
		p.Call = v.User.Name()
	}
	for i := range found.Apps {
		tile := appTileOf(r, &found.Apps[i], v.User.Admin)
		tile.Menu = "a" + words.Number(int64(i))
		if tile.LaunchURL == "" {
			p.Others = append(p.Others, tile)
		} else {
			p.Tiles = append(p.Tiles, tile)
		}
	}
	if found.Next != "" {
		next := url.Values{"after": {found.Next}}
		if search != "" {
			next.Set("q", search)
		}
		p.Next = appsPath + "?" + next.Encode()
	}
	if len(found.Apps) == 0 && !p.Paged() && v.User.Admin {
		counts, err := x.overview.Counts(r.Context(), actor(r))
		if err != nil {
			return err
		}
		p.Unused = counts.Clients > 0
	}
	return x.show(w, r, "apps", &p)
}

func appTileOf(r *http.Request, a *oidc.App, admin bool) appTile {
	t := appTile{App: *a, Badge: clientBadge(r, a.Name, a.ID, a.Logo), Host: hostOf(a.LaunchURL)}
	if admin {
		t.Edit = clientPath(a.ID)
	}
	if a.Allowed {
		t.Revoke = revokePath(a.ID) + "?back=" + url.QueryEscape(appsPath)
	}
	return t
}

// greetings are what the day is greeted with, each from an hour of the browser's on. The
// server does not know how late it is there, so it says none of them.
var greetings = []greeting{{"apps.night", 0}, {"apps.morning", 5}, {"apps.day", 12}, {"apps.evening", 18}}

type greeting struct {
	Key  string
	From int
}

// Greetings are those to choose from.
func (p *appsPage) Greetings() []greeting { return greetings }

// since is how long ago an application was used, in words; the use is known to the hour.
func since(words *i18n.Locale, now, at time.Time) string {
	if now.Sub(at) < time.Hour {
		return words.T("apps.used.now")
	}
	return words.T("apps.used", "when", words.Relative(now, at))
}
