package edge

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// threats 28, 31, 37
func TestHeadersOfEveryAnswer(t *testing.T) {
	k := newKit(t, nil,
		open("GET /page", Page, says("page")),
		open("GET /api/x", Problem, says("{}")),
		open("GET /broken", Page, fails(ErrForbidden)),
		Route{Pattern: "GET /own", Access: SignedIn, Surface: Page, Handler: says("own")},
		Route{Pattern: "POST /api/oidc/token", Access: Protocol, Surface: OAuth, Handler: says("{}")})
	want := map[string]string{
		"Content-Security-Policy":   "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
		"X-Frame-Options":           "DENY",
		"X-Content-Type-Options":    "nosniff",
		"Referrer-Policy":           "same-origin",
		"Cache-Control":             "no-store",
		"Strict-Transport-Security": "max-age=31536000",
	}
	for _, target := range []string{"GET /page", "GET /api/x", "GET /broken", "GET /own", "GET /nowhere", "GET /api/nowhere", "POST /api/oidc/token", "PUT /page"} {
		method, path, _ := strings.Cut(target, " ")
		h := k.do(method, path, "").Header()
		for name, value := range want {
			if got := h.Values(name); len(got) != 1 || got[0] != value {
				t.Errorf("%s: got %s %q, want %q", target, name, got, value)
			}
		}
		if p := h.Get("Permissions-Policy"); !strings.Contains(p, "publickey-credentials-get=(self)") || !strings.Contains(p, "publickey-credentials-create=(self)") {
			t.Errorf("%s: got Permissions-Policy %q", target, p)
		}
	}
}

func TestHSTS(t *testing.T) {
	tests := []struct {
		name, public, asked string
		off                 bool
		want                string
	}{
		{"is sent on https", "https://id.example", "https://id.example/a", false, "max-age=31536000"},
		{"is not sent on http", "http://localhost:1411", "http://localhost:1411/a", false, ""},
		{"can be switched off", "https://id.example", "https://id.example/a", true, ""},
		{"is not sent in the name of another host", "https://id.example", "https://other.example/a", false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := newKit(t, func(c *Config) { c.PublicURL, _ = url.Parse(tt.public); c.NoHSTS = tt.off }, open("GET /a", Problem, says("")))
			if got := k.do("GET", tt.asked, "").Header().Get("Strict-Transport-Security"); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// Applications sign people in from pop-up windows: those pages keep their opener.
func TestOnlyOwnPagesCutTheOpenerOff(t *testing.T) {
	k := newKit(t, nil, open("GET /settings/account", Page, says("")), open("GET /login", Page, says("")), open("GET /consent", Page, says("")))
	for path, want := range map[string]string{"/settings/account": "same-origin", "/login": "", "/consent": ""} {
		if got := k.do("GET", path, "").Header().Get("Cross-Origin-Opener-Policy"); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

func TestHandlerMayLetItsAnswerBeKept(t *testing.T) {
	k := newKit(t, nil, open("GET /jwks", Problem, func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Cache-Control", "public, max-age=300")
		if r.URL.Query().Has("fail") {
			return ErrNotFound
		}
		return WriteJSON(w, 200, map[string]string{})
	}))
	if got := k.do("GET", "/jwks", "").Header().Get("Cache-Control"); got != "public, max-age=300" {
		t.Errorf("got %q", got)
	}
	if got := k.do("GET", "/jwks?fail", "").Header().Get("Cache-Control"); got != "no-store" {
		t.Errorf("an error may be kept: %q", got)
	}
}

func TestFormsMayLeadTo(t *testing.T) {
	tests := []struct{ name, uri, want string }{
		{"an origin", "https://shop.example/callback?x=1", "'self' https://shop.example"},
		{"an origin with a port", "http://127.0.0.1:8080/cb", "'self' http://127.0.0.1:8080"},
		{"an application on the device", "com.example.app:/oauth", "'self' com.example.app:"},
		{"IPv6, which sources cannot name", "http://[::1]:8080/cb", "'self' http:"},
		{"a name in its own script, which they cannot either", "https://bücher.example/cb", "'self' https:"},
		{"no script", "javascript:alert(1)", "'self'"},
		{"no data", "data:text/html,x", "'self'"},
		{"no relative address", "/somewhere", "'self'"},
		{"no address without a host", "https:///cb", "'self'"},
		{"no directive of its own", "https://a;script-src *.evil.example/", "'self'"},
		{"no star", "https://*/", "'self'"},
		{"no second source", "https://a' 'unsafe-inline/", "'self'"},
		{"nothing that cannot be read", "https://%zz/", "'self'"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := newKit(t, nil, open("GET /consent", Page, func(w http.ResponseWriter, r *http.Request) error {
				AllowFormTo(w, tt.uri)
				return nil
			}))
			policy := k.do("GET", "/consent", "").Header().Get("Content-Security-Policy")
			want := strings.Replace(contentPolicy, "form-action 'self'", "form-action "+tt.want, 1)
			if policy != want {
				t.Errorf("got  %s\nwant %s", policy, want)
			}
		})
	}
}

func TestOneScriptMayRun(t *testing.T) {
	k := newKit(t, nil, open("GET /post", Page, func(w http.ResponseWriter, r *http.Request) error {
		AllowScript(w, "document.forms[0].submit()")
		AllowFormTo(w, "https://shop.example/cb")
		if r.URL.Query().Has("fail") {
			return ErrForbidden
		}
		return nil
	}))
	policy := k.do("GET", "/post", "").Header().Get("Content-Security-Policy")
	// The digest is that of the text in a shell: printf … | openssl dgst -sha256 -binary | base64.
	if want := "script-src 'self' 'sha256-ePniVEkSivX/c7XWBGafqh8tSpiRrKiqYeqbG7N1TOE=';"; !strings.Contains(policy, want) || !strings.Contains(policy, "form-action 'self' https://shop.example;") || strings.Contains(policy, "unsafe") {
		t.Errorf("got %s, want %s", policy, want)
	}
	if got := k.do("GET", "/post?fail", "").Header().Get("Content-Security-Policy"); got != contentPolicy {
		t.Errorf("the error page has the policy %s", got)
	}
}

func cookieOf(w *httptest.ResponseRecorder) string {
	return strings.Join(w.Header().Values("Set-Cookie"), "\n")
}

// threats 33: cookies that no other host, path or plain connection can set.
func TestCookies(t *testing.T) {
	handler := func(w http.ResponseWriter, r *http.Request) error {
		switch r.URL.Query().Get("do") {
		case "set":
			SetCookie(w, r, "session", "value", 90*time.Second)
		case "keep":
			SetCookie(w, r, "session", "value", 0)
		case "drop":
			SetCookie(w, r, "session", "value", -1)
		}
		w.Write([]byte("read:" + ReadCookie(r, "session")))
		return nil
	}
	secure := newKit(t, nil, open("GET /a", Page, handler))
	plain := newKit(t, func(c *Config) { c.PublicURL, _ = url.Parse("http://localhost:1411") }, open("GET /a", Page, handler))
	tests := []struct {
		name string
		kit  *edgeKit
		do   string
		want string
	}{
		{"has a prefix and Secure on https", secure, "set", "__Host-session=value; Path=/; Max-Age=90; HttpOnly; Secure; SameSite=Lax"},
		{"lasts as long as the browser runs", secure, "keep", "__Host-session=value; Path=/; HttpOnly; Secure; SameSite=Lax"},
		{"is deleted with all its marks", secure, "drop", "__Host-session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"},
		{"has a plain name on http", plain, "set", "session=value; Path=/; Max-Age=90; HttpOnly; SameSite=Lax"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			host := "https://id.example"
			if tt.kit == plain {
				host = "http://localhost:1411"
			}
			if got := cookieOf(tt.kit.do("GET", host+"/a?do="+tt.do, "")); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
	if got := secure.do("GET", "/a", "", "Cookie", "session=planted; __Host-session=real").Body.String(); got != "read:real" {
		t.Errorf("got %s", got)
	}
	if got := secure.do("GET", "/a", "", "Cookie", "session=planted").Body.String(); got != "read:" {
		t.Errorf("a cookie without its prefix was taken: %s", got)
	}
}

func TestBrowserCookie(t *testing.T) {
	var value string
	var hash []byte
	handler := func(w http.ResponseWriter, r *http.Request) error {
		value, hash = Browser(w, r), BrowserHash(r)
		return nil
	}
	k := newKit(t, nil, open("GET /login", Page, handler), Route{Pattern: "POST /authorize", Access: Protocol, Surface: Page, Handler: handler})
	first := cookieOf(k.do("GET", "/login", ""))
	if len(value) != 43 || len(hash) != 32 || !strings.HasPrefix(first, "__Host-browser="+value+"; Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax") {
		t.Fatalf("got %q %x, %s", value, hash, first)
	}
	old, oldHash := value, string(hash)
	if again := cookieOf(k.do("GET", "/login", "", "Cookie", "__Host-browser="+old)); again != "" || value != old || string(hash) != oldHash {
		t.Errorf("a browser that is known got %q, %s", value, again)
	}
	// A POST from another site comes without cookies: a new one would replace the one that is there.
	if set := cookieOf(k.do("POST", "/authorize", "", "Sec-Fetch-Site", "cross-site")); set != "" || value != "" || hash != nil {
		t.Errorf("a POST got %q, %s", value, set)
	}
	for _, bad := range []string{"short", strings.Repeat("x", 44), strings.Repeat("!", 43)} {
		if set := cookieOf(k.do("GET", "/login", "", "Cookie", "__Host-browser="+bad)); set == "" || value == bad {
			t.Errorf("%q was kept", bad)
		}
	}
}

func TestLocaleOfARequest(t *testing.T) {
	var got string
	k := newKit(t, nil, open("GET /login", Page, func(w http.ResponseWriter, r *http.Request) error {
		got = Locale(r, r.URL.Query().Get("user"))
		return nil
	}))
	tests := []struct {
		name, query, cookie, accept, want string
	}{
		{"is the one that the client asks for", "?ui_locales=zh-CN&user=en", "en", "en", "zh-CN"},
		{"is the user's own", "?user=zh-CN", "en", "en", "zh-CN"},
		{"is that of the cookie", "", "zh-CN", "en", "zh-CN"},
		{"is that of the browser", "", "", "zh-CN", "zh-CN"},
		{"is English", "", "", "", "en"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k.do("GET", "/login"+tt.query, "", "Cookie", "__Host-locale="+tt.cookie, "Accept-Language", tt.accept)
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// threats 27: a page shows what it names in frames, and cannot be framed itself.
func TestFramesOfThePagesThatWereNamed(t *testing.T) {
	for _, tt := range []struct {
		name string
		uris []string
		want string // after the usual policy
	}{
		{"names an origin", []string{"https://shop.example/out?a=b"}, "; frame-src https://shop.example"},
		{"names a port", []string{"http://localhost:3000/out"}, "; frame-src http://localhost:3000"},
		{"names each once", []string{"https://shop.example/out", "https://blog.example/", "https://shop.example/2"}, "; frame-src https://shop.example https://blog.example"},
		{"names nothing that has no name", []string{"https://[2001:db8::1]/out", "javascript:alert(1)", "com.example:/out", "https://a;script-src *.evil.example/", ""}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := newKit(t, nil, open("GET /signed-out", Page, func(w http.ResponseWriter, r *http.Request) error {
				for _, uri := range tt.uris {
					if got := AllowFrame(w, uri); got != (tt.want != "") {
						t.Errorf("%s is let in: %t", uri, got)
					}
				}
				return nil
			}))
			h := k.do("GET", "/signed-out", "").Header()
			if got := h.Get("Content-Security-Policy"); got != contentPolicy+tt.want {
				t.Errorf("got  %s\nwant %s", got, contentPolicy+tt.want)
			}
			if h.Get("X-Frame-Options") != "DENY" || !strings.Contains(contentPolicy, "frame-ancestors 'none'") {
				t.Error("the page may be framed")
			}
		})
	}
}
