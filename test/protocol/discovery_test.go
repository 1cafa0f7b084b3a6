package protocol

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pocketid/internal/apptest"
)

// oidcc-discovery-endpoint-verification and
// oidcc-rp-initiated-logout-discovery-endpoint-verification: the document has the
// issuer that was asked, https everywhere, known members of the right type, and tells
// nothing that is not so.
func TestDiscoveryDocument_OIDC_Discovery_3(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		program := h.Program()
		const path = "/.well-known/openid-configuration"
		a := program.Get(path, "Origin", "https://app.example")
		doc := a.JSON()
		if a.Status != http.StatusOK || a.Header.Get("Content-Type") != "application/json" || a.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("got %d %v", a.Status, a.Header)
		}
		if doc["issuer"] != strings.TrimSuffix(apptest.URL+path, path) {
			t.Errorf("the issuer is %v", doc["issuer"])
		}
		if other := program.Get("/.well-known/oauth-authorization-server"); other.Body != a.Body { // RFC 8414 §3
			t.Errorf("the other address answers %d %s", other.Status, other.Body)
		}
		known := strings.Fields(`issuer authorization_endpoint token_endpoint userinfo_endpoint end_session_endpoint jwks_uri scopes_supported
			response_types_supported response_modes_supported grant_types_supported acr_values_supported subject_types_supported
			id_token_signing_alg_values_supported userinfo_signing_alg_values_supported token_endpoint_auth_methods_supported claim_types_supported claims_supported
			code_challenge_methods_supported prompt_values_supported ui_locales_supported claims_parameter_supported request_parameter_supported
			request_uri_parameter_supported authorization_response_iss_parameter_supported introspection_endpoint
			introspection_endpoint_auth_methods_supported introspection_endpoint_auth_signing_alg_values_supported revocation_endpoint
			revocation_endpoint_auth_methods_supported revocation_endpoint_auth_signing_alg_values_supported require_request_uri_registration
			backchannel_logout_supported backchannel_logout_session_supported frontchannel_logout_supported frontchannel_logout_session_supported
			display_values_supported request_object_signing_alg_values_supported pushed_authorization_request_endpoint
			token_endpoint_auth_signing_alg_values_supported require_pushed_authorization_requests device_authorization_endpoint`)
		for name, value := range doc {
			if !slices.Contains(known, name) {
				t.Errorf("the suite does not know %s", name)
			}
			switch v := value.(type) {
			case string:
				if u, err := url.Parse(v); err != nil || u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" || !strings.HasPrefix(v, apptest.URL) {
					t.Errorf("%s is %s", name, v)
				}
			case []any:
				if len(v) == 0 {
					t.Errorf("%s is empty", name) // RFC 8414 §3.2
				}
			case bool:
			default:
				t.Errorf("%s is %v", name, v)
			}
		}
		list := func(name string) (all []string) {
			values, _ := doc[name].([]any)
			for _, v := range values {
				all = append(all, v.(string))
			}
			return all
		}
		for name, want := range map[string]string{
			"id_token_signing_alg_values_supported": "RS256", "response_types_supported": "code", "subject_types_supported": "public", "scopes_supported": "openid",
			"code_challenge_methods_supported": "S256", "token_endpoint_auth_methods_supported": "client_secret_basic", "response_modes_supported": "form_post", "claims_supported": "sub",
		} {
			if !slices.Contains(list(name), want) {
				t.Errorf("%s lacks %s: %v", name, want, doc[name])
			}
		}
		for name, never := range map[string]string{
			"id_token_signing_alg_values_supported": "none", "request_object_signing_alg_values_supported": "none", "token_endpoint_auth_signing_alg_values_supported": "HS256", "code_challenge_methods_supported": "plain", "response_types_supported": "token", "grant_types_supported": "password",
		} {
			if slices.Contains(list(name), never) {
				t.Errorf("%s has %s", name, never)
			}
		}
		for _, name := range []string{"request_parameter_supported", "request_uri_parameter_supported"} {
			if doc[name] != true {
				t.Errorf("%s is %v", name, doc[name])
			}
		}
		// What the document names answers there, to the methods that it has to.
		for name, method := range map[string]string{"authorization_endpoint": "GET", "token_endpoint": "POST", "userinfo_endpoint": "GET", "end_session_endpoint": "GET", "jwks_uri": "GET",
			"introspection_endpoint": "POST", "revocation_endpoint": "POST", "pushed_authorization_request_endpoint": "POST", "device_authorization_endpoint": "POST"} {
			address, _ := doc[name].(string)
			if a := program.Ask(method, strings.TrimPrefix(address, apptest.URL), ""); a.Status == http.StatusNotFound || a.Status == http.StatusMethodNotAllowed || a.Status >= 500 {
				t.Errorf("%s %s: %d", method, address, a.Status)
			}
		}
	})
}

// oidcc-*: keys with distinct ids, of known kinds, and public halves alone.
func TestKeysForEverybody_RFC7517_5(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		program := h.Program()
		a := program.Get("/.well-known/jwks.json")
		var set struct{ Keys []map[string]any }
		if err := json.Unmarshal([]byte(a.Body), &set); err != nil || a.Status != http.StatusOK || a.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Fatalf("got %d %v %s", a.Status, a.Header, a.Body)
		}
		if !regexp.MustCompile(`^application/(jwk-set\+)?json$`).MatchString(a.Header.Get("Content-Type")) {
			t.Errorf("Content-Type is %q", a.Header.Get("Content-Type"))
		}
		if !strings.Contains(a.Header.Get("Cache-Control"), "max-age=") || a.Header.Get("ETag") == "" || a.Header.Get("Set-Cookie") != "" {
			t.Errorf("the keys cannot be kept for a while: %v", a.Header)
		}
		if again := program.Get("/.well-known/jwks.json", "If-None-Match", a.Header.Get("ETag")); again.Status != http.StatusNotModified || again.Body != "" {
			t.Errorf("asking again: %d %s", again.Status, again.Body)
		}
		algs := map[any]string{"RS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}
		ids := map[any]bool{}
		for _, k := range set.Keys {
			if ids[k["kid"]] || k["kid"] == nil || k["use"] != "sig" || algs[k["alg"]] != k["kty"] {
				t.Errorf("the key %v", k)
			}
			ids[k["kid"]] = true
			for _, private := range strings.Fields("d p q dp dq qi k oth") {
				if k[private] != nil {
					t.Errorf("the key %v shows its %s", k["kid"], private)
				}
			}
		}
		if len(set.Keys) < 3 || set.Keys[0]["alg"] != "RS256" {
			t.Errorf("there are %d keys, and the first is for %v", len(set.Keys), set.Keys[0]["alg"])
		}
	})
}
