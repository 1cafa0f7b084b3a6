package edge

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pocketid/internal/fault"
)

func TestNewRefusesARoute(t *testing.T) {
	good := Route{Pattern: "GET /a", Access: Public, Surface: Page, Handler: says("")}
	tests := []struct {
		name   string
		change func(*Route)
		says   string
	}{
		{"that does not say who may use it", func(r *Route) { r.Access = Undeclared }, "Access"},
		{"with an access that there is not", func(r *Route) { r.Access = 99 }, "Access"},
		{"that does not say how its errors look", func(r *Route) { r.Surface = 0 }, "Surface"},
		{"without a handler", func(r *Route) { r.Handler = nil }, "Handler"},
		{"without a method", func(r *Route) { r.Pattern = "/a" }, "method and a path"},
		{"with a method that there is not", func(r *Route) { r.Pattern = "FETCH /a" }, "method and a path"},
		{"that claims all below it", func(r *Route) { r.Pattern = "GET /a/" }, "slash"},
		{"that claims everything", func(r *Route) { r.Pattern = "GET /" }, "/{$}"},
		{"with a class of limits that there is not", func(r *Route) { r.Limit = "sometimes" }, `"sometimes"`},
		{"with a negative bound", func(r *Route) { r.MaxBody = -1 }, "body"},
		{"that opens a session to all origins", func(r *Route) { r.Access, r.CORS = SignedIn, true }, "CORS"},
		{"with a pattern that cannot be read", func(r *Route) { r.Pattern = "GET /{a" }, "GET /{a"},
		{"that is there twice", func(r *Route) { r.Pattern = "GET /twice" }, "matches the same requests"},
		{"that cannot be told from another", func(r *Route) { r.Pattern = "GET /x/{other}" }, "/x/{one}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, twice, one := good, good, good
			twice.Pattern, one.Pattern = "GET /twice", "GET /x/{one}"
			tt.change(&r)
			_, err := New(Config{PublicURL: &url.URL{Scheme: "https", Host: "id.example"}}, []Route{twice, one, r})
			if err == nil || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), r.Pattern) {
				t.Errorf("got %v, want the pattern and %s", err, tt.says)
			}
		})
	}
	if _, err := New(Config{PublicURL: &url.URL{Scheme: "https", Host: "id.example"}}, []Route{{Pattern: "GET /b"}, {Pattern: "GET /c"}}); err == nil || !strings.Contains(err.Error(), "GET /b") || !strings.Contains(err.Error(), "GET /c") {
		t.Errorf("got %v, want both routes", err)
	}
	if _, err := New(Config{}, nil); err == nil {
		t.Error("a server without a public address was made")
	}
}

func TestAccess(t *testing.T) {
	var routes []Route
	for name, a := range map[string]Access{"open": Open, "public": Public, "own": SignedIn, "admin": Admin, "protocol": Protocol} {
		routes = append(routes,
			Route{Pattern: "GET /" + name, Access: a, Surface: Page, Handler: says("in")},
			Route{Pattern: "POST /" + name, Access: a, Surface: Page, Handler: says("in")},
			Route{Pattern: "GET /api/" + name, Access: a, Surface: Problem, Handler: says("in")})
	}
	k := newKit(t, nil, routes...)
	tests := []struct {
		name, method, path, as string
		status                 int
		says                   string
	}{
		{"lets nobody in where all may", "GET", "/public", "nobody", 200, "in"},
		{"lets nobody in where nobody is asked", "GET", "/open", "nobody", 200, "in"},
		{"lets clients in", "POST", "/protocol", "nobody", 200, "in"},
		{"sends nobody to sign in, and back", "GET", "/own?tab=2&x=%2F", "nobody", 303, "/login?redirect=%2Fown%3Ftab%3D2%26x%3D%252F"},
		{"sends a HEAD there as well", "HEAD", "/own", "nobody", 303, "/login?redirect=%2Fown"},
		{"does not send a form there, which would lose it", "POST", "/own", "nobody", 401, "not signed in"},
		{"tells a program instead", "GET", "/api/own", "nobody", 401, `"code":"not_signed_in"`},
		{"lets a person in", "GET", "/own", "ada", 200, "in"},
		{"keeps a person out of an administrator's page", "GET", "/admin", "ada", 403, "do not have access"},
		{"keeps a person out of an administrator's API", "GET", "/api/admin", "ada", 403, `"code":"forbidden"`},
		{"lets an administrator in", "GET", "/admin", "root", 200, "in"},
		{"lets an administrator in where a person may", "GET", "/own", "root", 200, "in"},
		{"sends nobody to sign in before an administrator's page", "GET", "/admin", "nobody", 303, "/login?redirect=%2Fadmin"},
		{"takes an outage for an outage, not for nobody", "GET", "/public", "outage", 503, "does not answer"},
		{"asks nobody where nobody is asked", "GET", "/open", "outage", 200, "in"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := k.do(tt.method, tt.path, "", as(tt.as)...)
			if got := w.Body.String() + w.Header().Get("Location"); w.Code != tt.status || !strings.Contains(got, tt.says) {
				t.Errorf("got %d %s, want %d %s", w.Code, got, tt.status, tt.says)
			}
		})
	}
}

func TestHandlerKnowsWhoAsks(t *testing.T) {
	var got Identity
	var asked, client any
	k := newKit(t, nil, open("GET /a", Page, func(_ http.ResponseWriter, r *http.Request) error {
		got, asked, client = Who(r.Context()), r.Context().Value(askedKey{}), Address(r.Context())+" "+UserAgent(r.Context())
		return nil
	}))
	k.do("GET", "/a", "", append(as("ada"), "User-Agent", strings.Repeat("x", 500)+"\xff")...)
	if got != people["ada"] || asked != true {
		t.Errorf("got %+v, context of Identify %v", got, asked)
	}
	if client != "192.0.2.1 "+strings.Repeat("x", maxUserAgent) {
		t.Errorf("got %v", client)
	}
	if Who(context.Background()) != (Identity{}) || Address(context.Background()) != "" || RequestID(context.Background()) != "" || UserAgent(context.Background()) != "" {
		t.Error("somebody is known outside of a request")
	}
	Note(context.Background(), "outside", "harmless")
}

func TestRequestIDIsOurs(t *testing.T) {
	var seen string
	k := newKit(t, nil, open("GET /a", Page, func(_ http.ResponseWriter, r *http.Request) error {
		seen = RequestID(r.Context())
		return nil
	}))
	w := k.do("GET", "/a", "", "X-Request-ID", "from-outside")
	got := w.Header().Values("X-Request-ID")
	if len(got) != 1 || got[0] != seen || !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(seen) {
		t.Errorf("got %v, the handler saw %q", got, seen)
	}
	if again := k.do("GET", "/a", "").Header().Get("X-Request-ID"); again == got[0] {
		t.Error("two requests have one id")
	}
	if strings.Contains(k.log.String(), "from-outside") || !strings.Contains(k.log.String(), "id="+got[0]) {
		t.Errorf("the log has another id: %s", k.log)
	}
}

func TestNoRoute(t *testing.T) {
	k := newKit(t, nil,
		open("GET /{$}", Page, says("home")),
		open("GET /settings/account", Page, says("account")),
		open("POST /settings/account", Page, says("saved")),
		open("GET /lc/{code}", Page, says("code")),
		open("GET /api/users", Problem, says("users")),
		open("GET /healthz", Problem, says("{}")),
		Route{Pattern: "POST /api/oidc/token", Access: Protocol, Surface: OAuth, Handler: says("token")},
		Route{Pattern: "GET /.well-known/jwks.json", Access: Open, Surface: Problem, Handler: says("{}"), CORS: true},
	)
	const html, jsonType = "text/html; charset=utf-8", "application/json"
	tests := []struct {
		name, method, path string
		status             int
		mediaType, says    string
		header, value      string
	}{
		{"is a page of its own", "GET", "/nowhere", 404, html, "There is nothing here", "", ""},
		{"is JSON in the API", "GET", "/api/nowhere", 404, jsonType, `"code":"not_found"`, "", ""},
		{"is JSON at the root of the API", "GET", "/api", 404, jsonType, `"code":"not_found"`, "", ""},
		{"is JSON among the metadata", "GET", "/.well-known/nowhere", 404, jsonType, `"code":"not_found"`, "", ""},
		{"is an OAuth error among the endpoints", "GET", "/api/oidc/nowhere", 404, jsonType, `"error":"invalid_request"`, "", ""},
		{"is an OAuth error with another method", "GET", "/api/oidc/token", 405, jsonType, `"error":"invalid_request"`, "Allow", "POST"},
		{"is JSON with another method", "DELETE", "/api/users", 405, jsonType, `"code":"method_not_allowed"`, "Allow", "GET, HEAD"},
		{"is a page with another method", "PUT", "/settings/account", 405, html, "cannot be opened like that", "Allow", "GET, HEAD, POST"},
		{"knows no method out of the air", "BREW", "/settings/account", 405, html, "cannot be opened", "Allow", "GET, HEAD, POST"},
		{"counts OPTIONS where it is answered", "POST", "/.well-known/jwks.json", 405, jsonType, "method_not_allowed", "Allow", "GET, HEAD, OPTIONS"},
		{"drops a slash too much from a page", "GET", "/settings/account/?a=1", 303, html, "", "Location", "/settings/account?a=1"},
		{"drops no slash from the API", "GET", "/api/users/", 404, jsonType, "not_found", "", ""},
		{"drops no slash from a form", "POST", "/settings/account/", 404, html, "nothing here", "", ""},
		{"does not lead to another site", "GET", "//evil.example/", 404, html, "nothing here", "Location", ""},
		{"does not lead there through a parameter", "GET", "/lc//evil.example/", 404, html, "nothing here", "Location", ""},
		{"does not clean a path by a redirect", "POST", "/api/oidc//token", 404, jsonType, "invalid_request", "Location", ""},
		{"does not walk up", "GET", "/settings/x/../account", 404, html, "nothing here", "Location", ""},
		{"does not walk up in disguise", "GET", "/lc/%2e%2e", 404, html, "nothing here", "Location", ""},
		{"refuses a NUL in the path", "GET", "/lc/a%00b", 400, html, "link is damaged", "", ""},
		{"refuses a NUL in the query", "GET", "/api/users?search=%00", 400, jsonType, "malformed_address", "", ""},
		{"refuses it in the words of a program that is no API", "GET", "/healthz?x=%00", 400, jsonType, "malformed_address", "", ""},
		{"refuses broken UTF-8 in the query", "GET", "/api/users?search=%ff", 400, jsonType, "malformed_address", "", ""},
		{"refuses a query that cannot be read", "GET", "/api/users?search=%zz", 400, jsonType, "malformed_address", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := k.do(tt.method, tt.path, "")
			if w.Code != tt.status || w.Header().Get("Content-Type") != tt.mediaType || !strings.Contains(w.Body.String(), tt.says) {
				t.Errorf("got %d %s %s, want %d %s %s", w.Code, w.Header().Get("Content-Type"), w.Body, tt.status, tt.mediaType, tt.says)
			}
			if tt.header != "" && w.Header().Get(tt.header) != tt.value {
				t.Errorf("got %s %q, want %q", tt.header, w.Header().Get(tt.header), tt.value)
			}
		})
	}
}

// threats 30
func TestRedirectsNeverKeepTheMethod(t *testing.T) {
	k := newKit(t, nil,
		Route{Pattern: "GET /own", Access: SignedIn, Surface: Page, Handler: says("in")},
		open("GET /a/{$}", Page, says("in")), open("POST /a/b", Page, says("in")))
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		for _, path := range []string{"/own", "/own/", "/a", "/a/", "/a/b", "/a/b/", "/a//b", "/a/./b", "/", "//", "/../a/b"} {
			if w := k.do(method, path, ""); w.Code >= 301 && w.Code <= 308 && w.Code != 303 && w.Code != 304 {
				t.Errorf("%s %s: got %d to %s", method, path, w.Code, w.Header().Get("Location"))
			}
		}
	}
}

func TestGETServesHEAD(t *testing.T) {
	k := newKit(t, func(c *Config) { c.PublicURL = &url.URL{Scheme: "http", Host: "127.0.0.1"} }, open("GET /a", Problem, says(strings.Repeat("x", 5000))))
	server := httptest.NewServer(k)
	defer server.Close()
	res, err := http.Head(server.URL + "/a")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if res.StatusCode != 200 || len(body) != 0 || res.ContentLength <= 0 && res.Header.Get("Content-Encoding") == "" {
		t.Errorf("got %d, %d bytes, length %d", res.StatusCode, len(body), res.ContentLength)
	}
}

// threats 32
func TestOtherSitesCannotAct(t *testing.T) {
	own := Route{Pattern: "POST /logout", Access: Public, Surface: Page, Handler: says("done")}
	api := Route{Pattern: "POST /api/users", Access: Public, Surface: Problem, Handler: says("done")}
	protocol := Route{Pattern: "POST /authorize", Access: Protocol, Surface: Page, Handler: says("done")}
	read := Route{Pattern: "GET /logout", Access: Public, Surface: Page, Handler: says("done")}
	k := newKit(t, nil, own, api, protocol, read)
	tests := []struct {
		name, method, path string
		headers            []string
		status             int
	}{
		{"lets a page of ours act", "POST", "/logout", []string{"Sec-Fetch-Site", "same-origin"}, 200},
		{"lets a person act who typed", "POST", "/logout", []string{"Sec-Fetch-Site", "none"}, 200},
		{"lets a program act that is no browser", "POST", "/api/users", nil, 200},
		{"refuses another site", "POST", "/logout", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"refuses a neighbour of the domain", "POST", "/logout", []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"refuses another site at the API", "POST", "/api/users", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"refuses the origin of another site", "POST", "/logout", []string{"Origin", "https://evil.example"}, 403},
		{"refuses an origin that hides", "POST", "/logout", []string{"Origin", "null"}, 403},
		{"refuses our host over plain http", "POST", "/logout", []string{"Origin", "http://id.example:80"}, 403},
		{"refuses our host over plain http without a port", "POST", "/logout", []string{"Origin", "http://id.example"}, 403},
		{"lets our own origin act", "POST", "/logout", []string{"Origin", "https://id.example"}, 200},
		{"lets another site ask a client's question", "POST", "/authorize", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://shop.example"}, 200},
		{"lets another site link to us", "GET", "/logout", []string{"Sec-Fetch-Site", "cross-site"}, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if w := k.do(tt.method, tt.path, "", tt.headers...); w.Code != tt.status {
				t.Errorf("got %d %s, want %d", w.Code, w.Body, tt.status)
			}
		})
	}
	// Behind a proxy that changes Host, the public address is what counts.
	if w := k.do("POST", "http://10.0.0.7/api/users", "", "Origin", "https://id.example"); w.Code != 200 {
		t.Errorf("got %d behind a proxy", w.Code)
	}
}

func TestCORS(t *testing.T) {
	k := newKit(t, nil,
		Route{Pattern: "GET /api/oidc/userinfo", Access: Protocol, Surface: Bearer, Handler: fails(ErrNoToken), CORS: true},
		Route{Pattern: "POST /api/oidc/userinfo", Access: Protocol, Surface: Bearer, Handler: says("{}"), CORS: true},
		open("GET /login", Page, says("page")))
	w := k.do("OPTIONS", "/api/oidc/userinfo", "", "Origin", "https://shop.example", "Access-Control-Request-Method", "GET")
	if h := w.Header(); w.Code != 204 || h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Allow-Methods") != "GET, POST" || !strings.Contains(h.Get("Access-Control-Allow-Headers"), "Authorization") {
		t.Errorf("got %d %v", w.Code, h)
	}
	w = k.do("GET", "/api/oidc/userinfo", "", "Origin", "https://shop.example")
	if h := w.Header(); w.Code != 401 || h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Allow-Credentials") != "" || !strings.Contains(h.Get("Access-Control-Expose-Headers"), "WWW-Authenticate") {
		t.Errorf("a refusal cannot be read: %d %v", w.Code, h)
	}
	if got := k.do("GET", "/login", "", "Origin", "https://shop.example").Header().Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("a page is open to %s", got)
	}
	if w := k.do("OPTIONS", "/login", ""); w.Code != 405 {
		t.Errorf("got %d for OPTIONS of a page", w.Code)
	}
}

func TestOnStandsAlone(t *testing.T) {
	taken := fault.New(fault.Conflict, "username_taken").At("username")
	w := httptest.NewRecorder()
	On(Problem, fails(taken)).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != 409 || !strings.Contains(w.Body.String(), `"code":"username_taken"`) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	w = httptest.NewRecorder()
	On(Page, fails(errors.New("dial tcp 10.0.0.3: refused"))).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != 500 || strings.Contains(w.Body.String(), "10.0.0.3") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

// A route without a wildcard takes exactly its path.
func TestFixedRoutes(t *testing.T) {
	k := newKit(t, nil, open("GET /a/b", Problem, says("fixed")), open("GET /a/{x}", Problem, says("wild")), open("HEAD /h", Problem, says("head")),
		open("GET /h", Problem, says("get")))
	tests := []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/a/b", 200, "fixed"},
		{"GET", "/a/c", 200, "wild"},
		{"GET", "/%61/b", 200, "fixed"},
		{"GET", "/a%2Fb", 404, ""},
		{"GET", "/a/%62", 200, "fixed"},
		{"GET", "/a/b/", 404, ""},
		{"GET", "//a/b", 404, ""},
		{"GET", "/A/b", 404, ""},
		{"HEAD", "/a/b", 200, ""},
		{"HEAD", "/h", 200, ""},
		{"POST", "/a/b", 405, ""},
	}
	for _, test := range tests {
		t.Run(test.method+" "+test.path, func(t *testing.T) {
			w := k.do(test.method, test.path, "")
			if w.Code != test.status || test.body != "" && w.Body.String() != test.body {
				t.Errorf("got %d %q", w.Code, w.Body)
			}
		})
	}
}

// A context made from that of a request ends with it, without a goroutine that waits.
func TestContextOfARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, nil, open("GET /a", Problem, func(w http.ResponseWriter, r *http.Request) error {
			ctx := r.Context()
			if until, ok := ctx.Deadline(); !ok || time.Until(until) != RequestTimeout || ctx.Err() != nil {
				t.Errorf("at the beginning: until %v, %v, %v", until, ok, ctx.Err())
			}
			before := runtime.NumGoroutine()
			child, cancel := context.WithCancel(ctx)
			defer cancel()
			if n := runtime.NumGoroutine(); n != before {
				t.Errorf("%d goroutines more", n-before)
			}
			time.Sleep(RequestTimeout)
			synctest.Wait()
			if child.Err() != context.DeadlineExceeded || ctx.Err() != context.DeadlineExceeded {
				t.Errorf("at the end: %v, %v", child.Err(), ctx.Err())
			}
			return nil
		}), open("GET /b", Problem, func(w http.ResponseWriter, r *http.Request) error {
			time.Sleep(RequestTimeout)
			if err := r.Context().Err(); err != context.DeadlineExceeded { // though nobody waited for it
				t.Errorf("at the end: %v", err)
			}
			return nil
		}))
		k.do("GET", "/a", "")
		k.do("GET", "/b", "")
	})
}
