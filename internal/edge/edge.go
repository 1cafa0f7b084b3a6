// Package edge stands between net/http and every handler: request ids, the
// address of the client, who may use a route, limits, headers, the one table
// that turns faults into answers, and one log line for each request.
package edge

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"pocketid/internal/fault"
)

// A Handler answers a request or says why it cannot. It writes no error itself.
type Handler func(w http.ResponseWriter, r *http.Request) error

// Access says who may use a route. A route that does not say fails at start.
type Access int

const (
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

// Surface says how the faults of a route look.
type Surface int

const (
	// Page is HTML, rendered by Config.RenderError.
	Page Surface = iota + 1
	// Problem is the JSON of the API: the incumbent's members and RFC 9457 at once.
	Problem
	// OAuth is the JSON of the token endpoint and its kin (RFC 6749 §5.2).
	OAuth
	// Bearer is the answer of a resource that wants an access token (RFC 6750 §3).
	Bearer
)

// Classes of routes that share a limit for each network. The empty class is general.
const (
	LimitGeneral   = ""
	LimitNone      = "none" // probes: an orchestrator must always get its answer
	LimitSignIn    = "sign-in"
	LimitStepUp    = "step-up"
	LimitLoginCode = "login-code"
	LimitToken     = "token"
)

// Route is one line of the list of routes.
type Route struct {
	// Pattern is a method and a path, as http.ServeMux has them: "GET /login".
	Pattern string
	Access  Access
	Surface Surface
	Handler Handler
	// Limit is the class that the route counts in, beside the general one.
	Limit string
	// MaxBody is the bound of the body in bytes; 0 is MaxBody.
	MaxBody int64
	// CORS opens the answer to scripts of any origin, without credentials, and
	// answers OPTIONS.
	CORS bool
}

// Identity is who is asking. The zero value is nobody.
type Identity struct {
	UserID, SessionID, Name string
	Admin                   bool
}

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
	// Identify finds out who is asking. Its context is the one that the handler
	// gets. It answers the zero Identity for nobody; an error is an outage. It
	// should look for its cookie before it asks the database.
	Identify func(w http.ResponseWriter, r *http.Request) (context.Context, Identity, error)
	// RenderError writes the page of a fault, status and body. When it fails
	// it returns an error and has written nothing.
	RenderError func(w http.ResponseWriter, r *http.Request, f *fault.Error, status int) error
}

// Server is the handler of all routes.
type Server struct{}

// New checks the routes and makes the handler of them.
func New(c Config, routes []Route) (*Server, error) { return &Server{}, nil }

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	http.Error(w, "not built yet", http.StatusNotImplemented)
}

// ParseProxies reads TRUST_PROXY: a boolean, or a list of addresses and
// networks with commas between them.
func ParseProxies(s string) ([]netip.Prefix, error) { return nil, nil }

// Who is the identity behind the request of ctx; the zero value is nobody.
func Who(ctx context.Context) Identity { return Identity{} }

// Address is the client's address as text, or "" when it is not known.
func Address(ctx context.Context) string { return "" }

// RequestID is the id that the log, the answer's X-Request-ID and the error page share.
func RequestID(ctx context.Context) string { return "" }

// UserAgent is the browser's own name, cut to a bound.
func UserAgent(ctx context.Context) string { return "" }

// Note adds a fact to the log line of the request: an id, never a secret.
func Note(ctx context.Context, key string, value any) {}

// Locale is the id of the locale to answer in; user is the user's own choice or "".
func Locale(r *http.Request, user string) string { return "en" }

// AllowFormTo lets a form of this page lead, by way of redirects, to the
// origin or the custom scheme of uri.
func AllowFormTo(w http.ResponseWriter, uri string) {}

// AllowScript lets the one inline script of this page run.
func AllowScript(w http.ResponseWriter, script string) {}

// SetCookie sets a cookie for this browser session or, when maxAge is not 0,
// for so long: __Host- and Secure on https, HttpOnly, SameSite=Lax. A negative
// maxAge deletes it.
func SetCookie(w http.ResponseWriter, r *http.Request, name, value string, maxAge time.Duration) {}

// ReadCookie is the value of the cookie that SetCookie set, or "".
func ReadCookie(r *http.Request, name string) string { return "" }

// Browser is the value of the cookie that binds ceremonies, authorizations and
// codes to this browser. A GET sets it when there is none; otherwise "".
func Browser(w http.ResponseWriter, r *http.Request) string { return "" }

// BrowserHash is SHA-256 of the browser cookie, or nil when there is none.
func BrowserHash(r *http.Request) []byte { return nil }

// JSON adapts a function from a request body to a response body.
func JSON[In, Out any](fn func(context.Context, In) (Out, error)) Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		var in In
		if err := ReadJSON(r, &in); err != nil {
			return err
		}
		out, err := fn(r.Context(), in)
		if err != nil {
			return err
		}
		return WriteJSON(w, http.StatusOK, out)
	}
}

// ReadJSON reads the body into v: application/json only, one value, no member twice.
func ReadJSON(r *http.Request, v any) error { return nil }

// WriteJSON answers v as JSON.
func WriteJSON(w http.ResponseWriter, status int, v any) error { return nil }

// Form is the form in the body, and nothing of the query.
func Form(r *http.Request) (url.Values, error) { return nil, nil }

// Single refuses a form in which a parameter stands twice (RFC 6749 §3.1),
// but for those that may.
func Single(form url.Values, except ...string) error { return nil }
