package oidc

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// threats 17, 18
func TestTokenEndpointReadsAFormAndNothingElse(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c := h.relyingParty(ClientEdit{})
		l := c.login("ada", "openid")
		code := c.code(l, "openid")
		good := form("grant_type", "authorization_code", "code", code, "redirect_uri", c.RedirectURIs[0].URI,
			"code_verifier", testVerifier, "client_id", c.ID, "client_secret", c.secret)
		with := func(name, value string) url.Values {
			f := url.Values{}
			for n, v := range good {
				f[n] = v
			}
			f[name] = append(f[name], value)
			return f
		}

		resp := h.do(httptest.NewRequest("GET", "/api/oidc/token?"+good.Encode(), nil))
		if resp.StatusCode != 405 || !strings.Contains(resp.Header.Get("Allow"), "POST") || resp.Header.Get("Content-Type") != "application/json" {
			t.Errorf("GET: got %d, Allow %q, %q", resp.StatusCode, resp.Header.Get("Allow"), resp.Header.Get("Content-Type"))
		}
		h.send(h.postForm("/api/oidc/token?"+good.Encode(), nil)).fails(t, 400, "invalid_request")
		for _, name := range []string{"grant_type", "code", "redirect_uri", "code_verifier", "client_id", "client_secret", "anything"} {
			f := with(name, "x")
			f[name] = []string{"x", "x"}
			h.send(h.postForm("/api/oidc/token", f)).fails(t, 400, "invalid_request")
		}
		json := h.postForm("/api/oidc/token", good)
		json.Header.Set("Content-Type", "application/json")
		h.send(json).fails(t, 400, "invalid_request")
		untyped := h.postForm("/api/oidc/token", good)
		untyped.Header.Del("Content-Type")
		h.send(untyped).fails(t, 400, "invalid_request")
		h.send(h.postForm("/api/oidc/token", with("more", strings.Repeat("x", 1<<17)))).fails(t, 413, "invalid_request")
		h.send(h.postForm("/api/oidc/token", form("code", code))).fails(t, 400, "invalid_request")
		for _, grant := range []string{"password", "implicit", "Authorization_Code"} {
			f := with("scope", "openid")
			f.Set("grant_type", grant)
			h.send(h.postForm("/api/oidc/token", f)).fails(t, 400, "unsupported_grant_type")
		}

		// None of that used the code up. What nobody knows is ignored, here and in the address.
		r := h.postForm("/api/oidc/token?code=other&client_id=other&client_secret=x&client_secret=y", with("extra", "foobar"))
		r.Header.Set("Origin", "https://app.example")
		got := h.send(r).ok(t)
		if got.Type != "Bearer" || got.ExpiresIn != 3600 || got.Scope != "openid" || got.ID == "" {
			t.Errorf("got %+v", got)
		}
		if got.header.Get("Access-Control-Allow-Origin") != "*" || got.header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("CORS: %q with credentials %q", got.header.Get("Access-Control-Allow-Origin"), got.header.Get("Access-Control-Allow-Credentials"))
		}
		if got.header.Get("Pragma") != "no-cache" {
			t.Errorf("Pragma is %q", got.header.Get("Pragma"))
		}
	})
}

func TestARefusedHeaderGetsItsChallenge(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c := h.relyingParty(ClientEdit{})
		r := h.postForm("/api/oidc/token", form("grant_type", "authorization_code", "code", "x"))
		r.SetBasicAuth(c.ID, "wrong")
		got := h.send(r)
		got.fails(t, 401, "invalid_client")
		if !strings.HasPrefix(got.header.Get("WWW-Authenticate"), "Basic ") {
			t.Errorf("WWW-Authenticate is %q", got.header.Get("WWW-Authenticate"))
		}
		if strings.Contains(got.Description, "wrong secret") || strings.Contains(got.Description, c.ID) {
			t.Errorf("the description tells too much: %s", got.Description)
		}
	})
}

func TestScopesAreRead(t *testing.T) {
	for _, test := range []struct {
		name, scope string
		want        []string
		bad         bool
	}{
		{"it knows when there is none", "", nil, false},
		{"it splits at blanks", "openid  email ", []string{"openid", "email"}, false},
		{"it refuses other blanks", "openid\temail", nil, true},
		{"it refuses quotes", `openid"`, nil, true},
		{"it refuses letters beyond ASCII", "öpenid", nil, true},
		{"it refuses more than it should hold", strings.Repeat("a ", 3000), nil, true},
	} {
		got, err := parseScopes(form("scope", test.scope))
		if (err != nil) != test.bad || strings.Join(got, "|") != strings.Join(test.want, "|") || (got == nil) != (test.want == nil) {
			t.Errorf("%s: got %q, %v", test.name, got, err)
		}
	}
}
