package protocol

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"pocketid/internal/apptest"
	"pocketid/internal/jose"
	"pocketid/internal/oidc"
)

const weather, printer = "https://api.example/weather", "https://api.example/print"

// readOnly lets a client read for people and write for itself.
var readOnly = oidc.APIGrant{ForUsers: true, UserPermissions: []string{"read"}, ForMachine: true, MachinePermissions: []string{"write"}}

// audience is whom a token is for.
func audience(t *testing.T, token string) []string {
	t.Helper()
	var list []string
	switch aud := claims(t, token)["aud"].(type) {
	case string:
		list = []string{aud}
	case []any:
		for _, a := range aud {
			list = append(list, a.(string))
		}
	}
	return list
}

func wantAudience(t *testing.T, token string, want ...string) {
	t.Helper()
	if got := audience(t, token); !slices.Equal(got, want) {
		t.Errorf("the token is for %v, want %v", got, want)
	}
}

func wantScope(t *testing.T, got apptest.Tokens, want string) {
	t.Helper()
	if got.Scope != want || got.AccessToken == "" {
		t.Errorf("got the scope %q (%s), want %q", got.Scope, got.Error, want)
		return
	}
	if said := claims(t, got.AccessToken)["scope"]; said != want && !(said == nil && want == "") {
		t.Errorf("the token says the scope %v, want %q", said, want)
	}
}

// RFC 8707: where a token is for, and what for, is asked by resource and granted by an
// administrator and the person.
func TestResourceIndicators(t *testing.T) { // threats 13, 18
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		api, other := h.API(weather, "read", "write", "admin"), h.API(printer, "read", "print")
		shop := h.Client("shop")
		api.Allow(shop, readOnly)
		other.Allow(shop, oidc.APIGrant{ForUsers: true, UserPermissions: []string{"print", "read"}})
		ask := func(pairs ...string) (*apptest.Flow, *apptest.Page) {
			f := shop.Begin()
			for i := 0; i+1 < len(pairs); i += 2 {
				if pairs[i] == "scope" {
					f.Query.Set("scope", pairs[i+1])
				} else {
					f.Query.Add(pairs[i], pairs[i+1])
				}
			}
			return f, f.By(ada)
		}
		for _, row := range []struct{ name, resource, want string }{
			{"is no URI", "weather", "invalid_target"},
			{"is relative", "/weather", "invalid_target"},
			{"has a fragment", weather + "#x", "invalid_target"},
			{"has an empty fragment", weather + "#", "invalid_target"},
			{"is too long", weather + strings.Repeat("x", 350), "invalid_target"},
			{"is unknown", "https://api.example/else", "invalid_target"},
			{"is another by its letters", "https://api.example/WEATHER", "invalid_target"},
			{"is the issuer", apptest.URL, "invalid_target"},
		} {
			f, page := ask("resource", row.resource, "scope", "openid read")
			if refused(t, page, f, row.want); t.Failed() {
				t.Fatalf("a resource that %s", row.name)
			}
		}
		f, page := ask("scope", "openid read")
		refused(t, page, f, "invalid_scope") // a permission without its API

		// Granted is what was asked for and what the client has, nothing else.
		f, page = ask("resource", weather+"/", "scope", "openid read write admin unknown")
		tokens := f.Exchange(granted(t, page, f))
		wantScope(t, tokens, "openid read")
		wantAudience(t, tokens.AccessToken, weather, apptest.URL)
		if status, _ := shop.Userinfo(tokens.AccessToken); status != http.StatusOK {
			t.Errorf("userinfo answers %d to a token that has openid", status)
		}
		f, page = ask("resource", weather, "scope", "read")
		tokens = f.Redeem(granted(t, page, f))
		wantScope(t, tokens, "read")
		wantAudience(t, tokens.AccessToken, weather)
		if tokens.IDToken != "" {
			t.Error("there is an ID token without openid")
		}
		if status, _ := shop.Userinfo(tokens.AccessToken); status != http.StatusUnauthorized {
			t.Errorf("userinfo takes a token that is for an API: %d", status)
		}

		// Several at once are granted together; each token is for one of them.
		f, page = ask("resource", weather, "resource", printer, "scope", "openid read print")
		code := granted(t, page, f)
		form := f.Form(code)
		form.Add("resource", printer)
		tokens = shop.Token(form)
		wantScope(t, tokens, "openid read print")
		wantAudience(t, tokens.AccessToken, printer, apptest.URL)
		refresh := func(pairs ...string) apptest.Tokens {
			form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens.RefreshToken}}
			for i := 0; i+1 < len(pairs); i += 2 {
				form.Add(pairs[i], pairs[i+1])
			}
			return shop.Token(form)
		}
		first := refresh()
		wantScope(t, first, "openid read")
		wantAudience(t, first.AccessToken, weather, apptest.URL)
		less := refresh("resource", weather, "scope", "read")
		wantScope(t, less, "read")
		wantAudience(t, less.AccessToken, weather)
		for _, row := range []struct {
			name string
			form []string
			want string
		}{
			{"an API that was not granted", []string{"resource", "https://api.example/else"}, "invalid_target"},
			{"two APIs at once", []string{"resource", weather, "resource", printer}, "invalid_target"},
			{"what is no URI", []string{"resource", "weather"}, "invalid_target"},
			{"a permission that was not granted", []string{"resource", weather, "scope", "read write"}, "invalid_scope"},
		} {
			if got := refresh(row.form...); got.Error != row.want || got.AccessToken != "" {
				t.Errorf("a refresh for %s: got %q, want %s", row.name, got.Error, row.want)
			}
		}
		// A code for another resource is used up.
		f, page = ask("resource", weather, "scope", "read")
		code = granted(t, page, f)
		form = f.Form(code)
		form.Add("resource", printer)
		if got := shop.Token(form); got.Error != "invalid_target" {
			t.Errorf("a code at another API: %q", got.Error)
		}
		if got := f.Redeem(code); got.Error != "invalid_grant" {
			t.Errorf("the code came again: %q", got.Error)
		}
	})
}

// The person is asked for each permission by its title, once.
func TestPermissionsAreConsentedTo(t *testing.T) { // threats 13
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		api := h.API(weather, "read", "write")
		shop := h.Client("shop")
		api.Allow(shop, oidc.APIGrant{ForUsers: true, UserPermissions: []string{"read", "write"}})
		shop.Authorize(ada, "scope", "openid", "resource", weather)
		if page := ada.Open(shop.Begin("scope", "openid").URL()); page.Away == nil {
			t.Error("less than before is asked for again")
		}
		page := ada.Open(shop.Begin("scope", "openid read", "resource", weather).URL())
		if page.URL.Path != "/consent" || !strings.Contains(page.Body, "May read") || strings.Contains(page.Body, "May write") {
			t.Errorf("the question is %s", page)
		}
		if page := ada.Open(shop.Begin("scope", "openid read", "resource", weather, "prompt", "none").URL()); page.Answer().Get("error") != "consent_required" {
			t.Errorf("without a question: %s", page)
		}
		shop.Authorize(ada, "scope", "openid read", "resource", weather)
		shop.Authorize(ada, "scope", "openid write", "resource", weather)
		// What was allowed in two steps is remembered as one.
		if page := ada.Open(shop.Begin("scope", "openid read write", "resource", weather).URL()); page.Away == nil {
			t.Errorf("what was allowed is asked for again: %s", page)
		}
	})
}

// RFC 9068: what an access token says.
func TestAccessTokensOfAPIs(t *testing.T) { // threats 7
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		api := h.API(weather, "read", "write")
		shop := h.Client("shop", func(e *oidc.ClientEdit) { e.AccessTokenFor, e.AccessTokenAlg = 10*time.Minute, jose.ES256 })
		api.Allow(shop, readOnly)
		f, code := shop.Authorize(ada, "scope", "openid read", "resource", weather)
		token := f.Exchange(code)
		said := claims(t, token.AccessToken)
		for _, name := range []string{"iss", "exp", "aud", "sub", "client_id", "iat", "jti", "scope", "auth_time", "acr", "amr"} {
			if said[name] == nil {
				t.Errorf("%s is missing", name)
			}
		}
		if head := header(t, token.AccessToken); head["typ"] != "at+jwt" || head["alg"] != "ES256" || head["kid"] == nil {
			t.Errorf("the header is %v", head)
		}
		for _, name := range []string{"name", "email", "preferred_username", "groups", "nonce"} {
			if said[name] != nil {
				t.Errorf("%s is in an access token", name)
			}
		}
		if token.ExpiresIn != 600 || said["exp"].(float64)-said["iat"].(float64) != 600 {
			t.Errorf("it lives %d s", token.ExpiresIn)
		}

		// The API has its word: the shorter lifetime, its own algorithm.
		api.Edit(func(e *oidc.APIEdit) { e.AccessTokenFor, e.AccessTokenAlg = time.Hour, jose.EdDSA })
		token = shop.Refresh(token.RefreshToken)
		if head := header(t, token.AccessToken); head["alg"] != "EdDSA" || token.ExpiresIn != 600 {
			t.Errorf("it is signed by %v and lives %d s", head["alg"], token.ExpiresIn)
		}
		api.Edit(func(e *oidc.APIEdit) { e.AccessTokenFor = 2 * time.Minute })
		if token = shop.Refresh(token.RefreshToken); token.ExpiresIn != 120 {
			t.Errorf("it lives %d s", token.ExpiresIn)
		}
		// Neither kind of token passes for the other (threats 7).
		if status, _ := shop.Userinfo(token.IDToken); status != http.StatusUnauthorized {
			t.Errorf("an ID token is taken for an access token: %d", status)
		}
		if got := shop.Introspect(token.IDToken); got["active"] != false {
			t.Errorf("an ID token is %v", got)
		}
	})
}

// RFC 6749 §4.4: a client speaks for itself.
func TestClientCredentials(t *testing.T) { // threats 20, 21
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		api := h.API(weather, "read", "write")
		station := h.Client("station")
		open := h.Client("open", apptest.Public)
		codes := h.Client("codes", func(e *oidc.ClientEdit) { e.GrantTypes = []string{"authorization_code"} })
		api.Allow(station, readOnly)

		plain := station.Machine("scope", "openid profile offline_access email")
		wantScope(t, plain, "")
		wantAudience(t, plain.AccessToken, station.ID, apptest.URL)
		if plain.RefreshToken != "" || plain.IDToken != "" {
			t.Errorf("there is more than an access token: %+v", plain)
		}
		if sub := claims(t, plain.AccessToken)["sub"]; sub != "client-"+station.ID {
			t.Errorf("sub is %v", sub)
		}
		if status, _ := station.Userinfo(plain.AccessToken); status != http.StatusForbidden {
			t.Errorf("userinfo answers a machine with %d", status)
		}
		token := station.Machine("resource", weather, "scope", "openid read write")
		wantScope(t, token, "write")
		wantAudience(t, token.AccessToken, weather)
		for _, name := range []string{"auth_time", "acr", "amr", "sid"} {
			if claims(t, token.AccessToken)[name] != nil {
				t.Errorf("a machine has %s", name)
			}
		}
		wrong := *station
		wrong.Secret = "wrong"
		for _, row := range []struct {
			name string
			got  apptest.Tokens
			want string
		}{
			{"a wrong secret", wrong.Machine(), "invalid_client"},
			{"a public client", open.Machine(), "unauthorized_client"},
			{"a client for codes", codes.Machine(), "unauthorized_client"},
			{"an API that is not its own", codes.Token(form("grant_type", "client_credentials", "resource", weather)), "unauthorized_client"},
			{"another API", station.Machine("resource", printer), "invalid_target"},
			{"a permission without its API", station.Machine("scope", "write"), "invalid_scope"},
		} {
			if row.got.Error != row.want || row.got.AccessToken != "" {
				t.Errorf("%s: got %q, want %q", row.name, row.got.Error, row.want)
			}
		}

		// However often it asks, there is one row.
		before := len(h.Rows()["grants"])
		for range 10 {
			station.Machine("resource", weather, "scope", "write")
			time.Sleep(20 * time.Minute)
		}
		if after := len(h.Rows()["grants"]); after != before || before != 1 {
			t.Errorf("there were %d grants, and now there are %d", before, after)
		}
		time.Sleep(48 * time.Hour)
		if again := station.Machine(); again.AccessToken == "" || station.Introspect(again.AccessToken)["active"] != true {
			t.Errorf("after two days: %+v", again)
		}
	})
}

// RFC 7662: who asks, about what, and what is answered.
func TestIntrospection(t *testing.T) { // threats 7, 14
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada, bob := h.User("ada"), h.User("bob")
		api, other := h.API(weather, "read", "write"), h.API(printer, "print")
		shop, checker, stranger := h.Client("shop"), h.Client("checker"), h.Client("stranger")
		open := h.Client("open", apptest.Public)
		api.Allow(shop, readOnly)
		other.Allow(shop, oidc.APIGrant{ForUsers: true, UserPermissions: []string{"print"}})
		api.Edit(func(e *oidc.APIEdit) { e.Introspector = checker.ID })
		f, code := shop.Authorize(ada, "scope", "openid read offline_access", "resource", weather)
		tokens := f.Exchange(code)
		f, code = shop.Authorize(ada, "scope", "openid print", "resource", printer)
		prints := f.Exchange(code)
		f, code = shop.Authorize(ada, "scope", "openid")
		plain := f.Exchange(code)
		machine := shop.Machine("resource", weather, "scope", "write")

		got := shop.Introspect(tokens.AccessToken)
		said := claims(t, tokens.AccessToken)
		for _, name := range []string{"scope", "client_id", "sub", "exp", "iat", "iss", "jti", "auth_time", "acr"} {
			if got[name] != said[name] || got[name] == nil {
				t.Errorf("%s: %v is not %v", name, got[name], said[name])
			}
		}
		if got["active"] != true || got["token_type"] != "Bearer" || len(got["aud"].([]any)) != 2 {
			t.Errorf("got %v", got)
		}
		if got := shop.Introspect(tokens.RefreshToken); got["active"] != true || got["sub"] != ada.ID || got["scope"] != "openid offline_access read" || got["exp"] == nil {
			t.Errorf("a refresh token is %v", got)
		}
		all := []string{tokens.AccessToken, prints.AccessToken, plain.AccessToken, tokens.RefreshToken, machine.AccessToken, tokens.IDToken}
		for _, row := range []struct {
			name string
			by   *apptest.Client
			sees []bool
		}{
			{"its client", shop, []bool{true, true, true, true, true, false}},
			{"the client of the API", checker, []bool{true, false, false, false, true, false}},
			{"another client", stranger, []bool{false, false, false, false, false, false}},
		} {
			for i, token := range all {
				a := row.by.Tell("/api/oidc/introspect", form("token", token, "token_type_hint", "whatever"))
				if a.Status != http.StatusOK || a.JSON()["active"] != row.sees[i] {
					t.Errorf("%s asks about token %d: %d %s", row.name, i, a.Status, a.Body)
				}
				if !row.sees[i] && strings.TrimSpace(a.Body) != `{"active":false}` {
					t.Errorf("%s hears about token %d more than that it is not active: %s", row.name, i, a.Body)
				}
				if a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("Access-Control-Allow-Origin") != "" {
					t.Errorf("the headers are %v", a.Header)
				}
			}
		}
		for _, token := range []string{"x", "a.b.c", strings.Repeat("x", 9000), tokens.AccessToken + "x", "é", all[0][:len(all[0])-4] + "AAAA"} {
			if got := shop.Introspect(token); got["active"] != false || len(got) != 1 {
				t.Errorf("%.20q is %v", token, got)
			}
		}

		// Who proves nothing hears nothing.
		ask := func(f url.Values, headers ...string) *apptest.Answer {
			return h.Program().Post("/api/oidc/introspect", f, headers...)
		}
		for _, row := range []struct {
			name   string
			a      *apptest.Answer
			status int
			code   string
		}{
			{"nobody", ask(form("token", all[0])), 401, "invalid_client"},
			{"a public client", ask(form("token", all[0], "client_id", open.ID)), 401, "invalid_client"},
			{"a wrong secret", ask(form("token", all[0], "client_id", shop.ID, "client_secret", "x")), 401, "invalid_client"},
			{"two ways at once", ask(form("token", all[0], "client_id", shop.ID, "client_secret", shop.Secret), basic(shop)...), 400, "invalid_request"},
			{"a bearer that is none", ask(form("token", all[0]), "Authorization", "Bearer x"), 401, "invalid_token"},
			{"a bearer that is for an API", ask(form("token", all[0]), "Authorization", "Bearer "+machine.AccessToken), 401, "invalid_token"},
			{"no token", ask(form("client_id", shop.ID, "client_secret", shop.Secret)), 400, "invalid_request"},
			{"two tokens", ask(url.Values{"token": {"a", "b"}, "client_id": {shop.ID}, "client_secret": {shop.Secret}}), 400, "invalid_request"},
		} {
			if jsonError(t, row.name, row.a, row.status, row.code); t.Failed() {
				t.Fatal("stopped")
			}
		}
		if a := h.Program().Get("/api/oidc/introspect?token="+all[0], basic(shop)...); a.Status != http.StatusMethodNotAllowed {
			t.Errorf("by GET: %d", a.Status)
		}

		// A bearer speaks for its client, and a person's for that person alone.
		bearer := func(with, about string) any {
			a := ask(form("token", about), "Authorization", "Bearer "+with)
			if a.Status != http.StatusOK {
				t.Fatalf("a bearer asks: %d %s", a.Status, a.Body)
			}
			return a.JSON()["active"]
		}
		f, code = shop.Authorize(bob, "scope", "openid")
		bobs := f.Exchange(code).AccessToken
		f, code = stranger.Authorize(ada, "scope", "openid")
		foreign := f.Exchange(code).AccessToken
		if bearer(plain.AccessToken, tokens.AccessToken) != true || bearer(shop.Machine().AccessToken, tokens.AccessToken) != true {
			t.Error("a bearer hears nothing of its client's tokens")
		}
		if bearer(bobs, tokens.AccessToken) != false || bearer(foreign, tokens.AccessToken) != false {
			t.Error("a bearer hears of other people, or of another client")
		}

		// Time and revocation.
		if status := shop.Revoke(plain.AccessToken); status != http.StatusOK || shop.Introspect(plain.AccessToken)["active"] != false {
			t.Errorf("a revoked token is active: %d", status)
		}
		time.Sleep(time.Hour)
		if shop.Introspect(machine.AccessToken)["active"] != false || checker.Introspect(tokens.AccessToken)["active"] != false {
			t.Error("an expired token is active")
		}
	})
}

// RFC 7009: what a client gives back is dead at once.
func TestRevocation(t *testing.T) { // threats 15, 16
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		shop, stranger := h.Client("shop"), h.Client("stranger")
		open := h.Client("open", apptest.Public)
		tokensOf := func(c *apptest.Client) apptest.Tokens {
			f, code := c.Authorize(ada, "scope", "openid offline_access")
			return f.Exchange(code)
		}
		alive := func(c *apptest.Client, token string) bool {
			status, _ := c.Userinfo(token)
			return status == http.StatusOK
		}
		tokens := tokensOf(shop)
		// Nobody else can end it, and nobody learns whether there is such a token (threats 16).
		for _, token := range []string{tokens.AccessToken, tokens.RefreshToken, "unknown", "a.b.c"} {
			a := stranger.Tell("/api/oidc/revoke", form("token", token))
			if a.Status != http.StatusOK || a.Body != "" || a.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("another client: %d %q", a.Status, a.Body)
			}
		}
		if !alive(shop, tokens.AccessToken) || shop.Introspect(tokens.RefreshToken)["active"] != true {
			t.Error("another client ended it")
		}
		// An access token ends alone.
		again := shop.Refresh(tokens.RefreshToken)
		if shop.Revoke(tokens.AccessToken) != http.StatusOK || alive(shop, tokens.AccessToken) || !alive(shop, again.AccessToken) {
			t.Error("an access token does not end alone")
		}
		if shop.Revoke(tokens.AccessToken) != http.StatusOK {
			t.Error("it cannot be revoked again")
		}
		// A refresh token ends all, whatever the hint says.
		if a := shop.Tell("/api/oidc/revoke", form("token", tokens.RefreshToken, "token_type_hint", "access_token")); a.Status != http.StatusOK {
			t.Errorf("a wrong hint: %d %s", a.Status, a.Body)
		}
		if alive(shop, again.AccessToken) || shop.Refresh(tokens.RefreshToken).Error != "invalid_grant" || shop.Introspect(tokens.RefreshToken)["active"] != false {
			t.Error("a refresh token leaves something alive")
		}
		// A public client says who it is; one that was spent ends its family too.
		first := tokensOf(open)
		second := open.Refresh(first.RefreshToken)
		if open.Revoke(first.RefreshToken) != http.StatusOK || alive(open, second.AccessToken) || open.Refresh(second.RefreshToken).Error != "invalid_grant" {
			t.Error("a spent refresh token of a public client ends nothing")
		}

		ask := func(f url.Values, headers ...string) *apptest.Answer {
			return h.Program().Post("/api/oidc/revoke", f, headers...)
		}
		tokens = tokensOf(shop)
		jsonError(t, "nobody", ask(form("token", tokens.RefreshToken)), 401, "invalid_client")
		jsonError(t, "no secret", ask(form("token", tokens.RefreshToken, "client_id", shop.ID)), 401, "invalid_client")
		jsonError(t, "a wrong secret", ask(form("token", tokens.RefreshToken), "Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(shop.ID+":x"))), 401, "invalid_client")
		jsonError(t, "no token", ask(nil, basic(shop)...), 400, "invalid_request")
		jsonError(t, "an ID token", ask(form("token", tokens.IDToken), basic(shop)...), 400, "unsupported_token_type")
		if shop.Introspect(tokens.RefreshToken)["active"] != true {
			t.Error("somebody who proved nothing ended it")
		}
		if a := ask(form("token", "x"), append(basic(shop), "Origin", "https://app.example")...); a.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Error("scripts cannot revoke") // RFC 7009 §2.3
		}

		// A machine's token ends alone as well.
		machine, next := shop.Machine(), shop.Machine()
		shop.Revoke(machine.AccessToken)
		if shop.Introspect(machine.AccessToken)["active"] != false || shop.Introspect(next.AccessToken)["active"] != true {
			t.Error("the token of a machine does not end alone")
		}
		// When nothing can be stored, nothing is confirmed (threats 15).
		h.SQL(`DROP TABLE revoked_tokens`)
		h.ErrorsExpected()
		if a := shop.Tell("/api/oidc/revoke", form("token", next.AccessToken)); a.Status < 500 {
			t.Errorf("the database is broken, and the answer is %d", a.Status)
		}
	})
}
