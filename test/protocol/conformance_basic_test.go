package protocol

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"pocketid/internal/apptest"
)

// The modules of oidcc-basic-certification-test-plan, and of
// oidcc-formpost-basic-certification-test-plan, where they have the same names.

func Test_oidcc_server(t *testing.T) {
	conform(t, func(s *suite) { s.flow() })
}

func Test_oidcc_response_type_missing(t *testing.T) {
	conform(t, func(s *suite) {
		f := s.begin("response_type", "")
		s.refused(s.ada.Open(f.URL()), f, "invalid_request", "unsupported_response_type")
	})
}

func Test_oidcc_idtoken_signature(t *testing.T) {
	conform(t, func(s *suite) {
		got := s.flow() // idToken verifies the signature with the key of that kid
		if h := header(s.t, got.IDToken); h["alg"] != "RS256" || h["kid"] == nil || h["jku"] != nil || h["jwk"] != nil || h["x5u"] != nil {
			s.t.Errorf("the header is %v", h)
		}
	})
}

// The module is skipped because the metadata does not name "none".
func Test_oidcc_idtoken_unsigned(t *testing.T) {
	conformOnce(t, func(s *suite) {
		if s.listed("id_token_signing_alg_values_supported", "none") || !s.listed("id_token_signing_alg_values_supported", "RS256") {
			s.t.Errorf("ID tokens are signed with %v", s.discovered("id_token_signing_alg_values_supported"))
		}
	})
}

func Test_oidcc_userinfo_get(t *testing.T) {
	conform(t, func(s *suite) { s.flow() }) // that is how userinfo is asked in all modules
}

func Test_oidcc_userinfo_post_header(t *testing.T) {
	conform(t, func(s *suite) {
		got := s.flow()
		info := s.info(s.h.Program().Ask("POST", "/api/oidc/userinfo", "", "Authorization", "Bearer "+got.Access))
		if info["sub"] != got.ID["sub"] {
			s.t.Errorf("userinfo is about %v", info["sub"])
		}
	})
}

func Test_oidcc_userinfo_post_body(t *testing.T) {
	conform(t, func(s *suite) {
		got := s.flow()
		if info := s.info(s.h.Program().Post("/api/oidc/userinfo", form("access_token", got.Access))); info["sub"] != got.ID["sub"] {
			s.t.Errorf("userinfo is about %v", info["sub"])
		}
	})
}

func Test_oidcc_ensure_request_without_nonce_succeeds_for_code_flow(t *testing.T) {
	conform(t, func(s *suite) { s.flow("nonce", "") }) // redeemed looks for a nonce that was not sent
}

func Test_oidcc_alternate_happy_flow(t *testing.T) {
	conform(t, func(s *suite) {
		f := s.begin("scope", "email profile openid")
		parts := strings.Split(f.Query.Encode(), "&")
		slices.Reverse(parts)
		s.finish(f, f.From(s.ada, s.ada.Open("/authorize?"+strings.Join(parts, "&"))))
	})
}

func Test_oidcc_display_page(t *testing.T) {
	conform(t, func(s *suite) { s.flow("display", "page") })
}

func Test_oidcc_display_popup(t *testing.T) {
	conform(t, func(s *suite) { s.flow("display", "popup") })
}

func Test_oidcc_prompt_login(t *testing.T) {
	conform(t, func(s *suite) {
		first := s.flow()
		time.Sleep(2 * time.Second)
		f := s.begin("prompt", "login")
		s.again(first, f)
	})
}

// again checks that f asks the person, who is signed in, to prove it once more.
func (s *suite) again(first said, f *apptest.Flow) {
	s.t.Helper()
	page := s.ada.Open(f.URL())
	if page.URL.Path != "/login/again" || page.Status != http.StatusOK {
		s.t.Fatalf("the person is not asked again: %s", page)
	}
	second := s.finish(f, f.From(s.ada, page))
	if before, after := first.ID["auth_time"].(float64), second.ID["auth_time"].(float64); after <= before || after < float64(time.Now().Add(-time.Minute).Unix()) {
		s.t.Errorf("auth_time is %v after %v", after, before)
	}
	if first.ID["sub"] != second.ID["sub"] {
		s.t.Errorf("it is about %v, and was about %v", second.ID["sub"], first.ID["sub"])
	}
}

func Test_oidcc_prompt_none_not_logged_in(t *testing.T) {
	conform(t, func(s *suite) {
		f := s.begin("prompt", "none")
		s.refused(s.h.Browser().Open(f.URL()), f, "login_required")
	})
}

func Test_oidcc_prompt_none_logged_in(t *testing.T) {
	conform(t, func(s *suite) {
		first := s.flow()
		f := s.begin("prompt", "none")
		s.same(first, s.finish(f, s.ada.Open(f.URL())))
	})
}

// same checks that two flows are about one sign-in.
func (s *suite) same(first, second said) {
	s.t.Helper()
	if first.ID["sub"] != second.ID["sub"] || first.ID["auth_time"] == nil || first.ID["auth_time"] != second.ID["auth_time"] {
		s.t.Errorf("%v is not the sign-in of %v", second.ID, first.ID)
	}
}

func Test_oidcc_max_age_1(t *testing.T) {
	conform(t, func(s *suite) {
		first := s.flow()
		time.Sleep(2 * time.Second)
		s.again(first, s.begin("max_age", "1"))
	})
}

func Test_oidcc_max_age_10000(t *testing.T) {
	conform(t, func(s *suite) {
		first := s.flow("max_age", "15000")
		time.Sleep(2 * time.Second)
		f := s.begin("max_age", "10000")
		s.same(first, s.finish(f, s.ada.Open(f.URL())))
	})
}

func Test_oidcc_ensure_request_with_unknown_parameter_succeeds(t *testing.T) {
	conform(t, func(s *suite) { s.flow("extra", "foobar") })
}

func Test_oidcc_id_token_hint(t *testing.T) {
	conform(t, func(s *suite) {
		first := s.flow()
		f := s.begin("prompt", "none", "id_token_hint", first.IDToken)
		s.same(first, s.finish(f, s.ada.Open(f.URL())))
		time.Sleep(2 * time.Hour) // the hint has expired, and still names the person
		s.ada.SignIn()
		f = s.begin("prompt", "none", "id_token_hint", first.IDToken)
		if got := s.finish(f, s.ada.Open(f.URL())); got.ID["sub"] != first.ID["sub"] {
			s.t.Errorf("it is about %v", got.ID["sub"])
		}
	})
}

func Test_oidcc_login_hint(t *testing.T) {
	conform(t, func(s *suite) { s.flow("login_hint", "buffy@suite.example") })
}

func Test_oidcc_ui_locales(t *testing.T) {
	conform(t, func(s *suite) { s.flow("ui_locales", "se") })
}

func Test_oidcc_claims_locales(t *testing.T) {
	conform(t, func(s *suite) { s.flow("claims_locales", "se") })
}

func Test_oidcc_ensure_request_with_acr_values_succeeds(t *testing.T) {
	conform(t, func(s *suite) {
		var all []string
		for _, v := range s.discovered("acr_values_supported").([]any) {
			all = append(all, v.(string))
		}
		if got := s.flow("acr_values", strings.Join(all, " ")); !slices.Contains(all, got.ID["acr"].(string)) {
			s.t.Errorf("acr is %v, want one of %q", got.ID["acr"], all)
		}
	})
}

func Test_oidcc_codereuse(t *testing.T) { // threats 5
	conform(t, func(s *suite) { s.reuse(0) })
}

func Test_oidcc_codereuse_30seconds(t *testing.T) { // threats 5
	conform(t, func(s *suite) { s.reuse(30 * time.Second) })
}

// reuse redeems a code, and after a while once more.
func (s *suite) reuse(later time.Duration) {
	s.t.Helper()
	f := s.begin()
	code := s.code(f.By(s.ada), f)
	redeem := func() *apptest.Answer { return s.h.Program().Post("/api/oidc/token", f.Form(code), basic(s.client)...) }
	got := s.redeemed(f, s.client, redeem())
	time.Sleep(later)
	jsonError(s.t, "the code once more", redeem(), http.StatusBadRequest, "invalid_grant")
	if a := s.h.Program().Get("/api/oidc/userinfo", "Authorization", "Bearer "+got.Access); a.Status != http.StatusUnauthorized {
		s.t.Errorf("the first access token goes on to work: %d", a.Status)
	}
}

func Test_oidcc_ensure_registered_redirect_uri(t *testing.T) { // threats 23, 27
	conform(t, func(s *suite) {
		f := s.begin("redirect_uri", s.client.RedirectURI+"/x7Hq2")
		told(s.t, s.ada.Open(f.URL()), http.StatusBadRequest)
	})
}

func Test_oidcc_ensure_post_request_succeeds(t *testing.T) {
	conform(t, func(s *suite) {
		for range 2 { // before signing in and after
			f := s.begin()
			s.finish(f, f.From(s.ada, s.ada.Post("/authorize", f.Query)))
		}
	})
}

func Test_oidcc_server_client_secret_post(t *testing.T) {
	conform(t, func(s *suite) {
		f := s.begin()
		body := f.Form(s.code(f.By(s.ada), f))
		body.Set("client_id", s.client.ID)
		body.Set("client_secret", s.client.Secret)
		s.redeemed(f, s.client, s.h.Program().Post("/api/oidc/token", body))
	})
}

// unsigned is a request object with the algorithm none.
const unsigned = "eyJhbGciOiJub25lIn0.e30."

// noUnsigned checks what makes the suite skip its modules about request objects without a
// signature, and that one is never taken all the same.
func (s *suite) noUnsigned(parameter, value string, want ...string) {
	s.t.Helper()
	const algs = "request_object_signing_alg_values_supported"
	if s.listed(algs, "none") || !s.listed(algs, "RS256") {
		s.t.Errorf("%s is %v", algs, s.discovered(algs))
	}
	f := s.begin(parameter, value)
	s.refused(s.ada.Open(f.URL()), f, want...)
}

func Test_oidcc_request_uri_unsigned_supported_correctly_or_rejected_as_unsupported(t *testing.T) { // threats 8
	conform(t, func(s *suite) {
		s.noUnsigned("request_uri", "https://suite.example/request.jwt", "request_uri_not_supported")
	})
}

func Test_oidcc_unsigned_request_object_supported_correctly_or_rejected_as_unsupported(t *testing.T) { // threats 8
	conform(t, func(s *suite) { s.noUnsigned("request", unsigned, "invalid_request_object") })
}

func Test_oidcc_claims_essential(t *testing.T) {
	conform(t, func(s *suite) {
		got := s.flow("claims", `{"userinfo":{"name":{"essential":true}}}`)
		if got.Info["name"] == nil || got.ID["name"] != nil {
			s.t.Errorf("userinfo says %v, the ID token %v", got.Info, got.ID)
		}
	})
}

func Test_oidcc_ensure_request_object_with_redirect_uri(t *testing.T) { // threats 8, 27
	conform(t, func(s *suite) {
		s.noUnsigned("request", unsigned, "invalid_request_object")
		f := s.begin("redirect_uri", s.client.RedirectURI+"/x7Hq2", "request", unsigned)
		told(s.t, s.ada.Open(f.URL()), http.StatusBadRequest)
	})
}

func Test_oidcc_refresh_token(t *testing.T) { // threats 2
	conform(t, func(s *suite) {
		refresh := func(c *apptest.Client, token string) *apptest.Answer {
			return s.h.Program().Post("/api/oidc/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}, "scope": {"openid offline_access"}}, basic(c)...)
		}
		offline := []string{"scope", "openid offline_access", "prompt", "consent"}
		got := s.flow(offline...)
		f := s.beginAs(s.other, offline...)
		foreign := s.redeemed(f, s.other, s.h.Program().Post("/api/oidc/token", f.Form(s.code(f.By(s.ada), f)), basic(s.other)...))
		if got.Refresh == "" || foreign.Refresh == "" {
			s.t.Fatalf("there is no refresh token: %v", got.Token)
		}
		time.Sleep(time.Second)
		again := s.tokens(s.client, refresh(s.client, got.Refresh))
		for _, name := range []string{"iss", "sub", "aud", "azp", "auth_time"} {
			if again.ID[name] != got.ID[name] {
				s.t.Errorf("%s was %v and is %v", name, got.ID[name], again.ID[name])
			}
		}
		if again.ID["iat"] == got.ID["iat"] || again.Access == got.Access {
			s.t.Error("the tokens are not new")
		}
		jsonError(s.t, "a refresh token of another client", refresh(s.client, foreign.Refresh), http.StatusBadRequest, "invalid_grant")
	})
}

func Test_oidcc_ensure_request_with_valid_pkce_succeeds(t *testing.T) { // threats 11
	conform(t, func(s *suite) {
		f := s.client.Begin("scope", "openid", "state", long, "response_mode", s.mode)
		s.finish(f, f.By(s.ada))
	})
}
