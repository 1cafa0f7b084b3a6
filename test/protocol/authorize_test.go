package protocol

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pocketid/internal/apptest"
	"pocketid/internal/oidc"
)

// oidcc-server, oidcc-formpost: the whole flow for openid alone, and what all
// modules of the conformance suite look at.
func TestPlainCodeFlow_OIDC_Core_3_1(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		shop := h.Client("shop", plain)
		seen := map[string]bool{}
		for _, mode := range modes {
			f := shop.Begin(append(withoutPKCE, "scope", "openid", "state", long, "response_mode", mode)...)
			code := granted(t, f.By(ada), f)
			if !regexp.MustCompile(`^[A-Za-z0-9_-]{43,}$`).MatchString(code) || seen[code] {
				t.Errorf("the code %q has not 256 bits of its own", code)
			}
			seen[code] = true
			a := h.Program().Post("/api/oidc/token", f.Form(code), basic(shop)...)
			answer := a.JSON()
			if a.Status != http.StatusOK || answer["token_type"] != "Bearer" || answer["expires_in"] != 3600.0 || answer["scope"] != "openid" {
				t.Fatalf("the token endpoint answers %d %s", a.Status, a.Body)
			}
			if !strings.Contains(a.Header.Get("Cache-Control"), "no-store") || a.Header.Get("Pragma") != "no-cache" {
				t.Errorf("tokens may be kept: %v", a.Header)
			}
			token, id := answer["access_token"].(string), claims(t, answer["id_token"].(string))
			now := float64(time.Now().Unix())
			if id["iss"] != apptest.URL || id["sub"] != ada.ID || id["aud"] != shop.ID || id["nonce"] != f.Nonce || id["iat"] != now || id["exp"] != now+3600 || id["sid"] == "" || id["at_hash"] == "" {
				t.Errorf("the ID token says %v", id)
			}
			for name := range id {
				if !slices.Contains(strings.Fields("iss sub aud exp iat auth_time nonce acr amr azp at_hash jti sid"), name) {
					t.Errorf("the ID token says %s, which nobody asked for", name)
				}
			}
			if acr, ok := id["acr"].(string); !ok || acr == "" {
				t.Errorf("acr is %v", id["acr"])
			}
			head := header(t, answer["id_token"].(string))
			if head["alg"] != "RS256" || head["kid"] == "" || head["jku"] != nil || head["jwk"] != nil || head["x5u"] != nil {
				t.Errorf("the header is %v", head)
			}
			if status, info := shop.Userinfo(token); status != http.StatusOK || info["sub"] != id["sub"] || len(info) != 1 {
				t.Errorf("userinfo: %d %v", status, info)
			}
		}
	})
}

// oidcc-alternate-happy-flow, oidcc-display-page, oidcc-display-popup,
// oidcc-ensure-request-with-unknown-parameter-succeeds, oidcc-login-hint,
// oidcc-ui-locales, oidcc-claims-locales, oidcc-claims-essential,
// oidcc-ensure-request-with-acr-values-succeeds,
// oidcc-ensure-request-without-nonce-succeeds-for-code-flow,
// oidcc-ensure-request-with-valid-pkce-succeeds, in both response modes.
func TestParametersThatNeverFailARequest_OIDC_Core_3_1_2_1(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		shop := h.Client("shop", plain)
		first := shop.Begin()
		granted(t, first.By(ada), first)
		for _, changes := range [][]string{
			{"scope", "groups email profile openid"},
			{"display", "page"}, {"display", "popup"}, {"display", "no such display"},
			{"extra", "foobar"},
			{"login_hint", "buffy@id.example.test"}, {"login_hint", `"><svg onload=alert(1)>`}, {"login_hint", strings.Repeat("x", 5000)},
			{"ui_locales", "se"}, {"ui_locales", "xx-invalid-!! "}, {"claims_locales", "se"},
			{"acr_values", "1 2"}, {"acr_values", "phr 0"},
			{"claims", `{"userinfo":{"name":{"essential":true}}}`},
			{"nonce", ""}, {"nonce", strings.Repeat("n", 384)}, {"nonce", "ä \"\\ 日本"},
			{"state", ""}, {"state", long + long + long + long + long + long + long + long},
			{"scope", "openid no-such-scope"},
			{"prompt", ""}, {"max_age", "15000"},
			withoutPKCE, append([]string{"nonce", ""}, withoutPKCE...),
		} {
			for _, mode := range modes {
				f := shop.Begin(append([]string{"response_mode", mode}, changes...)...)
				// Without a session the pages have to bear it, with one the endpoint.
				if changes[0] != "max_age" {
					if page := h.Browser().Open(f.URL()); page.URL.Path != "/login" || page.Status != http.StatusOK || strings.Contains(page.Body, "<svg onload") {
						t.Errorf("%q: before signing in: %s", changes, page)
					}
				}
				tokens := f.Exchange(granted(t, ada.Open(f.URL()), f))
				if id := claims(t, tokens.IDToken); f.Query.Get("nonce") == "" && id["nonce"] != nil || f.Query.Has("nonce") && id["nonce"] != f.Query.Get("nonce") {
					t.Errorf("%q: the nonce is %v", changes, id["nonce"])
				} else if id["name"] != nil || id["email"] != nil {
					t.Errorf("%q: the ID token says %v", changes, id)
				}
			}
		}
		time.Sleep(time.Minute) // a crowd of requests came from one address
	})
}

// oidcc-response-type-missing and the other faults that go to the application.
func TestFaultsThatTheApplicationHears_RFC6749_4_1_2_1(t *testing.T) { // threats 11, 18, 36
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		shop, public, strict := h.Client("shop"), h.Client("phone", apptest.Public), h.Client("strict", func(e *oidc.ClientEdit) { e.PKCERequired = true })
		first := shop.Begin()
		granted(t, first.By(ada), first)
		for _, test := range []struct {
			client  *apptest.Client
			changes []string
			want    string
		}{
			{shop, []string{"response_type", ""}, "invalid_request"},
			{shop, []string{"response_type", "token"}, "unsupported_response_type"},
			{shop, []string{"response_type", "id_token"}, "unsupported_response_type"},
			{shop, []string{"response_type", "code id_token"}, "unsupported_response_type"},
			{shop, []string{"request", "eyJhbGciOiJub25lIn0.e30."}, "invalid_request_object"},
			{shop, []string{"request_uri", "https://shop.example/request.jwt"}, "request_uri_not_supported"},
			{shop, []string{"request", "x", "request_uri", "https://shop.example/r"}, "invalid_request"},
			{shop, []string{"registration", "{}"}, "registration_not_supported"},
			{shop, []string{"prompt", "none login"}, "invalid_request"},
			{shop, []string{"prompt", "create"}, "invalid_request"},
			{shop, []string{"max_age", "-1"}, "invalid_request"},
			{shop, []string{"max_age", "soon"}, "invalid_request"},
			{shop, []string{"code_challenge_method", "plain"}, "invalid_request"},
			{shop, []string{"code_challenge_method", ""}, "invalid_request"},
			{shop, []string{"code_challenge_method", "S512"}, "invalid_request"},
			{shop, []string{"code_challenge", "short"}, "invalid_request"},
			{shop, []string{"code_challenge", ""}, "invalid_request"},
			{public, withoutPKCE, "invalid_request"},
			{strict, withoutPKCE, "invalid_request"},
			{shop, []string{"scope", strings.Repeat("x", 3000)}, "invalid_scope"},
			{shop, []string{"prompt", "none", "id_token_hint", "x.y.z"}, "login_required"},
			{shop, []string{"prompt", "none", "max_age", "0"}, "login_required"},
			{public, []string{"prompt", "none"}, "consent_required"},
		} {
			for _, mode := range modes {
				f := test.client.Begin(append([]string{"response_mode", mode}, test.changes...)...)
				refused(t, ada.Open(f.URL()), f, test.want)
			}
		}
		// A parameter twice is refused wherever that is safe to say.
		f := shop.Begin()
		for _, name := range []string{"scope", "nonce", "response_type", "prompt", "code_challenge", "extra"} {
			page := ada.Open(f.URL() + "&" + url.Values{name: {"a", "b"}}.Encode())
			refused(t, page, f, "invalid_request")
		}
		page := ada.Open(f.URL() + "&state=another")
		if page.Away == nil || page.Answer().Get("error") != "invalid_request" || page.Answer().Has("state") {
			t.Errorf("two states: %s", page)
		}
		for _, name := range []string{"client_id", "redirect_uri"} {
			told(t, ada.Open(f.URL()+"&"+name+"="+url.QueryEscape(f.Query.Get(name))), http.StatusBadRequest)
		}
		told(t, ada.Open(shop.Begin("scope", "openid", "redirect_uri", "").URL()), http.StatusBadRequest)
	})
}

// oidcc-ensure-registered-redirect-uri,
// oidcc-ensure-request-object-with-redirect-uri: whoever is not known to be the
// application is sent nowhere, with or without prompt=none, by GET and by POST.
func TestNobodyIsSentToAnAddressThatIsNotRegistered_OIDC_Core_3_1_2_1(t *testing.T) { // threats 23, 24, 25, 26, 27
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		shop := h.Client("shop", func(e *oidc.ClientEdit) {
			e.RedirectURIs = []oidc.URI{{URI: "https://shop.example/callback"}, {URI: "https://shop.example/with?a=b"}}
			e.SkipConsent = true
		})
		native := h.Client("native", apptest.Public, func(e *oidc.ClientEdit) {
			e.RedirectURIs = []oidc.URI{{URI: "http://127.0.0.1/callback"}, {URI: "com.example.app:/callback"}}
		})
		pattern := h.Client("preview", func(e *oidc.ClientEdit) {
			e.RedirectURIs = []oidc.URI{{URI: "https://*.preview.example/callback", Pattern: true}}
			e.SkipConsent = true
		})
		ada.SignIn()
		try := func(c *apptest.Client, uris ...string) {
			for _, uri := range uris {
				for _, more := range [][]string{nil, {"prompt", "none"}, {"request", "eyJhbGciOiJub25lIn0.e30."}, {"response_mode", "form_post", "response_type", "token"}} {
					f := c.Begin(append([]string{"redirect_uri", uri}, more...)...)
					page := ada.Open(f.URL())
					told(t, page, http.StatusBadRequest)
					if strings.Contains(page.Body, "<svg onload") || page.Away != nil {
						t.Errorf("%q: %s", uri, page)
					}
				}
				told(t, ada.Post("/authorize", c.Begin("redirect_uri", uri).Query), http.StatusBadRequest)
				time.Sleep(time.Second)
			}
		}
		try(shop,
			"https://shop.example/callback/x7Hq2", "https://shop.example/callback?x=1", "https://shop.example/callback#x", "https://shop.example/Callback",
			"https://shop.example/callback/", "https://shop.example/", "http://shop.example/callback", "https://shop.example:443/callback", "https://SHOP.example/callback",
			"https://shop.example.evil.example/callback", "https://shop.example@evil.example/callback", "https://evil.example/https://shop.example/callback",
			"https://shop.example%2F@evil.example/callback", "https://shop.example%252f.evil.example/callback", `https://shop.example\@evil.example/callback`, `https:\\shop.example/callback`,
			"https://shop.example/../callback", "https://shop.example/x/..;/callback", "https://shop.example/%2e%2e/callback", "https://shop.example/callback%00", "https://shop.example/callback\n",
			"https://shop.example/\tcallback", "https://shop.example./callback", "https:///shop.example/callback", "https:/shop.example/callback", "//shop.example/callback", "/callback", "callback",
			"https://shоp.example/callback", "https://shop.example/with", "https://shop.example/with?a=c", "https://shop.example/with?a=b&c=d", "https://shop.example/with?a=b%26",
			"javascript:alert(1)", "data:text/html,x", "http://127.0.0.1/callback", `https://shop.example/callback"><svg onload=alert(1)>`, "https://*.preview.example/callback", strings.Repeat("https://shop.example/", 500),
		)
		try(native, "http://127.0.0.1/Callback", "http://127.0.0.1/callback/", "http://localhost/callback", "http://127.0.0.1.evil.example/callback", "http://127.1/callback", "http://2130706433/callback",
			"https://127.0.0.1/callback", "http://127.0.0.1:80@evil.example/callback", "com.example.app:/other", "com.example.app2:/callback", "com.example.app://evil.example/callback")
		try(pattern, "https://preview.example/callback", "https://a.b.preview.example/callback", "https://evil.example/.preview.example/callback", "https://x.preview.example.evil.example/callback",
			"https://x@.preview.example/callback", "https://evil.example#.preview.example/callback", "https://evil.example?.preview.example/callback", "https://*.preview.example/callback", "https://.preview.example/callback", "https://xpreview.example/callback")
		for _, id := range []string{"", "nobody", shop.ID + " ", strings.ToUpper(shop.ID) + "x", "' OR 1=1 --", strings.Repeat("x", 5000), `"><svg onload=alert(1)>`, "%00"} {
			page := ada.Open(shop.Begin("client_id", id).URL())
			told(t, page, http.StatusBadRequest)
			if strings.Contains(page.Body, "<svg onload") {
				t.Errorf("client_id %q is markup", id)
			}
		}
		// And what is registered works: exact with its query, any port of a loopback
		// address, one label for a star.
		for uri, c := range map[string]*apptest.Client{"https://shop.example/with?a=b": shop, "http://127.0.0.1:51234/callback": native, "com.example.app:/callback": native, "https://pr-7.preview.example/callback": pattern} {
			f := c.Begin("redirect_uri", uri)
			page := f.By(ada)
			if page.Away == nil || !strings.HasPrefix(page.Away.String(), uri) || page.Answer().Get("code") == "" {
				t.Errorf("%s: %s", uri, page)
			} else if strings.Contains(uri, "?a=b") && !strings.HasPrefix(page.Away.String(), uri+"&") {
				t.Errorf("the query is lost: %s", page)
			}
		}
	})
}

// oidcc-prompt-login, oidcc-max-age-1, oidcc-max-age-10000,
// oidcc-prompt-none-logged-in, oidcc-prompt-none-not-logged-in,
// oidcc-id-token-hint.
func TestWhenThePersonHasToProveItAgain_OIDC_Core_3_1_2_1(t *testing.T) { // threats 38
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada, bob := h.User("ada"), h.User("bob")
		shop := h.Client("shop", plain)
		for _, mode := range modes {
			f := shop.Begin("prompt", "none", "state", long, "response_mode", mode)
			refused(t, h.Browser().Open(f.URL()), f, "login_required")
		}
		exchange := func(page *apptest.Page, f *apptest.Flow) map[string]any {
			t.Helper()
			return claims(t, f.Exchange(granted(t, page, f)).IDToken)
		}
		f := shop.Begin()
		first := exchange(f.By(ada), f)
		time.Sleep(3 * time.Second)

		for _, mode := range modes { // nobody is asked, and nothing is pretended to be new
			for _, changes := range [][]string{{"prompt", "none"}, {"max_age", "15000"}, {"max_age", "10000"}, {"prompt", "none", "max_age", "10000"}} {
				f := shop.Begin(append([]string{"response_mode", mode}, changes...)...)
				id := exchange(ada.Open(f.URL()), f)
				if id["sub"] != first["sub"] || id["auth_time"] != first["auth_time"] || id["auth_time"] == nil {
					t.Errorf("%q: %v, want the sign-in of %v", changes, id, first)
				}
			}
		}
		last := first["auth_time"].(float64)
		for _, changes := range [][]string{{"prompt", "login"}, {"max_age", "1"}, {"max_age", "0"}} {
			for _, mode := range modes {
				time.Sleep(3 * time.Second)
				f := shop.Begin(append([]string{"response_mode", mode}, changes...)...)
				page := ada.Open(f.URL())
				if page.URL.Path != "/login/again" || page.Status != http.StatusOK {
					t.Fatalf("%q: the person is not asked again: %s", changes, page)
				}
				// Going on without proof leads back to the question.
				if back := ada.Open(page.URL.Query().Get("redirect")); back.URL.Path != "/login/again" {
					t.Errorf("%q: it is passed by: %s", changes, back)
				}
				id := exchange(f.From(ada, page), f)
				if at, _ := id["auth_time"].(float64); at <= last || id["sub"] != first["sub"] {
					t.Errorf("%q: auth_time is %v after %v", changes, id["auth_time"], last)
				} else {
					last = at
				}
				time.Sleep(time.Minute) // step-ups are limited
			}
		}

		// A hint that has expired names the person all the same, and nobody else.
		f = shop.Begin()
		token := f.Exchange(granted(t, ada.Open(f.URL()), f)).IDToken
		time.Sleep(2 * time.Hour)
		ada.SignIn()
		f = shop.Begin("prompt", "none", "id_token_hint", token)
		if id := exchange(ada.Open(f.URL()), f); id["sub"] != ada.ID {
			t.Errorf("the hint gives %v", id)
		}
		f = shop.Begin()
		granted(t, f.By(bob), f)
		f = shop.Begin("prompt", "none", "id_token_hint", token)
		refused(t, bob.Open(f.URL()), f, "login_required")
		f = shop.Begin("prompt", "none", "id_token_hint", token)
		refused(t, h.Browser().Open(f.URL()), f, "login_required")
		f = shop.Begin("id_token_hint", token)
		if page := bob.Open(f.URL()); page.URL.Path != "/login/select" {
			t.Errorf("a hint of somebody else leads to %s", page)
		}
	})
}

// oidcc-ensure-post-request-succeeds: the form comes from another site, so without
// cookies, and must neither lose nor replace the session.
func TestRequestMayBePosted_OIDC_Core_3_1_2_1(t *testing.T) { // threats 30, 32
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		shop := h.Client("shop")
		for _, mode := range modes {
			f := shop.Begin("response_mode", mode)
			page := ada.Post("/authorize", f.Query)
			if mode == modes[0] && page.URL.Path != "/login" {
				t.Fatalf("before signing in: %s", page)
			}
			granted(t, f.From(ada, page), f)
			session, browser := ada.Cookie("session"), ada.Cookie("browser")
			f = shop.Begin("response_mode", mode)
			raw := ada.Raw("POST", "/authorize", f.Query, "cross-site")
			if raw.Status != http.StatusSeeOther || len(raw.Header.Values("Set-Cookie")) != 0 || !strings.HasPrefix(raw.Header.Get("Location"), "/authorize/next?id=") {
				t.Errorf("the POST is answered %d to %q with the cookies %q", raw.Status, raw.Header.Get("Location"), raw.Header.Values("Set-Cookie"))
			}
			granted(t, ada.Open(raw.Header.Get("Location")), f)
			f = shop.Begin("response_mode", mode, "prompt", "none")
			granted(t, ada.Post("/authorize", f.Query), f)
			if ada.Cookie("session") != session || ada.Cookie("browser") != browser {
				t.Error("the POST replaced a cookie")
			}
		}
		f := shop.Begin("response_type", "token")
		refused(t, ada.Post("/authorize", f.Query), f, "unsupported_response_type")
		// Parameters belong into the body then, and into nothing but a form.
		told(t, ada.Post(f.URL(), url.Values{}), http.StatusBadRequest)
		if a := h.Program().Ask("POST", "/authorize", `{"client_id":"x"}`, "Content-Type", "application/json"); a.Status != http.StatusBadRequest {
			t.Errorf("JSON: %d", a.Status)
		}
	})
}

func TestPersonDeclines_RFC6749_4_1_2_1(t *testing.T) { // threats 36
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		shop := h.Client("shop")
		decline := func(b *apptest.Browser, page *apptest.Page) *apptest.Page {
			id := page.URL.Query().Get("id")
			if redirect, err := url.Parse(page.URL.Query().Get("redirect")); err == nil && id == "" {
				id = redirect.Query().Get("id")
			}
			if !strings.Contains(page.Body, `name="decision" value="cancel"`) || !strings.Contains(page.Body, id) {
				t.Errorf("there is nothing to decline with on %s", page)
			}
			if policy := page.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "form-action 'self' https://shop.example;") {
				t.Errorf("%s: the browser would stop the form: %s", page.URL.Path, policy)
			}
			return b.Submit("/consent", form("id", id, "decision", "cancel"))
		}
		for _, mode := range modes {
			stranger := h.Browser()
			f := shop.Begin("response_mode", mode)
			refused(t, decline(stranger, stranger.Open(f.URL())), f, "access_denied")
		}
		ada.SignIn()
		for _, mode := range modes {
			for _, prompt := range []string{"consent", "login", "select_account"} {
				f := shop.Begin("response_mode", mode, "prompt", prompt)
				refused(t, decline(ada.Browser, ada.Open(f.URL())), f, "access_denied")
			}
		}
		// Nothing was remembered, and the next request asks again.
		f := shop.Begin("prompt", "none")
		refused(t, ada.Open(f.URL()), f, "consent_required")
	})
}

// OpenID Connect Core §11, §3.1.2.4; RFC 6749 §3.3.
func TestScopesAndConsent(t *testing.T) { // threats 13, 22
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		shop := h.Client("shop", func(e *oidc.ClientEdit) { e.RefreshIssue = oidc.RefreshOfflineAccess })
		f := shop.Begin("scope", "openid email")
		if got := f.Exchange(granted(t, f.By(ada), f)); got.Scope != "openid email" || got.RefreshToken != "" {
			t.Errorf("got %+v", got)
		}
		for scope, want := range map[string]string{"openid email": "openid email", "openid": "openid", "email openid unknown": "openid email"} {
			f := shop.Begin("scope", scope, "prompt", "none")
			if got := f.Exchange(granted(t, ada.Open(f.URL()), f)); got.Scope != want {
				t.Errorf("%q gives %q", scope, got.Scope)
			}
		}
		f = shop.Begin("scope", "openid email groups", "prompt", "none")
		refused(t, ada.Open(f.URL()), f, "consent_required")
		f = shop.Begin("scope", "openid offline_access")
		if page := ada.Open(f.URL()); page.URL.Path != "/consent" {
			t.Errorf("wider than before: %s", page)
		} else if got := f.Exchange(granted(t, f.From(ada, page), f)); got.RefreshToken == "" {
			t.Error("offline_access gives no refresh token")
		}
		f = shop.Begin("scope", "openid", "prompt", "consent")
		if page := ada.Open(f.URL()); page.URL.Path != "/consent" {
			t.Errorf("prompt=consent asks nothing: %s", page)
		}
		// Without openid it is plain OAuth, with no scope as well.
		for _, scope := range []string{"email", ""} {
			f := shop.Begin("scope", scope)
			if got := f.Redeem(granted(t, f.By(ada), f)); got.Status != http.StatusOK || got.IDToken != "" || got.Scope != scope {
				t.Errorf("%q gives %+v", scope, got)
			}
		}
		phone := h.Client("phone", apptest.Public, func(e *oidc.ClientEdit) {
			e.RedirectURIs = []oidc.URI{{URI: "http://127.0.0.1/cb"}}
			e.SkipConsent = true
		})
		for range 2 { // any program on the device could call itself that
			f := phone.Begin()
			if page := ada.Open(f.URL()); page.URL.Path != "/consent" {
				t.Errorf("a loopback client is not asked about: %s", page)
			} else {
				granted(t, f.From(ada, page), f)
			}
		}
	})
}

// A client for members of a group refuses others, at the end of the flow and under
// prompt=none too.
func TestClientOfAGroupRefusesOthers_RFC6749_4_1_2_1(t *testing.T) { // threats 3
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		closed := h.Client("closed", func(e *oidc.ClientEdit) { e.GroupRestricted = true; e.SkipConsent = true })
		for _, prompt := range []string{"", "none", "consent"} {
			f := closed.Begin("prompt", prompt)
			if prompt == "none" {
				ada.SignIn()
				refused(t, ada.Open(f.URL()), f, "access_denied")
				continue
			}
			refused(t, f.By(ada), f, "access_denied")
		}
	})
}

// An administrator who meets the page of an address that is not registered is led to where
// addresses are registered. Nobody else is.
func TestPageOfAnUnregisteredAddressLeadsAdministratorsOn(t *testing.T) {
	apptest.SQLite(t, func(t *testing.T, h *apptest.House) {
		admin := h.SetUp()
		ada := h.User("ada")
		ada.SignIn()
		shop := h.Client("shop")
		way := `href="/settings/admin/oidc-clients/` + shop.ID + `#uris"`
		for _, uri := range []string{"https://shop.example/other", ""} {
			f := shop.Begin("redirect_uri", uri)
			for name, p := range map[string]*apptest.Browser{"somebody": ada.Browser, "nobody": h.Browser()} {
				if page := p.Open(f.URL()); page.Status != http.StatusBadRequest || strings.Contains(page.Body, "/settings/admin") {
					t.Errorf("%s with %q: %s", name, uri, page)
				}
			}
			if page := admin.Open(f.URL()); !strings.Contains(page.Body, way) {
				t.Errorf("an administrator with %q: %s", uri, page)
			}
		}
		if page := admin.Open(shop.Begin("client_id", "nobody").URL()); strings.Contains(page.Body, "/settings/admin/oidc-clients/nobody") {
			t.Errorf("a client that is not there: %s", page)
		}
	})
}
