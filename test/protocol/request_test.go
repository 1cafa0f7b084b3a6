package protocol

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"pocketid/internal/apptest"
	"pocketid/internal/oidc"
)

// Single claims are said where they were asked for, to whom the person allowed their scope.
func TestSingleClaims_OIDC_Core_5_5(t *testing.T) { // threats 3, 13
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		shop := h.Client("shop", plain)
		const asked = `{"userinfo":{"given_name":{"essential":true},"unheard":null,"email":{"value":"somebody@else.example"}},"id_token":{"email":null,"auth_time":{"essential":true},"name":{"values":["nobody","ada Example"]}},"other":{"x":null}}`
		first := shop.Begin("scope", "openid offline_access")
		granted(t, first.By(ada), first)

		// openid alone was allowed: the rest of profile and email has to be.
		f := shop.Begin("scope", "openid offline_access", "claims", asked, "prompt", "none")
		refused(t, ada.Open(f.URL()), f, "consent_required")
		f = shop.Begin("scope", "openid offline_access", "claims", asked)
		page := ada.Open(f.URL())
		if page.URL.Path != "/consent" {
			t.Fatalf("nobody is asked: %s", page)
		}
		tokens := f.Exchange(granted(t, f.From(ada, page), f))
		check := func(name string, tokens apptest.Tokens) {
			t.Helper()
			id := claims(t, tokens.IDToken)
			if id["email"] != "ada@example.test" || id["name"] != "ada Example" || id["auth_time"] == nil || id["given_name"] != nil {
				t.Errorf("%s: the ID token says %v", name, id)
			}
			if _, info := shop.Userinfo(tokens.AccessToken); info["given_name"] != "ada" || len(info) != 2 {
				t.Errorf("%s: userinfo says %v", name, info)
			}
		}
		if tokens.Scope != "openid offline_access" {
			t.Errorf("the scope is %q", tokens.Scope)
		}
		check("at first", tokens)
		check("refreshed", shop.Refresh(tokens.RefreshToken))
		narrow := shop.Token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens.RefreshToken}, "scope": {"openid"}})
		if _, info := shop.Userinfo(narrow.AccessToken); len(info) != 1 {
			t.Errorf("a narrowed token says %v", info)
		}
		// What was allowed once is not asked again, also where less is asked.
		for _, c := range []string{asked, `{"userinfo":{"email_verified":null}}`, "{}", `{"id_token":{"acr":null}}`} {
			f = shop.Begin("scope", "openid", "claims", c, "prompt", "none")
			granted(t, ada.Open(f.URL()), f)
		}
		// What protocols say needs nobody's word.
		other := h.Client("other", plain)
		f = other.Begin("scope", "openid")
		granted(t, f.By(ada), f)
		f = other.Begin("scope", "openid", "prompt", "none", "claims", `{"id_token":{"acr":{"essential":true},"auth_time":{"essential":true},"sub":null,"sid":null}}`)
		granted(t, ada.Open(f.URL()), f)

		for _, c := range []string{"{", "[]", `"x"`, "null", `{"userinfo":[]}`, `{"userinfo":{"name":7}}`, `{"userinfo":{"name":{"essential":"yes"}}}`, `{"userinfo":{"name":{"values":"x"}}}`,
			`{"userinfo":{"name":null,"name":null}}`, strings.Repeat(`{"userinfo":`, 50) + strings.Repeat("}", 50), `{"userinfo":{"` + strings.Repeat("x", 9000) + `":null}}`, `{"userinfo":{` + strings.Repeat(`"`, 3) + `}}`} {
			f = shop.Begin("claims", c)
			refused(t, ada.Open(f.URL()), f, "invalid_request")
		}

		// With the consent goes what it covered.
		ada.Submit("/settings/account/apps/"+shop.ID+"/revoke", url.Values{})
		if status, _ := shop.Userinfo(tokens.AccessToken); status != http.StatusUnauthorized {
			t.Errorf("after the consent was taken back: %d", status)
		}
	})
}

// A sub that is asked for has to sign in (OpenID Connect Core §5.5.1).
func TestAnswerIsAboutWhoWasAskedFor_OIDC_Core_5_5_1(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada, bob := h.User("ada"), h.User("bob")
		shop := h.Client("shop")
		about := func(p *apptest.Person) string {
			return `{"id_token":{"sub":{"value":"` + p.ID + `"}}}`
		}
		f := shop.Begin("claims", about(ada))
		granted(t, f.By(ada), f)
		f = shop.Begin("claims", about(bob), "prompt", "none")
		refused(t, ada.Open(f.URL()), f, "login_required")
		f = shop.Begin("claims", about(bob))
		page := ada.Open(f.URL())
		if page.URL.Path != "/login/select" {
			t.Errorf("ada, where bob is asked for: %s", page)
		}
		refused(t, f.From(ada, page), f, "login_required") // ada says that it is her
		f = shop.Begin("claims", about(ada), "prompt", "none")
		granted(t, ada.Open(f.URL()), f)
	})
}

// How somebody signed in is told as it is; what a client insists on happens or is refused.
func TestACR_OIDC_Core_5_5_1_1(t *testing.T) { // threats 38
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		shop := h.Client("shop")
		first := shop.Begin()
		granted(t, first.By(ada), first)
		acr := func(p *apptest.Person, want string, changes ...string) {
			t.Helper()
			f := shop.Begin(append([]string{"prompt", "none"}, changes...)...)
			if got := claims(t, f.Exchange(granted(t, p.Open(f.URL()), f)).IDToken)["acr"]; got != want {
				t.Errorf("%q: acr is %v, want %s", changes, got, want)
			}
		}
		essential := func(values string) string { return `{"id_token":{"acr":{"essential":true,"values":[` + values + `]}}}` }
		acr(ada, "phr")
		acr(ada, "phr", "acr_values", "phr 0")
		acr(ada, "phr", "acr_values", "1 2")
		acr(ada, "0", "acr_values", "0")
		acr(ada, "phr", "claims", essential(`"phrh","phr"`))
		acr(ada, "phr", "claims", essential(`"phr"`), "acr_values", "0")
		for _, prompt := range []string{"none", ""} {
			f := shop.Begin("claims", essential(`"phrh","gold"`), "prompt", prompt)
			refused(t, ada.Open(f.URL()), f, "unmet_authentication_requirements")
		}

		// Somebody who came by a code is no one who came by a passkey.
		coded := ada.Elsewhere()
		code := h.Link(ada)
		coded.Open("/lc/" + code)
		coded.Submit("/lc", url.Values{"code": {code}})
		acr(coded, "0")
		acr(coded, "0", "acr_values", "phr") // nobody may be asked, and nothing is pretended
		acr(coded, "0", "claims", essential(`"phr","0"`))
		f := shop.Begin("claims", essential(`"phr"`), "prompt", "none")
		refused(t, coded.Open(f.URL()), f, "login_required")
		for _, changes := range [][]string{{"claims", essential(`"phr"`)}, {"acr_values", "phr"}} {
			again := ada.Elsewhere()
			code := h.Link(ada)
			again.Open("/lc/" + code)
			again.Submit("/lc", url.Values{"code": {code}})
			f := shop.Begin(changes...)
			page := again.Open(f.URL())
			if page.URL.Path != "/login/again" {
				t.Fatalf("%q: %s", changes, page)
			}
			// A code can prove nothing, so the page leads to signing in with the passkey.
			page = again.Submit("/login/other", url.Values{"redirect": {page.URL.Query().Get("redirect")}})
			if got := claims(t, f.Exchange(granted(t, f.From(again, page), f)).IDToken)["acr"]; got != "phr" {
				t.Errorf("%q: acr is %v", changes, got)
			}
			time.Sleep(time.Minute)
		}

		// What a client has registered counts where a request says nothing.
		usual := h.Client("usual", func(e *oidc.ClientEdit) { e.DefaultACRValues = []string{"0"}; e.DefaultMaxAge = time.Minute })
		f = usual.Begin()
		page := f.By(ada)
		if got := claims(t, f.Exchange(granted(t, page, f)).IDToken); got["acr"] != "0" || got["auth_time"] == nil {
			t.Errorf("a client of its own acr hears %v", got)
		}
		time.Sleep(2 * time.Minute)
		f = usual.Begin()
		if page := ada.Open(f.URL()); page.URL.Path != "/login/again" {
			t.Errorf("default_max_age: %s", page)
		}
		f = usual.Begin("max_age", "3000", "acr_values", "phr")
		if got := claims(t, f.Exchange(granted(t, ada.Open(f.URL()), f)).IDToken); got["acr"] != "phr" {
			t.Errorf("the request counts before the client: %v", got)
		}
	})
}

// OAuth 2.0 Multiple Response Types §2.1: the fragment is a response mode as the others.
func TestAnswerInTheFragment(t *testing.T) { // threats 36
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		shop := h.Client("shop", func(e *oidc.ClientEdit) {
			e.RedirectURIs = []oidc.URI{{URI: "https://shop.example/callback?a=b"}}
		})
		answer := func(page *apptest.Page, f *apptest.Flow) url.Values {
			t.Helper()
			if page.Away == nil || page.Status != http.StatusSeeOther || !strings.HasPrefix(page.Away.String(), "https://shop.example/callback?a=b#") {
				t.Fatalf("the answer is %s", page)
			}
			got, err := url.ParseQuery(page.Away.EscapedFragment())
			if err != nil || got.Get("state") != f.State || got.Get("iss") != apptest.URL {
				t.Errorf("the fragment has %v", got)
			}
			return got
		}
		f := shop.Begin("response_mode", "fragment")
		if got := answer(f.By(ada), f); got.Get("code") == "" {
			t.Errorf("got %v", got)
		} else {
			f.Exchange(got.Get("code"))
		}
		f = shop.Begin("response_mode", "fragment", "prompt", "none", "max_age", "0")
		if got := answer(ada.Open(f.URL()), f); got.Get("error") != "login_required" || got.Has("code") {
			t.Errorf("got %v", got)
		}
	})
}

// RFC 6749 §4.1.2.1, RFC 7591 §2: a client that may not use the flow is told so.
func TestClientWithoutTheFlow_RFC6749_4_1_2_1(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		machine := h.Client("machine", func(e *oidc.ClientEdit) { e.GrantTypes = []string{"client_credentials"} })
		for _, mode := range modes {
			f := machine.Begin("response_mode", mode)
			refused(t, ada.Open(f.URL()), f, "unauthorized_client")
		}
		web := h.Client("web", func(e *oidc.ClientEdit) { e.GrantTypes = []string{"authorization_code"} })
		f := web.Begin()
		granted(t, f.By(ada), f)
	})
}
