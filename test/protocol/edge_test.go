package protocol

import (
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pocketid/internal/apptest"
)

// route is a line of the golden list of all addresses.
type route struct {
	method, path, access, surface string
	anyOrigin                     bool
}

// routes are all addresses that there are. A route that is new is walked from its
// first day.
func routes(t *testing.T) (all []route) {
	t.Helper()
	golden, err := os.ReadFile("../../internal/app/testdata/routes.txt")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^(/\S*)\s+([A-Z]+)\s+(open|public|signed in|admin|protocol)\s+(page|problem|oauth|bearer|script)(.*)$`)
	for _, m := range line.FindAllStringSubmatch(string(golden), -1) {
		all = append(all, route{m[2], m[1], m[3], m[4], strings.Contains(m[5], "any origin")})
	}
	if n := strings.Count(strings.TrimSpace(string(golden)), "\n") + 1; len(all) != n || n < 50 {
		t.Fatalf("%d of %d lines are understood", len(all), n)
	}
	return all
}

// address is an address that the route takes, with something for each wildcard.
func (r route) address() string {
	path := strings.ReplaceAll(r.path, "{$}", "")
	return regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(path, "x")
}

// theme is the one cookie that the module of a page writes as well, and all it can say.
var theme = regexp.MustCompile(`^theme=(auto|light|dark); Path=/; Max-Age=\d+; Secure; SameSite=Lax$`)

// dressed checks the headers that every answer of the house has.
func dressed(t *testing.T, name string, a *apptest.Answer) {
	t.Helper()
	policy := a.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("%s: the policy lacks %s: %s", name, want, policy)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
		t.Errorf("%s: the policy is %s", name, policy)
	}
	for header, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin", "Strict-Transport-Security": "max-age=31536000",
	} {
		if got := a.Header.Get(header); got != want {
			t.Errorf("%s: %s is %q", name, header, got)
		}
	}
	if a.Header.Get("X-Request-ID") == "" || a.Header.Get("Server") != "" || a.Header.Get("X-Powered-By") != "" {
		t.Errorf("%s: the headers are %v", name, a.Header)
	}
	for _, c := range a.Header.Values("Set-Cookie") {
		if theme.MatchString(c) {
			continue
		}
		for _, want := range []string{"__Host-", "; Path=/", "; HttpOnly", "; Secure", "; SameSite=Lax"} {
			if !strings.Contains(c, want) {
				t.Errorf("%s: the cookie %s lacks %s", name, strings.SplitN(c, "=", 2)[0], want)
			}
		}
		if strings.Contains(strings.ToLower(c), "domain=") {
			t.Errorf("%s: a cookie is for other hosts too: %s", name, c)
		}
	}
	if a.Status >= 300 && a.Status < 400 && a.Status != http.StatusSeeOther && a.Status != http.StatusNotModified {
		t.Errorf("%s: the redirect is a %d", name, a.Status)
	}
}

// RFC 9700 §4.12, §4.16 and what browsers offer: every address, for nobody and for an
// administrator.
func TestHeadersOfEveryRoute(t *testing.T) { // threats 28, 30, 31, 33, 37
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		admin := h.SetUp()
		kept := []string{"/.well-known/", "/assets/", "/favicon.ico", "/theme.css", "/api/openapi.json"}
		for _, r := range routes(t) {
			if r.path == "/readyz" && strings.HasSuffix(t.Name(), "postgres") {
				continue // it minds that time stands still here, and not there
			}
			for who, b := range map[string]*apptest.Browser{"nobody": h.Browser(), "the administrator": admin.Elsewhere().Browser} {
				if who != "nobody" {
					p := admin.Elsewhere()
					p.SignIn()
					b = p.Browser
				}
				name := r.method + " " + r.path + " for " + who
				var body = form()
				if r.method == http.MethodGet {
					body = nil
				}
				a := b.Raw(r.method, r.address(), body, "same-origin")
				dressed(t, name, a)
				keeps := slices.ContainsFunc(kept, func(p string) bool { return strings.HasPrefix(r.path, p) }) && a.Status < 300
				if stored := strings.Contains(a.Header.Get("Cache-Control"), "no-store"); stored == keeps {
					t.Errorf("%s: Cache-Control is %q at %d", name, a.Header.Get("Cache-Control"), a.Status)
				}
				if origin := a.Header.Get("Access-Control-Allow-Origin"); (origin == "*") != r.anyOrigin || a.Header.Get("Access-Control-Allow-Credentials") != "" {
					t.Errorf("%s: other origins: %q", name, origin)
				}
				if a.Status >= 500 {
					t.Errorf("%s: %d", name, a.Status)
				}
				if html := strings.HasPrefix(a.Header.Get("Content-Type"), "text/html"); html && r.surface != "page" {
					t.Errorf("%s: a page at an address for programs", name)
				}
			}
			time.Sleep(10 * time.Second)
		}
	})
}

// Routes for people who are signed in refuse nobody, and routes for administrators
// refuse everybody else, by each method and whatever is sent along.
func TestEveryRouteAsksWhoItIs(t *testing.T) { // threats 33, 49
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		ada.SignIn()
		walked := 0
		for _, r := range routes(t) {
			if r.access != "signed in" && r.access != "admin" {
				continue
			}
			walked++
			name := r.method + " " + r.path
			body := form()
			if r.method == http.MethodGet {
				body = nil
			}
			a := h.Browser().Raw(r.method, r.address(), body, "same-origin")
			switch {
			case r.method == http.MethodGet && r.surface == "page":
				if to := a.Header.Get("Location"); a.Status != http.StatusSeeOther || !strings.HasPrefix(to, "/login?redirect=%2F") {
					t.Errorf("%s for nobody: %d to %q", name, a.Status, to)
				}
			case a.Status != http.StatusUnauthorized:
				t.Errorf("%s for nobody: %d", name, a.Status)
			}
			for _, cookie := range []string{"x", strings.Repeat("A", 43), ada.Cookie("browser"), "' OR 1=1 --"} {
				a := h.Program().Ask(r.method, r.address(), "", "Cookie", "__Host-session="+cookie, "Content-Type", "application/x-www-form-urlencoded")
				if a.Status != http.StatusSeeOther && a.Status != http.StatusUnauthorized || a.Status == http.StatusSeeOther && !strings.HasPrefix(a.Header.Get("Location"), "/login?") {
					t.Errorf("%s with a cookie that was made up: %d", name, a.Status)
				}
			}
			// A cookie without the prefix could come from another host (RFC 6265bis §4.1.3.2).
			a = h.Program().Ask(r.method, r.address(), "", "Cookie", "session="+ada.Cookie("session"), "Content-Type", "application/x-www-form-urlencoded")
			if a.Status != http.StatusUnauthorized && !strings.HasPrefix(a.Header.Get("Location"), "/login?") {
				t.Errorf("%s with a cookie without its prefix: %d", name, a.Status)
			}
			if r.access == "admin" {
				if a := ada.Raw(r.method, r.address(), body, "same-origin"); a.Status != http.StatusForbidden {
					t.Errorf("%s for somebody: %d", name, a.Status)
				}
			}
			time.Sleep(time.Second)
		}
		if walked < 20 {
			t.Errorf("only %d routes ask who it is", walked)
		}
	})
}

// A page of another site can post to nothing but the protocol, and to that without
// anybody's session.
func TestOtherSitesCanPostNowhere(t *testing.T) { // threats 32
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		admin := h.SetUp()
		cookie := "__Host-session=" + admin.Cookie("session") + "; __Host-browser=" + admin.Cookie("browser")
		for _, r := range routes(t) {
			if r.method != http.MethodPost || r.access == "protocol" {
				continue
			}
			for _, from := range [][]string{
				{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"},
				{"Sec-Fetch-Site", "same-site", "Origin", "https://other.example.test"},
				{"Origin", "https://evil.example"}, {"Origin", "null"}, {"Origin", "http://id.example.test"}, {"Origin", "https://id.example.test.evil.example"},
			} {
				for _, media := range []string{"application/x-www-form-urlencoded", "text/plain", "application/json"} {
					// Even if a browser sent the cookies.
					a := h.Program().Ask(r.method, r.address(), "", append([]string{"Cookie", cookie, "Content-Type", media}, from...)...)
					if a.Status != http.StatusForbidden {
						t.Errorf("%s from %v as %s: %d", r.path, from, media, a.Status)
					}
				}
			}
			time.Sleep(time.Minute)
		}
		// And what is JSON has to call itself that, which a form cannot.
		admin.SignIn() // an hour has passed
		cookie = "__Host-session=" + admin.Cookie("session") + "; __Host-browser=" + admin.Cookie("browser")
		for _, r := range routes(t) {
			if r.surface != "script" || r.method == http.MethodGet || strings.HasSuffix(r.path, "/check") { // which looks at a form and changes nothing
				continue
			}
			for _, media := range []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"} {
				a := h.Program().Ask(r.method, r.address(), `{"redirect":"/"}`, "Cookie", cookie, "Origin", apptest.URL, "Content-Type", media)
				if a.Status != http.StatusBadRequest || a.JSON()["code"] != "invalid_request_body" {
					t.Errorf("%s as %q: %d %s", r.path, media, a.Status, a.Body)
				}
			}
		}
	})
}

// What is not there, or not so, is told in the form of its place: JSON to programs,
// a page to people.
func TestWhatIsNotThere(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		program := h.Program()
		for _, path := range []string{"/api/oidc/nothing", "/api/oidc/token/", "/api/oidc/token/x", "/api/oidc/"} {
			jsonError(t, path, program.Get(path, "Accept", "text/html"), 404, "invalid_request")
		}
		for _, path := range []string{"/api", "/api/nothing", "/.well-known/nothing", "/assets/nothing", "/api//oidc/token", "/api/oidc/../oidc/token", "/api/oidc/%2e%2e/token"} {
			a := program.Get(path, "Accept", "text/html")
			if body := a.JSON(); a.Status != http.StatusNotFound || strings.Contains(a.Body, "<") || body["error"] == nil {
				t.Errorf("%s: %d %s", path, a.Status, a.Body)
			}
			dressed(t, path, a)
		}
		for _, path := range []string{"/nothing", "/settings/nothing", "/login//again", "/authorize/x", "/.env", "/wp-login.php", "/%2e%2e/etc/passwd", "/authorize/../login"} {
			a := program.Get(path)
			if a.Status != http.StatusNotFound || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
				t.Errorf("%s: %d %s", path, a.Status, a.Header.Get("Content-Type"))
			}
			dressed(t, path, a)
		}
		all := routes(t)
		for _, r := range all {
			for _, method := range []string{"PUT", "DELETE", "PATCH", "TRACE", "CONNECTED"} {
				if slices.ContainsFunc(all, func(other route) bool { return other.path == r.path && other.method == method }) ||
					(r.path == "/api/users/me" || r.path == "/api/users/deleted") && (method == "PUT" || method == "DELETE") { // which is that of somebody called so
					continue
				}
				a := program.Ask(method, r.address(), "")
				if allow := a.Header.Get("Allow"); a.Status != http.StatusMethodNotAllowed || !strings.Contains(allow, r.method) || strings.Contains(allow, method) {
					t.Errorf("%s %s: %d, Allow %q", method, r.path, a.Status, allow)
				}
				if html := strings.HasPrefix(a.Header.Get("Content-Type"), "text/html"); html != (r.surface == "page") {
					t.Errorf("%s %s: %s", method, r.path, a.Header.Get("Content-Type"))
				}
				if r.surface == "oauth" || r.surface == "bearer" {
					jsonError(t, method+" "+r.path, a, http.StatusMethodNotAllowed, "invalid_request")
				}
				dressed(t, method+" "+r.path, a)
			}
			if r.method == http.MethodPost && !takesFile(r) {
				for _, media := range []string{"application/x-www-form-urlencoded", "application/json"} {
					a := program.Ask("POST", r.address(), strings.Repeat("x", 4<<20), "Content-Type", media, "Origin", apptest.URL)
					if html := strings.HasPrefix(a.Header.Get("Content-Type"), "text/html"); a.Status != http.StatusRequestEntityTooLarge || html != (r.surface == "page") {
						t.Errorf("four megabytes to %s: %d %s", r.path, a.Status, a.Header.Get("Content-Type"))
					}
					if r.surface == "oauth" || r.surface == "bearer" {
						jsonError(t, "four megabytes to "+r.path, a, http.StatusRequestEntityTooLarge, "invalid_request")
					}
				}
			}
			time.Sleep(time.Minute)
		}
	})
}

// takesFile says whether a form with a file is sent to a route: more is said of its size by
// TestLogosOfAClient and TestPictureOfAPerson.
func takesFile(r route) bool {
	return strings.HasSuffix(r.path, "/picture") || strings.HasSuffix(r.path, "/pictures/{name}") || strings.HasSuffix(r.path, "/logo/{ground}") ||
		strings.HasPrefix(r.path, "/api/") && (strings.HasSuffix(r.path, "/logo") || strings.HasSuffix(r.path, "/background"))
}

// Links and redirects are made of APP_URL, whatever a request says of itself; a page
// under another name is refused.
func TestHostAndForwardedHeadersAreNotBelieved(t *testing.T) { // threats 70, 71, 82
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		program := h.Program()
		forged := []string{"X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "http", "X-Forwarded-For", "10.0.0.1", "Forwarded", "host=evil.example;proto=http", "X-Original-URL", "/settings/admin", "X-Rewrite-URL", "/settings/admin"}
		honest := program.Get("/.well-known/openid-configuration")
		if a := program.Get("/.well-known/openid-configuration", append([]string{"Host", "evil.example"}, forged...)...); a.Body != honest.Body {
			t.Errorf("discovery believes the request: %s", a.Body)
		}
		for _, path := range []string{"/login", "/setup", "/", "/lc", "/settings/account", "/logout", "/consent?id=x"} {
			a := program.Get(path, append([]string{"Host", "evil.example"}, forged...)...)
			if a.Status != http.StatusMisdirectedRequest || a.Header.Get("Location") != "" || strings.Contains(a.Header.Get("Set-Cookie"), "session") {
				t.Errorf("%s under another host: %d to %q", path, a.Status, a.Header.Get("Location"))
			}
			if strings.Contains(a.Body, `href="https://evil.example`) || strings.Contains(a.Body, `action="https://evil.example`) {
				t.Errorf("%s leads to the other host", path)
			}
			a = program.Get(path, forged...)
			if strings.Contains(a.Body+a.Header.Get("Location"), "evil.example") {
				t.Errorf("%s repeats a forged header", path)
			}
			dressed(t, path, a)
		}
		for _, host := range []string{`evil.example"><svg onload=alert(1)>`, "id.example.test.evil.example", "id.example.test@evil.example", "evil.example:443", "[::1]"} {
			a := program.Get("/login", "Host", host)
			if a.Status != http.StatusMisdirectedRequest && a.Status != http.StatusBadRequest || strings.Contains(a.Body, "<svg onload") {
				t.Errorf("the host %q: %d", host, a.Status)
			}
		}
		// A forged address opens no new bucket: the peer's is used up.
		tries := 0
		for i := range 30 {
			a := program.Ask("POST", "/login/begin", "{}", "Content-Type", "application/json", "X-Forwarded-For", "192.0.2."+string(rune('0'+i%10)), "X-Real-IP", "198.51.100.7")
			if a.Status == http.StatusTooManyRequests {
				if a.Header.Get("Retry-After") == "" || a.JSON()["code"] != "rate_limited" {
					t.Errorf("too many: %v %s", a.Header, a.Body)
				}
				break
			}
			tries++
		}
		if tries > 10 {
			t.Errorf("%d tries to sign in from one address", tries)
		}
		if a := h.Program().Ask("POST", "/login/begin", "{}", "Content-Type", "application/json"); a.Status == http.StatusTooManyRequests {
			t.Error("and somebody else is locked out")
		}
	})
}
