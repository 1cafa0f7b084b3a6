package jose

import (
	"crypto"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"
)

// set is a JWK Set of keys as they stand.
func set(keys ...string) []byte { return []byte(`{"keys":[` + strings.Join(keys, ",") + `]}`) }

// published is the public key of k with its members changed; nil takes one away.
func published(t testing.TB, k *Key, changes map[string]any) string {
	t.Helper()
	b, err := k.Public().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(b, &members); err != nil {
		t.Fatal(err)
	}
	for name, value := range changes {
		if members[name] = value; value == nil {
			delete(members, name)
		}
	}
	if b, err = json.Marshal(members); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// What is taken from somebody who types keys in, and what from a set that was fetched.
func TestKeysOfOthers(t *testing.T) { // threats 8
	ec, ed := newTestKey(t, ES256), newTestKey(t, EdDSA)
	good, private := published(t, ec, nil), privately(t, ec)
	type m = map[string]any
	for _, row := range []struct {
		name   string
		data   []byte
		parsed error // of ParseKeys; nil is that it takes them
		read   int   // keys that ReadKeys finds
	}{
		{"a key", set(good), nil, 1},
		{"two kinds of key", set(good, published(t, ed, nil)), nil, 2},
		{"a key without alg, use and kid", set(published(t, ec, m{"alg": nil, "use": nil, "kid": nil})), nil, 1},
		{"a key for verifying", set(published(t, ec, m{"use": nil, "key_ops": []string{"verify"}})), nil, 1},
		{"a key with a certificate of anybody", set(published(t, ec, m{"x5c": []string{"AAAA"}, "x5u": "http://127.0.0.1/"})), nil, 1},
		{"a key beside one for encryption", set(good, published(t, ed, m{"use": "enc"})), nil, 2},
		{"the RSA key of RFC 7638", set(rfc7638), nil, 1},
		{"a key for signing", set(published(t, ec, m{"use": nil, "key_ops": []string{"sign"}})), ErrKeySet, 1},
		{"keys for encryption alone", set(published(t, ec, m{"use": "enc"})), ErrKeySet, 1},
		{"two keys with one kid", set(good, published(t, ed, m{"kid": ec.ID})), ErrKeyRepeated, 2},
		{"two keys without kid", set(published(t, ec, m{"kid": nil}), published(t, ed, m{"kid": nil})), ErrKeyRepeated, 2},
		{"a private key", set(private), ErrPrivateKey, 0},
		{"a private key among others", set(good, privately(t, ed)), ErrPrivateKey, 1},
		{"a symmetric key", set(`{"kty":"oct","k":"AAAA"}`, good), ErrPrivateKey, 1},
		{"a symmetric key without a value", set(`{"kty":"oct"}`, good), ErrPrivateKey, 1},
		{"a part of a private key", set(published(t, ec, m{"dp": "AAAA"}), good), ErrPrivateKey, 1},
		{"a kind that nobody knows", set(`{"kty":"AKP","alg":"ML-DSA-44","pub":"AAAA"}`, good), errAny, 1},
		{"a curve that is not ours", set(published(t, ec, m{"crv": "secp256k1"}), good), errAny, 1},
		{"a point beside its curve", set(published(t, ec, m{"x": "AAAA"}), good), errAny, 1},
		{"an alg that does not fit", set(published(t, ec, m{"alg": "RS256"}), good), errAny, 1},
		{"a kid that is a number", set(published(t, ec, m{"kid": 1}), good), errAny, 1},
		{"a kid without end", set(published(t, ec, m{"kid": strings.Repeat("k", 300)}), good), errAny, 1},
		{"a member twice", set(strings.Replace(good, `"kty"`, `"kid":"a","kty"`, 1), good), ErrKeySet, 0},
		{"something that is no key", set(`1`, `"a"`, `[]`, good), errAny, 1},
		{"no keys", set(), ErrKeySet, 0},
		{"too many keys", set(strings.Split(strings.Repeat(good+" ", maxKeys+1), " ")[:maxKeys+1]...), ErrKeySet, 0},
		{"no list", []byte(`{"keys":{}}`), ErrKeySet, 0},
		{"a list under another name", []byte(`{"Keys":[` + good + `]}`), ErrKeySet, 0},
		{"a list twice", []byte(`{"keys":[` + good + `],"keys":[` + good + `]}`), ErrKeySet, 0},
		{"a key alone", []byte(good), ErrKeySet, 0},
		{"nothing", nil, ErrKeySet, 0},
		{"a page", []byte(`<html>`), ErrKeySet, 0},
		{"a set without end", append(set(good), make([]byte, MaxKeySet)...), ErrKeySet, 0},
	} {
		_, err := ParseKeys(row.data)
		if row.parsed == nil && err != nil || row.parsed != nil && (err == nil || row.parsed != errAny && !errors.Is(err, row.parsed)) {
			t.Errorf("%s: parsed with %v, want %v", row.name, err, row.parsed)
		}
		read, err := ReadKeys(row.data)
		if len(read.keys) != row.read || (err == nil) != (row.read > 0) {
			t.Errorf("%s: read %d keys, %v, want %d", row.name, len(read.keys), err, row.read)
		}
	}
}

// errAny stands for whatever error.
var errAny = errors.New("any")

// Which key of a set a token may mean.
func TestAKeyIsFound(t *testing.T) { // threats 8
	a, b, ed := newTestKey(t, ES256), newTestKey(t, ES256), newTestKey(t, EdDSA)
	nameless := map[string]any{"kid": nil, "alg": nil}
	for _, row := range []struct {
		name, kid string
		alg       Alg
		keys      []string
		want      *Key
	}{
		{"finds a key by its name", b.ID, ES256, []string{published(t, a, nil), published(t, b, nil)}, b},
		{"finds the only key that fits for a token without a name", "", EdDSA, []string{published(t, a, nil), published(t, b, nil), published(t, ed, nil)}, ed},
		{"does not choose among two", "", ES256, []string{published(t, a, nil), published(t, b, nil)}, nil},
		{"finds the only key without a name", "x", ES256, []string{published(t, a, nameless)}, a},
		{"prefers the one with the name", b.ID, ES256, []string{published(t, a, nameless), published(t, b, nil)}, b},
		{"does not choose among two without a name", "x", ES256, []string{published(t, a, nameless), published(t, b, nameless)}, nil},
		{"does not take a key of another name", "x", ES256, []string{published(t, a, nil)}, nil},
		{"does not take a key of another algorithm", a.ID, EdDSA, []string{published(t, a, nil)}, nil},
		{"does not take one that names another algorithm", ed.ID, EdDSA, []string{published(t, ed, map[string]any{"alg": "ES256"}), published(t, a, nil)}, nil},
		{"does not take one for encryption", a.ID, ES256, []string{published(t, a, map[string]any{"use": "enc"}), published(t, ed, nil)}, nil},
		{"does not know none", a.ID, "none", []string{published(t, a, nil)}, nil},
		{"does not know HMAC", a.ID, "HS256", []string{published(t, a, nil)}, nil},
	} {
		keys, err := ReadKeys(set(row.keys...))
		if err != nil {
			t.Fatal(err)
		}
		got := keys.Find(row.kid, row.alg)
		if row.want == nil && got != nil || row.want != nil && (got == nil || !samePublic(row.want, got)) {
			t.Errorf("it %s: got %v", row.name, got)
		}
	}
	if (Keys{}).Find("", ES256) != nil || (Keys{}).Serve(ES256) {
		t.Error("an empty set has a key")
	}
}

// TestPeekTrustsNothing holds that what can be peeked at is no more than what could be
// verified, and that a kid may be missing where that is wanted.
func TestPeekTrustsNothing(t *testing.T) { // threats 8
	k := newTestKey(t, ES256)
	for _, header := range []string{`{"alg":"ES256","jwk":{}}`, `{"alg":"ES256","crit":["exp"]}`, `{"alg":"ES256","kid":""}`, `{"alg":1}`, `[]`} {
		if _, _, err := Peek(forge(t, k, header, `{}`)); !errors.Is(err, ErrInvalid) {
			t.Errorf("peeked at %s: %v", header, err)
		}
	}
	for _, payload := range []string{`[]`, `{"a":1,"a":2}`, `x`} {
		if _, _, err := Peek(forge(t, k, `{"alg":"ES256"}`, payload)); !errors.Is(err, ErrInvalid) {
			t.Errorf("peeked at %s: %v", payload, err)
		}
	}
	token := forge(t, k, `{"alg":"ES256","typ":"application/JWT"}`, `{"sub":"a"}`)
	h, payload, err := Peek(token)
	if err != nil || h != (Header{ES256, "", "jwt"}) || string(payload) != `{"sub":"a"}` {
		t.Errorf("got %+v %s %v", h, payload, err)
	}
	keys, err := ReadKeys(set(published(t, k, nil)))
	if err != nil {
		t.Fatal(err)
	}
	want := Want{Algs: []Alg{ES256}, Typs: []string{"jwt"}, Keys: keys.Find}
	if _, _, err := Verify(token, want); err == nil {
		t.Error("a token without a kid was taken unasked")
	}
	want.Unnamed = true
	if _, _, err := Verify(token, want); err != nil {
		t.Errorf("a token without a kid: %v", err)
	}
}

// FuzzKeys looks for a panic, for a key that is not public, and for a set that is typed
// in and not readable when it is fetched.
func FuzzKeys(f *testing.F) {
	f.Add(set(rfc7638))
	f.Add(set(fixed))
	f.Add(set(`{"kty":"oct","k":"AAAA"}`, rfc7638))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"","y":""}]}`))
	f.Add([]byte(`{"keys":[{}],"a":[[[[]]]]}`))
	f.Add([]byte(`{"keys":null}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB","key_ops":"verify"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		read, readErr := ReadKeys(data)
		parsed, err := ParseKeys(data)
		if err == nil && (readErr != nil || len(read.keys) != len(parsed.keys)) {
			t.Fatalf("%s is parsed as %d keys and read as %d: %v", data, len(parsed.keys), len(read.keys), readErr)
		}
		for _, k := range read.keys {
			if raw := (gojose.JSONWebKey{Key: k.key}); !raw.IsPublic() || !raw.Valid() {
				t.Fatalf("%s has a key that is not public", data)
			}
		}
	})
}

// FuzzParsePrivateKey looks for a panic, and for a key that does not sign what it verifies.
func FuzzParsePrivateKey(f *testing.F) {
	f.Add([]byte(fixed))
	f.Add([]byte(rfc7638))
	f.Add([]byte(`{"kty":"EC","crv":"P-256","kid":"a","alg":"ES256","x":"AA","y":"AA","d":"AA"}`))
	f.Add([]byte(`{"kty":"RSA","kid":"a","alg":"RS256","n":"AQAB","e":"AQAB","d":"AQAB","p":"Aw","q":"BQ"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		k, err := ParsePrivate(data)
		if err != nil {
			return
		}
		token, err := k.Sign("JWT", json.RawMessage(`{"a":1}`))
		if err != nil {
			return
		}
		if _, _, err := Verify(token, of("jwt", k)); err != nil {
			t.Fatalf("%s signs what it does not verify: %v", data, err)
		}
	})
}

func newTestKey(t testing.TB, alg Alg) *Key {
	t.Helper()
	k, err := Generate(alg)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// privately is the private key of k as a JWK.
func privately(t testing.TB, k *Key) string {
	t.Helper()
	b, err := k.MarshalPrivate()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func samePublic(k *Key, pub crypto.PublicKey) bool {
	return k.private.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(pub)
}
