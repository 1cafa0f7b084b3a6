package protocol

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pocketid/internal/apptest"
	"pocketid/internal/audit"
	"pocketid/internal/jose"
	"pocketid/internal/oidc"
	"pocketid/internal/settings"
)

// The modules of oidcc-config-certification-test-plan, and those of
// oidcc-dynamic-certification-test-plan and oidcc-3rdparty-init-login-certification-test-plan
// that are about clients which register themselves. In the dynamic plan they prove who they
// are by private_key_jwt.

// conformDynamic runs a module with a client that registered itself; pairs are members of
// its metadata beside the usual ones.
func conformDynamic(t *testing.T, module func(s *suite, c *registered), pairs ...any) {
	t.Helper()
	conformOnce(t, func(s *suite) {
		registering(s.t, s.h, settings.RegistrationOpen)
		module(s, s.dynamic(pairs...))
	})
}

// dynamic registers a client of the plan.
func (s *suite) dynamic(pairs ...any) *registered {
	s.t.Helper()
	key := apptest.NewSigner(s.t, jose.RS256, "rp")
	usual := []any{"token_endpoint_auth_method", "private_key_jwt", "jwks", json.RawMessage(apptest.KeySet(key))}
	c := registeredAs(s.t, s.h, append(usual, pairs...)...)
	if c.Secret != "" {
		s.t.Error("a client that signs has a secret")
	}
	c.Client = c.By(key)
	return c
}

func Test_oidcc_discovery_endpoint_verification(t *testing.T) {
	conformOnce(t, func(s *suite) {
		registering(s.t, s.h, settings.RegistrationOpen, documents("tool.example"))
		const path = "/.well-known/openid-configuration"
		a := s.h.Program().Get(path)
		if a.Status != http.StatusOK || a.Header.Get("Content-Type") != "application/json" {
			s.t.Fatalf("got %d %v", a.Status, a.Header)
		}
		doc := a.JSON()
		if doc["issuer"] != apptest.URL {
			s.t.Errorf("the issuer is %v", doc["issuer"])
		}
		texts := strings.Fields(`issuer authorization_endpoint token_endpoint userinfo_endpoint jwks_uri registration_endpoint end_session_endpoint
			revocation_endpoint introspection_endpoint pushed_authorization_request_endpoint device_authorization_endpoint`)
		truths := strings.Fields(`claims_parameter_supported request_parameter_supported request_uri_parameter_supported require_request_uri_registration
			authorization_response_iss_parameter_supported require_pushed_authorization_requests backchannel_logout_supported
			backchannel_logout_session_supported frontchannel_logout_supported frontchannel_logout_session_supported client_id_metadata_document_supported`)
		lists := strings.Fields(`scopes_supported response_types_supported response_modes_supported grant_types_supported acr_values_supported
			subject_types_supported id_token_signing_alg_values_supported userinfo_signing_alg_values_supported
			request_object_signing_alg_values_supported token_endpoint_auth_methods_supported token_endpoint_auth_signing_alg_values_supported
			revocation_endpoint_auth_methods_supported revocation_endpoint_auth_signing_alg_values_supported
			introspection_endpoint_auth_methods_supported introspection_endpoint_auth_signing_alg_values_supported
			code_challenge_methods_supported claims_supported claim_types_supported display_values_supported ui_locales_supported prompt_values_supported`)
		for name, value := range doc {
			switch value := value.(type) {
			case string:
				u, err := url.Parse(value)
				if !slices.Contains(texts, name) || err != nil || u.Scheme != "https" || u.Fragment != "" || u.RawQuery != "" {
					s.t.Errorf("%s is %q", name, value)
				}
			case bool:
				if !slices.Contains(truths, name) {
					s.t.Errorf("%s is %v", name, value)
				}
			case []any:
				if !slices.Contains(lists, name) || len(value) == 0 || slices.ContainsFunc(value, func(v any) bool { return !isString(v) || v == "" }) {
					s.t.Errorf("%s is %v", name, value)
				}
			default:
				s.t.Errorf("%s is %v", name, value)
			}
		}
		for name, want := range map[string][]string{
			"scopes_supported": {"openid"}, "id_token_signing_alg_values_supported": {"RS256"}, "userinfo_signing_alg_values_supported": {"RS256"},
			"request_object_signing_alg_values_supported": {"RS256"}, "response_types_supported": {"code"}, "grant_types_supported": {"authorization_code"},
			"claims_supported": {"sub"}, "code_challenge_methods_supported": {"S256"}, "subject_types_supported": {"public"},
		} {
			for _, value := range want {
				if !s.listed(name, value) {
					s.t.Errorf("%s has no %s", name, value)
				}
			}
		}
		for name, only := range map[string][]string{
			"subject_types_supported": {"public", "pairwise"}, "response_types_supported": {"code"}, "code_challenge_methods_supported": {"S256"},
			"claim_types_supported": {"normal"}, "display_values_supported": {"page"},
		} {
			for _, value := range doc[name].([]any) {
				if !slices.Contains(only, value.(string)) {
					s.t.Errorf("%s has %v", name, value)
				}
			}
		}
		for _, value := range doc["ui_locales_supported"].([]any) {
			if !regexp.MustCompile(`^[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2}|-\d{3})?$`).MatchString(value.(string)) {
				s.t.Errorf("%v is no language as BCP 47 writes it", value)
			}
		}
		for name, value := range doc {
			if strings.HasSuffix(name, "_alg_values_supported") && slices.Contains(value.([]any), any("none")) {
				s.t.Errorf("%s has none", name)
			}
		}
		s.key("", "") // looks at every key
	})
}

func Test_oidcc_idtoken_rs256(t *testing.T) {
	conformDynamic(t, func(s *suite, c *registered) {
		if got := s.flowBy(c.Client, nil); header(t, got.IDToken)["alg"] != "RS256" {
			s.t.Errorf("the header is %v", header(t, got.IDToken))
		}
	}, "id_token_signed_response_alg", "RS256")
}

func Test_oidcc_userinfo_rs256(t *testing.T) {
	conformDynamic(t, func(s *suite, c *registered) {
		if !s.listed("userinfo_signing_alg_values_supported", "RS256") {
			s.t.Error("userinfo signed with RS256 is not announced")
		}
		f := s.beginAs(c.Client)
		request := f.Form(s.code(f.By(s.ada), f))
		for name, values := range c.Assertion(nil) {
			request[name] = values
		}
		got := s.tokens(c.Client, s.h.Program().Post(tokenPath, request))
		a := s.h.Program().Get("/api/oidc/userinfo", "Authorization", "Bearer "+got.Access)
		if a.Status != http.StatusOK || !strings.HasPrefix(a.Header.Get("Content-Type"), "application/jwt") {
			s.t.Fatalf("got %d %v %s", a.Status, a.Header, a.Body)
		}
		h, payload, err := jose.Verify(a.Body, jose.Want{Algs: []jose.Alg{jose.RS256}, Typs: []string{"jwt", ""}, Keys: s.key})
		var info map[string]any
		if err != nil || json.Unmarshal(payload, &info) != nil || h.Alg != jose.RS256 {
			s.t.Fatalf("got %v: %s", err, a.Body)
		}
		if info["sub"] != got.ID["sub"] || info["iss"] != apptest.URL || info["aud"] != c.ID || info["nonce"] != nil {
			s.t.Errorf("got %v", info)
		}
	}, "userinfo_signed_response_alg", "RS256")
}

func Test_oidcc_ensure_redirect_uri_in_authorization_request(t *testing.T) { // threats 23
	conformDynamic(t, func(s *suite, c *registered) {
		f := s.beginAs(c.Client, "redirect_uri", "")
		if page := s.ada.Open(f.URL()); page.Status != http.StatusBadRequest || page.Away != nil || !strings.HasPrefix(page.Header.Get("Content-Type"), "text/html") {
			s.t.Errorf("got %s", page)
		}
	}, "redirect_uris", []string{"https://suite.example/callback", "https://suite.example/other"})
}

// queried is a client that registered a redirect URI with a query.
const queried = "https://suite.example/callback?bar=foo"

func Test_oidcc_redirect_uri_query_OK(t *testing.T) {
	conformDynamic(t, func(s *suite, c *registered) {
		f := s.beginAs(c.Client)
		page := f.By(s.ada)
		s.code(page, f)
		if !strings.HasPrefix(page.Away.String(), queried+"&") {
			s.t.Errorf("the query is not kept: %s", page)
		}
	}, "redirect_uris", []string{queried})
}

func Test_oidcc_redirect_uri_query_mismatch(t *testing.T) { // threats 23
	conformDynamic(t, func(s *suite, c *registered) {
		refusesRedirect(s, c, "https://suite.example/callback?bar=baz")
	}, "redirect_uris", []string{queried})
}

func Test_oidcc_redirect_uri_query_added(t *testing.T) { // threats 23
	conformDynamic(t, func(s *suite, c *registered) {
		refusesRedirect(s, c, "https://suite.example/callback?foo=bar")
	})
}

func refusesRedirect(s *suite, c *registered, uri string) {
	s.t.Helper()
	if page := s.ada.Open(s.beginAs(c.Client, "redirect_uri", uri).URL()); page.Status != http.StatusBadRequest || page.Away != nil {
		s.t.Errorf("somebody is sent to %s: %s", uri, page)
	}
}

func Test_oidcc_redirect_uri_regfrag(t *testing.T) {
	conformOnce(t, func(s *suite) {
		registering(s.t, s.h, settings.RegistrationOpen)
		a := register(s.t, s.h, members("redirect_uris", []string{"https://suite.example/callback#foobar"}))
		if a.Status != http.StatusBadRequest || !slices.Contains([]string{"invalid_redirect_uri", "invalid_client_metadata"}, a.Error()) {
			s.t.Errorf("got %d %s", a.Status, a.Body)
		}
	})
}

// The client of the dynamic plan: it registers itself, signs for the token endpoint, and
// takes itself away in the end.
func TestTheClientOfTheDynamicPlanSignsInAndGoes(t *testing.T) {
	conformDynamic(t, func(s *suite, c *registered) {
		s.flowBy(c.Client, nil)
		if a := c.ask("DELETE", c.Token, nil); a.Status != http.StatusNoContent {
			s.t.Errorf("got %d %s", a.Status, a.Body)
		}
	})
}

// linked looks at the page that asks for consent, as the person does who reviews.
func linked(t *testing.T, member, address, want string) {
	conformDynamic(t, func(s *suite, c *registered) {
		f := s.beginAs(c.Client)
		page := s.ada.Open(f.URL())
		if page.URL.Path != "/login" {
			s.t.Fatalf("got %s", page)
		}
		next, refusal := s.ada.Prove("/login", page.URL.Query().Get("redirect"))
		if refusal != "" {
			s.t.Fatal(refusal)
		}
		page = s.ada.Open(next)
		if page.URL.Path != "/consent" || !strings.Contains(page.Body, want) {
			s.t.Errorf("%s is not to be seen on %s: %s", member, page, page.Body)
		}
		f.From(s.ada, page)
	}, member, address)
}

func Test_oidcc_registration_logo_uri(t *testing.T) { // threats 74, 78
	conformOnce(t, func(s *suite) {
		registering(s.t, s.h, settings.RegistrationOpen)
		var file bytes.Buffer
		if err := png.Encode(&file, image.NewGray(image.Rect(0, 0, 600, 300))); err != nil {
			s.t.Fatal(err)
		}
		kind := "image/png"
		site := s.h.Site("suite.example", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			_, _ = w.Write(file.Bytes())
		})
		shown := func(c *registered) (*apptest.Page, *apptest.Answer) {
			s.t.Helper()
			page := s.ada.Open(s.beginAs(c.Client).URL())
			if page.URL.Path == "/login" {
				next, refusal := s.ada.Prove("/login", page.URL.Query().Get("redirect"))
				if refusal != "" {
					s.t.Fatal(refusal)
				}
				page = s.ada.Open(next)
			}
			return page, s.h.Program().Get(oidc.LogoPath(c.ID))
		}
		c := s.dynamic("logo_uri", site.URL+"/logo.png")
		page, a := shown(c)
		if page.URL.Path != "/consent" || !strings.Contains(page.Body, `<img src="`+oidc.LogoPath(c.ID)+`"`) || strings.Contains(page.Body, site.URL+"/logo") {
			s.t.Errorf("the logo is not to be seen on %s, or is fetched by the browser", page)
		}
		picture, err := png.Decode(strings.NewReader(a.Body))
		if err != nil || a.Header.Get("Content-Type") != "image/png" || picture.Bounds().Dx() != 256 || picture.Bounds().Dy() != 128 {
			s.t.Errorf("got %d %v: %v", a.Status, a.Header, err)
		}
		// What is no picture, or too much of one, is not shown.
		for it, text := range map[string]string{
			"svg": `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`, "html": "<script>alert(1)</script>",
			"a bomb": "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\xff\xff\x00\x00\xff\xff\x08\x06\x00\x00\x00", "long": strings.Repeat("x", 300<<10),
		} {
			file.Reset()
			file.WriteString(text)
			page, a := shown(s.dynamic("logo_uri", site.URL+"/"+url.PathEscape(it)))
			if page.Status != http.StatusOK || strings.Contains(page.Body, "/logo") || a.Status != http.StatusNotFound {
				s.t.Errorf("%s is shown: %s, %d", it, page, a.Status)
			}
		}
	})
}

func Test_oidcc_registration_policy_uri(t *testing.T) {
	linked(t, "policy_uri", "https://suite.example/policy", `<a href="https://suite.example/policy" target="_blank" rel="noreferrer noopener">`)
}

func Test_oidcc_registration_tos_uri(t *testing.T) {
	linked(t, "tos_uri", "https://suite.example/tos", `<a href="https://suite.example/tos" target="_blank" rel="noreferrer noopener">`)
}

func Test_oidcc_registration_jwks_uri(t *testing.T) {
	conformOnce(t, func(s *suite) {
		registering(s.t, s.h, settings.RegistrationOpen)
		key := apptest.NewSigner(s.t, jose.RS256, "rp")
		site := s.h.Site("suite.example", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, apptest.KeySet(key)) })
		c := registeredAs(s.t, s.h, "token_endpoint_auth_method", "private_key_jwt", "jwks_uri", site.URL+"/jwks")
		s.flowBy(c.By(key), nil)
		if site.Asked() == 0 {
			s.t.Error("nobody fetched the keys")
		}
	})
}

// sector opens the document of a sector.
func sector(s *suite, uris ...string) *apptest.Site {
	return s.h.Site("sector.example", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, asJSON(s.t, uris)) })
}

func Test_oidcc_registration_sector_uri(t *testing.T) {
	conformOnce(t, func(s *suite) {
		if !s.listed("subject_types_supported", "pairwise") {
			s.t.Error("pairwise subjects are not announced")
		}
		registering(s.t, s.h, settings.RegistrationOpen)
		redirects := []string{"https://suite.example/callback", "https://other.example/callback"}
		site := sector(s, redirects...)
		c := s.dynamic("redirect_uris", redirects, "subject_type", "pairwise", "sector_identifier_uri", site.URL+"/uris.json")
		if c.Said["sector_identifier_uri"] != site.URL+"/uris.json" || c.Said["subject_type"] != "pairwise" {
			s.t.Errorf("got %v", c.Said)
		}
		first := s.flowBy(c.Client, nil).ID["sub"]
		second := s.flowBy(s.dynamic("redirect_uris", redirects, "subject_type", "pairwise", "sector_identifier_uri", site.URL+"/uris.json").Client, nil).ID["sub"]
		elsewhere := s.flowBy(s.dynamic("subject_type", "pairwise").Client, nil).ID["sub"]
		if first != second || first == elsewhere {
			s.t.Errorf("the subjects are %v, %v in the sector and %v in another", first, second, elsewhere)
		}
	})
}

func Test_oidcc_registration_sector_bad(t *testing.T) { // threats 74
	conformOnce(t, func(s *suite) {
		registering(s.t, s.h, settings.RegistrationOpen)
		site := sector(s, "https://other.example/callback")
		for _, at := range []string{site.URL + "/uris.json", "https://nowhere.example/uris.json", "http://sector.example/uris.json", "https://localhost/uris.json", "https://169.254.169.254/"} {
			a := register(s.t, s.h, members("redirect_uris", []string{"https://suite.example/callback"}, "subject_type", "pairwise", "sector_identifier_uri", at))
			if a.Status != http.StatusBadRequest || a.Error() != "invalid_client_metadata" {
				s.t.Errorf("%s: %d %s", at, a.Status, a.Body)
			}
		}
	})
}

// The house changes its key between two flows: the old one verifies what it signed.
func Test_oidcc_server_rotate_keys(t *testing.T) {
	conformDynamic(t, func(s *suite, c *registered) {
		s.h.KeepKeys()
		before := s.flowBy(c.Client, nil)
		if _, err := s.h.App.OIDC.Keys().RotateNow(s.t.Context(), audit.System("cli"), jose.RS256); err != nil {
			s.t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		after := s.flowBy(c.Client, nil)
		if header(t, before.IDToken)["kid"] == header(t, after.IDToken)["kid"] {
			s.t.Error("the key has not changed")
		}
		if s.key(header(t, before.IDToken)["kid"].(string), jose.RS256) == nil {
			s.t.Error("the old key is gone while what it signed is good")
		}
	})
}

func Test_oidcc_3rd_party_init_login(t *testing.T) {
	conformOnce(t, func(s *suite) {
		registering(s.t, s.h, settings.RegistrationOpen)
		const at = "https://suite.example/initiate"
		c := registeredAs(s.t, s.h, "initiate_login_uri", at)
		if a := c.ask("GET", c.Token, nil); c.Said["initiate_login_uri"] != at || a.Status != http.StatusOK || a.JSON()["initiate_login_uri"] != at {
			s.t.Errorf("got %v, %d %s", c.Said, a.Status, a.Body)
		}
	})
}

func Test_oidcc_3rd_party_init_login_nohttps(t *testing.T) {
	conformOnce(t, func(s *suite) {
		registering(s.t, s.h, settings.RegistrationOpen)
		a := register(s.t, s.h, members("redirect_uris", []string{"https://suite.example/callback"}, "initiate_login_uri", "http://suite.example/initiate"))
		if a.Status != http.StatusBadRequest || a.Error() != "invalid_client_metadata" {
			s.t.Errorf("got %d %s", a.Status, a.Body)
		}
	})
}
