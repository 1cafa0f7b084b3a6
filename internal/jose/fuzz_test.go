package jose

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"
)

// fixed is a key for fuzzing, so that a corpus keeps its meaning between runs.
// It is of no use to anybody.
const fixed = `{"use":"sig","kty":"OKP","kid":"fuzz","crv":"Ed25519","alg":"EdDSA","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}`

// FuzzVerify looks for a panic and for a token that we accept and go-jose does not.
func FuzzVerify(f *testing.F) {
	k, err := ParsePrivate([]byte(fixed))
	if err != nil {
		f.Fatal(err)
	}
	good, err := k.Sign("at+jwt", json.RawMessage(claims))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, token string) {
		_, payload, err := Verify(token, of("at+jwt", k))
		if err != nil {
			return
		}
		other, err := gojose.ParseSignedCompact(token, []gojose.SignatureAlgorithm{gojose.EdDSA})
		if err != nil {
			t.Fatalf("we accept %q, go-jose says %v", token, err)
		}
		theirs, err := other.Verify(k.Public().Key())
		if err != nil || !bytes.Equal(theirs, payload) {
			t.Fatalf("we read %s, go-jose reads %s, %v", payload, theirs, err)
		}
	})
}

// FuzzHeader signs whatever header and payload the fuzzer finds, so that the
// signature does not keep it out of the code behind.
func FuzzHeader(f *testing.F) {
	k, err := ParsePrivate([]byte(fixed))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(`{"alg":"EdDSA","kid":"fuzz","typ":"at+jwt"}`, claims)
	f.Fuzz(func(t *testing.T, header, payload string) {
		h, got, err := Verify(forge(t, k, header, payload), of("at+jwt", k))
		if err != nil {
			return
		}
		var plain map[string]any
		if err := json.Unmarshal([]byte(header), &plain); err != nil || plain["alg"] != "EdDSA" || plain["kid"] != "fuzz" {
			t.Fatalf("accepted the header %q as %v", header, h)
		}
		for _, name := range forbidden {
			if _, there := plain[name]; there {
				t.Fatalf("accepted the header %q", header)
			}
		}
		if string(got) != payload {
			t.Fatalf("got %q of %q", got, payload)
		}
	})
}

// FuzzStrict holds strict against the decoder of go-jose, which refuses
// members that appear twice, too.
func FuzzStrict(f *testing.F) {
	for _, s := range []string{claims, `{"a":[{"b":1},{"b":2}],"c":"\"\\"}`, `{"a":1,"a":2}`, `{"a":{"b":[1,{"a":1,"\u0061":2}]}}`, `[]`, `{"a":"{\"a\":1,\"a\":2}"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if strict(data) != nil {
			return
		}
		var a, b map[string]any
		if err := Unmarshal(data, &a); err != nil {
			if strings.Contains(err.Error(), "duplicate") {
				t.Fatalf("accepted %q: %v", data, err)
			}
			return // a number that float64 cannot hold
		}
		if err := json.Unmarshal(data, &b); err != nil {
			t.Fatalf("accepted %q, which encoding/json refuses: %v", data, err)
		}
		if !reflect.DeepEqual(a, b) {
			t.Fatalf("%q is read as %v and as %v", data, a, b)
		}
	})
}

// FuzzParseJWK looks for a panic and for a key that is not public.
func FuzzParseJWK(f *testing.F) {
	f.Add([]byte(rfc7638))
	f.Add([]byte(fixed))
	f.Fuzz(func(t *testing.T, data []byte) {
		k, err := ParseJWK(data)
		if err != nil {
			return
		}
		if !k.raw.IsPublic() || !schemes[k.Alg()].fits(k.Key()) {
			t.Fatalf("accepted %s", data)
		}
	})
}
