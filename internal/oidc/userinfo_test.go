package oidc

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"pocketid/internal/directory"
)

// threats 35, 37
func TestUserinfoTakesATokenInThreeWays(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c := h.relyingParty(ClientEdit{})
		l := c.login("ada", "openid", "email")
		good := c.redeem(c.code(l, "openid", "email")).ok(t).Access
		mail := c.redeem(c.code(l, "email")).ok(t).Access
		get := func(path string, headers ...string) *http.Request {
			r := httptest.NewRequest("GET", path, nil)
			for _, h := range headers {
				r.Header.Add("Authorization", h)
			}
			return r
		}
		post := func(form url.Values, headers ...string) *http.Request {
			r := h.postForm("/api/oidc/userinfo", form)
			for _, h := range headers {
				r.Header.Add("Authorization", h)
			}
			return r
		}
		bare := func(r *http.Request) *http.Request { r.Header.Del("Content-Type"); return r }
		json := func(r *http.Request) *http.Request { r.Header.Set("Content-Type", "application/json"); return r }
		const path = "/api/oidc/userinfo"
		for _, test := range []struct {
			name      string
			r         *http.Request
			status    int
			challenge string // its error; "-" is a challenge without one
		}{
			{"it takes the header of a GET", get(path, "Bearer "+good), 200, ""},
			{"it minds no case of the scheme", get(path, "bEARER "+good), 200, ""},
			{"it takes the header of a POST with an empty form", post(nil, "Bearer "+good), 200, ""},
			{"it takes the header of a POST without a form", bare(post(nil, "Bearer "+good)), 200, ""},
			{"it takes the header of a POST of something else", json(post(nil, "Bearer "+good)), 200, ""},
			{"it takes the form of a POST", post(form("access_token", good)), 200, ""},
			{"it asks for a token", get(path), 401, "-"},
			{"it asks for a token of a POST", post(nil), 401, "-"},
			{"it does not take Basic", get(path, basic("a", "b")), 401, "-"},
			{"it does not take DPoP", get(path, "DPoP "+good), 401, "-"},
			{"it does not take a token in the address", get(path + "?access_token=" + good), 400, "invalid_request"},
			{"it does not take a token in the address beside one that it takes", get(path+"?access_token="+good, "Bearer "+good), 400, "invalid_request"},
			{"it does not take a form of another kind", json(post(form("access_token", good))), 401, "-"},
			{"it refuses two ways", post(form("access_token", good), "Bearer "+good), 400, "invalid_request"},
			{"it refuses two headers", get(path, "Bearer "+good, "Bearer "+good), 400, "invalid_request"},
			{"it refuses two fields", post(url.Values{"access_token": {good, good}}), 400, "invalid_request"},
			{"it refuses an empty token", get(path, "Bearer "), 400, "invalid_request"},
			{"it refuses what is no token", get(path, "Bearer x"), 401, "invalid_token"},
			{"it refuses a token without openid", get(path, "Bearer "+mail), 403, "insufficient_scope"},
		} {
			test.r.Header.Set("Origin", "https://evil.example")
			resp := h.do(test.r)
			challenge := resp.Header.Get("WWW-Authenticate")
			switch {
			case resp.StatusCode != test.status:
				t.Errorf("%s: got %d %s", test.name, resp.StatusCode, body(resp))
			case test.challenge == "" && challenge != "",
				test.challenge == "-" && (!strings.HasPrefix(challenge, "Bearer") || strings.Contains(challenge, "error")),
				len(test.challenge) > 1 && !strings.Contains(challenge, `error="`+test.challenge+`"`):
				t.Errorf("%s: the challenge is %q", test.name, challenge)
			}
			if got := resp.Header.Get("Access-Control-Allow-Origin"); got != "*" {
				t.Errorf("%s: CORS allows %q", test.name, got)
			}
			if got := resp.Header.Get("Cache-Control"); got != "no-store" {
				t.Errorf("%s: Cache-Control is %q", test.name, got)
			}
			if got := resp.Header.Get("Content-Type"); got != "application/json" && test.challenge != "-" {
				t.Errorf("%s: it answers %q", test.name, got)
			}
		}
	})
}

func TestUserinfoSaysWhatTheIDTokenSays(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c := h.relyingParty(ClientEdit{})
		all := []string{"openid", "profile", "email", "groups"}
		l := c.login("ada", all...)
		g, err := h.dir.AddGroup(t.Context(), admin, directory.GroupEdit{Name: "staff", FriendlyName: "Staff", Claims: map[string]any{"team": "blue"}})
		must(t, err)
		must(t, h.dir.SetMembers(t.Context(), admin, g.ID, []string{l.user.ID}))
		got := c.redeem(c.code(l, all...)).ok(t)
		_, id := claimsOf(t, got.ID)
		status, told := h.userinfo(got.Access)
		if status != 200 || told["sub"] != id["sub"] || told["team"] != "blue" || told["email"] != "ada@example.test" {
			t.Fatalf("got %d %v", status, told)
		}
		for name, value := range told {
			a, _ := json.Marshal(value)
			b, _ := json.Marshal(id[name])
			if string(a) != string(b) {
				t.Errorf("%s is %s at userinfo and %s in the ID token", name, a, b)
			}
		}
		// It is what is so now, not what was so at the time of the token.
		must(t, h.dir.SetMembers(t.Context(), admin, g.ID, nil))
		if _, told := h.userinfo(got.Access); told["team"] != nil || len(told["groups"].([]any)) != 0 {
			t.Errorf("after leaving the group: %v", told)
		}
	})
}
