package protocol

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
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

// known and unknown are what the token endpoint answers about a code that is none: the
// first to a client that proved itself, the second to nobody.
const (
	known   = "invalid_grant"
	unknown = "invalid_client"
)

// claimsFor are the claims of an assertion for the issuer alone, changed; nil leaves one out.
func claimsFor(id string, changes map[string]any) map[string]any {
	now := time.Now().Unix()
	c := map[string]any{"iss": id, "sub": id, "aud": apptest.URL, "iat": now, "exp": now + 60, "jti": fmt.Sprint("jti-", serial())}
	for name, value := range changes {
		if c[name] = value; value == nil {
			delete(c, name)
		}
	}
	return c
}

var serial = func() func() int {
	var mu sync.Mutex
	n := 0
	return func() int { mu.Lock(); defer mu.Unlock(); n++; return n }
}()

// proves asks the token endpoint for nothing, as the client of an assertion, and says
// what it answers.
func proves(t *testing.T, h *apptest.House, assertion string, more ...string) (string, string) {
	t.Helper()
	f := form("grant_type", "authorization_code", "code", "none")
	maps.Copy(f, apptest.AssertionForm(assertion))
	for name, values := range form(more...) {
		f[name] = values
	}
	a := h.Program().Post(tokenPath, f)
	status := map[string]int{unknown: http.StatusUnauthorized, known: http.StatusBadRequest, "invalid_request": http.StatusBadRequest}[a.Error()]
	jsonError(t, "an assertion", a, status, a.Error())
	if a.Header.Get("WWW-Authenticate") != "" {
		t.Errorf("a client that sent no header hears of %q", a.Header.Get("WWW-Authenticate"))
	}
	description, _ := a.JSON()["error_description"].(string)
	return a.Error(), description
}

// own makes a client that proves itself by the keys of signers.
func own(signers ...*apptest.Signer) func(*oidc.ClientEdit) {
	return func(e *oidc.ClientEdit) { e.AuthMethod, e.JWKS = oidc.AuthPrivateKey, apptest.KeySet(signers...) }
}

// RFC 7523 §3, draft-ietf-oauth-rfc7523bis, OpenID Connect Core §9: what an assertion has
// to say.
func TestAssertionClaims_RFC7523_3(t *testing.T) { // threats 7, 8, 10
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		key, stranger := apptest.NewSigner(t, jose.ES256, "k1"), apptest.NewSigner(t, jose.ES256, "k1")
		strict := h.Client("strict", own(key))
		lenient := h.Client("lenient", own(key), func(e *oidc.ClientEdit) { e.AssertionAudience = oidc.AudienceLenient })
		other := h.Client("other", own(stranger))
		now := time.Now().Unix()
		const token = apptest.URL + "/api/oidc/token"
		type m = map[string]any
		for _, row := range []struct {
			name   string
			c      *apptest.Client
			header m
			claims m
			want   string
		}{
			{"takes the issuer as audience", strict, nil, nil, known},
			{"takes one without a type", strict, m{"typ": nil}, nil, known},
			{"takes the type JWT", strict, m{"typ": "JWT"}, nil, known},
			{"takes the type of assertions", strict, m{"typ": "client-authentication+jwt"}, nil, known},
			{"takes it with application/ before it", strict, m{"typ": "application/client-authentication+jwt"}, nil, known},
			{"takes one without iat", strict, nil, m{"iat": nil}, known},
			{"takes iat and nbf 8 seconds ahead", strict, nil, m{"iat": now + 8, "nbf": now + 8}, known},
			{"takes a fraction of a second", strict, nil, m{"exp": float64(now) + 60.5}, known},
			{"takes one that ended a moment ago", strict, nil, m{"exp": now - 10}, known},
			{"takes one for an hour", strict, nil, m{"exp": now + 3600}, known},
			{"takes claims that it does not know", strict, nil, m{"htm": "POST", "list": []any{1, m{"a": "b"}}}, known},
			{"takes one that names no key", strict, m{"kid": nil}, nil, known},

			{"refuses another issuer", strict, nil, m{"iss": other.ID}, unknown},
			{"refuses no issuer", strict, nil, m{"iss": nil}, unknown},
			{"refuses another subject", strict, nil, m{"sub": other.ID}, unknown},
			{"refuses no subject", strict, nil, m{"sub": nil}, unknown},
			{"refuses issuer and subject of somebody", strict, nil, m{"iss": "nobody", "sub": "nobody"}, unknown},
			{"refuses another server", strict, nil, m{"aud": "https://other.example"}, unknown},
			{"refuses the issuer with a slash", strict, nil, m{"aud": apptest.URL + "/"}, unknown},
			{"refuses the token endpoint", strict, nil, m{"aud": token}, unknown},
			{"refuses a list", strict, nil, m{"aud": []string{apptest.URL}}, unknown},
			{"refuses a list with another server", strict, nil, m{"aud": []string{apptest.URL, "https://other.example"}}, unknown},
			{"refuses no audience", strict, nil, m{"aud": nil}, unknown},
			{"refuses an audience that is a number", strict, nil, m{"aud": 1}, unknown},
			{"refuses no exp", strict, nil, m{"exp": nil}, unknown},
			{"refuses exp in words", strict, nil, m{"exp": fmt.Sprint(now + 60)}, unknown},
			{"refuses exp 5 minutes ago", strict, nil, m{"exp": now - 300}, unknown},
			{"refuses exp in two hours", strict, nil, m{"exp": now + 7200}, unknown},
			{"refuses exp beyond all times", strict, nil, m{"exp": 1e18}, unknown},
			{"refuses exp before all times", strict, nil, m{"exp": -1}, unknown},
			{"refuses nbf a minute and more ahead", strict, nil, m{"nbf": now + 65}, unknown},
			{"refuses iat a minute and more ahead", strict, nil, m{"iat": now + 65}, unknown},
			{"refuses no jti", strict, nil, m{"jti": nil}, unknown},
			{"refuses an empty jti", strict, nil, m{"jti": ""}, unknown},
			{"refuses a jti without end", strict, nil, m{"jti": strings.Repeat("j", 600)}, unknown},
			{"refuses the type of access tokens", strict, m{"typ": "at+jwt"}, nil, unknown},
			{"refuses the type of request objects", strict, m{"typ": "oauth-authz-req+jwt"}, nil, unknown},
			{"refuses the type of proofs", strict, m{"typ": "dpop+jwt"}, nil, unknown},
			{"refuses the type of sign-outs", strict, m{"typ": "logout+jwt"}, nil, unknown},
			{"refuses a request object", strict, nil, m{"response_type": "code", "redirect_uri": "https://strict.example/callback"}, unknown},
			{"refuses a key of its own", strict, m{"jwk": stranger.JWK()}, nil, unknown},
			{"refuses the address of a key", strict, m{"jku": "https://strict.example/jwks.json"}, nil, unknown},
			{"refuses what is critical", strict, m{"crit": []string{"exp"}}, nil, unknown},
			{"refuses none", strict, m{"alg": "none"}, nil, unknown},
			{"refuses HMAC", strict, m{"alg": "HS256"}, nil, unknown},
			{"refuses another algorithm than signed it", strict, m{"alg": "RS256"}, nil, unknown},
			{"refuses a key that is not there", strict, m{"kid": "k2"}, nil, unknown},

			{"takes the token endpoint where that is allowed", lenient, nil, m{"aud": token}, known},
			{"takes the issuer where more is allowed", lenient, nil, nil, known},
			{"takes a list where that is allowed", lenient, nil, m{"aud": []string{"https://other.example", token}}, known},
			{"takes the issuer in a list where that is allowed", lenient, nil, m{"aud": []string{apptest.URL}}, known},
			{"refuses another server all the same", lenient, nil, m{"aud": "https://other.example"}, unknown},
			{"refuses an empty list all the same", lenient, nil, m{"aud": []string{}}, unknown},
			{"refuses another endpoint all the same", lenient, nil, m{"aud": apptest.URL + "/authorize"}, unknown},
		} {
			if got, why := proves(t, h, key.Sign(row.header, claimsFor(row.c.ID, row.claims))); got != row.want {
				t.Errorf("it %s: got %s (%s)", row.name, got, why)
			}
		}
		for _, row := range []struct {
			name, assertion string
			more            []string
			want            string
		}{
			{"takes its client_id beside it", key.Sign(nil, claimsFor(strict.ID, nil)), []string{"client_id", strict.ID}, known},
			{"refuses another client_id", key.Sign(nil, claimsFor(strict.ID, nil)), []string{"client_id", lenient.ID}, unknown},
			{"refuses the key of a stranger", stranger.Sign(nil, claimsFor(strict.ID, nil)), nil, unknown},
			{"refuses a client that does not sign", key.Sign(nil, claimsFor(h.Client("shop").ID, nil)), nil, unknown},
			{"refuses a public client", key.Sign(nil, claimsFor(h.Client("phone", apptest.Public).ID, nil)), nil, unknown},
			{"refuses another type of assertion", key.Sign(nil, claimsFor(strict.ID, nil)), []string{"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"}, unknown},
			{"refuses no type of assertion", key.Sign(nil, claimsFor(strict.ID, nil)), []string{"client_assertion_type", ""}, unknown},
			{"refuses a secret beside it", key.Sign(nil, claimsFor(strict.ID, nil)), []string{"client_secret", "x"}, "invalid_request"},
			{"refuses a broken signature", key.Sign(nil, claimsFor(strict.ID, nil)) + "A", nil, unknown},
			{"refuses no signature", strings.TrimRight(key.Sign(nil, claimsFor(strict.ID, nil)), "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"), nil, unknown},
			{"refuses JSON", `{"payload":"","signatures":[]}`, nil, unknown},
			{"refuses words", "assertion", nil, unknown},
			{"refuses one without end", key.Sign(nil, claimsFor(strict.ID, m{"pad": strings.Repeat("a", 20_000)})), nil, unknown},
			{"refuses claims that stand twice", twice(t, key, strict.ID), nil, unknown},
		} {
			if got, why := proves(t, h, row.assertion, row.more...); got != row.want {
				t.Errorf("it %s: got %s (%s)", row.name, got, why)
			}
		}
		if n := len(h.Rows()["used_assertions"]); n == 0 || n > 20 {
			t.Errorf("%d assertions are remembered: only those of keys that are known count", n)
		}
		time.Sleep(2 * time.Hour)
		h.Settle()
		if n := len(h.Rows()["used_assertions"]); n != 0 {
			t.Errorf("%d assertions are remembered when they have expired", n)
		}
	})
}

// twice is an assertion whose claims have a member twice.
func twice(t *testing.T, key *apptest.Signer, id string) string {
	t.Helper()
	b, err := json.Marshal(claimsFor(id, nil))
	if err != nil {
		t.Fatal(err)
	}
	return key.SignText(`{"iss":"nobody",` + string(b[1:]))
}

// TestOurTokensAreNoAssertions holds that what we sign ourselves proves no client.
func TestOurTokensAreNoAssertions(t *testing.T) { // threats 7, 10
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		key := apptest.NewSigner(t, jose.ES256, "k1")
		c := h.Client("shop", own(key), func(e *oidc.ClientEdit) { e.AssertionAudience = oidc.AudienceLenient }).By(key)
		f, code := c.Authorize(ada)
		tokens := f.Exchange(code)
		for name, token := range map[string]string{"an ID token": tokens.IDToken, "an access token": tokens.AccessToken} {
			if got, _ := proves(t, h, token, "client_id", c.ID); got != unknown {
				t.Errorf("%s proves the client: %s", name, got)
			}
		}
		if got := c.Refresh(tokens.RefreshToken); got.Status != http.StatusOK {
			t.Errorf("an assertion at the refresh: %+v", got)
		}
	})
}

// OpenID Connect Core §9, Registration §2 token_endpoint_auth_method: the way that the
// client is registered with, and no other.
func TestTheRegisteredWayCounts_OIDC_Core_9(t *testing.T) { // threats 20
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		key := apptest.NewSigner(t, jose.ES256, "k1")
		by := func(method string) *apptest.Client {
			return h.Client("app"+strings.ReplaceAll(method, "_", ""), func(e *oidc.ClientEdit) {
				e.AuthMethod, e.JWKS, e.Public = method, apptest.KeySet(key), method == oidc.AuthNone
			}).By(key)
		}
		ways := map[string]func(c *apptest.Client) (form url.Values, headers []string){
			oidc.AuthBasic: func(c *apptest.Client) (url.Values, []string) { return nil, basic(c) },
			oidc.AuthPost: func(c *apptest.Client) (url.Values, []string) {
				return form("client_id", c.ID, "client_secret", c.Secret), nil
			},
			oidc.AuthPrivateKey: func(c *apptest.Client) (url.Values, []string) {
				return apptest.AssertionForm(key.Sign(nil, claimsFor(c.ID, nil))), nil
			},
			oidc.AuthNone: func(c *apptest.Client) (url.Values, []string) { return form("client_id", c.ID), nil },
		}
		takes := map[string]string{
			"":                  oidc.AuthBasic + " " + oidc.AuthPost,
			oidc.AuthBasic:      oidc.AuthBasic,
			oidc.AuthPost:       oidc.AuthPost,
			oidc.AuthPrivateKey: oidc.AuthPrivateKey,
			oidc.AuthNone:       oidc.AuthNone,
		}
		for method, good := range takes {
			c := by(method)
			for way, show := range ways {
				if method == oidc.AuthNone && way == oidc.AuthPost { // its secret is empty, which is none
					continue
				}
				f, code := c.Authorize(ada)
				request := f.Form(code)
				shown, headers := show(c)
				maps.Copy(request, shown)
				if method == oidc.AuthNone && way == oidc.AuthBasic {
					headers = []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(c.ID+":x"))}
				}
				a := h.Program().Post(tokenPath, request, headers...)
				if strings.Contains(good, way) {
					if a.Status != http.StatusOK {
						t.Errorf("registered with %q, it refuses %s: %d %s", method, way, a.Status, a.Body)
					}
					continue
				}
				jsonError(t, fmt.Sprintf("registered with %q, by %s", method, way), a, 401, unknown)
				if challenged := a.Header.Get("WWW-Authenticate") != ""; challenged != (way == oidc.AuthBasic) {
					t.Errorf("registered with %q, by %s: WWW-Authenticate is %q", method, way, a.Header.Get("WWW-Authenticate"))
				}
			}
		}
	})
}

// RFC 6749 §5.2 unauthorized_client, RFC 7591 §2 grant_types: the grants of the client
// and no other.
func TestGrantsOfAClient_RFC6749_5_2(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		with := func(name string, grants ...string) *apptest.Client {
			return h.Client(name, func(e *oidc.ClientEdit) { e.GrantTypes = grants })
		}
		both, codes, neither := with("both", "authorization_code", "refresh_token"), with("codes", "authorization_code"), with("neither", "client_credentials")
		f, code := both.Authorize(ada)
		if got := both.Refresh(f.Exchange(code).RefreshToken); got.Status != http.StatusOK {
			t.Errorf("a client with both grants: %+v", got)
		}
		f, code = codes.Authorize(ada)
		if got := f.Exchange(code); got.RefreshToken != "" {
			t.Error("a client that may not refresh has a refresh token")
		}
		for _, row := range []struct {
			name string
			got  apptest.Tokens
		}{
			{"a refresh without the grant", codes.Refresh("anything")},
			{"a code without the grant", neither.Token(form("grant_type", "authorization_code", "code", "anything"))},
		} {
			if row.got.Status != http.StatusBadRequest || row.got.Error != "unauthorized_client" {
				t.Errorf("%s: %+v", row.name, row.got)
			}
		}
	})
}

// RFC 7523 §3 item 7: an assertion counts once, also when what it came with is refused.
func TestAnAssertionIsUsedUp(t *testing.T) { // threats 4, 10
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		key := apptest.NewSigner(t, jose.EdDSA, "k1")
		one, two := h.Client("one", own(key)), h.Client("two", own(key))
		claims := claimsFor(one.ID, nil)
		assertion := key.Sign(nil, claims)
		for i, want := range []string{known, unknown, unknown} {
			if got, why := proves(t, h, assertion); got != want {
				t.Errorf("use %d: got %s (%s), want %s", i+1, got, why, want)
			}
		}
		if got, _ := proves(t, h, key.Sign(map[string]any{"typ": "JWT"}, claims)); got != unknown {
			t.Errorf("its jti in another assertion: got %s", got)
		}
		claims["iss"], claims["sub"] = two.ID, two.ID
		if got, why := proves(t, h, key.Sign(nil, claims)); got != known {
			t.Errorf("the same jti of another client: got %s (%s)", got, why)
		}
	})
}

// TestOfAHundredUsesOfAnAssertionOneWins holds that the race for one assertion has one
// winner, in one process and in two.
func TestOfAHundredUsesOfAnAssertionOneWins(t *testing.T) { // threats 4, 10
	dbtest.Migrated(t, func(t *testing.T, dsn string) {
		synctest.Test(t, func(t *testing.T) {
			one := apptest.Open(t, dsn)
			houses := []*apptest.House{one}
			if strings.HasPrefix(dsn, "postgres") {
				houses = append(houses, apptest.Open(t, dsn))
			}
			one.SetUp()
			key := apptest.NewSigner(t, jose.ES256, "k1")
			c := one.Client("shop", own(key))
			request := form("grant_type", "authorization_code", "code", "none")
			maps.Copy(request, apptest.AssertionForm(key.Sign(nil, claimsFor(c.ID, nil))))
			var programs []*apptest.Program
			for i := range 100 {
				programs = append(programs, houses[i%len(houses)].Program())
			}
			answers := make([]string, len(programs))
			var all sync.WaitGroup
			for i, p := range programs {
				all.Go(func() { answers[i] = p.Post(tokenPath, request).Error() })
			}
			all.Wait()
			won := 0
			for _, a := range answers {
				switch a {
				case known:
					won++
				case unknown:
				default:
					t.Errorf("a loser hears %s", a)
				}
			}
			if won != 1 {
				t.Errorf("one assertion was good %d times", won)
			}
		})
	})
}

// conformance.md 2.4 T3 alg, RFC 8725 §3.1: the algorithm that the client registered.
func TestAlgorithmsOfAssertions_RFC8725_3_1(t *testing.T) { // threats 8
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		algs := []jose.Alg{jose.RS256, jose.PS256, jose.ES256, jose.EdDSA}
		var keys []*apptest.Signer
		for _, alg := range algs {
			keys = append(keys, apptest.NewSigner(t, alg, string(alg)))
		}
		free := h.Client("any", own(keys...))
		for i, alg := range algs {
			only := h.Client("only-"+strings.ToLower(string(alg)), own(keys...), func(e *oidc.ClientEdit) { e.AssertionAlg = alg })
			for j, key := range keys {
				want := unknown
				if i == j {
					want = known
				}
				if got, why := proves(t, h, key.Sign(nil, claimsFor(only.ID, nil))); got != want {
					t.Errorf("registered with %s, signed with %s: got %s (%s)", alg, key.Alg, got, why)
				}
			}
			if got, why := proves(t, h, keys[i].Sign(nil, claimsFor(free.ID, nil))); got != known {
				t.Errorf("registered with any, signed with %s: got %s (%s)", alg, got, why)
			}
			if got, why := proves(t, h, keys[i].Sign(map[string]any{"kid": nil}, claimsFor(free.ID, nil))); got != known {
				t.Errorf("without a kid, signed with %s: got %s (%s)", alg, got, why)
			}
		}
	})
}

// TestKeysOfAClientAreFetchedSeldom holds that keys elsewhere are found when they are
// new, and that nobody can let us hammer whoever publishes them.
func TestKeysOfAClientAreFetchedSeldom(t *testing.T) { // threats 74
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		one, two := apptest.NewSigner(t, jose.ES256, "one"), apptest.NewSigner(t, jose.ES256, "two")
		published, status := apptest.KeySet(one), http.StatusOK
		site := h.Site("shop.example", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			fmt.Fprint(w, published)
		})
		c := h.Client("shop", func(e *oidc.ClientEdit) { e.AuthMethod, e.JWKSURI = oidc.AuthPrivateKey, site.URL+"/jwks.json" })
		try := func(name string, key *apptest.Signer, want string, requests int) {
			t.Helper()
			before := site.Asked()
			got, why := proves(t, h, key.Sign(nil, claimsFor(c.ID, nil)))
			if got != want || site.Asked()-before != requests {
				t.Errorf("%s: got %s (%s) after %d requests, want %s after %d", name, got, why, site.Asked()-before, want, requests)
			}
			if strings.Contains(why, "shop.example") || strings.Contains(why, "status") {
				t.Errorf("%s: the client hears %q", name, why)
			}
		}
		try("the first time", one, known, 1)
		try("the second time", one, known, 0)
		for range 20 {
			try("a key that is not there, at once", two, unknown, 0)
		}
		time.Sleep(time.Minute)
		try("a key that is not there, later", two, unknown, 1)
		try("and again", two, unknown, 0)
		published = apptest.KeySet(one, two)
		time.Sleep(time.Minute)
		try("a key that is new", two, known, 1)
		try("the old one beside it", one, known, 0)
		for _, bad := range []map[string]any{{"exp": 1}, {"aud": "https://other.example"}, {"sub": nil}, {"jti": nil}} {
			before := site.Asked()
			time.Sleep(time.Minute)
			proves(t, h, two.Sign(map[string]any{"kid": "three"}, claimsFor(c.ID, bad)))
			if site.Asked() != before {
				t.Errorf("somebody is asked for the keys of an assertion that is refused anyhow: %v", bad)
			}
		}
		time.Sleep(20 * time.Minute)
		status = http.StatusInternalServerError
		try("while its house is down", two, known, 1)
		time.Sleep(90 * time.Minute)
		try("while it is down for long", two, unknown, 1)
		status, published = http.StatusOK, `{"keys":[{"kty":"oct","k":"c2VjcmV0","kid":"two"}]}`
		time.Sleep(time.Minute)
		try("a symmetric key", two, unknown, 1)
		published = strings.Repeat(" ", 100<<10) + apptest.KeySet(two)
		time.Sleep(time.Minute)
		try("a set without end", two, unknown, 1)
		published = apptest.KeySet(two)
		time.Sleep(time.Minute)
		try("a set that is right again", two, known, 1)
		try("a key that was taken out", one, unknown, 0)
	})
}

// TestKeysOnAnInnerNetwork goes over a real socket: only what ALLOWED_PRIVATE_HOSTS
// names is reached.
func TestKeysOnAnInnerNetwork(t *testing.T) { // threats 74
	var mu sync.Mutex
	asked, published := 0, ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked++
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/", http.StatusFound)
			return
		}
		fmt.Fprint(w, published)
	}))
	// Not by t.Cleanup, whose functions run in the bubbles of the engines that go on in parallel.
	stopped := sync.OnceFunc(server.Close)
	t.Cleanup(stopped)
	at := strings.TrimPrefix(server.URL, "http://")
	dbtest.Migrated(t, func(t *testing.T, dsn string) {
		synctest.Test(t, func(t *testing.T) {
			h := apptest.Open(t, dsn, "ALLOWED_PRIVATE_HOSTS="+at)
			h.SetUp()
			key := apptest.NewSigner(t, jose.ES256, "k1")
			mu.Lock()
			published, asked = apptest.KeySet(key), 0
			mu.Unlock()
			with := func(name, address string) *apptest.Client {
				return h.Client(name, func(e *oidc.ClientEdit) { e.AuthMethod, e.JWKSURI = oidc.AuthPrivateKey, address })
			}
			c := with("named", server.URL+"/jwks.json")
			if got, why := proves(t, h, key.Sign(nil, claimsFor(c.ID, nil))); got != known || asked != 1 {
				t.Errorf("a host that is named: %s (%s), asked %d times", got, why, asked)
			}
			c = with("away", server.URL+"/away")
			if got, _ := proves(t, h, key.Sign(nil, claimsFor(c.ID, nil))); got != unknown || asked != 2 {
				t.Errorf("a redirect to a cloud's secrets: %s, asked %d times", got, asked)
			}
			c = with("other-name", "https://localhost:"+strings.Split(at, ":")[1]+"/jwks.json")
			if got, _ := proves(t, h, key.Sign(nil, claimsFor(c.ID, nil))); got != unknown || asked != 2 {
				t.Errorf("another name for it: %s, asked %d times", got, asked)
			}
		})
	})
}
