// Package web is the pages: HTML rendered by the server, one file per page here
// and in ui/pages, with a few modules that add behaviour.
//
// A page is a struct that embeds Frame, an entry in the registry pages, and a
// template ui/pages/<name>.html that defines "main". A handler fills the struct
// and returns x.show(w, r, "name", &page). What goes wrong is returned as an
// error: edge shows it through RenderError. A form that does not pass is shown
// again with its fault beside the field (Frame.Fault) and status 422. What was
// done is said by x.flash before a redirect by 303. Words are keys of i18n, in
// templates {{t "key" "name" .Value}}; a sentence in a template fails the tests.
package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"pocketid/internal/api"
	"pocketid/internal/audit"
	"pocketid/internal/directory"
	"pocketid/internal/edge"
	"pocketid/internal/oidc"
	"pocketid/internal/overview"
	"pocketid/internal/settings"
	"pocketid/internal/signin"
)

// Config is what the pages are built from. All of it is needed but Version.
type Config struct {
	Directory *directory.Directory
	SignIn    *signin.SignIn
	OIDC      *oidc.Provider
	Audit     *audit.Log
	// Settings reads the settings as they are now.
	Settings func(context.Context) (settings.Settings, error)
	// Keeper changes them.
	Keeper *settings.Keeper
	// Overview looks after the house.
	Overview *overview.Overview
	// PublicURL is where people find the house (APP_URL).
	PublicURL *url.URL
	// Version is that of the program.
	Version string
	// Operations are what programs can do.
	Operations func() []api.Section
	// Environment is what the environment says, for administrators to see.
	Environment []Fixed
}

// A Fixed is a variable of the environment with its value. Of a secret it says nothing but
// that there is one (threats 64).
type Fixed struct {
	Name, Value string
	Secret      bool
}

// Web is all pages.
type Web struct {
	directory *directory.Directory
	signin    *signin.SignIn
	oidc      *oidc.Provider
	audit     *audit.Log
	settings  func(context.Context) (settings.Settings, error)
	keeper    *settings.Keeper
	overview  *overview.Overview
	public    *url.URL
	version   string

	environment []Fixed
	operations  func() []api.Section
	assets      *edge.Assets
	sets        sets
}

// New makes the pages. Templates are parsed when somebody asks for a page; the tests
// parse all of them.
func New(c Config) (*Web, error) {
	if c.Directory == nil || c.SignIn == nil || c.OIDC == nil || c.Audit == nil || c.Settings == nil || c.Keeper == nil || c.Overview == nil || c.PublicURL == nil {
		return nil, errors.New("web: the configuration lacks a part")
	}
	x := &Web{directory: c.Directory, signin: c.SignIn, oidc: c.OIDC, audit: c.Audit, settings: c.Settings, keeper: c.Keeper, overview: c.Overview, public: c.PublicURL, version: c.Version,
		environment: c.Environment, operations: sync.OnceValue(c.Operations)}
	tree, err := assetTree()
	if err != nil {
		return nil, err
	}
	if x.assets, err = edge.NewAssets(tree); err != nil {
		return nil, err
	}
	x.sets.asset = x.assets.URL
	return x, nil
}

// Routes are the addresses of the pages, one line each in the file of its page.
func (x *Web) Routes() []edge.Route {
	return slices.Concat(
		[]edge.Route{x.assets.Route()},
		x.frameRoutes(),
		x.wellKnownRoutes(),
		x.loginRoutes(),
		x.againRoutes(),
		x.keptRoutes(),
		x.codeRoutes(),
		x.setupRoutes(),
		x.consentRoutes(),
		x.pictureRoutes(),
		x.deviceRoutes(),
		x.referenceRoutes(),
		x.logoutRoutes(),
		x.accountRoutes(),
		ofClients(x.allowedRoutes()),
		x.appsRoutes(),
		x.overviewRoutes(),
		x.keyRoutes(),
		ofClients(x.adminRoutes()),
		x.apiRoutes(),
		x.registrationRoutes(),
		x.auditRoutes(),
		x.groupRoutes(),
		x.settingsRoutes(),
		x.usersRoutes(),
		x.userRoutes(),
		x.serviceRoutes(),
	)
}

// page is a route to HTML for access.
func page(pattern string, access edge.Access, h edge.Handler) edge.Route {
	return edge.Route{Pattern: pattern, Access: access, Surface: edge.Page, Handler: h}
}

// script is a route that modules call: JSON whose faults are words for the person.
func script(pattern string, access edge.Access, limit string, h edge.Handler) edge.Route {
	return edge.Route{Pattern: pattern, Access: access, Surface: edge.Script, Limit: limit, Handler: h}
}

// seeOther sends the browser on. The target is one of our own paths, or an
// address that oidc has checked.
func seeOther(w http.ResponseWriter, location string) error {
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// home is where people go who have nowhere else to.
const home = "/settings"

// inside is the path and query of a redirect parameter when it leads to a page of
// ours, and fallback when it does not: an absolute address, another scheme, or
// one of the spellings that browsers read as another host (threats 27).
func inside(target, fallback string) string {
	if target == "" || len(target) > 4096 || target[0] != '/' || strings.HasPrefix(target, "//") ||
		strings.ContainsFunc(target, func(r rune) bool { return r < 0x20 || r == 0x7f || r == '\\' || r > 0x7e }) {
		return fallback
	}
	u, err := url.Parse(target)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" || !strings.HasPrefix(u.Path, "/") ||
		strings.HasPrefix(u.Path, "//") || strings.Contains(u.Path, `\`) || strings.Contains(u.Path, "/../") || strings.HasSuffix(u.Path, "/..") {
		return fallback
	}
	if u.RawQuery == "" {
		return u.EscapedPath()
	}
	return u.EscapedPath() + "?" + u.RawQuery
}

// redirectOf is the place that a page was asked to go on to.
func redirectOf(r *http.Request, fallback string) string {
	return inside(r.URL.Query().Get("redirect"), fallback)
}

// withRedirect is path with a redirect parameter, unless that leads home anyway.
func withRedirect(path, target string) string {
	if target == "" || target == home {
		return path
	}
	return path + "?redirect=" + url.QueryEscape(target)
}

// waitingID is the id of the authorization that target goes on with, or "".
func waitingID(target string) string {
	u, err := url.Parse(target)
	if err != nil || u.Path != "/authorize/next" {
		return ""
	}
	return u.Query().Get("id")
}
