package oidc

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pocketid/internal/fault"
	"pocketid/internal/jose"
	"pocketid/internal/outbound"
)

// What an administrator may set about how a client proves itself.
func TestHowAClientMayProveItself(t *testing.T) { // threats 7, 20, 74
	private, err := outbound.ParsePrivate("keys.lan:8080, 10.1.0.0/16")
	must(t, err)
	p := &Provider{issuer: testIssuer, outbound: outbound.New(outbound.Config{Private: private})}
	key, err := jose.Generate(jose.ES256)
	must(t, err)
	public, err := jose.Set([]jose.JWK{key.Public()})
	must(t, err)
	secret, err := key.MarshalPrivate()
	must(t, err)
	one := strings.TrimSuffix(strings.TrimPrefix(string(public), `{"keys":[`), `]}`)
	const away = "https://cluster.example"
	many := make([]Federated, maxFederated+1)
	for i := range many {
		many[i] = Federated{Issuer: away, Subject: fmt.Sprint(i)}
	}
	for _, row := range []struct {
		name  string
		edit  ClientEdit
		want  *fault.Error // nil is that it is taken
		field string
	}{
		{"takes nothing", ClientEdit{}, nil, ""},
		{"takes a secret by Basic", ClientEdit{AuthMethod: AuthBasic}, nil, ""},
		{"takes none for a public client", ClientEdit{AuthMethod: AuthNone, Public: true}, nil, ""},
		{"takes keys", ClientEdit{AuthMethod: AuthPrivateKey, JWKS: " " + string(public) + "\n"}, nil, ""},
		{"takes keys for request objects of a client with a secret", ClientEdit{JWKS: string(public)}, nil, ""},
		{"takes the address of keys", ClientEdit{AuthMethod: AuthPrivateKey, JWKSURI: "https://rp.example/jwks"}, nil, ""},
		{"takes http on a named host", ClientEdit{JWKSURI: "http://keys.lan:8080/jwks"}, nil, ""},
		{"takes http in a named range", ClientEdit{JWKSURI: "http://10.1.2.3/jwks"}, nil, ""},
		{"takes an algorithm that a key has", ClientEdit{JWKS: string(public), AssertionAlg: jose.ES256}, nil, ""},
		{"takes credentials of elsewhere", ClientEdit{Federated: []Federated{{Issuer: away}, {Issuer: away, Subject: "s"}}}, nil, ""},
		{"takes an issuer that is a word, with the address of its keys", ClientEdit{Federated: []Federated{{Issuer: "kubernetes/serviceaccount", JWKS: away + "/openid/v1/jwks"}}}, nil, ""},
		{"takes every grant", ClientEdit{GrantTypes: GrantTypes}, nil, ""},

		{"refuses HMAC", ClientEdit{AuthMethod: "client_secret_jwt"}, ErrAuthMethod, "auth_method"},
		{"refuses certificates", ClientEdit{AuthMethod: "tls_client_auth"}, ErrAuthMethod, "auth_method"},
		{"refuses a secret of a public client", ClientEdit{AuthMethod: AuthPost, Public: true}, ErrAuthMethodPublic, "auth_method"},
		{"refuses none for a confidential one", ClientEdit{AuthMethod: AuthNone}, ErrAuthMethodNone, "auth_method"},
		{"refuses its own keys without any", ClientEdit{AuthMethod: AuthPrivateKey}, ErrAuthMethodKeys, "jwks"},
		{"refuses keys in two places", ClientEdit{JWKS: string(public), JWKSURI: "https://rp.example/jwks"}, ErrKeysTwice, "jwks_uri"},
		{"refuses a private key", ClientEdit{JWKS: `{"keys":[` + string(secret) + `]}`}, ErrKeysPrivate, "jwks"},
		{"refuses a symmetric key", ClientEdit{JWKS: `{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}`}, ErrKeysPrivate, "jwks"},
		{"refuses a private key among others", ClientEdit{JWKS: `{"keys":[` + one + `,` + string(secret) + `]}`}, ErrKeysPrivate, "jwks"},
		{"refuses a key twice", ClientEdit{JWKS: `{"keys":[` + one + `,` + one + `]}`}, ErrKeysRepeated, "jwks"},
		{"refuses a kind of key that is not known", ClientEdit{JWKS: `{"keys":[{"kty":"AKP","kid":"x"}]}`}, ErrKeysMalformed, "jwks"},
		{"refuses a weak key", ClientEdit{JWKS: `{"keys":[{"kty":"RSA","e":"AQAB","n":"` + strings.Repeat("x", 171) + `"}]}`}, ErrKeysMalformed, "jwks"},
		{"refuses a set without keys", ClientEdit{JWKS: `{"keys":[]}`}, ErrKeysMalformed, "jwks"},
		{"refuses a set that is none", ClientEdit{JWKS: "-----BEGIN PUBLIC KEY-----"}, ErrKeysMalformed, "jwks"},
		{"refuses a set without end", ClientEdit{JWKS: `{"keys":[` + one + `],"pad":"` + strings.Repeat("x", jose.MaxKeySet) + `"}`}, ErrKeysMalformed, "jwks"},
		{"refuses keys for encryption alone", ClientEdit{JWKS: strings.Replace(string(public), `"sig"`, `"enc"`, 1)}, ErrKeysMalformed, "jwks"},
		{"refuses an algorithm that no key has", ClientEdit{JWKS: string(public), AssertionAlg: jose.RS256}, ErrKeysUnfit, "assertion_alg"},
		{"refuses an algorithm that is none", ClientEdit{AssertionAlg: "none"}, ErrAlgUnknown, "assertion_alg"},
		{"refuses an algorithm of HMAC", ClientEdit{AssertionAlg: "HS256"}, ErrAlgUnknown, "assertion_alg"},
		{"refuses an audience that it does not know", ClientEdit{AssertionAudience: "any"}, ErrAudienceUnknown, "assertion_audience"},
		{"refuses http", ClientEdit{JWKSURI: "http://rp.example/jwks"}, ErrKeysAddress, "jwks_uri"},
		{"refuses http on another port of a named host", ClientEdit{JWKSURI: "http://keys.lan/jwks"}, ErrKeysAddress, "jwks_uri"},
		{"refuses an inner address", ClientEdit{JWKSURI: "https://127.0.0.1/jwks"}, ErrKeysAddress, "jwks_uri"},
		{"refuses an inner address in digits", ClientEdit{JWKSURI: "https://2130706433/jwks"}, ErrKeysAddress, "jwks_uri"},
		{"refuses a fragment", ClientEdit{JWKSURI: "https://rp.example/jwks#a"}, ErrKeysAddress, "jwks_uri"},
		{"refuses a name before the host", ClientEdit{JWKSURI: "https://a@rp.example/jwks"}, ErrKeysAddress, "jwks_uri"},
		{"refuses a grant that is none", ClientEdit{GrantTypes: []string{"authorization_code", "password"}}, ErrGrantUnknown, "grant_types[1]"},
		{"refuses the implicit grant", ClientEdit{GrantTypes: []string{"implicit"}}, ErrGrantUnknown, "grant_types[0]"},
		{"refuses a grant twice", ClientEdit{GrantTypes: []string{"refresh_token", "refresh_token"}}, ErrGrantUnknown, "grant_types[1]"},
		{"refuses tokens of its own to a public client", ClientEdit{Public: true, GrantTypes: []string{"client_credentials"}}, ErrGrantPublic, "grant_types[0]"},

		{"refuses credentials of a public client", ClientEdit{Public: true, Federated: []Federated{{Issuer: away}}}, ErrFederatedPublic, "federated"},
		{"refuses credentials beside a secret alone", ClientEdit{AuthMethod: AuthBasic, Federated: []Federated{{Issuer: away}}}, ErrFederatedMethod, "auth_method"},
		{"refuses too many", ClientEdit{Federated: many}, ErrFederatedTooMany, "federated"},
		{"refuses no issuer", ClientEdit{Federated: []Federated{{JWKS: away}}}, ErrFederatedIssuer, "federated[0].issuer"},
		{"refuses a word without the address of its keys", ClientEdit{Federated: []Federated{{Issuer: "platform"}}}, ErrFederatedIssuer, "federated[0].issuer"},
		{"refuses an issuer of http", ClientEdit{Federated: []Federated{{Issuer: "http://cluster.example"}}}, ErrFederatedIssuer, "federated[0].issuer"},
		{"refuses this house", ClientEdit{Federated: []Federated{{Issuer: away}, {Issuer: testIssuer}}}, ErrFederatedSelf, "federated[1].issuer"},
		{"refuses this house with a slash", ClientEdit{Federated: []Federated{{Issuer: testIssuer + "/"}}}, ErrFederatedSelf, "federated[0].issuer"},
		{"refuses keys of http", ClientEdit{Federated: []Federated{{Issuer: away, JWKS: "http://cluster.example/keys"}}}, ErrKeysAddress, "federated[0].jwks"},
		{"refuses letters that no text has", ClientEdit{Federated: []Federated{{Issuer: away, Subject: "a\x00b"}}}, ErrFederatedText, "federated[0].subject"},
		{"refuses a subject without end", ClientEdit{Federated: []Federated{{Issuer: away, Subject: strings.Repeat("a", maxURI+1)}}}, ErrFederatedText, "federated[0].subject"},
		{"refuses the same twice", ClientEdit{Federated: []Federated{{Issuer: away, Subject: "s"}, {Issuer: away, Subject: " s", ReplayProtection: true}}}, ErrFederatedRepeated, "federated[1].issuer"},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := p.checkAuthentication(&row.edit)
			if row.want == nil {
				must(t, err)
				return
			}
			wantFault(t, err, row.want, row.field)
		})
	}
}

// FuzzAssertion looks for a panic, and for an assertion that is about nobody.
func FuzzAssertion(f *testing.F) {
	key, err := jose.ParsePrivate([]byte(`{"use":"sig","kty":"OKP","kid":"fuzz","crv":"Ed25519","alg":"EdDSA","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}`))
	must(f, err)
	p := &Provider{issuer: testIssuer, internalURL: testIssuer}
	for _, claims := range []string{
		`{"iss":"shop","sub":"shop","aud":"https://id.example.test","exp":946684860,"jti":"1"}`, `{"aud":["a",1]}`, `{"exp":1e400}`, `{"exp":null,"iat":"x"}`,
		`{"aud":null}`, `{"aud":{}}`, `{"exp":-1,"nbf":1e11}`, `{"sub":"a\u0000b"}`, `{"response_type":null}`, `{"Iss":"shop"}`, `[]`,
	} {
		f.Add(claims, "shop")
	}
	f.Fuzz(func(t *testing.T, claims, clientID string) {
		if len(claims) == 0 || claims[0] != '{' || len(claims) > maxAssertion/2 {
			return
		}
		token, err := key.Sign("JWT", json.RawMessage(claims))
		if err != nil {
			return
		}
		q, err := newAssertion(token, clientID)
		if err != nil {
			return
		}
		if q.assertion == nil || q.assertion.proven != nil || q.way != wayAssertion || clientID != "" && q.clientID != clientID {
			t.Errorf("%q became %+v", claims, q)
		}
		for _, audience := range []string{AudienceStrict, AudienceLenient} {
			c := &Client{ClientEdit: ClientEdit{AssertionAudience: audience}}
			if p.forUs(c, q.assertion.claims.Audience) && !strings.Contains(unescaped(t, q.assertion.claims.Audience), testIssuer) {
				t.Errorf("%q is for us", claims)
			}
		}
	})
}

// unescaped is JSON in its shortest spelling.
func unescaped(t *testing.T, data json.RawMessage) string {
	t.Helper()
	var v any
	must(t, json.Unmarshal(data, &v))
	return fmt.Sprint(v)
}
