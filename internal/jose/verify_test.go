package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"
)

// keyOf makes one key per algorithm and test run: RSA is slow to make.
var keyOf = func() func(testing.TB, Alg) *Key {
	var mu sync.Mutex
	made := map[Alg]*Key{}
	return func(t testing.TB, alg Alg) *Key {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if made[alg] == nil {
			k, err := Generate(alg)
			if err != nil {
				t.Fatal(err)
			}
			made[alg] = k
		}
		return made[alg]
	}
}()

// of is a Want for tokens of type typ that keys signed.
func of(typ string, keys ...*Key) Want {
	w := Want{Typs: []string{typ}}
	for _, k := range keys {
		w.Algs = append(w.Algs, k.Alg)
	}
	w.Keys = func(kid string, alg Alg) crypto.PublicKey {
		for _, k := range keys {
			if k.ID == kid && k.Alg == alg {
				return k.Public().Key()
			}
		}
		return nil
	}
	return w
}

const claims = `{"iss":"https://id.example.com","sub":"ada","aud":["shop"],"exp":1790000000}`

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// forge signs any header and payload with k, honestly or not.
func forge(t testing.TB, k *Key, header, payload string) string {
	t.Helper()
	input := b64(header) + "." + b64(payload)
	sig, err := k.signature([]byte(input))
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func TestASignedTokenVerifies(t *testing.T) {
	for _, alg := range []Alg{RS256, ES256, ES384, ES512, EdDSA} {
		t.Run(string(alg), func(t *testing.T) {
			k := keyOf(t, alg)
			token, err := k.Sign("at+jwt", map[string]any{"sub": "ada"})
			if err != nil {
				t.Fatal(err)
			}
			h, payload, err := Verify(token, of("at+jwt", k))
			if err != nil {
				t.Fatal(err)
			}
			if want := (Header{Alg: alg, KeyID: k.ID, Typ: "at+jwt"}); h != want {
				t.Errorf("got header %v, want %v", h, want)
			}
			if string(payload) != `{"sub":"ada"}` {
				t.Errorf("got payload %s", payload)
			}
			// An unrelated implementation reads it too.
			other, err := gojose.ParseSignedCompact(token, []gojose.SignatureAlgorithm{gojose.SignatureAlgorithm(alg)})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := other.Verify(k.Public().Key()); err != nil {
				t.Errorf("go-jose refuses our token: %v", err)
			}
		})
	}
}

func TestVerifyReadsWhatOthersSign(t *testing.T) {
	for _, alg := range []Alg{RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA} {
		t.Run(string(alg), func(t *testing.T) {
			from := alg
			if schemes[alg].kind == pkcs1 || schemes[alg].kind == pss {
				from = RS256 // a 2048-bit key serves all of them
			}
			k := keyOf(t, from)
			s, err := gojose.NewSigner(gojose.SigningKey{Algorithm: gojose.SignatureAlgorithm(alg),
				Key: gojose.JSONWebKey{Key: k.private, KeyID: "theirs"}}, (&gojose.SignerOptions{}).WithType("JWT"))
			if err != nil {
				t.Fatal(err)
			}
			o, err := s.Sign([]byte(claims))
			if err != nil {
				t.Fatal(err)
			}
			token, err := o.CompactSerialize()
			if err != nil {
				t.Fatal(err)
			}
			want := Want{Algs: []Alg{alg}, Typs: []string{"jwt"}, Keys: func(kid string, a Alg) crypto.PublicKey {
				if kid != "theirs" || a != alg {
					t.Errorf("asked for %s %s", a, kid)
				}
				return k.Public().Key()
			}}
			if _, _, err := Verify(token, want); err != nil {
				t.Error(err)
			}
		})
	}
}

// threats 8: the JOSE vectors. Each is refused, whatever else is right about it.
func TestVerifyRefuses(t *testing.T) {
	k, r, e := keyOf(t, ES256), keyOf(t, RS256), keyOf(t, EdDSA)
	foreign, err := Generate(ES256)
	if err != nil {
		t.Fatal(err)
	}
	good, err := k.Sign("at+jwt", json.RawMessage(claims))
	if err != nil {
		t.Fatal(err)
	}
	part := strings.Split(good, ".")
	head := func(more string) string {
		return `{"alg":"ES256","kid":"` + k.ID + `","typ":"at+jwt"` + more + `}`
	}
	alg := func(name string) string { return `{"alg":"` + name + `","kid":"` + k.ID + `","typ":"at+jwt"}` }
	public, err := foreign.Public().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	hs := func(header string, secret []byte) string {
		input := b64(header) + "." + b64(claims)
		m := hmac.New(sha256.New, secret)
		m.Write([]byte(input))
		return input + "." + base64.RawURLEncoding.EncodeToString(m.Sum(nil))
	}
	der, err := x509.MarshalPKIXPublicKey(r.Public().Key())
	if err != nil {
		t.Fatal(err)
	}
	rsaPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	rsaHead := `{"alg":"HS256","kid":"` + r.ID + `","typ":"at+jwt"}`
	rawSig, err := base64.RawURLEncoding.DecodeString(part[2])
	if err != nil {
		t.Fatal(err)
	}
	flip := func(segment string) string {
		b, _ := base64.RawURLEncoding.DecodeString(segment)
		b[len(b)/2] ^= 1
		return base64.RawURLEncoding.EncodeToString(b)
	}
	// An ES256 signature has 64 bytes: its last character carries 4 bits that are left over.
	leftover := part[2][:len(part[2])-1] + string(nextChar(part[2][len(part[2])-1]))
	wide := func(b []byte, n int) string {
		return base64.RawURLEncoding.EncodeToString(append(make([]byte, n), b...))
	}

	tokens := map[string]string{
		"nothing":                          "",
		"dots alone":                       "..",
		"two parts":                        part[0] + "." + part[1],
		"no signature":                     part[0] + "." + part[1] + ".",
		"no payload":                       part[0] + ".." + part[2],
		"no header":                        "." + part[1] + "." + part[2],
		"a trailing dot":                   good + ".",
		"a leading dot":                    "." + good,
		"four parts":                       good + "." + part[2],
		"five parts as a JWE has":          good + "." + part[2] + "." + part[2],
		"space before":                     " " + good,
		"a line break after":               good + "\n",
		"a line break inside the payload":  part[0] + "." + part[1][:8] + "\n" + part[1][8:] + "." + part[2],
		"padding":                          good + "=",
		"padding of the header":            part[0] + "=." + part[1] + "." + part[2],
		"standard base64":                  part[0] + "." + strings.NewReplacer("-", "+", "_", "/").Replace(part[1]) + "+/." + part[2],
		"left-over bits":                   part[0] + "." + part[1] + "." + leftover,
		"a NUL":                            good + "\x00",
		"too long":                         part[0] + "." + strings.Repeat("A", MaxToken) + "." + part[2],
		"a header too long":                forge(t, k, head(`,"x":"`+strings.Repeat("x", maxHeader)+`"`), claims),
		"general JSON serialisation":       `{"payload":"` + part[1] + `","signatures":[{"protected":"` + part[0] + `","signature":"` + part[2] + `"}]}`,
		"flattened JSON serialisation":     `{"payload":"` + part[1] + `","protected":"` + part[0] + `","signature":"` + part[2] + `"}`,
		"JSON without a signature":         `{"payload":"` + part[1] + `","signatures":[]}`,
		"another payload":                  part[0] + "." + b64(strings.Replace(claims, "ada", "eve", 1)) + "." + part[2],
		"a bit of the signature flipped":   part[0] + "." + part[1] + "." + flip(part[2]),
		"a bit of the payload flipped":     part[0] + "." + flip(part[1]) + "." + part[2],
		"a signature of zeros":             part[0] + "." + part[1] + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 64)),
		"a short signature":                part[0] + "." + part[1] + "." + base64.RawURLEncoding.EncodeToString(rawSig[:63]),
		"a signature with zeros before":    part[0] + "." + part[1] + "." + wide(rawSig, 2),
		"a signature with a wider S":       part[0] + "." + part[1] + "." + base64.RawURLEncoding.EncodeToString(append(append(append([]byte{}, rawSig[:32]...), 0), rawSig[32:]...)),
		"too long, else in order":          forge(t, k, head(""), `{"sub":"ada","a":"`+strings.Repeat("a", MaxToken)+`"}`),
		"alg none":                         b64(alg("none")) + "." + part[1] + ".",
		"alg none with a signature":        b64(alg("none")) + "." + part[1] + "." + part[2],
		"alg None":                         forge(t, k, alg("None"), claims),
		"alg in lower case":                forge(t, k, alg("es256"), claims),
		"alg with space":                   forge(t, k, alg("ES256 "), claims),
		"no alg":                           forge(t, k, `{"kid":"`+k.ID+`","typ":"at+jwt"}`, claims),
		"an empty alg":                     forge(t, k, alg(""), claims),
		"alg null":                         forge(t, k, `{"alg":null,"kid":"`+k.ID+`","typ":"at+jwt"}`, claims),
		"alg as a list":                    forge(t, k, `{"alg":["ES256"],"kid":"`+k.ID+`","typ":"at+jwt"}`, claims),
		"alg as a number":                  forge(t, k, `{"alg":256,"kid":"`+k.ID+`","typ":"at+jwt"}`, claims),
		"HS256 under the RSA public key":   hs(rsaHead, rsaPEM),
		"HS256 under the key in DER":       hs(rsaHead, der),
		"HS256 under nothing":              hs(rsaHead, nil),
		"an algorithm that is not listed":  forge(t, e, `{"alg":"EdDSA","kid":"`+e.ID+`","typ":"at+jwt"}`, claims),
		"a known but unlisted RSA variant": forge(t, r, `{"alg":"PS256","kid":"`+r.ID+`","typ":"at+jwt"}`, claims),
		"the alg of another key":           forge(t, r, `{"alg":"RS256","kid":"`+k.ID+`","typ":"at+jwt"}`, claims),
		"no kid":                           forge(t, k, `{"alg":"ES256","typ":"at+jwt"}`, claims),
		"an empty kid":                     forge(t, k, `{"alg":"ES256","kid":"","typ":"at+jwt"}`, claims),
		"kid as a number":                  forge(t, k, `{"alg":"ES256","kid":1,"typ":"at+jwt"}`, claims),
		"kid as an object":                 forge(t, k, `{"alg":"ES256","kid":{"a":"b"},"typ":"at+jwt"}`, claims),
		"kid as a path":                    forge(t, k, `{"alg":"ES256","kid":"../../dev/null","typ":"at+jwt"}`, claims),
		"kid as SQL":                       forge(t, k, `{"alg":"ES256","kid":"x' UNION SELECT '","typ":"at+jwt"}`, claims),
		"kid with NUL":                     forge(t, k, `{"alg":"ES256","kid":"`+k.ID+`\u0000","typ":"at+jwt"}`, claims),
		"a very long kid":                  forge(t, k, `{"alg":"ES256","kid":"`+strings.Repeat("k", 300)+`","typ":"at+jwt"}`, claims),
		"a foreign key under our kid":      forge(t, foreign, head(""), claims),
		"a foreign key under its own kid":  forge(t, foreign, `{"alg":"ES256","kid":"`+foreign.ID+`","typ":"at+jwt"}`, claims),
		"an embedded jwk":                  forge(t, foreign, head(`,"jwk":`+string(public)), claims),
		"an embedded jwk, well signed":     forge(t, k, head(`,"jwk":`+string(public)), claims),
		"jwk null":                         forge(t, k, head(`,"jwk":null`), claims),
		"jku":                              forge(t, k, head(`,"jku":"https://evil.example/jwks"`), claims),
		"x5u":                              forge(t, k, head(`,"x5u":"https://evil.example/cert"`), claims),
		"x5c":                              forge(t, k, head(`,"x5c":["AAAA"]`), claims),
		"crit":                             forge(t, k, head(`,"crit":["exp"],"exp":1`), claims),
		"an empty crit":                    forge(t, k, head(`,"crit":[]`), claims),
		"b64 false":                        forge(t, k, head(`,"b64":false,"crit":["b64"]`), claims),
		"b64 true":                         forge(t, k, head(`,"b64":true`), claims),
		"enc":                              forge(t, k, head(`,"enc":"A128GCM"`), claims),
		"zip":                              forge(t, k, head(`,"zip":"DEF"`), claims),
		"alg twice":                        forge(t, k, `{"alg":"ES256","alg":"ES256","kid":"`+k.ID+`","typ":"at+jwt"}`, claims),
		"alg twice, once escaped":          forge(t, k, `{"alg":"ES256","\u0061lg":"none","kid":"`+k.ID+`","typ":"at+jwt"}`, claims),
		"kid twice":                        forge(t, k, head(`,"kid":"other"`), claims),
		"typ twice":                        forge(t, k, head(`,"typ":"at+jwt"`), claims),
		"ALG beside no alg":                forge(t, k, `{"ALG":"ES256","kid":"`+k.ID+`","typ":"at+jwt"}`, claims),
		"a member twice, deep inside":      forge(t, k, head(`,"x":[{"a":1,"a":2}]`), claims),
		"a header that is a list":          forge(t, k, `["ES256"]`, claims),
		"a header that is a string":        forge(t, k, `"ES256"`, claims),
		"a header that is null":            forge(t, k, `null`, claims),
		"a header and more":                forge(t, k, head("")+"{}", claims),
		"a header cut short":               forge(t, k, head("")[:20], claims),
		"a header nested deeply":           forge(t, k, head(`,"x":`+strings.Repeat("[", 40)+strings.Repeat("]", 40)), claims),
		"a header that is not UTF-8":       forge(t, k, head(",\"x\":\"\xff\""), claims),
		"no typ":                           forge(t, k, `{"alg":"ES256","kid":"`+k.ID+`"}`, claims),
		"typ JWT":                          forge(t, k, `{"alg":"ES256","kid":"`+k.ID+`","typ":"JWT"}`, claims),
		"typ logout+jwt":                   forge(t, k, `{"alg":"ES256","kid":"`+k.ID+`","typ":"logout+jwt"}`, claims),
		"typ as a list":                    forge(t, k, `{"alg":"ES256","kid":"`+k.ID+`","typ":["at+jwt"]}`, claims),
		"typ of text/":                     forge(t, k, `{"alg":"ES256","kid":"`+k.ID+`","typ":"text/at+jwt"}`, claims),
		"a payload that is a list":         forge(t, k, head(""), `[`+claims+`]`),
		"a payload that is a token":        forge(t, k, head(""), good),
		"a payload that is null":           forge(t, k, head(""), `null`),
		"sub twice":                        forge(t, k, head(""), `{"sub":"ada","sub":"eve"}`),
		"sub twice, once escaped":          forge(t, k, head(""), `{"sub":"ada","s\u0075b":"eve"}`),
		"a payload nested deeply":          forge(t, k, head(""), `{"a":`+strings.Repeat(`{"a":`, 40)+`1`+strings.Repeat("}", 41)),
		"a payload that is not UTF-8":      forge(t, k, head(""), "{\"sub\":\"\xff\"}"),
	}
	want := of("at+jwt", k, r)
	for name, token := range tokens {
		t.Run(name, func(t *testing.T) {
			_, payload, err := Verify(token, want)
			if !errors.Is(err, ErrInvalid) {
				t.Errorf("got error %v, want ErrInvalid", err)
			}
			if payload != nil {
				t.Errorf("a refused token left its payload: %s", payload)
			}
		})
	}
	for name, token := range map[string]string{
		"the token they were made from": good,
		"a header with other members":   forge(t, k, head(`,"x5t":"AAAA","X":[{"a":1},{"a":2}]`), claims),
		"typ with application/":         forge(t, k, `{"alg":"ES256","kid":"`+k.ID+`","typ":"application/at+JWT"}`, claims),
		"space in the header":           forge(t, k, ` { "alg" : "ES256" , "kid":"`+k.ID+`", "typ":"at+jwt" } `, claims),
		"a header with crit spelt CRIT": forge(t, k, head(`,"CRIT":["x"]`), claims),
	} {
		t.Run("but accepts "+name, func(t *testing.T) {
			if _, _, err := Verify(token, want); err != nil {
				t.Error(err)
			}
		})
	}
}

func nextChar(c byte) byte {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return alphabet[strings.IndexByte(alphabet, c)^1]
}

// threats 7: the type keeps tokens of one kind from passing for another.
func TestATypeIsAcceptedOnlyWhereItIsExpected(t *testing.T) {
	k := keyOf(t, EdDSA)
	types := []string{"jwt", "at+jwt", "logout+jwt", "oauth-authz-req+jwt", "client-authentication+jwt", "dpop+jwt", ""}
	for _, made := range types {
		token, err := k.Sign(made, json.RawMessage(claims))
		if err != nil {
			t.Fatal(err)
		}
		empty := forge(t, k, `{"alg":"EdDSA","kid":"`+k.ID+`","typ":""}`, claims)
		if _, _, err := Verify(empty, of("", k)); err == nil {
			t.Error("an empty type passes for none")
		}
		for _, wanted := range types {
			_, _, err := Verify(token, of(wanted, k))
			if (err == nil) != (made == wanted) {
				t.Errorf("a token of type %q where %q is wanted: %v", made, wanted, err)
			}
		}
	}
}

func TestTheZeroWantAcceptsNothing(t *testing.T) {
	k := keyOf(t, EdDSA)
	token, err := k.Sign("JWT", json.RawMessage(claims))
	if err != nil {
		t.Fatal(err)
	}
	full := of("jwt", k)
	for name, want := range map[string]Want{
		"zero":    {},
		"no algs": {Typs: full.Typs, Keys: full.Keys},
		"no typs": {Algs: full.Algs, Keys: full.Keys},
		"no keys": {Algs: full.Algs, Typs: full.Typs},
	} {
		if _, _, err := Verify(token, want); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// The name of a key is looked up by others: it never reaches them empty or long.
func TestTheLookUpIsAskedForSaneNamesAlone(t *testing.T) {
	k := keyOf(t, EdDSA)
	want := of("jwt", k)
	want.Keys = func(kid string, alg Alg) crypto.PublicKey {
		t.Errorf("asked for %s %q", alg, kid)
		return k.Public().Key()
	}
	for _, header := range []string{`{"alg":"EdDSA","typ":"jwt"}`, `{"alg":"EdDSA","typ":"jwt","kid":""}`,
		`{"alg":"EdDSA","typ":"jwt","KID":"k"}`, `{"alg":"EdDSA","typ":"jwt","kid":"` + strings.Repeat("k", maxName+1) + `"}`} {
		if _, _, err := Verify(forge(t, k, header, claims), want); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %v", header, err)
		}
	}
}

func TestManyMembersAreComparedInGoodTime(t *testing.T) {
	var b strings.Builder
	for i := range 9000 {
		fmt.Fprintf(&b, `"%d":1,`, i)
	}
	many := b.String()
	if err := strict([]byte("{" + many + `"x":1}`)); err != nil {
		t.Error(err)
	}
	for _, twice := range []string{"0", "31", "32", "33", "8999"} {
		if err := strict([]byte("{" + many + `"` + twice + `":1}`)); err == nil {
			t.Errorf("%s appears twice and is accepted", twice)
		}
	}
	if err := strict([]byte(`{"a":{` + many + `"x":1},"b":{` + many + `"x":1}}`)); err != nil {
		t.Error(err)
	}
}

func TestAnUnknownKeyIsToldApart(t *testing.T) {
	k := keyOf(t, EdDSA)
	token, err := k.Sign("JWT", json.RawMessage(claims))
	if err != nil {
		t.Fatal(err)
	}
	want := of("jwt", k)
	want.Keys = func(string, Alg) crypto.PublicKey { return nil }
	if _, _, err := Verify(token, want); !errors.Is(err, ErrUnknownKey) || !errors.Is(err, ErrInvalid) {
		t.Errorf("got %v", err)
	}
	if _, _, err := Verify(token+"A", of("jwt", k)); errors.Is(err, ErrUnknownKey) {
		t.Error("a broken token passes for one of an unknown key")
	}
}

// A caller that hands out a wrong key must not be believed.
func TestAKeyThatDoesNotFitTheAlgorithmIsNotUsed(t *testing.T) {
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]crypto.PublicKey{
		"RSA 2048": keyOf(t, RS256).Public().Key(), "RSA 1024": &small.PublicKey, "P-256": &p256.PublicKey,
		"P-384": keyOf(t, ES384).Public().Key(), "Ed25519": keyOf(t, EdDSA).Public().Key(),
		"short Ed25519": ed25519.PublicKey("short"), "bytes": []byte("secret"), "a private key": p256,
		"nil RSA": (*rsa.PublicKey)(nil), "nil EC": (*ecdsa.PublicKey)(nil), "empty RSA": &rsa.PublicKey{}, "empty EC": &ecdsa.PublicKey{},
	}
	fits := map[Alg]string{RS256: "RSA 2048", PS256: "RSA 2048", ES256: "P-256", ES384: "P-384", EdDSA: "Ed25519"}
	for alg := range schemes {
		for name, key := range keys {
			input := b64(fmt.Sprintf(`{"alg":%q,"kid":"k","typ":"jwt"}`, alg)) + "." + b64(claims)
			_, _, err := Verify(input+"."+b64(strings.Repeat("s", 64)), Want{Algs: []Alg{alg}, Typs: []string{"jwt"},
				Keys: func(string, Alg) crypto.PublicKey { return key }})
			if !errors.Is(err, ErrInvalid) {
				t.Errorf("%s with %s: got %v", alg, name, err)
			}
			if got, want := schemes[alg].fits(key), fits[alg] == name; got != want && fits[alg] != "" {
				t.Errorf("%s fits %s: got %v, want %v", name, alg, got, want)
			}
		}
	}
}

func TestUnmarshalMatchesNamesExactly(t *testing.T) {
	var got struct {
		Sub string `json:"sub"`
		Aud []string
	}
	if err := Unmarshal([]byte(`{"sub":"ada","Sub":"eve","SUB":"eve","ſub":"eve"}`), &got); err != nil {
		t.Fatal(err)
	}
	if got.Sub != "ada" {
		t.Errorf("got sub %q, want ada", got.Sub)
	}
	for _, bad := range []string{``, `[]`, `{"sub":1}`, `{"sub":"a","sub":"b"}`, `{"a":{"b":1,"b":2}}`, `{} {}`, `{"a":}`} {
		if err := Unmarshal([]byte(bad), &got); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}

func TestWalkTellsTheOutermostMembersAlone(t *testing.T) {
	var got []string
	err := walk([]byte(` {"a":{"b":[1,{"c":2}],"d":3},"b" : [ 4 , {"a":5} ] ,"c":"x,}\"","\u0064":-1.5e3 }`), func(name string, value []byte) error {
		got = append(got, name+"="+string(value))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{`a={"b":[1,{"c":2}],"d":3}`, `b=[ 4 , {"a":5} ]`, `c="x,}\""`, `d=-1.5e3`}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	refusal := errors.New("no")
	for _, one := range []string{`{"a":1}`, `{"a":1,"b":2}`} {
		if err := walk([]byte(one), func(string, []byte) error { return refusal }); err != refusal {
			t.Errorf("%s: got %v", one, err)
		}
	}
}
