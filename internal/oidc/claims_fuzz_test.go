package oidc

import (
	"encoding/json"
	"testing"
)

// Whatever stands in a token is read as every parser reads it, or not at all: what is
// taken for the issuer, the subject and the audience is what stands there under exactly
// these names.
func FuzzTokenClaims(f *testing.F) {
	for _, seed := range []string{
		`{"iss":"https://id.example.test","sub":"ada","aud":"shop","sid":"s1","exp":1700000000,"iat":1,"nonce":"n"}`,
		`{"iss":"https://id.example.test","sub":"p-00","aud":["shop"],"jti":"g.r","client_id":"shop","scope":"openid profile","auth_time":1,"amr":["phr"],"acr":"phr"}`,
		`{"iss":"https://id.example.test","sub":"ada","aud":["shop","other"],"act":{"sub":"client-a","act":{"sub":"client-b"}}}`,
		`{"iss":"https://id.example.test","Sub":"root","aud":"shop"}`,
		`{"iss":"https://id.example.test","sub":"ada","SUB":"root","Aud":"x","aud":"shop"}`,
		`{"iss":"https://id.example.test","sub":"ada","sub":"root","aud":"shop"}`,
		`{"iss":"https://id.example.test","sub":null,"aud":null}`, `{"iss":1,"sub":{},"aud":[[]]}`, `{"aud":["a",1]}`,
		`{"iss":"https://id.example.test","\u0073ub":"ada","aud":"shop"}`, `{"exp":1e400}`, `{"exp":-1,"iat":9223372036854775808}`,
		`[]`, `"x"`, `{`, ``, "{\"sub\":\"\xff\"}", `{"a":{"a":{"a":{"a":{"a":{}}}}}}`,
	} {
		f.Add([]byte(seed))
	}
	p := &Provider{issuer: testIssuer}
	f.Fuzz(func(t *testing.T, payload []byte) {
		h, hintErr := p.hintOf(payload)
		a, accessErr := p.accessOf(payload)
		if hintErr != nil && accessErr != nil {
			return
		}
		var plain map[string]any
		if err := json.Unmarshal(payload, &plain); err != nil {
			t.Fatalf("%q is no JSON, and is read", payload)
		}
		if plain["iss"] != testIssuer {
			t.Errorf("%q is read, and another's", payload)
		}
		text := func(name string) string { s, _ := plain[name].(string); return s }
		if hintErr == nil {
			var audience []any
			switch aud := plain["aud"].(type) {
			case []any:
				audience = aud
			case string:
				audience = []any{aud}
			}
			if h.subject == "" || h.subject != text("sub") || h.sid != text("sid") || len(audience) != 1 || audience[0] != any(h.clientID) && (audience[0] != nil || h.clientID != "") {
				t.Errorf("%q is a hint of %+v", payload, h)
			}
		}
		if accessErr == nil && (a.Subject != text("sub") || a.ClientID != text("client_id") || a.ID != text("jti") || a.Scope != text("scope")) {
			t.Errorf("%q is an access token of %+v", payload, a)
		}
	})
}
