package jose

import (
	"crypto"
	"encoding/json"
	"errors"
	"fmt"

	gojose "github.com/go-jose/go-jose/v4"
)

// JWK is a public key with its kid and algorithm (RFC 7517). It cannot hold a
// private or a symmetric one.
type JWK struct{ raw gojose.JSONWebKey }

// ParseJWK reads a public key. It refuses private and symmetric keys and those
// that do not fit the alg that they name.
func ParseJWK(data []byte) (JWK, error) {
	if err := strict(data); err != nil {
		return JWK{}, fmt.Errorf("parse key: %w", err)
	}
	var raw gojose.JSONWebKey
	if err := raw.UnmarshalJSON(data); err != nil {
		return JWK{}, fmt.Errorf("parse key: %w", err)
	}
	if !raw.IsPublic() || !raw.Valid() {
		return JWK{}, errors.New("parse key: not a public key")
	}
	s := schemes[Alg(raw.Algorithm)]
	if s == nil {
		return JWK{}, fmt.Errorf("parse key: %w: %q", ErrUnknownAlg, raw.Algorithm)
	}
	if !s.fits(raw.Key) {
		return JWK{}, fmt.Errorf("parse key: it does not fit %s", raw.Algorithm)
	}
	return JWK{raw}, nil
}

// ID is the kid.
func (k JWK) ID() string { return k.raw.KeyID }

// Alg is the one algorithm that the key verifies.
func (k JWK) Alg() Alg { return Alg(k.raw.Algorithm) }

// Key is what the standard library verifies with.
func (k JWK) Key() crypto.PublicKey { return k.raw.Key }

// MarshalJSON writes the key with kid, alg and use.
func (k JWK) MarshalJSON() ([]byte, error) { return k.raw.MarshalJSON() }

// Set returns the JWK Set of keys (RFC 7517 §5).
func Set(keys []JWK) ([]byte, error) {
	return json.Marshal(struct {
		Keys []JWK `json:"keys"`
	}{append([]JWK{}, keys...)})
}

// Thumbprint is the SHA-256 thumbprint of a public key in base64url (RFC 7638).
func Thumbprint(pub crypto.PublicKey) (string, error) {
	k := gojose.JSONWebKey{Key: pub}
	if !k.IsPublic() {
		return "", errors.New("thumbprint: not a public key")
	}
	sum, err := k.Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("thumbprint: %w", err)
	}
	return enc.EncodeToString(sum), nil
}
