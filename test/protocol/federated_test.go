package protocol

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"pocketid/internal/apptest"
	"pocketid/internal/jose"
	"pocketid/internal/oidc"
)

// RFC 7523 §3 with an issuer elsewhere: a workload shows the token that its platform
// gives it.
func TestATokenOfElsewhereVouches(t *testing.T) { // threats 7, 8, 10
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		type m = map[string]any
		platform, stranger := apptest.NewSigner(t, jose.RS256, "p1"), apptest.NewSigner(t, jose.ES256, "p1")
		published := apptest.KeySet(platform)
		cluster := h.Site("cluster.example", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/.well-known/jwks.json" && r.URL.Path != "/elsewhere/keys" {
				http.NotFound(w, r)
				return
			}
			fmt.Fprint(w, published)
		})
		const account = "system:serviceaccount:shop:backend"
		vouched := func(name string, all ...oidc.Federated) *apptest.Client {
			return h.Client(name, func(e *oidc.ClientEdit) { e.Federated = all })
		}
		shop := vouched("shop", oidc.Federated{Issuer: "https://nobody.example", Subject: account}, oidc.Federated{Issuer: cluster.URL, Subject: account})
		plainest := vouched("plainest", oidc.Federated{Issuer: cluster.URL})
		named := vouched("named", oidc.Federated{Issuer: "platform", Subject: "job", Audience: "pocket-id", JWKS: cluster.URL + "/elsewhere/keys"})
		once := vouched("once", oidc.Federated{Issuer: cluster.URL, Subject: account, ReplayProtection: true})
		secret := h.Client("secret", func(e *oidc.ClientEdit) { e.AuthMethod = oidc.AuthBasic })
		now := time.Now().Unix()
		token := func(key *apptest.Signer, header, changes m) string {
			claims := m{"iss": cluster.URL, "sub": account, "aud": []string{apptest.URL}, "iat": now, "exp": now + 3600, "jti": fmt.Sprint("j", serial())}
			for name, value := range changes {
				if claims[name] = value; value == nil {
					delete(claims, name)
				}
			}
			return key.Sign(header, claims)
		}
		for _, row := range []struct {
			name, client, assert, want string
		}{
			{name: "takes the token of its account", client: shop.ID, assert: token(platform, nil, nil), want: known},
			{name: "takes an audience that is one text", client: shop.ID, assert: token(platform, nil, m{"aud": apptest.URL}), want: known},
			{name: "takes one of several audiences", client: shop.ID, assert: token(platform, nil, m{"aud": []string{"https://other.example", apptest.URL}}), want: known},
			{name: "takes one without a jti", client: shop.ID, assert: token(platform, nil, m{"jti": nil}), want: known},
			{name: "takes one for a year", client: shop.ID, assert: token(platform, nil, m{"exp": now + 365*86400}), want: known},
			{name: "takes the type JWT", client: shop.ID, assert: token(platform, m{"typ": "JWT"}, nil), want: known},
			{name: "takes the client's id for the subject", client: plainest.ID, assert: token(platform, nil, m{"sub": plainest.ID}), want: known},
			{name: "takes the subject for the client", assert: token(platform, nil, m{"sub": plainest.ID}), want: known},
			{name: "takes an issuer that is a word, with keys elsewhere", client: named.ID, assert: token(platform, nil, m{"iss": "platform", "sub": "job", "aud": "pocket-id"}), want: known},

			{name: "refuses another account", client: shop.ID, assert: token(platform, nil, m{"sub": "system:serviceaccount:shop:frontend"}), want: unknown},
			{name: "refuses an account that begins like it", client: shop.ID, assert: token(platform, nil, m{"sub": account + "2"}), want: unknown},
			{name: "refuses no account", client: shop.ID, assert: token(platform, nil, m{"sub": nil}), want: unknown},
			{name: "refuses another audience", client: shop.ID, assert: token(platform, nil, m{"aud": []string{"https://kubernetes.default.svc"}}), want: unknown},
			{name: "refuses our audience where another is set", client: named.ID, assert: token(platform, nil, m{"iss": "platform", "sub": "job"}), want: unknown},
			{name: "refuses no audience", client: shop.ID, assert: token(platform, nil, m{"aud": nil}), want: unknown},
			{name: "refuses another issuer", client: shop.ID, assert: token(platform, nil, m{"iss": "https://other.example"}), want: unknown},
			{name: "refuses the issuer with a slash", client: shop.ID, assert: token(platform, nil, m{"iss": cluster.URL + "/"}), want: unknown},
			{name: "refuses the subject of another credential", client: named.ID, assert: token(platform, nil, m{"aud": "pocket-id"}), want: unknown},
			{name: "refuses an expired one", client: shop.ID, assert: token(platform, nil, m{"exp": now - 300}), want: unknown},
			{name: "refuses one without end", client: shop.ID, assert: token(platform, nil, m{"exp": nil}), want: unknown},
			{name: "refuses one of the future", client: shop.ID, assert: token(platform, nil, m{"nbf": now + 120}), want: unknown},
			{name: "refuses the key of a stranger", client: shop.ID, assert: token(stranger, nil, nil), want: unknown},
			{name: "refuses the key of a stranger inside", client: shop.ID, assert: token(stranger, m{"jwk": stranger.JWK()}, nil), want: unknown},
			{name: "refuses HMAC", client: shop.ID, assert: token(platform, m{"alg": "HS256"}, nil), want: unknown},
			{name: "refuses another kind of token", client: shop.ID, assert: token(platform, m{"typ": "at+jwt"}, nil), want: unknown},
			{name: "refuses a client that nobody vouches for", client: secret.ID, assert: token(platform, nil, nil), want: unknown},
			{name: "refuses a client that says it is itself", client: shop.ID, assert: token(platform, nil, m{"iss": shop.ID, "sub": shop.ID}), want: unknown},
			{name: "refuses nobody's client", assert: token(platform, nil, nil), want: unknown},

			{name: "takes a token that counts once", client: once.ID, assert: token(platform, nil, m{"jti": "the one"}), want: known},
			{name: "refuses it the second time", client: once.ID, assert: token(platform, nil, m{"jti": "the one"}), want: unknown},
			{name: "refuses one without a jti where each counts once", client: once.ID, assert: token(platform, nil, m{"jti": nil}), want: unknown},
			{name: "refuses one for a week where each counts once", client: once.ID, assert: token(platform, nil, m{"exp": now + 7*86400}), want: unknown},
		} {
			if got, why := proves(t, h, row.assert, "client_id", row.client); got != row.want {
				t.Errorf("it %s: got %s (%s)", row.name, got, why)
			}
		}
		again := token(platform, nil, nil)
		for range 3 {
			if got, why := proves(t, h, again, "client_id", shop.ID); got != known {
				t.Errorf("a token that may be shown again: %s (%s)", got, why)
			}
		}
		if cluster.Asked() > 3 {
			t.Errorf("the platform was asked %d times", cluster.Asked())
		}
		if a := h.Program().Post(tokenPath, form("grant_type", "authorization_code", "code", "none"), basic(shop)...); a.Error() != known {
			t.Errorf("its secret beside the credential: %s", a.Error())
		}
	})
}

// RFC 7523, RFC 9126 §2, RFC 8628 §3.1, RFC 7662 §2.1, RFC 7009 §2.1: wherever a client
// authenticates it may do so by an assertion, and each assertion counts once for all of
// these together.
func TestEveryEndpointTakesAssertions_RFC7521_4_2(t *testing.T) { // threats 10
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		key := apptest.NewSigner(t, jose.ES256, "k1")
		c := h.Client("shop", own(key), func(e *oidc.ClientEdit) { e.GrantTypes = oidc.GrantTypes })
		vouched := h.Client("vouched", func(e *oidc.ClientEdit) {
			e.Federated = []oidc.Federated{{Issuer: "platform", JWKS: h.Site("platform.example", func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprint(w, apptest.KeySet(key))
			}).URL}}
		})
		used := key.Sign(nil, claimsFor(c.ID, nil))
		if got, why := proves(t, h, used); got != known {
			t.Fatalf("the first use: %s (%s)", got, why)
		}
		for path, request := range map[string][]string{
			tokenPath:                    {"grant_type", "authorization_code", "code", "none"},
			"/api/oidc/par":              {"response_type", "code", "redirect_uri", c.RedirectURI, "scope", "openid", "code_challenge", strings.Repeat("a", 43), "code_challenge_method", "S256"},
			"/api/oidc/introspect":       {"token", "none"},
			"/api/oidc/revoke":           {"token", "none"},
			"/api/oidc/device/authorize": {"scope", "openid"},
		} {
			ask := func(assertion string, headers ...string) *apptest.Answer {
				f := form(append(request, "client_id", c.ID)...)
				maps.Copy(f, apptest.AssertionForm(assertion))
				return h.Program().Post(path, f, headers...)
			}
			if a := ask(key.Sign(nil, claimsFor(c.ID, nil))); a.Status >= 300 && a.Error() != known {
				t.Errorf("%s refuses an assertion: %d %s", path, a.Status, a.Body)
			}
			jsonError(t, path+" with one that was used elsewhere", ask(used), 401, unknown)
			jsonError(t, path+" with one for another server", ask(key.Sign(nil, claimsFor(c.ID, map[string]any{"aud": "https://other.example"}))), 401, unknown)
			jsonError(t, path+" with a header beside it", ask(key.Sign(nil, claimsFor(c.ID, nil)), "Authorization", "Basic eDp5"), 400, "invalid_request")
		}
		bearer := func(id, assertion string, more ...string) *apptest.Answer {
			return h.Program().Post("/api/oidc/introspect", form(append([]string{"token", "none", "client_id", id}, more...)...), "Authorization", "Bearer "+assertion)
		}
		token := key.Sign(nil, claimsFor(vouched.ID, map[string]any{"iss": "platform"}))
		if a := bearer(vouched.ID, token); a.Status != http.StatusOK || a.JSON()["active"] != false {
			t.Errorf("a token of elsewhere as Bearer: %d %s", a.Status, a.Body)
		}
		if a := bearer(c.ID, token); a.Status != http.StatusUnauthorized {
			t.Errorf("a token of elsewhere as Bearer for another client: %d %s", a.Status, a.Body)
		}
		if a := bearer(vouched.ID, token, "client_secret", "x"); a.Status != http.StatusBadRequest {
			t.Errorf("a secret beside a Bearer: %d %s", a.Status, a.Body)
		}
	})
}
