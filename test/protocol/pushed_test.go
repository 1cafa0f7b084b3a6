package protocol

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pocketid/internal/apptest"
	"pocketid/internal/dbtest"
	"pocketid/internal/jose"
	"pocketid/internal/oidc"
)

const pushPath = "/api/oidc/par"

// push pushes the request of a flow for its client.
func push(h *apptest.House, c *apptest.Client, f *apptest.Flow) *apptest.Answer {
	form := url.Values{}
	for name, values := range f.Query {
		form[name] = values
	}
	if c.Secret == "" {
		return h.Program().Post(pushPath, form)
	}
	return h.Program().Post(pushPath, form, basic(c)...)
}

// pushed is the address that brings a request which was pushed.
func pushed(t *testing.T, h *apptest.House, c *apptest.Client, f *apptest.Flow) string {
	t.Helper()
	a := push(h, c, f)
	said := a.JSON()
	uri, _ := said["request_uri"].(string)
	if a.Status != http.StatusCreated || !strings.HasPrefix(uri, "urn:ietf:params:oauth:request_uri:") {
		t.Fatalf("the push is answered %d %s", a.Status, a.Body)
	}
	unguessable(t, "request_uri", strings.TrimPrefix(uri, "urn:ietf:params:oauth:request_uri:"))
	if n, _ := said["expires_in"].(float64); n < 60 || n > 90 {
		t.Errorf("expires_in is %v", said["expires_in"])
	}
	if !strings.Contains(a.Header.Get("Cache-Control"), "no-store") {
		t.Errorf("it may be kept: %v", a.Header)
	}
	return "/authorize?" + url.Values{"client_id": {c.ID}, "request_uri": {uri}}.Encode()
}

func TestPushedRequest_RFC9126_2(t *testing.T) { // threats 11, 18, 27
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		shop, phone := h.Client("shop"), h.Client("phone", apptest.Public)
		strict := h.Client("strict", func(e *oidc.ClientEdit) { e.PARRequired = true })

		// It works for all, and the browser brings no more than its name. What stands beside
		// that counts for nothing.
		for _, c := range []*apptest.Client{shop, phone, strict} {
			for _, mode := range modes {
				f := c.Begin("response_mode", mode)
				link := pushed(t, h, c, f) + "&" + url.Values{"state": {"another"}, "nonce": {"another"}, "scope": {"openid"}, "redirect_uri": {"https://evil.example/"}, "response_mode": {"query"}, "prompt": {"none"}}.Encode()
				f.Exchange(granted(t, f.From(ada, ada.Open(link)), f))
			}
		}
		// By POST as well, and another browser may look at it before.
		f := shop.Begin()
		link := pushed(t, h, shop, f)
		if page := h.Browser().Open(link); page.URL.Path != "/login" {
			t.Errorf("somebody else's browser: %s", page)
		}
		u, err := url.Parse(link)
		if err != nil {
			t.Fatal(err)
		}
		granted(t, f.From(ada, ada.Post("/authorize", u.Query())), f)
		// Once it was answered it is used up, also by an error.
		told(t, ada.Open(link), http.StatusConflict)
		f = shop.Begin("prompt", "none", "max_age", "0")
		link = pushed(t, h, shop, f)
		refused(t, ada.Open(link), f, "login_required")
		told(t, ada.Open(link), http.StatusConflict)

		// It is for its client, for a minute and a half, and nobody guesses it.
		f = shop.Begin()
		link = pushed(t, h, shop, f)
		told(t, ada.Open(strings.Replace(link, shop.ID, phone.ID, 1)), http.StatusBadRequest)
		told(t, ada.Open(link+"x"), http.StatusBadRequest)
		told(t, ada.Open("/authorize?client_id="+shop.ID+"&request_uri=urn:ietf:params:oauth:request_uri:"), http.StatusBadRequest)
		told(t, ada.Open(link+"&client_id="+shop.ID), http.StatusBadRequest)
		time.Sleep(89 * time.Second)
		page := ada.Elsewhere().Open(link)
		if page.URL.Path != "/login" {
			t.Errorf("after 89 seconds: %s", page)
		}
		time.Sleep(2 * time.Second)
		told(t, ada.Open(link), http.StatusBadRequest)

		// A request that is pushed too late still goes on where it was opened in time.
		f = strict.Begin("prompt", "login")
		link = pushed(t, h, strict, f)
		page = ada.Open(link)
		time.Sleep(10 * time.Minute)
		granted(t, f.From(ada, page), f)

		// What must be pushed is refused elsewhere.
		f = strict.Begin()
		refused(t, ada.Open(f.URL()), f, "invalid_request")
		refused(t, ada.Post("/authorize", f.Query), f, "invalid_request")
	})
}

// All that the authorization endpoint refuses is refused here, to the client alone.
func TestPushIsRefused_RFC9126_2_3(t *testing.T) { // threats 11, 18, 20, 23, 27
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		shop, other := h.Client("shop", func(e *oidc.ClientEdit) { e.PKCERequired = true }), h.Client("other")
		phone := h.Client("phone", apptest.Public)
		machine := h.Client("machine", func(e *oidc.ClientEdit) { e.GrantTypes = []string{"client_credentials"} })
		for _, test := range []struct {
			name    string
			client  *apptest.Client
			changes []string
			want    string
		}{
			{"request_uri", shop, []string{"request_uri", "urn:ietf:params:oauth:request_uri:x"}, "invalid_request"},
			{"a request_uri of https", shop, []string{"request_uri", "https://shop.example/r"}, "invalid_request"},
			{"no response_type", shop, []string{"response_type", ""}, "invalid_request"},
			{"response_type token", shop, []string{"response_type", "token"}, "unsupported_response_type"},
			{"response_type code id_token", shop, []string{"response_type", "code id_token"}, "unsupported_response_type"},
			{"an unregistered address", shop, []string{"redirect_uri", "https://evil.example/"}, "invalid_request"},
			{"no address", shop, []string{"redirect_uri", ""}, "invalid_request"},
			{"no PKCE", shop, withoutPKCE, "invalid_request"},
			{"no PKCE of a public client", phone, withoutPKCE, "invalid_request"},
			{"PKCE plain", shop, []string{"code_challenge_method", "plain"}, "invalid_request"},
			{"an unknown prompt", shop, []string{"prompt", "create"}, "invalid_request"},
			{"a bad max_age", shop, []string{"max_age", "-1"}, "invalid_request"},
			{"claims that are no JSON", shop, []string{"claims", "{"}, "invalid_request"},
			{"a scope that is too long", shop, []string{"scope", strings.Repeat("x", 3000)}, "invalid_scope"},
			{"a request object of nobody", shop, []string{"request", unsigned}, "invalid_request_object"},
			{"an acr that there is not", shop, []string{"claims", `{"id_token":{"acr":{"essential":true,"values":["gold"]}}}`}, "unmet_authentication_requirements"},
			{"a client without the flow", machine, nil, "unauthorized_client"},
		} {
			a := push(h, test.client, test.client.Begin(test.changes...))
			if (a.Status != http.StatusBadRequest && a.Status != http.StatusForbidden) || a.Error() != test.want || a.Header.Get("Location") != "" {
				t.Errorf("%s: %d %s, want %s", test.name, a.Status, a.Body, test.want)
			}
		}
		f := shop.Begin()
		repeated := f.Query.Encode() + "&scope=openid"
		a := h.Program().Ask("POST", pushPath, repeated, append(basic(shop), "Content-Type", "application/x-www-form-urlencoded")...)
		jsonError(t, "a parameter twice", a, http.StatusBadRequest, "invalid_request")

		// The client authenticates as at the token endpoint.
		jsonError(t, "no secret", h.Program().Post(pushPath, f.Query), http.StatusUnauthorized, "invalid_client")
		jsonError(t, "another's secret", h.Program().Post(pushPath, f.Query, basic(other)...), http.StatusUnauthorized, "invalid_client")
		wrong := *shop
		wrong.Secret = "guessed"
		jsonError(t, "a wrong secret", h.Program().Post(pushPath, f.Query, basic(&wrong)...), http.StatusUnauthorized, "invalid_client")

		for _, method := range []string{"GET", "PUT", "DELETE", "PATCH"} {
			a := h.Program().Ask(method, pushPath, "")
			if a.Status != http.StatusMethodNotAllowed || !strings.Contains(a.Header.Get("Allow"), "POST") {
				t.Errorf("%s: %d, Allow %q", method, a.Status, a.Header.Get("Allow"))
			}
		}
		if a := h.Program().Ask("POST", pushPath, "{}", append(basic(shop), "Content-Type", "application/json")...); a.Status != http.StatusBadRequest || a.Error() != "invalid_request" {
			t.Errorf("JSON: %d %s", a.Status, a.Body)
		}
		big := h.Client("big")
		if a := push(h, big, big.Begin("extra", strings.Repeat("x", 100_000))); a.Status != http.StatusRequestEntityTooLarge {
			t.Errorf("too much: %d %.100s", a.Status, a.Body)
		}
	})
}

// many runs fn n times at once.
func many(n int, fn func(i int) string) map[string]int {
	var all sync.WaitGroup
	answers := make([]string, n)
	for i := range n {
		all.Go(func() { answers[i] = fn(i) })
	}
	all.Wait()
	counts := map[string]int{}
	for _, a := range answers {
		counts[a]++
	}
	return counts
}

// race lets a hundred come at once with what works once, at one house or at two that
// share a database.
func race(t *testing.T, one, two *apptest.House) {
	t.Helper()
	one.SetUp()
	ada, shop, phone := one.User("ada"), one.Client("shop"), one.Client("phone", apptest.Public)
	shop.Authorize(ada)
	houses := []*apptest.House{one, two}

	// A hundred tabs have opened one pushed request, and all of them go on.
	f := shop.Begin()
	link := pushed(t, one, shop, f)
	got := many(100, func(i int) string {
		page := ada.At(houses[i%2]).Open(link)
		switch {
		case page.Away != nil && page.Answer().Get("code") != "":
			return "code"
		case page.Away != nil:
			return page.Answer().Get("error")
		}
		return http.StatusText(page.Status)
	})
	if got["code"] != 1 || got["Conflict"] != 99 {
		t.Errorf("a pushed request was answered %v", got)
	}
	// The same with requests that are stored and wait.
	f = shop.Begin("prompt", "select_account")
	link = pushed(t, one, shop, f)
	var nexts []string
	for range 20 {
		page := ada.Open(link)
		redirect, err := url.Parse(page.URL.Query().Get("redirect"))
		if err != nil || page.URL.Path != "/login/select" {
			t.Fatalf("nobody is asked: %s", page)
		}
		raw := ada.Raw("POST", "/login/select", url.Values{"id": {redirect.Query().Get("id")}}, "same-origin")
		nexts = append(nexts, raw.Header.Get("Location"))
	}
	got = many(100, func(i int) string {
		page := ada.At(houses[i%2]).Open(nexts[i%len(nexts)])
		if page.Away != nil {
			return "answer"
		}
		return http.StatusText(page.Status)
	})
	if got["answer"] != 1 || got["Conflict"] != 99 {
		t.Errorf("a pushed request that was opened in twenty tabs was answered %v", got)
	}

	tokens := func(ask func(i int) apptest.Tokens) {
		t.Helper()
		var mu sync.Mutex
		var won apptest.Tokens
		got := many(100, func(i int) string {
			a := ask(i)
			if a.Status == http.StatusOK {
				mu.Lock()
				won = a
				mu.Unlock()
				return "tokens"
			}
			return a.Error
		})
		if got["tokens"] != 1 || got["invalid_grant"] != 99 {
			t.Errorf("a hundred got %v", got)
		}
		// The others have shown that it leaked: the family is dead, the winner's tokens too.
		if status, _ := phone.Userinfo(won.AccessToken); status != http.StatusUnauthorized {
			t.Errorf("the winner's access token: %d", status)
		}
		if a := phone.Refresh(won.RefreshToken); a.Error != "invalid_grant" {
			t.Errorf("the winner's refresh token: %+v", a)
		}
	}
	f, code := phone.Authorize(ada)
	tokens(func(i int) apptest.Tokens { return f.At(houses[i%2]).Redeem(code) })
	f, code = phone.Authorize(ada)
	token := f.Exchange(code).RefreshToken
	tokens(func(i int) apptest.Tokens { return phone.At(houses[i%2]).Refresh(token) })
}

func TestOfAHundredAtOnceOneWins(t *testing.T) { // threats 4
	apptest.SQLite(t, func(t *testing.T, h *apptest.House) { race(t, h, h) })
	t.Run("postgres, two replicas", func(t *testing.T) {
		dsn := dbtest.MigratedDSN(t, dbtest.Postgres)
		synctest.Test(t, func(t *testing.T) { race(t, apptest.Open(t, dsn), apptest.Open(t, dsn)) })
	})
}

// object are the claims of a good request object of a flow.
func object(f *apptest.Flow, changes ...any) map[string]any {
	claims := map[string]any{"iss": f.Query.Get("client_id"), "aud": apptest.URL, "exp": time.Now().Add(time.Minute).Unix(), "iat": time.Now().Unix(), "jti": "x"}
	for name := range f.Query {
		claims[name] = f.Query.Get(name)
	}
	for i := 0; i+1 < len(changes); i += 2 {
		if claims[changes[i].(string)] = changes[i+1]; changes[i+1] == nil {
			delete(claims, changes[i].(string))
		}
	}
	return claims
}

func TestRequestObject_RFC9101(t *testing.T) { // threats 7, 8, 9, 27
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		var signers []*apptest.Signer
		for _, alg := range []jose.Alg{jose.RS256, jose.PS256, jose.ES256, jose.EdDSA} {
			signers = append(signers, apptest.NewSigner(t, alg, string(alg)))
		}
		stranger := apptest.NewSigner(t, jose.ES256, "ES256")
		es := signers[2]
		shop := h.Client("shop", func(e *oidc.ClientEdit) { e.JWKS = apptest.KeySet(signers...) })
		first := shop.Begin()
		granted(t, first.By(ada), first)
		outside := func(f *apptest.Flow, jwt string) string {
			return "/authorize?" + url.Values{"client_id": {f.Query.Get("client_id")}, "request": {jwt},
				// None of these counts, but an error needs somewhere to go.
				"redirect_uri": {f.Query.Get("redirect_uri")}, "response_mode": {f.Query.Get("response_mode")}, "state": {f.Query.Get("state")},
				"prompt": {"login"}, "nonce": {"outside"}, "scope": {"openid"}}.Encode()
		}
		good := func(c *apptest.Client, sign func(f *apptest.Flow) string) {
			t.Helper()
			for _, mode := range modes {
				f := c.Begin("response_mode", mode)
				tokens := f.Exchange(granted(t, f.From(ada, ada.Open(outside(f, sign(f)))), f))
				if id := claims(t, tokens.IDToken); id["nonce"] != f.Nonce || tokens.Scope != f.Query.Get("scope") {
					t.Errorf("the parameters outside count: %v %s", id["nonce"], tokens.Scope)
				}
				// And pushed.
				f = c.Begin("response_mode", mode)
				a := h.Program().Post(pushPath, url.Values{"request": {sign(f)}, "scope": {"nothing"}, "state": {"outside"}}, basic(c)...)
				uri, _ := a.JSON()["request_uri"].(string)
				if a.Status != http.StatusCreated {
					t.Fatalf("pushed: %d %s", a.Status, a.Body)
				}
				granted(t, f.From(ada, ada.Open("/authorize?"+url.Values{"client_id": {c.ID}, "request_uri": {uri}}.Encode())), f)
			}
		}
		for _, s := range signers {
			good(shop, func(f *apptest.Flow) string { return s.Sign(map[string]any{"typ": "oauth-authz-req+jwt"}, object(f)) })
		}
		sign := func(header map[string]any, changes ...any) func(f *apptest.Flow) string {
			return func(f *apptest.Flow) string { return es.Sign(header, object(f, changes...)) }
		}
		good(shop, sign(nil))
		good(shop, sign(map[string]any{"typ": "JWT"}, "aud", []string{"https://else.example", apptest.URL}, "exp", nil, "client_id", nil))
		good(shop, sign(nil, "claims", map[string]any{"userinfo": map[string]any{"name": nil}}, "max_age", 15000))
		good(shop, sign(nil, "nbf", time.Now().Add(8*time.Second).Unix()))

		bad := func(name string, c *apptest.Client, jwt func(f *apptest.Flow) string) {
			t.Helper()
			for _, mode := range modes {
				f := c.Begin("response_mode", mode)
				page := ada.Open(outside(f, jwt(f)))
				if page.Away == nil || page.Answer().Get("error") != "invalid_request_object" {
					t.Errorf("%s: %s", name, page)
					continue
				}
				refused(t, page, f, "invalid_request_object")
			}
			f := c.Begin()
			jsonError(t, name+", pushed", h.Program().Post(pushPath, url.Values{"request": {jwt(f)}}, basic(c)...), http.StatusBadRequest, "invalid_request_object")
			time.Sleep(time.Second)
		}
		bad("none", shop, func(*apptest.Flow) string { return unsigned })
		bad("another key", shop, func(f *apptest.Flow) string { return stranger.Sign(nil, object(f)) })
		bad("an unknown key", shop, sign(map[string]any{"kid": "nobody"}))
		bad("a JWE", shop, func(*apptest.Flow) string { return "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.a.b.c.d" })
		bad("a changed payload", shop, func(f *apptest.Flow) string {
			parts := strings.Split(es.Sign(nil, object(f)), ".")
			other := strings.Split(es.Sign(nil, object(f, "scope", "openid")), ".")
			return parts[0] + "." + other[1] + "." + parts[2]
		})
		bad("a key inside", shop, sign(map[string]any{"jwk": es.JWK()}))
		bad("HS256", shop, sign(map[string]any{"alg": "HS256"}))
		for name, typ := range map[string]string{"an access token": "at+jwt", "a logout token": "logout+jwt", "an assertion": "client-authentication+jwt"} {
			bad(name, shop, sign(map[string]any{"typ": typ}))
		}
		bad("an expired one", shop, sign(nil, "exp", time.Now().Add(-2*time.Minute).Unix()))
		bad("one of the future", shop, sign(nil, "nbf", time.Now().Add(time.Hour).Unix()))
		bad("another audience", shop, sign(nil, "aud", "https://else.example"))
		bad("no audience", shop, sign(nil, "aud", nil))
		bad("another issuer", shop, sign(nil, "iss", "somebody"))
		bad("no issuer", shop, sign(nil, "iss", nil))
		bad("another client inside", shop, sign(nil, "client_id", first.Query.Get("state")))
		bad("the client as sub", shop, sign(nil, "sub", shop.ID))
		bad("a request inside", shop, sign(nil, "request", "x"))
		bad("a request_uri inside", shop, sign(nil, "request_uri", "https://shop.example/r"))
		bad("garbage", shop, func(*apptest.Flow) string { return "x" })
		bad("nothing", shop, func(*apptest.Flow) string { return "" })

		time.Sleep(time.Minute)
		// Where the answer goes is not believed of what nobody has signed.
		two := h.Client("two", func(e *oidc.ClientEdit) {
			e.JWKS = apptest.KeySet(es)
			e.RedirectURIs = append(e.RedirectURIs, oidc.URI{URI: "https://two.example/second"})
		})
		told(t, ada.Open("/authorize?"+url.Values{"client_id": {two.ID}, "request": {stranger.Sign(nil, object(two.Begin()))}}.Encode()), http.StatusBadRequest)
		// An unregistered address inside is nowhere to go, whatever is outside.
		f := shop.Begin()
		told(t, ada.Open(outside(f, es.Sign(nil, object(f, "redirect_uri", "https://evil.example/")))), http.StatusBadRequest)
		// And a good one inside is used, whatever is outside.
		jwt := es.Sign(nil, object(f))
		f.Query.Set("redirect_uri", "https://evil.example/")
		page := ada.Open(outside(f, jwt))
		if page.Away == nil || !strings.HasPrefix(page.Away.String(), shop.RedirectURI) || page.Answer().Get("code") == "" {
			t.Errorf("the address inside: %s", page)
		}

		// A client of one algorithm uses that, and always.
		only := h.Client("only", func(e *oidc.ClientEdit) {
			e.JWKS, e.RequestObjectAlg = apptest.KeySet(signers...), jose.ES256
		})
		good(only, func(f *apptest.Flow) string { return es.Sign(nil, object(f)) })
		bad("another algorithm than registered", only, func(f *apptest.Flow) string { return signers[0].Sign(nil, object(f)) })
		f = only.Begin()
		refused(t, ada.Open(f.URL()), f, "invalid_request")
		jsonError(t, "no object, pushed", push(h, only, f), http.StatusBadRequest, "invalid_request")
		f = shop.Begin("request", unsigned, "request_uri", "https://shop.example/r")
		refused(t, ada.Open(f.URL()), f, "invalid_request")
	})
}

func TestRequestByReference_OIDC_Core_6_2(t *testing.T) { // threats 74
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		es := apptest.NewSigner(t, jose.ES256, "k")
		var body string
		site := h.Site("requests.example", func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/away":
				http.Redirect(w, r, "/object", http.StatusFound)
			case "/gone":
				http.NotFound(w, r)
			case "/big":
				_, _ = w.Write([]byte(strings.Repeat("x", 1<<20)))
			default:
				_, _ = w.Write([]byte(body))
			}
		})
		shop := h.Client("shop", func(e *oidc.ClientEdit) {
			e.JWKS = apptest.KeySet(es)
			e.RequestURIs = []string{site.URL + "/object", site.URL + "/away", site.URL + "/gone", site.URL + "/big", "https://nowhere.example/object"}
		})
		ask := func(uri string) (*apptest.Flow, *apptest.Page) {
			f := shop.Begin()
			body = es.Sign(map[string]any{"typ": "oauth-authz-req+jwt"}, object(f)) + "\n"
			return f, ada.Open("/authorize?" + url.Values{"client_id": {shop.ID}, "request_uri": {uri}, "redirect_uri": {shop.RedirectURI}, "state": {f.State}}.Encode())
		}
		for _, uri := range []string{site.URL + "/object", site.URL + "/object#fragment"} {
			f, page := ask(uri)
			granted(t, f.From(ada, page), f)
		}
		asked := site.Asked()
		for _, uri := range []string{site.URL + "/other", "https://evil.example/object", "http://requests.example/object", "file:///etc/passwd", "https://169.254.169.254/object", site.URL + "/object?x=" + strings.Repeat("x", 600)} {
			f, page := ask(uri)
			refused(t, page, f, "invalid_request_uri")
		}
		if site.Asked() != asked {
			t.Errorf("an address was asked that is not registered")
		}
		for _, uri := range []string{site.URL + "/away", site.URL + "/gone", site.URL + "/big", "https://nowhere.example/object"} {
			f, page := ask(uri)
			refused(t, page, f, "invalid_request_uri")
		}
		if site.Asked() != asked+3 {
			t.Errorf("a redirect was followed: %d requests, want 3", site.Asked()-asked)
		}
		plain := h.Client("plain")
		f := plain.Begin("request_uri", site.URL+"/object")
		refused(t, ada.Open(f.URL()), f, "request_uri_not_supported")
	})
}
