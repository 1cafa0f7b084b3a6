package protocol

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"pocketid/internal/apptest"
	"pocketid/internal/audit"
	"pocketid/internal/oidc"
)

const tokenPath = "/api/oidc/token"

// oidcc-codereuse, oidcc-codereuse-30seconds: 400 invalid_grant, and what the
// first use gave is dead.
func TestCodeUsedAgain_RFC6749_4_1_2(t *testing.T) { // threats 5
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		shop := h.Client("shop", plain)
		for _, wait := range []time.Duration{0, 30 * time.Second} {
			f, code := shop.Authorize(ada)
			tokens := f.Exchange(code)
			time.Sleep(wait)
			jsonError(t, "a code again", h.Program().Post(tokenPath, f.Form(code), basic(shop)...), 400, "invalid_grant")
			if status, _ := shop.Userinfo(tokens.AccessToken); status != http.StatusUnauthorized {
				t.Errorf("%v later: the access token is answered %d", wait, status)
			}
			if got := shop.Refresh(tokens.RefreshToken); got.Status != 400 || got.Error != "invalid_grant" {
				t.Errorf("%v later: the refresh token is answered %+v", wait, got)
			}
		}
	})
}

// RFC 6749 §4.1.3, §5.2, RFC 7636 §4.6: whatever does not fit is invalid_grant, and
// the code is gone afterwards.
func TestCodeThatDoesNotFit_RFC6749_5_2(t *testing.T) { // threats 1, 6, 11
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		shop, other := h.Client("shop"), h.Client("other")
		for _, test := range []struct {
			name    string
			request []string // changes of the authorization request
			wait    time.Duration
			by      *apptest.Client
			change  func(url.Values)
		}{
			{"of another client", nil, 0, other, func(url.Values) {}},
			{"of another client, too late", nil, 61 * time.Second, other, func(url.Values) {}},
			{"too late", nil, 61 * time.Second, shop, func(url.Values) {}},
			{"with another redirect_uri", nil, 0, shop, func(f url.Values) { f.Set("redirect_uri", "https://shop.example/other") }},
			{"with another verifier", nil, 0, shop, func(f url.Values) { f.Set("code_verifier", strings.Repeat("a", 43)) }},
			{"with the challenge for a verifier", nil, 0, shop, func(f url.Values) { f.Set("code_verifier", strings.Repeat("A", 43)) }},
			{"without a verifier", nil, 0, shop, func(f url.Values) { f.Del("code_verifier") }},
			{"with an empty verifier", nil, 0, shop, func(f url.Values) { f.Set("code_verifier", "") }},
			{"with a verifier that nobody asked for", withoutPKCE, 0, shop, func(f url.Values) { f.Set("code_verifier", strings.Repeat("a", 43)) }},
			{"without its redirect_uri where there is no challenge", withoutPKCE, 0, shop, func(f url.Values) { f.Del("redirect_uri") }},
		} {
			f, code := shop.Authorize(ada, test.request...)
			time.Sleep(test.wait)
			request := f.Form(code)
			test.change(request)
			jsonError(t, test.name, h.Program().Post(tokenPath, request, basic(test.by)...), 400, "invalid_grant")
			jsonError(t, test.name+", then right", h.Program().Post(tokenPath, f.Form(code), basic(shop)...), 400, "invalid_grant")
		}
		f := shop.Begin()
		for _, code := range []string{"x", strings.Repeat("x", 10000), "ä\u2028", "' OR 1=1 --", ada.Cookie("session"), ada.Cookie("browser")} {
			jsonError(t, "a code that is none", h.Program().Post(tokenPath, f.Form(code), basic(shop)...), 400, "invalid_grant")
			jsonError(t, "a refresh token that is none", h.Program().Post(tokenPath, form("grant_type", "refresh_token", "refresh_token", code), basic(shop)...), 400, "invalid_grant")
		}
		// What works once for one thing works for nothing else.
		f, code := shop.Authorize(ada)
		jsonError(t, "a code as a refresh token", h.Program().Post(tokenPath, form("grant_type", "refresh_token", "refresh_token", code), basic(shop)...), 400, "invalid_grant")
		tokens := f.Exchange(code)
		for _, token := range []string{tokens.RefreshToken, tokens.AccessToken, tokens.IDToken} {
			jsonError(t, "a token as a code", h.Program().Post(tokenPath, f.Form(token), basic(shop)...), 400, "invalid_grant")
		}
		for _, token := range []string{tokens.AccessToken, tokens.IDToken} {
			jsonError(t, "a token as a refresh token", h.Program().Post(tokenPath, form("grant_type", "refresh_token", "refresh_token", token), basic(shop)...), 400, "invalid_grant")
		}
	})
}

// oidcc-server-client-secret-post, RFC 6749 §2.3: one way, and it has to fit.
func TestClientAuthenticates_RFC6749_2_3(t *testing.T) { // threats 2, 17, 20
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		shop, other, phone := h.Client("shop"), h.Client("other"), h.Client("phone", apptest.Public)
		_, odd, err := h.App.OIDC.AddSecret(t.Context(), audit.System("cli"), shop.ID, oidc.SecretEdit{Text: oddSecret})
		if err != nil {
			t.Fatal(err)
		}
		header := func(id, secret string) []string {
			return []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))}
		}
		escaped := func(id, secret string) []string { return header(url.QueryEscape(id), url.QueryEscape(secret)) }
		for _, test := range []struct {
			name    string
			body    []string
			headers []string
			want    string // "" is tokens
		}{
			{"takes client_secret_basic", nil, basic(shop), ""},
			{"takes client_secret_basic with the client_id", []string{"client_id", shop.ID}, basic(shop), ""},
			{"takes client_secret_post", []string{"client_id", shop.ID, "client_secret", shop.Secret}, nil, ""},
			{"takes odd letters in Basic", nil, escaped(shop.ID, odd), ""},
			{"takes odd letters in the body", []string{"client_id", shop.ID, "client_secret", odd}, nil, ""},
			{"refuses nothing", nil, nil, "invalid_client"},
			{"refuses an id alone", []string{"client_id", shop.ID}, nil, "invalid_client"},
			{"refuses an empty secret", []string{"client_id", shop.ID, "client_secret", ""}, nil, "invalid_client"},
			{"refuses a wrong secret", nil, header(shop.ID, "wrong"), "invalid_client"},
			{"refuses a wrong secret in the body", []string{"client_id", shop.ID, "client_secret", "wrong"}, nil, "invalid_client"},
			{"refuses the secret of another", nil, header(shop.ID, other.Secret), "invalid_client"},
			{"refuses both ways", []string{"client_id", shop.ID, "client_secret", shop.Secret}, basic(shop), "invalid_request"},
			{"refuses two headers", nil, append(basic(shop), basic(shop)...), "invalid_request"},
			{"refuses another client_id", []string{"client_id", other.ID}, basic(shop), "invalid_client"},
			{"refuses an assertion", []string{"client_id", shop.ID, "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion", "x.y.z"}, nil, "invalid_client"},
			{"refuses a Bearer", nil, []string{"Authorization", "Bearer " + shop.Secret}, "invalid_client"},
			{"refuses Basic that is none", nil, []string{"Authorization", "Basic %%%"}, "invalid_client"},
			{"refuses Basic without a colon", nil, []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(shop.ID))}, "invalid_client"},
			{"refuses a broken escape", nil, header(shop.ID, "%zz"), "invalid_client"},
			{"refuses broken UTF-8", nil, header("\xff\xfe", "\xff"), "invalid_client"},
			{"refuses a NUL", nil, header(shop.ID+"%00", "x%00"), "invalid_client"},
			{"refuses a client that is none", nil, header("nobody", "x"), "invalid_client"},
			{"refuses a public client with a secret", []string{"client_id", phone.ID, "client_secret", "x"}, nil, "invalid_client"},
			{"refuses a public client with a header", nil, header(phone.ID, "x"), "invalid_client"},
		} {
			f, code := shop.Authorize(ada)
			request := f.Form(code)
			for name, values := range form(test.body...) {
				request[name] = values
			}
			a := h.Program().Post(tokenPath, request, test.headers...)
			if test.want == "" {
				if a.Status != http.StatusOK {
					t.Errorf("it %s: got %d %s", test.name, a.Status, a.Body)
				}
				continue
			}
			status := map[string]int{"invalid_client": 401, "invalid_request": 400}[test.want]
			jsonError(t, "it "+test.name, a, status, test.want)
			sent := test.headers != nil && strings.HasPrefix(test.headers[1], "Basic ")
			if challenged := strings.HasPrefix(a.Header.Get("WWW-Authenticate"), "Basic "); status == 401 && challenged != sent {
				t.Errorf("it %s: WWW-Authenticate is %q", test.name, a.Header.Get("WWW-Authenticate"))
			}
			if got := f.Redeem(code); got.Status != http.StatusOK { // whoever is nobody uses nothing up
				t.Errorf("it %s: and the code is gone: %+v", test.name, got)
			}
		}
	})
}

// oddSecret has what HTTP Basic and forms escape.
const oddSecret = `a+b:c%41&e=f/"\~-and-long-enough`

// RFC 6749 §3.2: a form by POST and nothing else; every answer is JSON that nobody
// keeps.
func TestTokenEndpointAnswersProgramsOnly_RFC6749_3_2(t *testing.T) { // threats 17, 18
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		shop := h.Client("shop")
		f, code := shop.Authorize(ada)
		good := f.Form(code)
		good.Set("client_id", shop.ID)
		good.Set("client_secret", shop.Secret)
		program := h.Program()

		for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE", "TRACE", "FOO"} {
			a := program.Ask(method, tokenPath+"?"+good.Encode(), "")
			if a.Status != http.StatusMethodNotAllowed || !strings.Contains(a.Header.Get("Allow"), "POST") {
				t.Errorf("%s: %d, Allow %q", method, a.Status, a.Header.Get("Allow"))
			}
			if method != "HEAD" {
				jsonError(t, method, a, 405, "invalid_request")
			}
		}
		jsonError(t, "parameters in the address", program.Post(tokenPath+"?"+good.Encode(), nil), 400, "invalid_request")
		for _, media := range []string{"", "application/json", "text/plain", "multipart/form-data; boundary=x", "x;;;"} {
			var headers []string
			if media != "" {
				headers = []string{"Content-Type", media}
			}
			jsonError(t, "the media type "+media, program.Ask("POST", tokenPath, good.Encode(), headers...), 400, "invalid_request")
		}
		for _, name := range []string{"grant_type", "code", "redirect_uri", "code_verifier", "client_id", "client_secret", "extra"} {
			jsonError(t, name+" twice", program.Ask("POST", tokenPath, good.Encode()+"&"+name+"=a&"+name+"=a", "Content-Type", "application/x-www-form-urlencoded"), 400, "invalid_request")
		}
		for _, body := range []string{"", "%zz", "a;b", "&&&", "code=%00", "grant_type=%ff%fe", "grant_type", "grant_type=", strings.Repeat("a=b&", 12000), "<xml/>", `{"grant_type":"authorization_code"}`} {
			a := program.Ask("POST", tokenPath, body, "Content-Type", "application/x-www-form-urlencoded")
			jsonError(t, "the body "+body[:min(len(body), 20)], a, 400, "invalid_request")
		}
		jsonError(t, "a body that is too large", program.Ask("POST", tokenPath, "extra="+strings.Repeat("x", 1<<20), "Content-Type", "application/x-www-form-urlencoded"), 413, "invalid_request")
		for _, grant := range []string{"password", "implicit", "urn:ietf:params:oauth:grant-type:jwt-bearer", "Authorization_code", "authorization_code "} {
			request := url.Values{"grant_type": {grant}, "username": {"ada"}, "password": {"x"}}
			jsonError(t, grant, program.Post(tokenPath, request, basic(shop)...), 400, "unsupported_grant_type")
		}
		for _, request := range []url.Values{{"grant_type": {"authorization_code"}}, {"grant_type": {"refresh_token"}}, {"code": {code}}} {
			jsonError(t, request.Encode(), program.Post(tokenPath, request, basic(shop)...), 400, "invalid_request")
		}
		// A script of any site may ask, without anybody's cookies.
		a := program.Ask("OPTIONS", tokenPath, "", "Origin", "https://app.example", "Access-Control-Request-Method", "POST")
		if a.Status != http.StatusNoContent || a.Header.Get("Access-Control-Allow-Origin") != "*" || a.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("the preflight is answered %d %v", a.Status, a.Header)
		}
		// None of this used up the code. What nobody knows is ignored.
		a = program.Post(tokenPath+"?code=x&grant_type=y", good, "Origin", "https://app.example", "Sec-Fetch-Site", "cross-site")
		if a.Status != http.StatusOK || a.Header.Get("Access-Control-Allow-Origin") != "*" || a.Header.Get("Set-Cookie") != "" {
			t.Errorf("the right request is answered %d %s", a.Status, a.Body)
		}
		// And too many are told so in JSON as well.
		for range 400 {
			if a = program.Post(tokenPath, nil); a.Status == http.StatusTooManyRequests {
				break
			}
		}
		jsonError(t, "too many", a, 429, "temporarily_unavailable")
		if a.Header.Get("Retry-After") == "" {
			t.Error("too many requests are not told when to come again")
		}
		for _, r := range routes(t) { // they share one bucket
			if r.surface == "oauth" && r.method == http.MethodPost {
				jsonError(t, "too many at "+r.path, program.Post(r.address(), nil), 429, "temporarily_unavailable")
			}
		}
	})
}

// oidcc-refresh-token and OpenID Connect Core §12.2.
func TestRefresh_OIDC_Core_12(t *testing.T) { // threats 2, 13
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		shop, other := h.Client("shop", plain), h.Client("other", plain)
		f, code := shop.Authorize(ada, "scope", "openid email offline_access", "prompt", "consent")
		first := f.Exchange(code)
		if len(first.RefreshToken) < 43 {
			t.Errorf("the refresh token %q has not 256 bits", first.RefreshToken)
		}
		time.Sleep(2 * time.Second)
		refresh := form("grant_type", "refresh_token", "refresh_token", first.RefreshToken)
		a := h.Program().Post(tokenPath, refresh, basic(shop)...)
		if a.Status != http.StatusOK || !strings.Contains(a.Header.Get("Cache-Control"), "no-store") || a.Header.Get("Pragma") != "no-cache" {
			t.Errorf("refresh is answered %d %v", a.Status, a.Header)
		}
		again := shop.Refresh(first.RefreshToken)
		before, after := claims(t, first.IDToken), claims(t, again.IDToken)
		for _, name := range []string{"iss", "sub", "aud", "azp", "auth_time", "sid", "acr"} {
			if before[name] != after[name] {
				t.Errorf("%s was %v and is %v", name, before[name], after[name])
			}
		}
		if before["iat"] == after["iat"] || after["nonce"] != nil && after["nonce"] != before["nonce"] || first.AccessToken == again.AccessToken {
			t.Errorf("the refreshed ID token says %v", after)
		}
		for scope, want := range map[string]string{"": "openid email offline_access", "openid": "openid", "email": "email", "openid email": "openid email"} {
			got := shop.Token(form("grant_type", "refresh_token", "refresh_token", first.RefreshToken, "scope", scope))
			if got.Status != http.StatusOK || got.Scope != want || (got.IDToken != "") != strings.Contains(want, "openid") {
				t.Errorf("the scope %q gives %+v", scope, got)
			}
		}
		for _, scope := range []string{"openid profile", "groups", "openid email offline_access admin"} {
			wider := form("grant_type", "refresh_token", "refresh_token", first.RefreshToken, "scope", scope)
			jsonError(t, "the scope "+scope, h.Program().Post(tokenPath, wider, basic(shop)...), 400, "invalid_scope")
		}
		// Nobody else can use it, and trying does it no harm.
		jsonError(t, "another client", h.Program().Post(tokenPath, refresh, basic(other)...), 400, "invalid_grant")
		jsonError(t, "nobody", h.Program().Post(tokenPath, refresh), 401, "invalid_client")
		only := form("grant_type", "refresh_token", "refresh_token", first.RefreshToken, "client_id", shop.ID)
		jsonError(t, "the id alone", h.Program().Post(tokenPath, only), 401, "invalid_client")
		if got := shop.Refresh(first.RefreshToken); got.Status != http.StatusOK || got.RefreshToken != first.RefreshToken {
			t.Errorf("a confidential client's own token: %+v", got)
		}

		// That of a public client works once, and whoever has a copy ends all of it
		// (RFC 9700 §2.2.2).
		phone := h.Client("phone", apptest.Public)
		f, code = phone.Authorize(ada)
		first = f.Exchange(code)
		second := phone.Refresh(first.RefreshToken)
		if second.Status != http.StatusOK || second.RefreshToken == first.RefreshToken {
			t.Fatalf("a public client's token does not rotate: %+v", second)
		}
		if got := phone.Refresh(first.RefreshToken); got.Error != "invalid_grant" {
			t.Errorf("a copy: %+v", got)
		}
		if got := phone.Refresh(second.RefreshToken); got.Error != "invalid_grant" {
			t.Errorf("and its successor: %+v", got)
		}
		if status, _ := phone.Userinfo(second.AccessToken); status != http.StatusUnauthorized {
			t.Errorf("and the access token: %d", status)
		}
	})
}

// RFC 6749 §4.1.2, RFC 9700 §2.2.2: of many at once one wins.
func TestOfManyAtOnceOneWins(t *testing.T) { // threats 4
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		phone := h.Client("phone", apptest.Public)
		race := func(ask func() apptest.Tokens) (won int) {
			answers := make([]apptest.Tokens, 20)
			var all sync.WaitGroup
			for i := range answers {
				all.Go(func() { answers[i] = ask() })
			}
			all.Wait()
			for _, a := range answers {
				switch {
				case a.Status == http.StatusOK:
					won++
				case a.Error != "invalid_grant":
					t.Errorf("a loser hears %+v", a)
				}
			}
			return won
		}
		f, code := phone.Authorize(ada)
		if won := race(func() apptest.Tokens { return f.Redeem(code) }); won != 1 {
			t.Errorf("one code gave tokens %d times", won)
		}
		f, code = phone.Authorize(ada)
		token := f.Exchange(code).RefreshToken
		if won := race(func() apptest.Tokens { return phone.Refresh(token) }); won != 1 {
			t.Errorf("one refresh token gave tokens %d times", won)
		}
	})
}
