package protocol

import (
	"net/http"
	"net/url"
	"testing"

	"pocketid/internal/apptest"
	"pocketid/internal/jose"
	"pocketid/internal/oidc"
)

// The modules of oidcc-dynamic-certification-test-plan about requests at an address.

func Test_oidcc_request_uri_unsigned(t *testing.T) { // threats 8
	conformOnce(t, func(s *suite) {
		s.noUnsigned("request_uri", "https://suite.example/request.jwt", "request_uri_not_supported")
	})
}

func Test_oidcc_request_uri_signed_rs256(t *testing.T) { // threats 74
	conformOnce(t, func(s *suite) {
		if !s.listed("request_object_signing_alg_values_supported", "RS256") || s.discovered("request_uri_parameter_supported") != true {
			s.t.Error("the metadata does not say that it works")
		}
		key := apptest.NewSigner(s.t, jose.RS256, "rs")
		jwt := ""
		site := s.h.Site("objects.example", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(jwt)) })
		uri := site.URL + "/requests/x.jwt#aFragmentThatIsAHash"
		s.client = s.h.Client("signing", plain, func(e *oidc.ClientEdit) {
			e.JWKS, e.RequestURIs, e.RequestObjectAlg = apptest.KeySet(key), []string{uri}, jose.RS256
		})
		f := s.begin()
		jwt = key.Sign(nil, object(f, "exp", nil, "iat", nil, "jti", nil, "client_id", nil))
		link := "/authorize?" + url.Values{"client_id": {s.client.ID}, "response_type": {"code"}, "scope": {"openid"}, "request_uri": {uri}}.Encode()
		s.finish(f, f.From(s.ada, s.ada.Open(link)))
	})
}
