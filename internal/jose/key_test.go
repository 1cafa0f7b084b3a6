package jose

import (
	"bytes"
	"crypto"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"
)

// The key of RFC 7638 §3.1.
const rfc7638 = `{"kty":"RSA","alg":"RS256","kid":"2011-04-29","e":"AQAB","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"}`

func TestThumbprintIsThatOfTheRFC(t *testing.T) {
	k, err := ParseJWK([]byte(rfc7638))
	if err != nil {
		t.Fatal(err)
	}
	got, err := Thumbprint(k.Key())
	if err != nil {
		t.Fatal(err)
	}
	if want := "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	// RFC 8037 §A.3
	ed, err := ParseJWK([]byte(`{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`))
	if err != nil {
		t.Fatal(err)
	}
	got, err = Thumbprint(ed.Key())
	if want := "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"; got != want || err != nil {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
	if _, err := Thumbprint(keyOf(t, EdDSA).private); err == nil {
		t.Error("a private key has a thumbprint")
	}
}

func TestAGeneratedKeyIsNamedByItsThumbprint(t *testing.T) {
	for _, alg := range []Alg{RS256, ES256, EdDSA} {
		k := keyOf(t, alg)
		want, err := Thumbprint(k.Public().Key())
		if err != nil {
			t.Fatal(err)
		}
		if k.ID != want {
			t.Errorf("%s: got %s, want %s", alg, k.ID, want)
		}
	}
	for _, alg := range []Alg{"", "none", "HS256", PS256, "rs256"} {
		if _, err := Generate(alg); err == nil {
			t.Errorf("a key for %q was made", alg)
		}
	}
}

func TestAPrivateKeySurvivesMarshalling(t *testing.T) {
	for _, alg := range []Alg{RS256, ES256, ES384, ES512, EdDSA} {
		t.Run(string(alg), func(t *testing.T) {
			k := keyOf(t, alg)
			data, err := k.MarshalPrivate()
			if err != nil {
				t.Fatal(err)
			}
			again, err := ParsePrivate(data)
			if err != nil {
				t.Fatal(err)
			}
			if again.ID != k.ID || again.Alg != k.Alg {
				t.Errorf("got %v, want %v", again, k)
			}
			token, err := again.Sign("JWT", json.RawMessage(claims))
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := Verify(token, of("jwt", k)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestParsePrivateRefuses(t *testing.T) {
	private, err := keyOf(t, ES256).MarshalPrivate()
	if err != nil {
		t.Fatal(err)
	}
	other, err := Generate(ES256)
	if err != nil {
		t.Fatal(err)
	}
	public, err := keyOf(t, ES256).Public().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	var mine, theirs map[string]any
	_ = json.Unmarshal(private, &mine)
	data, _ := other.MarshalPrivate()
	_ = json.Unmarshal(data, &theirs)
	mine["d"] = theirs["d"]
	mixed, _ := json.Marshal(mine)
	for name, data := range map[string][]byte{
		"nothing":                  nil,
		"a public key":             public,
		"a secret":                 []byte(`{"kty":"oct","kid":"k","alg":"HS256","k":"AAAA"}`),
		"another alg":              bytes.Replace(private, []byte(`"ES256"`), []byte(`"RS256"`), 1),
		"alg of another curve":     bytes.Replace(private, []byte(`"ES256"`), []byte(`"ES384"`), 1),
		"alg none":                 bytes.Replace(private, []byte(`"ES256"`), []byte(`"none"`), 1),
		"no kid":                   bytes.Replace(private, []byte(`"kid"`), []byte(`"kit"`), 1),
		"halves of different keys": mixed,
	} {
		if k, err := ParsePrivate(data); err == nil {
			t.Errorf("%s is accepted as %v", name, k)
		}
	}
}

func TestParseJWKRefuses(t *testing.T) {
	private, err := keyOf(t, ES256).MarshalPrivate()
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{
		"nothing":       ``,
		"a private key": string(private),
		"a secret":      `{"kty":"oct","kid":"k","alg":"HS256","k":"AAAA"}`,
		"no alg":        strings.Replace(rfc7638, `"alg":"RS256",`, ``, 1),
		"another alg":   strings.Replace(rfc7638, `"RS256"`, `"ES256"`, 1),
		"alg none":      strings.Replace(rfc7638, `"RS256"`, `"none"`, 1),
		"n twice":       strings.Replace(rfc7638, `"kty"`, `"n":"AQAB","kty"`, 1),
		"a small key":   `{"kty":"RSA","alg":"RS256","kid":"k","e":"AQAB","n":"` + strings.Repeat("A", 20) + `"}`,
	} {
		if _, err := ParseJWK([]byte(data)); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestASetHoldsPublicMembersAlone(t *testing.T) {
	var keys []JWK
	for _, alg := range []Alg{RS256, ES256, EdDSA} {
		keys = append(keys, keyOf(t, alg).Public())
	}
	data, err := Set(keys)
	if err != nil {
		t.Fatal(err)
	}
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal(data, &set); err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{"alg", "e", "kid", "kty", "n", "use"},
		{"alg", "crv", "kid", "kty", "use", "x", "y"},
		{"alg", "crv", "kid", "kty", "use", "x"},
	}
	for i, k := range set.Keys {
		var names []string
		for n := range k {
			names = append(names, n)
		}
		slices.Sort(names)
		if !slices.Equal(names, want[i]) {
			t.Errorf("got %v, want %v", names, want[i])
		}
		if k["use"] != "sig" {
			t.Errorf("got use %v", k["use"])
		}
	}
	if empty, err := Set(nil); string(empty) != `{"keys":[]}` || err != nil {
		t.Errorf("got %s, %v", empty, err)
	}
	var other gojose.JSONWebKeySet
	if err := json.Unmarshal(data, &other); err != nil || len(other.Keys) != 3 {
		t.Errorf("go-jose reads %d keys: %v", len(other.Keys), err)
	}
}

// threats 84
func TestAKeyDoesNotShowItsPrivateHalf(t *testing.T) {
	k := keyOf(t, EdDSA)
	private, err := k.MarshalPrivate()
	if err != nil {
		t.Fatal(err)
	}
	var raw struct{ D string }
	if err := json.Unmarshal(private, &raw); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("key", "key", k)
	slog.New(slog.NewTextHandler(&log, nil)).Info("key", "key", k)
	asJSON, _ := json.Marshal(k)
	for _, s := range []string{fmt.Sprintf("%v %+v %#v %s", k, k, k, k), log.String(), string(asJSON)} {
		if strings.Contains(s, raw.D) || strings.Contains(s, "private") || !strings.Contains(s, k.ID) {
			t.Errorf("shows too much or too little: %s", s)
		}
	}
}

func TestSignRefuses(t *testing.T) {
	k := keyOf(t, EdDSA)
	for name, c := range map[string]any{
		"a list":            []string{"a"},
		"a string":          "a",
		"nothing":           nil,
		"no raw message":    json.RawMessage(nil),
		"a channel":         map[string]any{"a": make(chan int)},
		"more than is read": map[string]any{"a": strings.Repeat("a", MaxToken)},
	} {
		if token, err := k.Sign("JWT", c); err == nil {
			t.Errorf("%s was signed: %.40s", name, token)
		}
	}
}

func TestAtHash(t *testing.T) {
	// OpenID Connect Core appendix A.3 and A.4: RS256.
	if got, want := AtHash(RS256, "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"), "77QmUPtjPfzWtF2AnpK9RQ"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := AtHash(RS256, "Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk"), "LDktKdoQak3Pk0cnXxCltA"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for alg, n := range map[Alg]int{RS256: 22, PS256: 22, ES256: 22, ES384: 32, RS384: 32, ES512: 43, EdDSA: 43, "none": 0} {
		if got := AtHash(alg, "token"); len(got) != n {
			t.Errorf("%s: got %q, want %d characters", alg, got, n)
		}
	}
}

var benchClaims = map[string]any{"iss": "https://id.example.com", "sub": "3d1b7a34-6f2d-4e6b-9c0b-111111111111", "aud": []string{"client-abc", "https://id.example.com"},
	"exp": 1790000000, "iat": 1789996400, "jti": "3d1b7a34-6f2d-4e6b-9c0b-222222222222.abcdefgh", "client_id": "client-abc",
	"scope": "openid profile email groups", "auth_time": 1789996000, "acr": "phr", "amr": []string{"phr", "user", "mfa"}}

func BenchmarkSign(b *testing.B) {
	raw, _ := json.Marshal(benchClaims)
	for _, alg := range []Alg{RS256, ES256, EdDSA} {
		b.Run(string(alg), func(b *testing.B) {
			data, _ := keyOf(b, alg).MarshalPrivate()
			k, err := ParsePrivate(data) // as a running server has it
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := k.Sign("at+jwt", json.RawMessage(raw)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, alg := range []Alg{RS256, ES256, EdDSA} {
		b.Run(string(alg), func(b *testing.B) {
			k := keyOf(b, alg)
			token, err := k.Sign("at+jwt", benchClaims)
			if err != nil {
				b.Fatal(err)
			}
			pub := k.Public().Key()
			want := Want{Algs: []Alg{alg}, Typs: []string{"at+jwt"}, Keys: func(string, Alg) crypto.PublicKey { return pub }}
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := Verify(token, want); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("wrong signature", func(b *testing.B) {
		k := keyOf(b, ES256)
		token := forge(b, keyOf(b, EdDSA), `{"alg":"ES256","kid":"`+k.ID+`","typ":"at+jwt"}`, claims)
		for b.Loop() {
			_, _, _ = Verify(token, of("at+jwt", k))
		}
	})
	b.Run("reading alone", func(b *testing.B) { // all but the arithmetic
		token, err := keyOf(b, ES256).Sign("at+jwt", benchClaims)
		if err != nil {
			b.Fatal(err)
		}
		body := strings.Split(token, ".")[1]
		want := Want{Algs: []Alg{ES256}, Typs: []string{"at+jwt"}}
		b.ReportAllocs()
		for b.Loop() {
			_, _, _ = Verify(token, want)
			payload, _ := decode(body)
			if err := strict(payload); err != nil {
				b.Fatal(err)
			}
		}
	})
}
