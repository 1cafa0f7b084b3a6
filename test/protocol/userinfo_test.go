package protocol

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"pocketid/internal/apptest"
	"pocketid/internal/audit"
	"pocketid/internal/directory"
)

const userinfoPath = "/api/oidc/userinfo"

// oidcc-userinfo-get, oidcc-userinfo-post-header, oidcc-userinfo-post-body, and
// what a resource answers to everything else (RFC 6750 §3.1).
func TestUserinfoInThreeWays_OIDC_Core_5_3(t *testing.T) { // threats 7, 8, 35, 37
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		shop := h.Client("shop", plain)
		f, code := shop.Authorize(ada)
		tokens := f.Exchange(code)
		f, code = shop.Authorize(ada, "scope", "email")
		noOpenID := f.Redeem(code).AccessToken
		token := tokens.AccessToken
		program := h.Program()
		for name, a := range map[string]*apptest.Answer{
			"GET":                                    program.Get(userinfoPath, "Authorization", "Bearer "+token),
			"GET in another case":                    program.Get(userinfoPath, "Authorization", "bearer "+token),
			"POST with the header":                   program.Ask("POST", userinfoPath, "", "Authorization", "Bearer "+token),
			"POST with the header and an empty form": program.Post(userinfoPath, nil, "Authorization", "Bearer "+token),
			"POST with the body":                     program.Post(userinfoPath, form("access_token", token)),
			"GET of a script elsewhere":              program.Get(userinfoPath, "Authorization", "Bearer "+token, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"),
		} {
			info := a.JSON()
			if a.Status != http.StatusOK || a.Header.Get("Content-Type") != "application/json" || info["sub"] != ada.ID || !strings.Contains(a.Header.Get("Cache-Control"), "no-store") {
				t.Errorf("%s: %d %v %s", name, a.Status, a.Header, a.Body)
			}
			// Any origin may read it, because it takes a token; none sends a cookie along.
			if a.Header.Get("Access-Control-Allow-Origin") != "*" || a.Header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s: CORS is %v", name, a.Header)
			}
		}

		parts := strings.Split(token, ".")
		none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"at+jwt"}`))
		hmac := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"at+jwt","kid":"` + header(t, token)["kid"].(string) + `"}`))
		for name, bad := range map[string]string{
			"an ID token":            tokens.IDToken,
			"a refresh token":        tokens.RefreshToken,
			"a code":                 code,
			"a session":              ada.Cookie("session"),
			"alg none":               none + "." + parts[1] + ".",
			"alg none with a rest":   none + "." + parts[1] + "." + parts[2],
			"HMAC":                   hmac + "." + parts[1] + "." + parts[2],
			"another payload":        parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"x"}`)) + "." + parts[2],
			"a signature cut short":  token[:len(token)-4],
			"a signature of another": parts[0] + "." + parts[1] + "." + strings.Split(tokens.IDToken, ".")[2],
			"JSON":                   `{"payload":"x","signatures":[]}`,
			"garbage":                "x",
			"much garbage":           strings.Repeat("x", 20000),
			"dots":                   "..",
		} {
			a := program.Get(userinfoPath, "Authorization", "Bearer "+bad)
			jsonError(t, name, a, 401, "invalid_token")
			if got := a.Header.Get("WWW-Authenticate"); !strings.HasPrefix(got, "Bearer ") || !strings.Contains(got, `error="invalid_token"`) {
				t.Errorf("%s: WWW-Authenticate is %q", name, got)
			}
			if a.Header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(a.Header.Get("Access-Control-Expose-Headers"), "WWW-Authenticate") {
				t.Errorf("%s: a script cannot read why: %v", name, a.Header)
			}
			time.Sleep(100 * time.Millisecond)
		}
		for name, a := range map[string]*apptest.Answer{
			"no token":          program.Get(userinfoPath),
			"no token, by POST": program.Post(userinfoPath, nil),
			"a cookie":          program.Get(userinfoPath, "Cookie", "__Host-session="+ada.Cookie("session")),
			"Basic":             program.Get(userinfoPath, basic(shop)...),
		} {
			if got := a.Header.Get("WWW-Authenticate"); a.Status != 401 || !strings.HasPrefix(got, "Bearer") || strings.Contains(got, "error") {
				t.Errorf("%s: %d, %q", name, a.Status, got)
			}
		}
		jsonError(t, "a token without openid", program.Get(userinfoPath, "Authorization", "Bearer "+noOpenID), 403, "insufficient_scope")
		for name, a := range map[string]*apptest.Answer{
			"in the address":                 program.Get(userinfoPath + "?access_token=" + token),
			"in the address and the header":  program.Get(userinfoPath+"?access_token="+token, "Authorization", "Bearer "+token),
			"in the header and the body":     program.Post(userinfoPath, form("access_token", token), "Authorization", "Bearer "+token),
			"in two headers":                 program.Get(userinfoPath, "Authorization", "Bearer "+token, "Authorization", "Bearer "+token),
			"twice in the body":              program.Post(userinfoPath, form("access_token", token, "access_token", token)),
			"empty":                          program.Post(userinfoPath, form("access_token", "")),
			"in a body that nobody can read": program.Ask("POST", userinfoPath, "%zz", "Content-Type", "application/x-www-form-urlencoded"),
		} {
			jsonError(t, name, a, 400, "invalid_request")
		}
		jsonError(t, "too much", program.Post(userinfoPath, form("access_token", strings.Repeat("x", 1<<20))), 413, "invalid_request")
		a := program.Ask("DELETE", userinfoPath, "", "Authorization", "Bearer "+token)
		jsonError(t, "DELETE", a, 405, "invalid_request")
		if allow := a.Header.Get("Allow"); !strings.Contains(allow, "GET") || !strings.Contains(allow, "POST") {
			t.Errorf("Allow is %q", allow)
		}
		time.Sleep(time.Hour)
		jsonError(t, "an expired token", program.Get(userinfoPath, "Authorization", "Bearer "+token), 401, "invalid_token")
	})
}

// oidcc-scope-profile, oidcc-scope-email, oidcc-scope-all, as far as there are
// claims: of the right type, left out where there is no value, at userinfo alone.
func TestClaimsOfScopes_OIDC_Core_5_4(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		nameless := h.User("bob")
		h.Change(func(ctx context.Context, by audit.Actor, d *directory.Directory) error {
			_, err := d.EditProfile(ctx, audit.Actor{UserID: nameless.ID}, directory.ProfileEdit{Username: "bob", Email: "bob@example.test", FirstName: "bob"})
			return err
		})
		shop := h.Client("shop", plain)
		for scope, want := range map[string][]string{
			"openid":                      {"sub"},
			"openid profile":              {"sub", "name", "given_name", "family_name", "preferred_username"},
			"openid email":                {"sub", "email", "email_verified"},
			"openid groups":               {"sub", "groups"},
			"groups email profile openid": {"sub", "name", "given_name", "family_name", "preferred_username", "email", "email_verified", "groups"},
		} {
			f, code := shop.Authorize(ada, "scope", scope)
			tokens := f.Exchange(code)
			_, info := shop.Userinfo(tokens.AccessToken)
			for _, name := range want {
				if info[name] == nil {
					t.Errorf("%q gives no %s: %v", scope, name, info)
				}
			}
			for name, value := range info {
				if value == nil || value == "" || value == "null" {
					t.Errorf("%q gives %s %#v", scope, name, value)
				}
				group := map[string]string{"email": "email", "email_verified": "email", "groups": "groups", "sub": "openid"}[name]
				if group == "" {
					group = "profile"
				}
				if !strings.Contains(scope, group) {
					t.Errorf("%q gives %s", scope, name)
				}
			}
			if verified, there := info["email_verified"]; there {
				if _, ok := verified.(bool); !ok {
					t.Errorf("email_verified is %#v", verified)
				}
			}
			id := claims(t, tokens.IDToken)
			if info["sub"] != id["sub"] || id["email"] != nil || id["name"] != nil || id["groups"] != nil {
				t.Errorf("%q: the ID token says %v", scope, id)
			}
		}
		f, code := shop.Authorize(nameless)
		if _, info := shop.Userinfo(f.Exchange(code).AccessToken); info["family_name"] != nil || info["given_name"] != "bob" {
			t.Errorf("a name that is not there: %v", info)
		}
	})
}
