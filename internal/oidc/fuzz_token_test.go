package oidc

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzTokenRequest reads requests of the token endpoint: the form, and the Authorization
// header beside it. What is taken holds what the grants rely on, and what is refused is a
// fault that a client may be told.
func FuzzTokenRequest(f *testing.F) {
	basic := func(plain string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(plain)) }
	for _, seed := range [][2]string{
		{basic("shop:secret"), "grant_type=authorization_code&code=x&redirect_uri=https%3A%2F%2Fa&code_verifier=" + testVerifier},
		{basic("sh%3Aop:%2B+%C3%A9"), "grant_type=refresh_token&refresh_token=x&scope=openid"},
		{"", "grant_type=client_credentials&client_id=shop&client_secret=x&resource=https%3A%2F%2Fapi.example&scope=read+write"},
		{"", "grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code=x&client_id=shop"},
		{basic("a:b"), "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token=x&subject_token_type=urn:ietf:params:oauth:token-type:access_token&audience=a&audience=b"},
		{"", "grant_type=client_credentials&client_id=x&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=e30.e30.e30"},
		{"Bearer x", "grant_type=password&username=a&password=b"},
		{"basic =", "grant_type=refresh_token&refresh_token=a&refresh_token=b"},
		{basic(":"), "grant_type=authorization_code&code=x&resource=a%23&resource=/"},
		{basic("a:%zz"), "%"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, header, body string) {
		form, err := url.ParseQuery(body)
		if err != nil {
			return
		}
		h := http.Header{}
		if header != "" {
			h.Set("Authorization", header)
		}
		q, err := parseToken(h, form)
		if err != nil {
			if isOutage(err) {
				t.Errorf("what a client wrote is an outage: %v", err)
			}
			return
		}
		if id := q.credentials.clientID; len(id) > maxClientID && !strings.HasPrefix(id, "https://") || strings.ContainsFunc(id, notVisible) {
			t.Errorf("the client is %q", id)
		}
		if q.grant.redeem == nil {
			t.Error("there is no grant")
		}
		if len(q.resources) > maxResources || slices.ContainsFunc(q.resources, func(r string) bool { return !isResource(r) || !utf8.ValidString(r) }) {
			t.Errorf("the resources are %q", q.resources)
		}
		if slices.Contains(q.scopes, "") {
			t.Errorf("the scopes are %q", q.scopes)
		}
	})
}
