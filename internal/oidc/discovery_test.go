package oidc

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/dbtest"
	"pocketid/internal/directory"
	"pocketid/internal/edge"
	"pocketid/internal/jose"

	goidc "github.com/coreos/go-oidc/v3/oidc"
)

var update = flag.Bool("update", false, "write the golden files")

// metadataAt is a provider that has nothing but keys and documents.
func metadataAt(t testing.TB, k *Keyring, issuer, internal string) http.Handler {
	t.Helper()
	p := &Provider{db: k.db, keys: k, issuer: issuer, metadata: newDiscovery(issuer, internal)}
	mux := http.NewServeMux()
	mux.Handle("GET /.well-known/openid-configuration", edge.On(edge.Problem, p.Discovery))
	mux.Handle("GET /.well-known/oauth-authorization-server", edge.On(edge.Problem, p.Discovery))
	mux.Handle("GET /.well-known/jwks.json", edge.On(edge.Problem, p.JWKS))
	return mux
}

func fetch(h http.Handler, method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestTheDiscoveryDocumentIsTheGoldenOne(t *testing.T) {
	k := started(t, dbtest.Open(t))
	h := metadataAt(t, k, testIssuer, "http://pocket-id.internal:1411")
	got := fetch(h, "GET", "/.well-known/openid-configuration").Body.Bytes()
	const golden = "testdata/discovery.json"
	if *update {
		must(t, os.WriteFile(golden, got, 0o644))
	}
	want, err := os.ReadFile(golden)
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("the document changed (-update writes it):\n%s", got)
	}
	if other := fetch(h, "GET", "/.well-known/oauth-authorization-server").Body.Bytes(); !bytes.Equal(got, other) {
		t.Error("the two addresses tell different things")
	}
	var members map[string]any
	must(t, json.Unmarshal(got, &members))
	for name, v := range members {
		switch v := v.(type) {
		case nil:
			t.Errorf("%s is null", name)
		case []any:
			if len(v) == 0 {
				t.Errorf("%s is empty (RFC 8414 §3.2)", name)
			}
		case string:
			outside := name == "issuer" || name == "authorization_endpoint" || name == "end_session_endpoint" || name == "device_authorization_endpoint"
			if outside != strings.HasPrefix(v, testIssuer) {
				t.Errorf("%s is %s", name, v)
			}
		}
	}
	if members["issuer"] != testIssuer {
		t.Errorf("the issuer is %v, want %s to the character", members["issuer"], testIssuer)
	}
}

// What the ID token says of somebody who has everything is announced, but for
// the two claims that nobody asks for by name.
func TestEveryClaimIsAnnounced(t *testing.T) {
	p := &Provider{issuer: testIssuer}
	i := &issue{
		holding: holding{
			grant: &Grant{AuthTime: time.Now(), AMR: []string{"phr"}, ACR: "phr", Sid: "s"},
			pass: pass{client: &Client{ClientEdit: ClientEdit{ID: "c", IDTokenAlg: jose.RS256}},
				user: directory.User{ID: "u", Username: "ada", Email: "ada@example.test", FirstName: "Ada", LastName: "L",
					DisplayName: "Ada L", Locale: "en", PictureID: "p", UpdatedAt: time.Now(), Standard: directory.Standard{
						MiddleName: "K", Nickname: "A", Profile: "https://a.example", Website: "https://a.example", Gender: "f", Birthdate: "1815",
						Zoneinfo: "UTC", PhoneNumber: "+1 555 0100", Address: directory.Address{Country: "UK"}}}},
			groups: []directory.Group{{ID: "g", Name: "crew"}},
		},
		scopes: scopes,
		nonce:  "n",
		at:     time.Now(),
	}
	announced := newMetadata(testIssuer, testIssuer, capabilities{})
	said := p.idClaims(i, "an access token")
	for name := range said {
		if name != "jti" && name != "at_hash" && !slices.Contains(announced.ClaimsSupported, name) {
			t.Errorf("%s is said and not announced", name)
		}
	}
	for _, name := range announced.ClaimsSupported {
		if said[name] == nil {
			t.Errorf("%s is announced and not said", name)
		}
	}
}

func TestDocumentsAreCachedAndOpenToAll(t *testing.T) {
	h := metadataAt(t, started(t, dbtest.Open(t)), testIssuer, testIssuer)
	for path, age := range map[string]string{
		"/.well-known/openid-configuration":       "3600",
		"/.well-known/oauth-authorization-server": "3600",
		"/.well-known/jwks.json":                  "300",
	} {
		got := fetch(h, "GET", path)
		tag := got.Header().Get("ETag")
		for name, want := range map[string]string{
			"Content-Type": "application/json", "Access-Control-Allow-Origin": "*", "Access-Control-Allow-Credentials": "",
			"Cache-Control": "public, max-age=" + age,
		} {
			if v := got.Header().Get(name); got.Code != 200 || v != want {
				t.Errorf("%s: %d, %s is %q, want %q", path, got.Code, name, v, want)
			}
		}
		for _, held := range []string{tag, "W/" + tag, `"other", ` + tag, "*"} {
			again := fetch(h, "GET", path, "If-None-Match", held)
			if again.Code != 304 || again.Body.Len() != 0 || again.Header().Get("ETag") != tag || again.Header().Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("%s with %s: %d with %d bytes", path, held, again.Code, again.Body.Len())
			}
		}
		for _, other := range []string{`"other"`, strings.Trim(tag, `"`), ""} {
			if again := fetch(h, "GET", path, "If-None-Match", other); again.Code != 200 || again.Body.Len() == 0 {
				t.Errorf("%s with %s: %d", path, other, again.Code)
			}
		}
		packed := fetch(h, "GET", path, "Accept-Encoding", "br, gzip")
		if enc := packed.Header().Get("Content-Encoding"); (enc == "gzip") != (got.Body.Len() >= worthPacking) {
			t.Errorf("%s: %d bytes go out as %q", path, got.Body.Len(), enc)
		} else if enc == "gzip" {
			z, err := gzip.NewReader(packed.Body)
			must(t, err)
			if text, err := io.ReadAll(z); err != nil || !bytes.Equal(text, got.Body.Bytes()) {
				t.Errorf("%s: compressed it says %s, %v", path, text, err)
			}
			if packed.Header().Get("Vary") != "Accept-Encoding" || packed.Header().Get("ETag") != "W/"+tag {
				t.Errorf("%s: compressed, the header is %v", path, packed.Header())
			}
		}
		if refused := fetch(h, "GET", path, "Accept-Encoding", "gzip;q=0"); refused.Header().Get("Content-Encoding") != "" {
			t.Errorf("%s: sends gzip to who refuses it", path)
		}
		if head := fetch(h, "HEAD", path); head.Code != 200 || head.Header().Get("ETag") != tag {
			t.Errorf("HEAD %s: %d", path, head.Code)
		}
	}
}

// M4 of conformance: each key says what it is for, and no private member is there.
func TestTheJWKSHoldsPublicKeysOfEachAlgorithm(t *testing.T) {
	h := metadataAt(t, started(t, dbtest.Open(t)), testIssuer, testIssuer)
	var set struct{ Keys []map[string]string }
	must(t, json.Unmarshal(fetch(h, "GET", "/.well-known/jwks.json").Body.Bytes(), &set))
	var algs []string
	for _, key := range set.Keys {
		algs = append(algs, key["alg"])
		for name := range key {
			if !strings.Contains(" kty kid use alg n e crv x y ", " "+name+" ") {
				t.Errorf("%s has a member %s", key["alg"], name)
			}
		}
		if key["kid"] == "" || key["use"] != "sig" {
			t.Errorf("got %v", key)
		}
	}
	if got := strings.Join(algs, " "); got != "RS256 ES256 EdDSA" {
		t.Errorf("there are keys for %s", got)
	}
}

func TestDocumentsWaitForRSAButNotForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		generate := newKeys()
		slow := func(took time.Duration) http.Handler {
			k := NewKeyring(dbtest.Open(t), testMaster, func(alg jose.Alg) (*jose.Key, error) {
				if alg == jose.RS256 {
					time.Sleep(took)
				}
				return generate(alg)
			})
			must(t, k.Start(t.Context()))
			return metadataAt(t, k, testIssuer, testIssuer)
		}
		h := slow(3 * time.Second)
		var asking sync.WaitGroup
		for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/jwks.json"} {
			asking.Go(func() {
				if got := fetch(h, "GET", path); got.Code != 200 {
					t.Errorf("%s: %d", path, got.Code)
				}
			})
		}
		asking.Wait()
		h = slow(time.Hour)
		go fetch(h, "GET", "/.well-known/jwks.json")
		synctest.Wait()
		for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/jwks.json"} {
			if got := fetch(h, "GET", path); got.Code != 503 || got.Header().Get("Retry-After") != "5" || strings.Contains(got.Header().Get("Cache-Control"), "public") {
				t.Errorf("%s: %d %v", path, got.Code, got.Header())
			}
		}
		time.Sleep(2 * time.Hour)
	})
}

// direct lets a client of net/http talk to a handler.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Result(), nil
}

// A client library that knows nothing of us configures itself by discovery,
// verifies a token of each algorithm, and goes on doing so when keys rotate.
func TestGoOIDCVerifiesOurTokens(t *testing.T) {
	bubble(t, func(t *testing.T, d *db.DB) {
		k := started(t, d)
		runKeys(t, k)
		ctx := goidc.ClientContext(context.WithoutCancel(t.Context()), &http.Client{Transport: direct{metadataAt(t, k, testIssuer, testIssuer)}})
		provider, err := goidc.NewProvider(ctx, testIssuer)
		must(t, err)
		var more struct {
			Iss    bool   `json:"authorization_response_iss_parameter_supported"`
			Logout string `json:"end_session_endpoint"`
		}
		must(t, provider.Claims(&more))
		if !more.Iss || more.Logout != testIssuer+"/api/oidc/end-session" || provider.UserInfoEndpoint() != testIssuer+"/api/oidc/userinfo" {
			t.Errorf("got %+v, %s", more, provider.UserInfoEndpoint())
		}
		verifier := provider.VerifierContext(ctx, &goidc.Config{ClientID: "shop"})
		for round := range 3 {
			for _, alg := range KeyAlgs {
				token, err := k.Sign(ctx, alg, "JWT", map[string]any{"iss": testIssuer, "sub": "ada", "aud": "shop",
					"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()})
				must(t, err)
				if id, err := verifier.Verify(ctx, token); err != nil || id.Subject != "ada" {
					t.Errorf("round %d: %s: %v", round, alg, err)
				}
				if round < 2 {
					_, err = k.RotateNow(ctx, admin, alg)
					must(t, err)
				}
			}
			time.Sleep(time.Minute)
		}
	})
}

func BenchmarkDiscovery(b *testing.B) {
	k := NewKeyring(dbtest.Open(b), testMaster, newKeys())
	if err := k.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	h := metadataAt(b, k, testIssuer, testIssuer)
	for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/jwks.json"} {
		b.Run(path[len("/.well-known/"):], func(b *testing.B) {
			r := httptest.NewRequest("GET", path, nil)
			r.Header.Set("Accept-Encoding", "gzip")
			w := discard{}
			b.ReportAllocs()
			for b.Loop() {
				clear(w)
				h.ServeHTTP(w, r)
			}
		})
	}
}

type discard http.Header

func (d discard) Header() http.Header         { return http.Header(d) }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

func BenchmarkKeyring(b *testing.B) {
	k := NewKeyring(dbtest.Open(b), testMaster, newKeys())
	for _, alg := range KeyAlgs {
		token, err := k.Sign(b.Context(), alg, "at+jwt", map[string]any{"sub": "ada"})
		if err != nil {
			b.Fatal(err)
		}
		b.Run("sign "+string(alg), func(b *testing.B) {
			for b.Loop() {
				if _, err := k.Sign(b.Context(), alg, "at+jwt", map[string]any{"sub": "ada"}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("verify "+string(alg), func(b *testing.B) {
			for b.Loop() {
				if _, _, err := k.Verify(b.Context(), token, "at+jwt"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
