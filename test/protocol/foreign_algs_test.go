package protocol

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"pocketid/internal/apptest"
	"pocketid/internal/audit"
	"pocketid/internal/jose"
	"pocketid/internal/moving"
	"pocketid/internal/oidc"
)

// movedIn is a house of the other Pocket ID after its archive was moved in to dsn, with the
// signing key that newKey made.
func movedIn(t *testing.T, dsn string, change func(m *movedHouse), newKey func(jose.Alg) (*jose.Key, error)) *movedHouse {
	t.Helper()
	c := apptest.Config(t, dsn)
	if newKey == nil {
		newKey = c.NewKey
	}
	m := foreign(t, generations[4].version, newKey)
	change(m)
	data := m.archive(t)
	z, err := moving.OpenZip(bytes.NewReader(data), int64(len(data)), moving.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := c.PlanForeignArchive(t.Context(), z, nil, audit.System("cli"))
	if err == nil {
		_, err = plan.Do(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A house that signed with an algorithm of which this one makes no keys by itself goes on
// doing so, on all replicas: applications are told of it, keep it through every edit, leave
// it and come back to it, and the key is replaced like any other. What no key is of stays
// refused.
func TestAlgorithmsThatCameAlong(t *testing.T) {
	inBubble(t, func(t *testing.T, dsn string) {
		m := movedIn(t, dsn, func(*movedHouse) {}, func(jose.Alg) (*jose.Key, error) { return jose.Generate(jose.ES384) })
		h := apptest.Open(t, dsn)
		houses := []*apptest.House{h}
		if strings.HasPrefix(dsn, "postgres") {
			houses = append(houses, apptest.Open(t, dsn))
		}
		for _, one := range houses {
			one.KeepKeys()
			document := one.Program().Get("/.well-known/openid-configuration")
			for _, member := range []string{"id_token_signing_alg_values_supported", "userinfo_signing_alg_values_supported"} {
				if got, _ := document.JSON()[member].([]any); !slices.Equal(got, []any{"RS256", "ES256", "EdDSA", "ES384"}) {
					t.Errorf("%s are %v", member, got)
				}
			}
		}
		ada := h.Brought("ada", foreignAda, m.passkey)
		ada.SignIn()
		shop := h.BroughtClient("shop", shopSecret, "https://shop.example/callback")
		last := houses[len(houses)-1]
		// signs says by which key tokens of the shop are signed; one house signs, the other verifies.
		signs := func(when string, id, access jose.Alg) string {
			t.Helper()
			f, code := shop.Authorize(ada)
			tokens := f.At(last).Exchange(code)
			keys, err := jose.ParseKeys([]byte(h.Program().Get("/.well-known/jwks.json").Body))
			if err != nil {
				t.Fatal(err)
			}
			for token, alg := range map[string]jose.Alg{tokens.IDToken: id, tokens.AccessToken: access} {
				if _, _, err := jose.Verify(token, jose.Want{Algs: []jose.Alg{alg}, Typs: []string{"jwt", "at+jwt"}, Keys: keys.Find}); err != nil {
					t.Errorf("%s: a token with the header %v: %v", when, header(t, token), err)
				}
			}
			if status, _ := shop.Userinfo(tokens.AccessToken); status != http.StatusOK {
				t.Errorf("%s: userinfo answers %d", when, status)
			}
			return header(t, tokens.IDToken)["kid"].(string)
		}
		if kid := signs("as it came", jose.ES384, jose.ES384); kid != "oldKid-8b64" {
			t.Errorf("the key that came does not sign, but %s", kid)
		}

		path := clientsPath + "/shop"
		page := ada.Open(path)
		for _, field := range []string{"id_token_alg", "access_token_alg"} {
			if chosen := matches(t, page, `(?s)name="`+field+`".*?<option value="([^"]*)" selected`)[0]; chosen != "ES384" {
				t.Errorf("the form shows %s as %s", field, chosen)
			}
		}
		saved := ada.Submit(path, clientForm("name", "Another name", "was", seenOf(t, ada, path), "redirect_uris", shop.RedirectURI, "id_token_alg", "ES384", "access_token_alg", "ES384"))
		if saved.Status != http.StatusOK || !strings.Contains(saved.Body, "Another name") {
			t.Fatalf("the form: %s", saved)
		}
		put := func(want int, body string) {
			t.Helper()
			got := h.Program().Ask(http.MethodPut, "/api/oidc/clients/shop", body, "X-API-Key", apiKeyText, "Content-Type", "application/json")
			if got.Status != want || want != http.StatusOK && !strings.Contains(got.Body, "SigningAlg") {
				t.Errorf("%s: %d %s", body, got.Status, got.Body)
			}
		}
		put(http.StatusOK, `{"name":"Shop","callbackURLs":["https://shop.example/callback"]}`)
		signs("after edits", jose.ES384, jose.ES384)
		put(http.StatusOK, `{"name":"Shop","callbackURLs":["https://shop.example/callback"],"idTokenSigningAlg":"RS256","accessTokenSigningAlg":"EdDSA"}`)
		signs("after it left", jose.RS256, jose.EdDSA)
		put(http.StatusBadRequest, `{"name":"Shop","callbackURLs":["https://shop.example/callback"],"idTokenSigningAlg":"RS512"}`)
		put(http.StatusBadRequest, `{"name":"Shop","callbackURLs":["https://shop.example/callback"],"accessTokenSigningAlg":"ES512"}`)
		put(http.StatusOK, `{"name":"Shop","callbackURLs":["https://shop.example/callback"],"idTokenSigningAlg":"ES384","userinfoSigningAlg":"ES384"}`)
		f, code := shop.Authorize(ada)
		if about := h.Program().Get(userinfoPath, "Authorization", "Bearer "+f.Exchange(code).AccessToken); header(t, about.Body)["alg"] != "ES384" {
			t.Errorf("userinfo: %d %s", about.Status, about.Body)
		}
		put(http.StatusOK, `{"name":"Shop","callbackURLs":["https://shop.example/callback"],"userinfoSigningAlg":""}`)
		by := audit.System("cli")
		if _, err := h.App.OIDC.AddAPI(t.Context(), by, "https://one.example", oidc.APIEdit{Name: "One", AccessTokenAlg: jose.ES384}); err != nil {
			t.Errorf("an API of an algorithm that came along: %v", err)
		}
		if _, err := h.App.OIDC.AddAPI(t.Context(), by, "https://two.example", oidc.APIEdit{Name: "Two", AccessTokenAlg: jose.RS384}); err == nil {
			t.Error("an API has an algorithm without a key")
		}
		keys := h.App.OIDC.Keys()
		if _, err := keys.Rotate(t.Context(), by, jose.ES512); err == nil {
			t.Error("there is a key of an algorithm that nobody brought")
		}
		done, err := keys.RotateNow(t.Context(), by, jose.ES384)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(oidc.KeysSpread + 3*oidc.ReloadKeys)
		if kid := signs("after a rotation", jose.ES384, jose.EdDSA); kid != done.KeyID {
			t.Errorf("%s signs, and %s should", kid, done.KeyID)
		}
		if err := keys.Compromise(t.Context(), by, done.KeyID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * oidc.ReloadKeys)
		if kid := signs("after a leak", jose.ES384, jose.EdDSA); kid == done.KeyID {
			t.Error("a key that leaked signs")
		}
	})
}

// A hint from before the move signs people out, long after the key that signed it has gone
// from the JWKS; one that somebody else signed does not spare anybody the question.
func TestSigningOutWithAHintFromBeforeTheMove(t *testing.T) {
	inBubble(t, func(t *testing.T, dsn string) {
		m := movedIn(t, dsn, func(*movedHouse) {}, nil)
		h := apptest.Open(t, dsn)
		stranger, err := jose.Generate(jose.ES256)
		if err != nil {
			t.Fatal(err)
		}
		forged, err := stranger.Sign("JWT", claims(t, m.idToken))
		if err != nil {
			t.Fatal(err)
		}
		ada := h.Brought("ada", foreignAda, m.passkey)
		out := func(hint string) *apptest.Page {
			ada.SignIn()
			return ada.Open("/api/oidc/end-session?" + url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {"https://shop.example/"}, "state": {"s"}}.Encode())
		}
		for _, when := range []time.Duration{0, 3 * time.Hour} {
			time.Sleep(when)
			if page := out(m.idToken); page.Away == nil || page.Away.String() != "https://shop.example/?state=s" {
				t.Errorf("after %s: %s", when, page)
			}
			if page := ada.Open("/settings/account"); page.URL.Path != "/login" {
				t.Errorf("after %s she is still signed in: %s", when, page)
			}
		}
		h.KeepKeys() // only now: it looks every few seconds
		time.Sleep(3 * oidc.ReloadKeys)
		if page := out(m.idToken); page.Away == nil {
			t.Errorf("by a key that is retired: %s", page)
		}
		if jwks := h.Program().Get("/.well-known/jwks.json"); strings.Contains(jwks.Body, "oldKid-8b64") {
			t.Error("the old key is published for ever")
		}
		if page := out(forged); page.Away != nil {
			t.Errorf("a forged hint: %s", page)
		}
	})
}
