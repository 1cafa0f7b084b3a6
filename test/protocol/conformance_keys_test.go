package protocol

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"testing"
	"time"

	"pocketid/internal/apptest"
	"pocketid/internal/jose"
	"pocketid/internal/oidc"
)

// The modules of oidcc-dynamic-certification-test-plan that are about how a client proves
// itself: by private_key_jwt with RS256, the token endpoint as audience.

// keyed is the client of that plan.
func (s *suite) keyed(changes ...func(*oidc.ClientEdit)) *apptest.Client {
	key := apptest.NewSigner(s.t, jose.RS256, "rp")
	return s.h.Client("keyed", append([]func(*oidc.ClientEdit){plain, apptest.PrivateKey(key)}, changes...)...).By(key)
}

// flowBy goes through a flow of c, whose assertion has these claims.
func (s *suite) flowBy(c *apptest.Client, claims map[string]any, changes ...string) said {
	s.t.Helper()
	f := s.beginAs(c, changes...)
	request := f.Form(s.code(f.By(s.ada), f))
	maps.Copy(request, c.Assertion(claims))
	return s.redeemed(f, c, s.h.Program().Post(tokenPath, request))
}

func Test_oidcc_server_private_key_jwt(t *testing.T) {
	conformOnce(t, func(s *suite) {
		if !s.listed("token_endpoint_auth_methods_supported", "private_key_jwt") || !s.listed("token_endpoint_auth_signing_alg_values_supported", "RS256") {
			s.t.Error("discovery does not say that a client may sign")
		}
		c := s.keyed()
		s.flowBy(c, nil)
		if _, ok := c.Assertion(nil)["client_assertion"]; !ok {
			s.t.Error("the client did not sign")
		}
		f := s.beginAs(c)
		request := f.Form(s.code(f.By(s.ada), f))
		request.Set("client_id", c.ID)
		jsonError(t, "without an assertion", s.h.Program().Post(tokenPath, request), http.StatusUnauthorized, "invalid_client")
	})
}

func Test_oidcc_ensure_client_assertion_with_iss_aud_succeeds(t *testing.T) {
	conformOnce(t, func(s *suite) {
		s.flowBy(s.keyed(), map[string]any{"aud": apptest.URL})
	})
}

// The client publishes a new key and signs with it a minute later.
func Test_oidcc_refresh_token_rp_key_rotation(t *testing.T) {
	conformOnce(t, func(s *suite) {
		first, second := apptest.NewSigner(s.t, jose.RS256, "first"), apptest.NewSigner(s.t, jose.ES256, "second")
		published := apptest.KeySet(first)
		site := s.h.Site("suite.example", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, published) })
		c := s.keyed(func(e *oidc.ClientEdit) { e.JWKS, e.JWKSURI = "", site.URL+"/jwks" })
		was := s.flowBy(c.By(first), nil, "scope", "openid offline_access", "prompt", "consent")
		published = apptest.KeySet(second)
		time.Sleep(time.Minute)
		refresh := func(c *apptest.Client) *apptest.Answer {
			request := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {was.Refresh}}
			maps.Copy(request, c.Assertion(nil))
			return s.h.Program().Post(tokenPath, request)
		}
		got := s.tokens(c, refresh(c.By(second)))
		if got.ID["sub"] != was.ID["sub"] || got.ID["iss"] != was.ID["iss"] {
			s.t.Errorf("the new ID token is about %v", got.ID["sub"])
		}
		jsonError(t, "the old key", refresh(c.By(first)), http.StatusUnauthorized, "invalid_client")
	})
}
