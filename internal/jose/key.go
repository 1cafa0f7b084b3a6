package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	gojose "github.com/go-jose/go-jose/v4"
)

// Key is a private key that signs with one algorithm under one name. It is
// safe for use by many goroutines at once.
type Key struct {
	// ID is the kid. For keys that we make it is the RFC 7638 thumbprint.
	ID string
	// Alg is the only algorithm that the key signs with.
	Alg Alg

	private crypto.Signer
	scheme  *scheme

	// headers holds the encoded header by typ: it is the same for every token
	// of a type, so it is built once. Types come from our code alone and are few.
	headers sync.Map
}

// Generate makes a key for alg. RSA takes about a tenth of a second of a core,
// and now and then several times that.
func Generate(alg Alg) (*Key, error) {
	s := schemes[alg]
	if s == nil || s.kind == pss {
		return nil, fmt.Errorf("%w: %q", ErrUnknownAlg, alg)
	}
	var private crypto.Signer
	var err error
	switch s.kind {
	case pkcs1:
		private, err = rsa.GenerateKey(rand.Reader, s.bits)
	case ec:
		private, err = ecdsa.GenerateKey(s.curve, rand.Reader)
	case okp:
		_, private, err = ed25519.GenerateKey(rand.Reader)
	}
	if err != nil {
		return nil, fmt.Errorf("generate %s key: %w", alg, err)
	}
	id, err := Thumbprint(private.Public())
	if err != nil {
		return nil, err
	}
	return newKey(id, alg, private)
}

func newKey(id string, alg Alg, private crypto.Signer) (*Key, error) {
	s := schemes[alg]
	if s == nil || s.kind == pss {
		return nil, fmt.Errorf("%w: %q", ErrUnknownAlg, alg)
	}
	if !s.fits(private.Public()) {
		return nil, fmt.Errorf("key %s does not fit %s", id, alg)
	}
	return &Key{ID: id, Alg: alg, private: private, scheme: s}, nil
}

// ParsePrivate reads what MarshalPrivate wrote: a private JWK with kid and alg.
func ParsePrivate(data []byte) (*Key, error) {
	var raw gojose.JSONWebKey
	if err := raw.UnmarshalJSON(data); err != nil {
		return nil, fmt.Errorf("parse private key: %w", err)
	}
	if raw.KeyID == "" || len(raw.KeyID) > maxName {
		return nil, errors.New("parse private key: no usable kid")
	}
	var private crypto.Signer
	switch k := raw.Key.(type) {
	case *rsa.PrivateKey:
		k.Precompute()
		private = k
	case *ecdsa.PrivateKey:
		d, err := k.Bytes()
		if err != nil {
			return nil, fmt.Errorf("parse private key: %w", err)
		}
		again, err := ecdsa.ParseRawPrivateKey(k.Curve, d)
		if err != nil {
			return nil, fmt.Errorf("parse private key: %w", err)
		}
		if !again.PublicKey.Equal(&k.PublicKey) {
			return nil, errors.New("parse private key: its halves do not belong together")
		}
		private = again
	case ed25519.PrivateKey:
		private = k
	default:
		return nil, errors.New("parse private key: not a private key")
	}
	return newKey(raw.KeyID, Alg(raw.Algorithm), private)
}

// MarshalPrivate returns the private JWK. It is for sealing, never for showing.
func (k *Key) MarshalPrivate() ([]byte, error) {
	return k.jwk(k.private).MarshalJSON()
}

// Public returns the half that everybody may know.
func (k *Key) Public() JWK { return JWK{k.jwk(k.private.Public())} }

func (k *Key) jwk(key any) gojose.JSONWebKey {
	return gojose.JSONWebKey{Key: key, KeyID: k.ID, Algorithm: string(k.Alg), Use: "sig"}
}

// Sign returns claims as a compact JWS of type typ ("at+jwt", "JWT"). claims
// is marshalled by encoding/json, or taken as it is when it is a
// json.RawMessage; either way it must be a JSON object.
func (k *Key) Sign(typ string, claims any) (string, error) {
	payload, ok := claims.(json.RawMessage)
	if !ok {
		var err error
		if payload, err = json.Marshal(claims); err != nil {
			return "", fmt.Errorf("marshal claims: %w", err)
		}
	}
	if len(payload) == 0 || payload[0] != '{' {
		return "", errors.New("claims are not a JSON object")
	}
	header := k.header(typ)
	n := len(header) + 1 + enc.EncodedLen(len(payload))
	buf := make([]byte, 0, n+1+enc.EncodedLen(k.size()))
	buf = append(buf, header...)
	buf = append(buf, '.')
	buf = enc.AppendEncode(buf, payload)
	signature, err := k.signature(buf)
	if err != nil {
		return "", fmt.Errorf("sign with %s: %w", k.ID, err)
	}
	buf = append(buf, '.')
	buf = enc.AppendEncode(buf, signature)
	if len(buf) > MaxToken {
		return "", fmt.Errorf("a token of %d characters is longer than anybody reads", len(buf))
	}
	return string(buf), nil
}

// header is the encoded protected header: alg, kid, typ and nothing else
// (RFC 9068 §2.1; no jku, x5u or jwk).
func (k *Key) header(typ string) string {
	if h, ok := k.headers.Load(typ); ok {
		return h.(string)
	}
	plain, err := json.Marshal(struct {
		Alg Alg    `json:"alg"`
		Kid string `json:"kid"`
		Typ string `json:"typ,omitempty"`
	}{k.Alg, k.ID, typ})
	if err != nil {
		panic("jose: three strings do not marshal: " + err.Error())
	}
	h := enc.EncodeToString(plain)
	k.headers.Store(typ, h)
	return h
}

// size is the length of a signature in bytes.
func (k *Key) size() int {
	switch k.scheme.kind {
	case pkcs1:
		return k.private.(*rsa.PrivateKey).Size()
	case ec:
		return 2 * k.scheme.size
	}
	return ed25519.SignatureSize
}

func (k *Key) signature(input []byte) ([]byte, error) {
	if k.scheme.kind == okp {
		return ed25519.Sign(k.private.(ed25519.PrivateKey), input), nil
	}
	h := k.scheme.hash.New()
	h.Write(input)
	digest := h.Sum(nil)
	if k.scheme.kind == pkcs1 {
		return rsa.SignPKCS1v15(rand.Reader, k.private.(*rsa.PrivateKey), k.scheme.hash, digest)
	}
	r, s, err := ecdsa.Sign(rand.Reader, k.private.(*ecdsa.PrivateKey), digest)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 2*k.scheme.size) // R and S side by side (RFC 7518 §3.4)
	r.FillBytes(out[:k.scheme.size])
	s.FillBytes(out[k.scheme.size:])
	return out, nil
}

// String names the key. It keeps the private half out of every log and message.
func (k *Key) String() string { return string(k.Alg) + " " + k.ID }

// GoString is String, so that %#v shows no more than %v.
func (k *Key) GoString() string { return k.String() }

// LogValue is String for slog.
func (k *Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// ParseForeign is ParsePrivate for a key of another house, which may leave out its alg.
func ParseForeign(data []byte) (*Key, error) {
	var raw gojose.JSONWebKey
	if err := raw.UnmarshalJSON(data); err != nil {
		return nil, fmt.Errorf("parse private key: %w", err)
	}
	if raw.Algorithm == "" {
		switch k := raw.Key.(type) {
		case *rsa.PrivateKey:
			raw.Algorithm = string(RS256)
		case *ecdsa.PrivateKey:
			for _, alg := range Algs {
				if schemes[alg].kind == ec && schemes[alg].curve == k.Curve {
					raw.Algorithm = string(alg)
				}
			}
		case ed25519.PrivateKey:
			raw.Algorithm = string(EdDSA)
		}
	}
	whole, err := raw.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("parse private key: %w", err)
	}
	return ParsePrivate(whole)
}
