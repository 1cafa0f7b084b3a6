// Package jose signs our tokens and reads everybody's: JWS in its compact
// form, JWK and JWT (RFC 7515, 7517, 7518, 7519, 8037), and no more of them
// than an OpenID Provider needs. It is the only door of go-jose.
//
// Its reading side meets hostile input. It has one path, that path is short,
// and whatever it does not expressly allow is refused: see [Verify].
package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256" // SHA-256, found by crypto.Hash
	_ "crypto/sha512" // SHA-384 and SHA-512, found by crypto.Hash
	"encoding/base64"
	"errors"
)

// Alg is a signature algorithm by its registered name (RFC 7518 §3.1). There
// is no value for "none" and none for the HMAC family: what has no name here
// cannot be asked for by mistake.
type Alg string

// The algorithms that this package knows. It signs with all but the PS ones.
const (
	RS256 Alg = "RS256"
	RS384 Alg = "RS384"
	RS512 Alg = "RS512"
	PS256 Alg = "PS256"
	PS384 Alg = "PS384"
	PS512 Alg = "PS512"
	ES256 Alg = "ES256"
	ES384 Alg = "ES384"
	ES512 Alg = "ES512"
	EdDSA Alg = "EdDSA" // over Ed25519 only (RFC 8037 §3.1)
)

// Bounds on what is read. A JWT of ours is below 2 KiB in ordinary life; one
// with hundreds of groups still fits.
const (
	MaxToken  = 64 << 10 // characters of a compact JWS
	maxHeader = 4 << 10  // characters of its encoded header
	maxName   = 256      // bytes of a kid or typ
	maxDepth  = 32       // nesting of JSON
	minRSA    = 2048     // bits (RFC 7518 §3.3)
	maxRSA    = 8192     // bits; verifying costs the square of it
)

// ErrUnknownAlg says that an algorithm is not one of this package.
var ErrUnknownAlg = errors.New("unknown signature algorithm")

// scheme is what an algorithm is made of.
type scheme struct {
	kind  kind
	hash  crypto.Hash    // of the signing input; for EdDSA, of at_hash alone
	curve elliptic.Curve // of the ES algorithms
	size  int            // bytes of a coordinate of the curve
	bits  int            // of an RSA key that we make
}

type kind int

const (
	pkcs1 kind = iota + 1
	pss
	ec
	okp
)

var schemes = map[Alg]*scheme{
	RS256: {kind: pkcs1, hash: crypto.SHA256, bits: 2048},
	RS384: {kind: pkcs1, hash: crypto.SHA384, bits: 3072},
	RS512: {kind: pkcs1, hash: crypto.SHA512, bits: 4096},
	PS256: {kind: pss, hash: crypto.SHA256},
	PS384: {kind: pss, hash: crypto.SHA384},
	PS512: {kind: pss, hash: crypto.SHA512},
	ES256: {kind: ec, hash: crypto.SHA256, curve: elliptic.P256(), size: 32},
	ES384: {kind: ec, hash: crypto.SHA384, curve: elliptic.P384(), size: 48},
	ES512: {kind: ec, hash: crypto.SHA512, curve: elliptic.P521(), size: 66},
	EdDSA: {kind: okp, hash: crypto.SHA512},
}

// Algs are all algorithms of this package, the usual ones first.
var Algs = []Alg{RS256, PS256, ES256, EdDSA, RS384, RS512, PS384, PS512, ES384, ES512}

// Known reports whether alg is an algorithm of this package.
func (alg Alg) Known() bool { return schemes[alg] != nil }

// fits reports whether pub is a key for s: the right family, the right curve,
// a sane size. A key is never used with an algorithm that it was not made for,
// so an RSA key cannot become an HMAC secret (RFC 8725 §3.1).
func (s *scheme) fits(pub crypto.PublicKey) bool {
	switch pub := pub.(type) {
	case *rsa.PublicKey:
		return (s.kind == pkcs1 || s.kind == pss) && pub != nil && pub.N != nil &&
			pub.N.BitLen() >= minRSA && pub.N.BitLen() <= maxRSA
	case *ecdsa.PublicKey:
		return s.kind == ec && pub != nil && pub.Curve == s.curve
	case ed25519.PublicKey:
		return s.kind == okp && len(pub) == ed25519.PublicKeySize
	}
	return false
}

// enc is base64url without padding. Strict refuses bits that are left over in
// the last character, so that no token has two spellings.
var enc = base64.RawURLEncoding.Strict()

// AtHash is the left half of the hash that alg uses, of token: the value of
// at_hash and c_hash (OpenID Connect Core §3.1.3.6, §3.3.2.11). For EdDSA the
// hash is SHA-512, the one inside Ed25519. It is empty for an unknown alg.
func AtHash(alg Alg, token string) string {
	s := schemes[alg]
	if s == nil {
		return ""
	}
	h := s.hash.New()
	h.Write([]byte(token))
	sum := h.Sum(nil)
	return enc.EncodeToString(sum[:len(sum)/2])
}
