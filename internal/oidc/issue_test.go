package oidc

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/jose"
)

func TestTokensSayWhatTheyShould(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c := h.relyingParty(ClientEdit{AccessTokenFor: 10 * time.Minute, IDTokenFor: 5 * time.Minute})
		l := c.login("ada", "openid", "email")
		time.Sleep(time.Minute)
		now := time.Now().Unix()
		got := c.redeem(c.codeWith(l, codeRequest{Scopes: []string{"openid", "email"}, Nonce: "a nonce"})).ok(t)
		if got.ExpiresIn != 600 {
			t.Errorf("expires_in is %d, want 600", got.ExpiresIn)
		}

		header, access := claimsOf(t, got.Access)
		if header["typ"] != "at+jwt" || header["alg"] != "ES256" || header["kid"] == nil || len(header) != 3 {
			t.Errorf("the header of the access token is %v", header)
		}
		grant := ""
		must(t, h.d.Read(t.Context(), func(tx *db.Tx) error {
			return tx.One([]any{&grant}, `SELECT id FROM grants WHERE client_id = $1`, c.ID)
		}))
		if jti, _ := access["jti"].(string); !strings.HasPrefix(jti, grant+".") || len(jti) < len(grant)+20 {
			t.Errorf("jti is %q, want the grant %s and something random", jti, grant)
		}
		delete(access, "jti")
		want := map[string]any{"iss": testIssuer, "sub": l.user.ID, "aud": []any{c.ID, testIssuer}, "client_id": c.ID,
			"scope": "openid email", "iat": float64(now), "exp": float64(now + 600), "auth_time": float64(now - 60),
			"acr": "phr", "amr": []any{"phr", "user", "mfa"}}
		if !reflect.DeepEqual(access, want) {
			t.Errorf("the access token says %v, want %v", access, want)
		}

		header, id := claimsOf(t, got.ID)
		if header["typ"] != "JWT" || header["alg"] != "ES256" || header["kid"] == nil || len(header) != 3 {
			t.Errorf("the header of the ID token is %v", header)
		}
		if id["jti"] == "" || id["jti"] == nil {
			t.Error("the ID token has no jti")
		}
		delete(id, "jti")
		want = map[string]any{"iss": testIssuer, "sub": l.user.ID, "aud": c.ID, "iat": float64(now), "exp": float64(now + 300),
			"auth_time": float64(now - 60), "acr": "phr", "amr": []any{"phr", "user", "mfa"}, "nonce": "a nonce", "sid": l.sid,
			"at_hash": jose.AtHash(jose.ES256, got.Access), "email": "ada@example.test", "email_verified": false}
		if !reflect.DeepEqual(id, want) {
			t.Errorf("the ID token says %v, want %v", id, want)
		}
	})
}

func TestIDTokenIsSignedAsTheClientWants(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ada := h.user("ada")
		for _, alg := range KeyAlgs {
			c := h.relyingParty(ClientEdit{IDTokenAlg: alg, ClaimsAtUserinfo: alg == jose.EdDSA})
			l := c.loginAs(testLogin{user: ada, browser: h.browser()}, "openid", "profile")
			got := c.redeem(c.code(l, "openid", "profile")).ok(t)
			header, payload, err := h.p.keys.Verify(t.Context(), got.ID, "jwt")
			must(t, err)
			var claims map[string]any
			must(t, json.Unmarshal(payload, &claims))
			if header.Alg != alg || claims["at_hash"] != jose.AtHash(alg, got.Access) {
				t.Errorf("%s: the header is %v, at_hash is %v", alg, header, claims["at_hash"])
			}
			if at, _ := claimsOf(t, got.Access); at["alg"] != "ES256" {
				t.Errorf("%s: the access token is signed with %v", alg, at["alg"])
			}
			if (claims["preferred_username"] == nil) != c.ClaimsAtUserinfo {
				t.Errorf("%s: the ID token says %v", alg, claims)
			}
			if _, told := h.userinfo(got.Access); told["preferred_username"] != "ada" {
				t.Errorf("%s: userinfo says %v", alg, told)
			}
		}
	})
}

// TestARequestWithoutScopesIsServed holds OAuth requests that are not OpenID Connect.
func TestARequestWithoutScopesIsServed(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c := h.relyingParty(ClientEdit{})
		l := c.login("ada")
		got := c.redeem(c.codeWith(l, codeRequest{Scopes: []string{}})).ok(t)
		if _, claims := claimsOf(t, got.Access); claims["scope"] != nil || got.ID != "" {
			t.Errorf("the access token says %v, the ID token is %q", claims, got.ID)
		}
		if status, _ := h.userinfo(got.Access); status != 403 {
			t.Errorf("userinfo: %d, want 403", status)
		}
		c.refresh(got.Refresh).ok(t)
		c.refresh(got.Refresh, "scope", "openid").fails(t, 400, "invalid_scope")
	})
}

// threats 7
func TestATokenIsGoodForOneThing(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c := h.relyingParty(ClientEdit{PostLogoutURIs: []URI{{URI: "https://shop.example/bye"}}})
		l := c.login("ada", "openid")
		got := c.redeem(c.code(l, "openid")).ok(t)
		_, claims := claimsOf(t, got.Access)
		sign := func(typ string, change ...any) string {
			said := maps.Clone(claims)
			for pair := range slices.Chunk(change, 2) {
				said[pair[0].(string)] = pair[1]
			}
			token, err := h.p.keys.Sign(t.Context(), jose.ES256, typ, said)
			must(t, err)
			return token
		}
		grant, _, _ := strings.Cut(claims["jti"].(string), ".")
		for name, token := range map[string]string{
			"an ID token":               got.ID,
			"a refresh token":           got.Refresh,
			"a logout token":            sign("logout+jwt"),
			"a JWT without a type":      sign("JWT"),
			"another issuer":            sign(typAccess, "iss", "https://other.example"),
			"an issuer with a slash":    sign(typAccess, "iss", testIssuer+"/"),
			"another audience":          sign(typAccess, "aud", []string{c.ID}),
			"another client":            sign(typAccess, "client_id", "other"),
			"a jti without a grant":     sign(typAccess, "jti", "x"),
			"a grant that never was":    sign(typAccess, "jti", "x.y"),
			"a time that is over":       sign(typAccess, "exp", time.Now().Unix()),
			"one letter more":           got.Access + "x",
			"the signature of another":  got.Access[:strings.LastIndex(got.Access, ".")] + got.ID[strings.LastIndex(got.ID, "."):],
			"no signature":              got.Access[:strings.LastIndex(got.Access, ".")+1],
			"a NUL":                     "a\x00b",
			"something far too long":    strings.Repeat("a", 100_000),
			"a grant with a quote":      sign(typAccess, "jti", "' OR 1=1.y"),
			"a claim of the wrong form": sign(typAccess, "aud", 7),
		} {
			if status, claims := h.userinfo(token); status != 401 || claims["error"] != "invalid_token" {
				t.Errorf("userinfo with %s: %d %v, want 401", name, status, claims)
			}
		}
		// Whom it is about is the grant's to say, not the token's.
		if status, told := h.userinfo(sign(typAccess, "sub", h.user("bob").ID, "jti", grant+".y")); status != 200 || told["sub"] != l.user.ID {
			t.Errorf("userinfo with another sub: %d %v, want that of the grant", status, told)
		}
		for name, token := range map[string]string{"an access token": got.Access, "a logout token": sign("logout+jwt", "aud", c.ID)} {
			if _, err := h.p.readHint(t.Context(), token); err == nil {
				t.Errorf("%s passes for a hint", name)
			}
		}
		if hint, err := h.p.readHint(t.Context(), got.ID); err != nil || hint != (hinted{l.user.ID, c.ID, l.sid}) {
			t.Errorf("the hint is %+v, %v", hint, err)
		}
		h.write(func(tx *db.Tx) {
			tx.Do(`INSERT INTO revoked_tokens (jti, expires_at) VALUES ($1, $2)`, claims["jti"], tx.Now().Add(time.Hour).UnixMicro())
		})
		if status, _ := h.userinfo(got.Access); status != 401 {
			t.Errorf("userinfo with a token that was revoked: %d, want 401", status)
		}
		h.write(func(tx *db.Tx) { tx.Do(`UPDATE grants SET cnf = 'a key' WHERE id = $1`, grant) })
		if status, _ := h.userinfo(sign(typAccess, "jti", grant+".z")); status != 401 {
			t.Errorf("userinfo with a bound token and no proof: %d, want 401", status)
		}
	})
}
