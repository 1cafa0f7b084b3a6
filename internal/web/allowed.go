package web

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"pocketid/internal/edge"
	"pocketid/internal/i18n"
	"pocketid/internal/oidc"
)

const allowedPath = accountPath + "/apps"

func (x *Web) allowedRoutes() []edge.Route {
	return []edge.Route{
		page("GET "+allowedPath, edge.SignedIn, x.allowed),
		page("GET "+allowedPath+"/{id}/revoke", edge.SignedIn, x.allowedQuestion),
		page("POST "+allowedPath+"/{id}/revoke", edge.SignedIn, x.allowedEnd),
	}
}

// allowedPage lists the applications that may use an account.
type allowedPage struct {
	Frame
	Apps []allowedLine
}

// An allowedLine is such an application as people see it.
type allowedLine struct {
	ID, Name, Launch string
	Badge            Avatar
	What             string // it may have, in words
	APIs             []allowedAPI
	Asked            bool
	AllowedAt        time.Time
	UsedAt           time.Time
}

// An allowedAPI is a service elsewhere with what the application may do there, in a line.
type allowedAPI struct{ Name, What string }

// Revoke is the page that asks before access is taken back.
func (l allowedLine) Revoke() string { return revokePath(l.ID) }

// revokePath is the page that asks before a client loses its access.
func revokePath(id string) string {
	return allowedPath + "/" + url.PathEscape(oidc.PathID(id)) + "/revoke"
}

func allowedLineOf(words *i18n.Locale, a *oidc.Allowed) allowedLine {
	l := allowedLine{ID: a.ClientID, Name: a.Name, Launch: a.LaunchURL, Badge: avatarOf(a.Name, a.ClientID),
		What: scopesInShort(words, a.Scopes), Asked: a.Asked, AllowedAt: a.AllowedAt, UsedAt: a.LastUsedAt}
	for _, api := range a.APIs {
		var may []string
		for _, p := range api.Permissions {
			may = append(may, cmp.Or(p.Title, p.Name))
		}
		l.APIs = append(l.APIs, allowedAPI{api.Name, shorten(words, may, maxNamed)})
	}
	return l
}

// scopesInShort says in a line what scopes give.
func scopesInShort(words *i18n.Locale, scopes []string) string {
	var said []string
	for _, scope := range []string{"profile", "email", "address", "phone", "groups"} {
		if slices.Contains(scopes, scope) {
			said = append(said, words.T("allowed.scope."+scope))
		}
	}
	for _, scope := range scopes {
		if !slices.Contains([]string{"openid", "profile", "email", "address", "phone", "groups", "offline_access"}, scope) {
			said = append(said, scope)
		}
	}
	if len(said) == 0 {
		said = []string{words.T("allowed.scope.openid")}
	}
	what := strings.Join(said, words.T("frame.comma"))
	if slices.Contains(scopes, "offline_access") {
		return words.T("allowed.what", "scopes", what, "offline", words.T("allowed.offline"))
	}
	return what
}

func (x *Web) allowed(w http.ResponseWriter, r *http.Request) error {
	words := x.words(r)
	all, err := x.oidc.Allowed(r.Context(), actor(r))
	if err != nil {
		return err
	}
	p := allowedPage{Frame: Frame{Title: words.T("allowed.title"), Area: "account", Here: "allowed", Narrow: true}}
	for i := range all {
		l := allowedLineOf(words, &all[i])
		l.Badge = clientBadge(r, l.Name, l.ID, all[i].Logo)
		p.Apps = append(p.Apps, l)
	}
	return x.show(w, r, "allowed", &p)
}

// allowedEndPage asks before access is taken back.
type allowedEndPage struct {
	Frame
	App  allowedLine
	Back string // where to go on
}

// allowedBack is the list that the question came from.
func allowedBack(r *http.Request) string {
	if r.URL.Query().Get("back") == appsPath {
		return appsPath
	}
	return allowedPath
}

func (x *Web) allowedQuestion(w http.ResponseWriter, r *http.Request) error {
	words := x.words(r)
	a, err := x.allowedOne(r)
	if err != nil {
		return err
	}
	p := allowedEndPage{
		Frame: Frame{Title: words.T("allowed.end.title", "name", a.Name), Area: "account", Here: "allowed", Narrow: true},
		App:   allowedLineOf(words, &a), Back: allowedBack(r),
	}
	return x.show(w, r, "allowed-end", &p)
}

func (x *Web) allowedOne(r *http.Request) (oidc.Allowed, error) {
	all, err := x.oidc.Allowed(r.Context(), actor(r))
	if err != nil {
		return oidc.Allowed{}, err
	}
	i := slices.IndexFunc(all, func(a oidc.Allowed) bool { return a.ClientID == r.PathValue("id") })
	if i < 0 {
		return oidc.Allowed{}, oidc.ErrNoConsent
	}
	return all[i], nil
}

func (x *Web) allowedEnd(w http.ResponseWriter, r *http.Request) error {
	a, err := x.allowedOne(r)
	if err != nil {
		return err
	}
	if err := x.oidc.RevokeConsent(r.Context(), actor(r), a.ClientID); err != nil {
		return err
	}
	flash(w, r, "flash.allowed_ended", "name", a.Name)
	return seeOther(w, allowedBack(r))
}
