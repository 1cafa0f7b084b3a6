// Package secret makes tokens that cannot be guessed, keeps them as hashes,
// and seals what must be stored in the clear under the master key.
package secret

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
)

// ID returns a fresh identifier: a random UUID (RFC 9562 §5.4) in text. It is
// unique, not secret.
func ID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	var t [36]byte
	hex.Encode(t[0:8], b[0:4])
	hex.Encode(t[9:13], b[4:6])
	hex.Encode(t[14:18], b[6:8])
	hex.Encode(t[19:23], b[8:10])
	hex.Encode(t[24:36], b[10:16])
	t[8], t[13], t[18], t[23] = '-', '-', '-', '-'
	return string(t[:])
}

// Token returns 256 random bits in base64url: a handle, a code, a secret.
// Only its Hash is ever stored.
func Token() string {
	var b [32]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Hash is how a token is stored: SHA-256, fast because the token has 256
// random bits. What a person may choose or type goes through Master.MAC.
func Hash(token string) []byte {
	h := sha256.Sum256([]byte(token))
	return h[:]
}

// alphabet is Crockford's base 32: no I, L, O or U. Its 32 characters are
// five bits each, so a code is uniform.
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// Code returns n characters (5 bits each) that a person can read aloud and
// type. It is stored as a MAC, because it may be short enough to be guessed.
func Code(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	for i := range b {
		b[i] = alphabet[b[i]&31]
	}
	return string(b)
}

// NormalCode is the code that was meant by what a person typed: case, spaces,
// hyphens and full-width forms do not matter, and the letters that the
// alphabet leaves out are read as the digits they look like.
func NormalCode(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '！' && r <= '～' { // what an East Asian keyboard makes of ASCII
			r -= '！' - '!'
		}
		if r >= 'a' && r <= 'z' {
			r -= 'a' - 'A'
		}
		switch r {
		case 'O':
			return '0'
		case 'I', 'L':
			return '1'
		case '-', ' ', '\t', '\r', '\n', '\u00a0', '\u3000', '\u2010', '\u2011', '\u2013', '\u2014', '_', '.':
			return -1
		}
		return r
	}, s)
}

// Equal compares in time that depends on the lengths alone.
func Equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

// Text is a secret in memory. However it is printed, logged or marshalled it
// shows as "[secret]"; string(t) is the way to the value. Two things the
// language does not let it hide from: being the key of a map in JSON, and being
// an unexported field of a struct that fmt prints.
type Text string

const hidden = "[secret]"

// String hides the secret.
func (Text) String() string { return hidden }

// GoString hides the secret from %#v.
func (Text) GoString() string { return hidden }

// Format hides the secret from every other verb.
func (Text) Format(f fmt.State, _ rune) { f.Write([]byte(hidden)) }

// LogValue hides the secret from slog.
func (Text) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides the secret from encoders.
func (Text) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// MarshalJSON hides the secret from encoding/json.
func (Text) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }

// letters is the base 20 of RFC 8628 §6.1: consonants alone, so that a code spells no
// word, and none that looks like a digit or like another one.
const letters = "BCDFGHJKLMNPQRSTVWXZ"

// Letters returns n letters (4.3 bits each) that a person can copy from one screen to
// another. It is stored as a MAC, because it is short enough to be guessed.
func Letters(n int) string {
	b := make([]byte, 0, n)
	for one := make([]byte, 1); len(b) < n; {
		rand.Read(one)
		// 240 is the greatest multiple of 20 in a byte: beyond it some would come more often.
		if one[0] < 240 {
			b = append(b, letters[int(one[0])%len(letters)])
		}
	}
	return string(b)
}

// IsLetters says whether s could have come from Letters.
func IsLetters(s string) bool { return strings.Trim(s, letters) == "" }
