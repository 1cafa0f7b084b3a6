// Package edge stands between net/http and every handler: request ids, the
// address of the client, who may use a route, limits, headers, the one table
// that turns faults into answers, and one log line for each request.
package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"pocketid/internal/fault"
)

// A Handler answers a request or says why it cannot. It writes no error itself.
type Handler func(w http.ResponseWriter, r *http.Request) error

// Access says who may use a route. A route that does not say fails at start.
type Access int

const (
	// Undeclared is what a route has that forgot to say.
	Undeclared Access = iota
	// Open is for everybody, and nobody asks who it is: probes, assets, metadata.
	Open
	// Public is for everybody; who is signed in is known.
	Public
	// SignedIn is for people with a session.
	SignedIn
	// Admin is for administrators with a session.
	Admin
	// Protocol is for clients, which prove who they are by the rules of the
	// protocol. It is exempt from the checks of origin and Host. A session, if
	// there is a cookie of one, is known.
	Protocol
)

// String is the name of the access, as the list of routes shows it.
func (a Access) String() string {
	return [...]string{"undeclared", "open", "public", "signed in", "admin", "protocol"}[a]
}

// Route is one line of the list of routes.
type Route struct {
	// Pattern is a method and a path, as http.ServeMux has them: "GET /login".
	Pattern string
	Access  Access
	Surface Surface
	Handler Handler
	// Key is the scope that an API key needs here, or AnyKey. Without it the route
	// refuses keys: what is new is closed to them until somebody says what for.
	Key string
	// Limit is the class that the route counts in, beside the general one.
	Limit string
	// MaxBody is the bound of the body in bytes; 0 is the constant MaxBody.
	MaxBody int64
	// MaxFile lets forms of the route carry files (multipart/form-data), and is the bound
	// of all files of a form together, in bytes. They are read by File.
	MaxFile int64
	// CORS opens the answer to scripts of any origin, without credentials, and
	// answers OPTIONS.
	CORS bool
}

// path is the pattern without its method.
func (r *Route) path() string {
	_, path, _ := strings.Cut(r.Pattern, " ")
	return path
}

// check says what a route lacks.
func (r *Route) check() error {
	method, path, ok := strings.Cut(r.Pattern, " ")
	switch {
	case !ok || !methods[method] || !strings.HasPrefix(path, "/"):
		return fmt.Errorf("route %q: the pattern is not a method and a path", r.Pattern)
	case path != "/" && strings.HasSuffix(path, "/"):
		return fmt.Errorf("route %q: the path ends in a slash, which would claim all paths below it", r.Pattern)
	case path == "/":
		return fmt.Errorf("route %q: write /{$}, because / alone claims all paths", r.Pattern)
	case r.Access <= Undeclared || r.Access > Protocol:
		return fmt.Errorf("route %q: it does not say who may use it (Access)", r.Pattern)
	case r.Surface < Page || r.Surface > Script:
		return fmt.Errorf("route %q: it does not say how its errors look (Surface)", r.Pattern)
	case r.Key != "" && (r.Surface != Problem || r.Access != SignedIn && r.Access != Admin):
		return fmt.Errorf("route %q: keys are for what the API gives to those who are known (Key)", r.Pattern)
	case r.Handler == nil:
		return fmt.Errorf("route %q: it has no Handler", r.Pattern)
	case r.Limit != LimitGeneral && r.Limit != LimitNone && classes[r.Limit].burst == 0:
		return fmt.Errorf("route %q: there is no class of limits %q", r.Pattern, r.Limit)
	case r.MaxFile < 0 || r.MaxFile > 0 && (r.Access == Open || r.Access == Public || r.Access == Protocol):
		return fmt.Errorf("route %q: strangers send no files (MaxFile)", r.Pattern)
	case r.MaxBody < 0:
		return fmt.Errorf("route %q: the bound of the body is below nothing", r.Pattern)
	case r.CORS && (r.Access == SignedIn || r.Access == Admin):
		return fmt.Errorf("route %q: what a session opens is not for scripts of any origin (CORS)", r.Pattern)
	}
	return nil
}

// methods are the methods that routes, the log and counters know: a closed set.
var methods = map[string]bool{
	"GET": true, "HEAD": true, "POST": true, "PUT": true, "PATCH": true, "DELETE": true, "OPTIONS": true,
}

// Identity is who is asking. The zero value is nobody.
type Identity struct {
	UserID, SessionID, Name string
	Admin                   bool
	// KeyID is the API key that came instead of a session.
	KeyID string
}

// AnyKey is the Key of a route that takes every API key, whatever it is for.
const AnyKey = "*"

// KeyHeader is where programs show their API key. No page of another site can send it:
// browsers ask first, and nobody answers them.
const KeyHeader = "X-API-Key"

// Config is what the edge has to know.
type Config struct {
	// PublicURL is where browsers find us (APP_URL).
	PublicURL *url.URL
	// TrustProxy are the peers whose X-Forwarded headers count: ParseProxies.
	TrustProxy []netip.Prefix
	// AddressHeader names a header in which the platform in front tells the
	// client's address, instead of X-Forwarded-For (TRUSTED_PLATFORM).
	AddressHeader string
	// NoHSTS leaves Strict-Transport-Security out on https.
	NoHSTS bool
	// NoLimits switches the rate limits off (DISABLE_RATE_LIMITING).
	NoLimits bool
	// Log gets one line for each request. nil is slog.Default().
	Log *slog.Logger
	// Measure, unless it is nil, hears of each request: the pattern of its route without the
	// method, or "" for none, its method or "other", and the status of the answer.
	Measure func(route, method string, status int, took time.Duration)
	// Identify finds out who is asking. Its context, which is made of the
	// request's, is the one that the handler gets. It answers the zero Identity
	// for nobody; an error is an outage. It looks for its cookie before it asks
	// the database, because it runs on every route but the Open ones.
	Identify func(w http.ResponseWriter, r *http.Request) (context.Context, Identity, error)
	// IdentifyKey is Identify for an API key, on a route that takes keys for this scope.
	// A key that opens nothing, or not this, is its error.
	IdentifyKey func(r *http.Request, key, scope string) (context.Context, Identity, error)
	// RenderError writes the page of a fault, with its status. When it writes
	// nothing, or panics, a page without style is sent.
	RenderError func(w http.ResponseWriter, r *http.Request, f *fault.Error, status int)
}

// Server is the handler of all routes.
type Server struct {
	config Config
	log    *slog.Logger
	mux    *http.ServeMux
	routes map[string]*Route
	// fixed are the routes without a wildcard, by method and path. Such a route
	// is more special than any other, so it is the one that mux would find.
	fixed      map[string]map[string]*Route
	protection *http.CrossOriginProtection
	limits     *limits
	proxies    proxies
	hosts      hostWatch
	secure     bool // the public address is https
}

// New checks the routes and makes the handler of them. It names every route
// that is wrong, not just the first.
func New(c Config, routes []Route) (*Server, error) {
	if c.PublicURL == nil || c.PublicURL.Host == "" {
		return nil, errors.New("edge: there is no public address")
	}
	s := &Server{
		config:     c,
		log:        c.Log,
		mux:        http.NewServeMux(),
		routes:     map[string]*Route{},
		fixed:      map[string]map[string]*Route{},
		protection: http.NewCrossOriginProtection(),
		proxies:    newProxies(c.TrustProxy, c.AddressHeader),
		secure:     c.PublicURL.Scheme == "https",
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if !c.NoLimits {
		s.limits = newLimits()
	}
	// A browser that does not send Sec-Fetch-Site sends Origin, which is then
	// compared with Host; behind a proxy that changes Host the public address counts.
	if err := s.protection.AddTrustedOrigin(c.PublicURL.Scheme + "://" + c.PublicURL.Host); err != nil {
		return nil, fmt.Errorf("edge: the public address %s: %w", c.PublicURL, err)
	}
	var faults []error
	for i := range routes {
		faults = append(faults, s.add(&routes[i]))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return s, nil
}

// add registers a route. The ServeMux panics on a pattern that is there twice
// or cannot be told from another; that names both, and becomes an error.
func (s *Server) add(r *Route) (err error) {
	if err := r.check(); err != nil {
		return err
	}
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("route %q: %v", r.Pattern, v)
		}
	}()
	s.mux.HandleFunc(r.Pattern, func(w http.ResponseWriter, req *http.Request) { s.serve(w.(*response), req, r) })
	s.routes[r.Pattern] = r
	if method, path, _ := strings.Cut(r.Pattern, " "); !strings.Contains(path, "{") {
		if s.fixed[method] == nil {
			s.fixed[method] = map[string]*Route{}
		}
		s.fixed[method][path] = r
	}
	if r.CORS && s.routes["OPTIONS "+r.path()] == nil {
		return s.add(&Route{Pattern: "OPTIONS " + r.path(), Access: Open, Surface: r.Surface, CORS: true, Handler: preflight})
	}
	return nil
}

// preflight answers OPTIONS. What is allowed stands in the headers of each CORS route.
func preflight(w http.ResponseWriter, _ *http.Request) error {
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", "GET, POST")
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, DPoP")
	h.Set("Access-Control-Max-Age", "86400")
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	st := newState(s, r)
	defer st.over()
	defer st.dropFiles()
	r = r.WithContext(st)
	p := newResponse(w, r)
	defer s.end(p, r, st)

	if plainURL(r.URL) && cleanPath(r.URL) {
		if route := s.fixedRoute(r); route != nil {
			s.serve(p, r, route)
			return
		}
		if s.routeOf(r) != nil {
			s.mux.ServeHTTP(p, r)
			return
		}
	}
	s.nowhere(p, r, st)
}

// fixedRoute is the route without a wildcard that takes a request, or nil. A path that
// hides a slash behind an escape (/a%2Fb) is another path than it looks like.
func (s *Server) fixedRoute(r *http.Request) *Route {
	if r.URL.RawPath != "" {
		return nil
	}
	route := s.fixed[r.Method][r.URL.Path]
	if route == nil && r.Method == http.MethodHead { // a GET without its body
		route = s.fixed[http.MethodGet][r.URL.Path]
	}
	return route
}

// serve lets a request through to its handler, and turns an error into an answer.
func (s *Server) serve(p *response, r *http.Request, route *Route) {
	st := stateOf(r.Context())
	st.route = route
	p.plain = route.Surface == OAuth || route.Surface == Bearer
	s.headers(p.Header(), st, route)
	if route.MaxBody == 0 {
		st.maxBody = MaxBody
	} else {
		st.maxBody = route.MaxBody
	}
	st.maxBody += route.MaxFile
	r, err := s.admit(p, r, st, route)
	if err == nil && r != nil {
		err = route.Handler(p, r)
	}
	if err != nil {
		if r == nil {
			r = st.request
		}
		s.fail(p, r, route.Surface, err)
	}
}

// admit asks everything that is asked before a handler runs, the cheap
// questions first. It answers the request that the handler gets, or nil when
// the answer is written.
func (s *Server) admit(p *response, r *http.Request, st *state, route *Route) (*http.Request, error) {
	st.request = r
	if err := s.limit(st, route.Limit); err != nil {
		return nil, err
	}
	if route.Surface == Page && route.Access != Protocol && route.Access != Open {
		if err := s.checkHost(st, r); err != nil {
			return nil, err
		}
	}
	key := presentedKey(r, route)
	foreign := false // what comes from another site is never its visitor's, but it may show a key
	if route.Access != Protocol {
		if err := s.checkOrigin(r); err != nil {
			if foreign = key != "" && route.Key != ""; !foreign {
				return nil, errCrossOrigin.Because("%w", err)
			}
		}
	}
	if n := len(r.URL.RawQuery); n > maxQuery && route.Access != Protocol {
		return nil, errTooLarge.Because("a query of %d bytes", n)
	}
	tooLarge := r.ContentLength > st.maxBody
	if tooLarge && route.MaxFile == 0 {
		return nil, errTooLarge.Because("Content-Length %d", r.ContentLength)
	}
	if r.Body == nil {
		r.Body = http.NoBody // a request made by hand
	}
	if r.Body != http.NoBody && !tooLarge {
		r.Body = http.MaxBytesReader(p.w, r.Body, st.maxBody)
	}
	if route.Access == Open {
		return r, nil
	}
	if s.config.Identify != nil && !foreign {
		ctx, who, err := s.config.Identify(p, r)
		if err != nil {
			return nil, err
		}
		if ctx != nil {
			r = r.WithContext(ctx)
			st.request = r
		}
		st.identity = who
	}
	if key != "" && st.identity == (Identity{}) {
		if route.Key == "" {
			return nil, ErrKeyRefused
		}
		ctx, who, err := s.config.IdentifyKey(r, key, route.Key)
		if err != nil {
			return nil, err
		}
		r = r.WithContext(ctx)
		st.request, st.identity = r, who
	}
	switch {
	case route.Access != SignedIn && route.Access != Admin:
		return r, nil
	case st.identity == Identity{}:
		if route.Surface == Page && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			http.Redirect(p, r, "/login?redirect="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
			return nil, nil
		}
		return nil, ErrNotSignedIn
	case route.Access == Admin && !st.identity.Admin:
		return nil, ErrForbidden
	case tooLarge:
		return nil, refuseFile(r, route)
	}
	return r, nil
}

// presentedKey is the API key of a request to a route of the API that wants to know who
// is asking; elsewhere keys mean nothing.
func presentedKey(r *http.Request, route *Route) string {
	if route.Surface != Problem || route.Access != SignedIn && route.Access != Admin {
		return ""
	}
	return r.Header.Get(KeyHeader)
}

// checkOrigin refuses what another site sends to change something. Where a browser
// says nothing of its site, the protection compares the host of Origin alone; a page
// of this host that came by http is one that anybody on the way may have written.
func (s *Server) checkOrigin(r *http.Request) error {
	if err := s.protection.Check(r); err != nil {
		return err
	}
	safe := r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions
	if s.secure && !safe && r.Header.Get("Sec-Fetch-Site") == "" && strings.HasPrefix(r.Header.Get("Origin"), "http:") {
		return errors.New("a page that came by http asks for a change")
	}
	return nil
}

// nowhere answers a request that no route takes: 405 when another method
// would be taken, a redirect when only a slash at the end is too much, else 404.
func (s *Server) nowhere(p *response, r *http.Request, st *state) {
	st.request = r
	s.headers(p.Header(), st, nil)
	if err := s.limit(st, LimitGeneral); err != nil {
		s.fail(p, r, s.surfaceOf(r), err)
		return
	}
	if !plainURL(r.URL) {
		surface := s.surfaceOf(r)
		if route := s.routeFor(r.Method, &url.URL{Path: r.URL.Path, RawPath: r.URL.RawPath}); route != nil && cleanPath(r.URL) {
			surface = route.Surface // the path is one of ours, and its callers expect its kind of answer
		}
		s.fail(p, r, surface, errMalformed)
		return
	}
	if cleanPath(r.URL) {
		var allow []string
		surface := s.surfaceOf(r)
		for _, m := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
			if route := s.routeFor(m, r.URL); route != nil {
				allow = append(allow, m)
				surface = route.Surface
			}
		}
		if allow != nil {
			s.fail(p, r, surface, errMethod)
			p.Header().Set("Allow", strings.Join(allow, ", "))
			return
		}
		if to := strings.TrimSuffix(r.URL.Path, "/"); to != r.URL.Path && to != "" && r.Method == http.MethodGet {
			u := &url.URL{Path: to, RawPath: strings.TrimSuffix(r.URL.RawPath, "/"), RawQuery: r.URL.RawQuery}
			if route := s.routeFor(r.Method, u); route != nil && route.Surface == Page {
				http.Redirect(p, r, u.RequestURI(), http.StatusSeeOther)
				return
			}
		}
	}
	s.fail(p, r, s.surfaceOf(r), ErrNotFound)
}

// routeOf is the route that takes a request, or nil. The ServeMux answers some
// paths with a redirect by 307, which carries a body along; that is no route.
func (s *Server) routeOf(r *http.Request) *Route {
	h, pattern := s.mux.Handler(r)
	if _, ours := h.(http.HandlerFunc); !ours {
		return nil
	}
	return s.routes[pattern]
}

// routeFor is the route that a method and an address would take, or nil.
func (s *Server) routeFor(method string, u *url.URL) *Route {
	return s.routeOf(&http.Request{Method: method, URL: u})
}

// surfaceOf is how a request is answered that no route takes.
func (s *Server) surfaceOf(r *http.Request) Surface {
	switch {
	case strings.HasPrefix(r.URL.Path, "/api/oidc/clients/"), strings.HasPrefix(r.URL.Path, "/api/oidc/users/"):
		return Problem // these are looked after by programs of the API
	case strings.HasPrefix(r.URL.Path, "/api/oidc/"):
		return OAuth
	case r.URL.Path == "/api", strings.HasPrefix(r.URL.Path, "/api/"), strings.HasPrefix(r.URL.Path, "/.well-known/"), strings.HasPrefix(r.URL.Path, "/assets/"):
		return Problem
	}
	return Page
}

// On adapts a handler by itself to net/http; s says how its errors look. It is
// for a handler outside a Server.
func On(s Surface, h Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			f := judge(r, err)
			(*Server)(nil).answer(s, w, r, f, statusOf(f))
		}
	})
}

// now is the one clock of this package.
func now() time.Time { return time.Now() }
